/**
 * What a run of a case gave, step by step: a text that is the same whenever the director behaves the same. Time is the one
 * thing compared loosely: the `mm:ss` until a conn expires may differ by a few seconds.
 */
export interface StepResult {
  /** The step as the case file has it. */
  readonly step: string;
  readonly lines: readonly string[];
  /** Seconds that the run was behind its plan when the step ended, on a busy machine; not stored. */
  readonly late?: number;
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

const EXPIRY_TOLERANCE = 3; // seconds, and what ours was late

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
  const count = Math.max(kernel.steps.length, ours.steps.length);
  return Array.from({ length: count }, (_, i) => {
    const step = (kernel.steps[i] ?? ours.steps[i])!.step;
    const late = ours.steps[i]?.late ?? 0;
    const pairs = align(kernel.steps[i]?.lines ?? [], ours.steps[i]?.lines ?? [], late);
    return pairs.filter(([k, o]) => !isSameLine(k, o, late)).map(([k, o]) => ({ step, kernel: k, ours: o }));
  }).flat();
}

type Pair = readonly [kernel: string | undefined, ours: string | undefined];

/** Line beside line; where one side has more, lines that are the same stay beside each other (longest common subsequence). */
function align(a: readonly string[], b: readonly string[], late: number): Pair[] {
  if (a.length === b.length) return a.map((line, i) => [line, b[i]]);
  const common = commonLengths(a, b, late);
  const pairs: Pair[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const skipA = common[i + 1]?.[j] ?? -1;
    const skipB = common[i]?.[j + 1] ?? -1;
    if (i < a.length && j < b.length && (isSameLine(a[i], b[j], late) || (skipA === skipB && skipA === common[i + 1]![j + 1]))) {
      pairs.push([a[i++], b[j++]]);
    } else if (i < a.length && skipA >= skipB) pairs.push([a[i++], undefined]);
    else pairs.push([undefined, b[j++]]);
  }
  return pairs;
}

/** [i][j]: how many lines the rests of a from i and of b from j have in common, in order. */
function commonLengths(a: readonly string[], b: readonly string[], late: number): number[][] {
  const lengths = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const both = isSameLine(a[i], b[j], late) ? lengths[i + 1]![j + 1]! + 1 : 0;
      lengths[i]![j] = Math.max(both, lengths[i + 1]![j]!, lengths[i]![j + 1]!);
    }
  }
  return lengths;
}

const EXPIRY = /^([A-Z]\w* +)(\d+):(\d\d)( .*)$/;

/** @param late seconds by which b was written later than a: its conns may have so much less left */
export function isSameLine(a: string | undefined, b: string | undefined, late = 0): boolean {
  if (a === b) return true;
  const x = EXPIRY.exec(a ?? "");
  const y = EXPIRY.exec(b ?? "");
  if (x === null || y === null || x[1] !== y[1] || x[4] !== y[4]) return false;
  const seconds = (m: RegExpExecArray): number => Number(m[2]) * 60 + Number(m[3]);
  const less = seconds(x) - seconds(y);
  return less >= -EXPIRY_TOLERANCE && less <= EXPIRY_TOLERANCE + late;
}

/** Conns in an order of their own (a table has none); the time plays no part in it. */
export function sortConns(lines: readonly string[]): string[] {
  const key = (line: string): string => line.replace(/ \d+:\d\d /, " ");
  return [...lines].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}
