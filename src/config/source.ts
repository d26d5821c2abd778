/** Where a value was written, and how a problem with it is told. */

/** A place in a file. Lines and columns count from 1; column 0 means the whole line. */
export interface Origin {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** `error`: `keepalived -t` (2.2.7) does not return 0 for it. `warning`: worth a word, the file is accepted. */
export type Severity = "error" | "warning";

/**
 * `argument`: one is missing, and keepalived ends at once. `interface`: one is missing, and its VRRP process ends;
 * `spare-interface`: one that it does without. `security`, `check-security`: scripts of VRRP or of checks without script security;
 * `instance`: one that cannot be run, and the VRRP process ends.
 */
export type ProblemKind = "argument" | "instance" | "interface" | "spare-interface" | "security" | "check-security";

export interface Problem {
  readonly severity: Severity;
  readonly origin: Origin;
  readonly message: string;
  /** The line as it was read (after substitution when it had any), for the caret. */
  readonly text: string;
  /** Number of characters the caret underlines. */
  readonly length: number;
  /** What was probably meant. */
  readonly suggestion?: string;
  /** When `keepalived -t` has an exit code of its own for it (spec 1.6). */
  readonly kind?: ProblemKind;
  /** Name of the lint rule, when the problem came from lint. */
  readonly rule?: string;
}

/** A word of the file may stand in a message, and it may be of any length. */
const LONGEST_MESSAGE = 1000;

/** One line per problem, as compilers do: "a.conf:3:5: error: …". */
export function describe(p: Problem): string {
  const message = p.message.length > LONGEST_MESSAGE ? `${p.message.slice(0, LONGEST_MESSAGE)}…` : p.message;
  const { file, line, column } = p.origin;
  const where = column > 0 ? `${file}:${line}:${column}` : line > 0 ? `${file}:${line}` : file;
  const rule = p.rule === undefined ? "" : ` [${p.rule}]`;
  const hint = p.suggestion === undefined ? "" : ` (did you mean '${p.suggestion}'?)`;
  return `${where}: ${p.severity}: ${message}${hint}${rule}`;
}

/** Characters of a line that are shown, around the place. */
const SHOWN = 160;

/** `describe` with the line and a caret under the place. */
export function explainProblem(p: Problem): string {
  if (p.origin.column === 0 || p.text === "") return describe(p);
  const from = p.origin.column > SHOWN ? p.origin.column - SHOWN / 2 : 0;
  const text = p.text.slice(from, from + SHOWN);
  const at = p.origin.column - 1 - from;
  const before = text.slice(0, at).replace(/[^\t]/g, " ");
  const length = Math.min(p.length, SHOWN - at);
  return `${describe(p)}\n  ${text}\n  ${before}^${"~".repeat(Math.max(0, length - 1))}`;
}

/** The nearest of `candidates` to `word`, if it is near enough to be a slip of the pen. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > limit) continue;
    const d = editDistance(word.toLowerCase(), candidate.toLowerCase(), bestDistance);
    if (d < bestDistance && candidate !== word) [best, bestDistance] = [candidate, d];
  }
  return best;
}

/** Damerau-Levenshtein distance of neighbours, given up at `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  let previous2: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const same = a.charCodeAt(i - 1) === b.charCodeAt(j - 1);
      let d = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) d = Math.min(d, previous2[j - 2]! + 1);
      row.push(d);
      if (d < least) least = d;
    }
    if (least >= limit) return limit;
    [previous2, previous] = [previous, row];
  }
  return previous[b.length]!;
}
