import type { Case } from "./case.ts";
import { type Difference, wanted } from "./differences.ts";
import type { Outcome } from "./side.ts";
import { compare, type Mismatch } from "./transcript.ts";

/** How a case went: its mismatches, apart from those that are wanted. */
export interface Result {
  readonly name: string;
  readonly chapter: number;
  readonly failure?: string;
  readonly mismatches: readonly Mismatch[];
  readonly wanted: readonly Difference[];
}

const CHAPTERS: Record<number, string> = {
  1: "services",
  2: "dests",
  3: "schedulers",
  4: "conns",
  5: "packets",
  6: "statistics",
  7: "settings",
  8: "sync",
  9: "ipvsadm",
};

export function resultOf(c: Case, kernel: Outcome, ours: Outcome, list: readonly Difference[]): Result {
  const base = { name: c.name, chapter: c.chapter };
  const failure = "failure" in kernel ? `kernel: ${kernel.failure}` : "failure" in ours ? ours.failure : undefined;
  if (failure !== undefined || "failure" in kernel || "failure" in ours)
    return { ...base, failure: failure ?? "", mismatches: [], wanted: [] };
  const all = compare(kernel.transcript, ours.transcript);
  const covered = all.map((m) => wanted(list, c.name, m));
  return {
    ...base,
    mismatches: all.filter((_, i) => covered[i] === undefined),
    wanted: covered.filter((d): d is Difference => d !== undefined),
  };
}

/** Prints mismatches and the table; true when all agreed. */
export function printResults(results: readonly Result[], print: (text: string) => void): boolean {
  for (const r of results) printTrouble(r, print);
  print(
    `${"chapter of the spec".padEnd(24)}${"cases".padStart(7)}${"agreed".padStart(8)}${"wanted differences".padStart(20)}${"different".padStart(11)}`,
  );
  const row = (label: string, of: readonly Result[]): void => {
    const agreed = of.filter((r) => r.failure === undefined && r.mismatches.length === 0);
    const differences = of.reduce((n, r) => n + new Set(r.wanted).size, 0);
    const columns = [`${of.length}`.padStart(7), `${agreed.length}`.padStart(8), `${differences}`.padStart(20)];
    print(`${label.padEnd(24)}${columns.join("")}${`${of.length - agreed.length}`.padStart(11)}`);
  };
  for (const chapter of [...new Set(results.map((r) => r.chapter))].sort()) {
    row(
      `${chapter} ${CHAPTERS[chapter] ?? ""}`,
      results.filter((r) => r.chapter === chapter),
    );
  }
  row("all", results);
  return results.length > 0 && results.every((r) => r.failure === undefined && r.mismatches.length === 0);
}

const SHOWN = 8; // mismatches printed for a case

function printTrouble(r: Result, print: (text: string) => void): void {
  if (r.failure !== undefined) print(`${r.name}: ${r.failure}`);
  if (r.mismatches.length === 0) return;
  print(`${r.name}: ${r.mismatches.length} lines differ`);
  let step = "";
  for (const m of r.mismatches.slice(0, SHOWN)) {
    if (m.step !== step) print(`  > ${m.step}`);
    step = m.step;
    print(`    kernel: ${m.kernel ?? "(no line)"}`);
    print(`    ours:   ${m.ours ?? "(no line)"}`);
  }
  if (r.mismatches.length > SHOWN) print(`    … and ${r.mismatches.length - SHOWN} more`);
}

/** Entries of the list that no result needed: once all cases ran, they say something untrue. */
export function unneeded(list: readonly Difference[], results: readonly Result[]): Difference[] {
  const needed = new Set(results.flatMap((r) => r.wanted));
  return list.filter((d) => !needed.has(d));
}

/** `expect` lines that were not met: where a statement in a case is not what happened. */
export function unmetExpectations(outcomes: readonly Outcome[]): string[] {
  return outcomes.flatMap((o) =>
    "failure" in o
      ? []
      : o.transcript.steps.flatMap((s, i) =>
          s.step.startsWith("expect") && s.lines[0]?.startsWith("NO")
            ? [
                `${o.name}: ${s.step} -> ${s.lines[0]} (after: ${o.transcript.steps[i - 1]?.step})\n${(o.transcript.steps[i - 1]?.lines ?? []).join("\n")}`,
              ]
            : [],
        ),
  );
}
