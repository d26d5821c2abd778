/**
 * What a run of a case gave, step by step: a text that is the same whenever the director behaves the same. Time is the one
 * thing compared loosely: the `mm:ss` until a conn expires may differ by a few seconds.
 */
export interface StepResult {
  /** The step as the case file has it. */
  readonly step: string;
  readonly lines: readonly string[];
}

export interface Transcript {
  readonly name: string;
  readonly steps: readonly StepResult[];
}

export interface Mismatch {
  readonly step: string;
  /** Absent lines are undefined. */
  readonly kernel: string | undefined;
  readonly ours: string | undefined;
}

const EXPIRY_TOLERANCE = 3; // seconds

/** The text stored beside a case. A line of output that begins like a step is kept apart by a leading blank. */
export function formatTranscript(t: Transcript): string {
  return t.steps.map((s) => [`> ${s.step}`, ...s.lines.map((line) => `  ${line}`)].join("\n").concat("\n")).join("");
}

export function parseTranscript(name: string, text: string): Transcript {
  const steps: { step: string; lines: string[] }[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("> ")) steps.push({ step: line.slice(2), lines: [] });
    else if (line.startsWith("  ")) steps.at(-1)?.lines.push(line.slice(2));
  }
  return { name, steps };
}

export function compare(kernel: Transcript, ours: Transcript): Mismatch[] {
  const mismatches: Mismatch[] = [];
  const count = Math.max(kernel.steps.length, ours.steps.length);
  for (let i = 0; i < count; i++) {
    const k = kernel.steps[i];
    const o = ours.steps[i];
    const step = k?.step ?? o?.step ?? "";
    const lines = Math.max(k?.lines.length ?? 0, o?.lines.length ?? 0);
    for (let n = 0; n < lines; n++) {
      const a = k?.lines[n];
      const b = o?.lines[n];
      if (!isSameLine(a, b)) mismatches.push({ step, kernel: a, ours: b });
    }
  }
  return mismatches;
}

const EXPIRY = /^([A-Z]\w* +)(\d+):(\d\d)( .*)$/;

export function isSameLine(a: string | undefined, b: string | undefined): boolean {
  if (a === b) return true;
  const x = EXPIRY.exec(a ?? "");
  const y = EXPIRY.exec(b ?? "");
  if (x === null || y === null || x[1] !== y[1] || x[4] !== y[4]) return false;
  const seconds = (m: RegExpExecArray): number => Number(m[2]) * 60 + Number(m[3]);
  return Math.abs(seconds(x) - seconds(y)) <= EXPIRY_TOLERANCE;
}

/** Conns in an order of their own (a table has none); the time plays no part in it. */
export function sortConns(lines: readonly string[]): string[] {
  const key = (line: string): string => line.replace(/ \d+:\d\d /, " ");
  return [...lines].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}
