import { chai, JestAsymmetricMatchers, JestChaiExpect, JestExtend } from "@vitest/expect";

/**
 * What test files import from vitest, without vitest's own processes, transforms and worker: its runner and its matchers alone.
 * The suite is bundled with this in vitest's place, so that one file of JavaScript brings the tests to another kernel.
 */
chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

export { afterAll, afterEach, beforeAll, beforeEach, describe, test } from "@vitest/runner";
export const expect = chai.expect;
