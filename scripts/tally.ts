/** What vitest's JSON reports count. */

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The part of a report that is read here. */
export interface JsonReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

export const noTests: Tally = { passed: 0, failed: 0, skipped: 0 };

export const addTallies = (a: Tally, b: Tally): Tally => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
});

/** A file that could not even be loaded counts as one failure. */
export function tally(report: JsonReport): Tally {
  let total = noTests;
  for (const file of report.testResults) {
    const count = (...statuses: string[]) => file.assertionResults.filter((test) => statuses.includes(test.status)).length;
    const failed = count("failed");
    const broken = file.status === "failed" && failed === 0 ? 1 : 0;
    total = addTallies(total, {
      passed: count("passed"),
      failed: failed + broken,
      skipped: count("skipped", "pending", "todo", "disabled"),
    });
  }
  return total;
}

/** One line for each test that did not pass. */
export function problems(report: JsonReport): string[] {
  return report.testResults.flatMap((file) => {
    const tests = file.assertionResults.filter((test) => test.status !== "passed");
    const lines = tests.map((test) => `${test.status}: ${test.fullName} (${file.name})`);
    const broken = file.status === "failed" && !tests.some((test) => test.status === "failed");
    return broken ? [...lines, `failed: ${file.name}: ${(file.message ?? "").split("\n", 1)[0]}`] : lines;
  });
}

export const tallyText = (t: Tally): string => `${t.passed} passed, ${t.failed} failed, ${t.skipped} skipped`;
