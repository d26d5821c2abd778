import type { Mismatch } from "./transcript.ts";

/**
 * The one list of wanted differences between lvsd and the kernel, each with its reason. A mismatch that no entry covers
 * fails the run; so does an entry that no longer covers anything, when all cases were run.
 */
export interface Difference {
  /** The case's name, or its beginning followed by "*". */
  readonly cases: string;
  /** What the kernel's line looks like (absent line: ""). */
  readonly kernel: RegExp;
  /** What ours looks like instead. */
  readonly ours: RegExp;
  readonly reason: string;
}

export const DIFFERENCES: readonly Difference[] = [
  {
    cases: "*",
    kernel: /^IP Virtual Server version 1\.2\.1 \(size=4096\)$/,
    ours: /^IP Virtual Server version 1\.2\.1 \(size=\d+\)$/,
    reason: "the size of the conn table is lvsd's own",
  },
];

/** The entry that covers a mismatch. */
export function wanted(list: readonly Difference[], name: string, m: Mismatch): Difference | undefined {
  const covers = (pattern: string): boolean => (pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern);
  return list.find((d) => covers(d.cases) && d.kernel.test(m.kernel ?? "") && d.ours.test(m.ours ?? ""));
}
