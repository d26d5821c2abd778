import { expect, test } from "vitest";
import { type JsonReport, problems, tally, tallyText } from "./tally.ts";

const file = (status: string, ...tests: string[]): JsonReport["testResults"][number] => ({
  name: "a.test.ts",
  status,
  message: "cannot load\nmore",
  assertionResults: tests.map((s) => ({ status: s, fullName: `a ${s} test` })),
});

const counted = (...testResults: JsonReport["testResults"][number][]) => tallyText(tally({ testResults }));

test("passed, failed and skipped tests of all files are summed", () => {
  expect(counted(file("passed", "passed", "passed", "skipped"), file("failed", "passed", "failed", "todo", "pending"))).toBe(
    "3 passed, 1 failed, 3 skipped",
  );
});

test("a file that could not be loaded is a failure", () => {
  expect(counted(file("failed"))).toBe("0 passed, 1 failed, 0 skipped");
  expect(problems({ testResults: [file("failed")] })).toEqual(["failed: a.test.ts: cannot load"]);
});

test("a test that did not pass is named", () => {
  expect(problems({ testResults: [file("failed", "passed", "failed", "skipped")] })).toEqual([
    "failed: a failed test (a.test.ts)",
    "skipped: a skipped test (a.test.ts)",
  ]);
});
