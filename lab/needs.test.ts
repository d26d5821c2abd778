import { afterEach, expect, test, vi } from "vitest";
import { missing } from "./needs.ts";

afterEach(() => vi.unstubAllEnvs());

test("what is not built is a reason to skip", () => {
  vi.stubEnv("CI", "");
  expect(missing("package.json", "bin/nothing")).toMatch(/^bin\/nothing is not built: make build$|need root$/);
});

test("what is not built is a failure in CI", () => {
  vi.stubEnv("CI", "true");
  expect(() => missing("bin/nothing")).toThrow("CI must run this test");
});
