/** Substitution of `$NAME`, and the `~SEQ` and `~LST` generators (spec 2.1, steps 5-7). Text in, text out. */

/** A definition: one text, or the lines of a multi-line one. */
export type Definition = string | readonly DefinedLine[];
export interface DefinedLine {
  readonly text: string;
  readonly file: string;
  readonly line: number;
}

export interface Scope {
  readonly definitions: Map<string, Definition>;
  /** Values of the predefined names: `_PWD`, `_INSTANCE`, `_HASH`, `_BANG`. */
  predefined(name: string): string | undefined;
  env(name: string): string | undefined;
  /** A whole number, evenly spread over min..max. */
  random(min: number, max: number): number;
}

/** More substitutions than this in one line is a definition that contains itself. */
const MOST_SUBSTITUTIONS = 500;
const MOST_LENGTH = 1 << 14;

/** The line with every known single-line name replaced, again and again; undefined when it does not come to an end. */
export function substitute(text: string, scope: Scope): string | undefined {
  let line = text;
  let at = 0;
  for (let n = 0; n < MOST_SUBSTITUTIONS && line.length < MOST_LENGTH; n++) {
    const found = nextReference(line, at, scope);
    if (found === undefined) return line;
    line = line.slice(0, found.from) + found.value + line.slice(found.to);
    at = found.from;
  }
  return undefined;
}

interface Reference {
  from: number;
  to: number;
  value: string;
}

const BRACED = /\$\{([A-Za-z_][A-Za-z0-9_]*)((?:[ \t]+[^{}\s]+)*)[ \t]*\}/y;
const BARE = /\$([A-Za-z_][A-Za-z0-9_]*)(?=[\s,)]|$)/y;

function nextReference(line: string, start: number, scope: Scope): Reference | undefined {
  for (let from = line.indexOf("$", start); from >= 0; from = line.indexOf("$", from + 1)) {
    const pattern = line[from + 1] === "{" ? BRACED : BARE;
    pattern.lastIndex = from;
    const match = pattern.exec(line);
    if (match === null) continue;
    const value = valueOfName(match[1]!, (match[2] ?? "").trim(), scope);
    if (value !== undefined) return { from, to: from + match[0].length, value };
  }
  return undefined;
}

function valueOfName(name: string, args: string, scope: Scope): string | undefined {
  const defined = scope.definitions.get(name);
  if (defined !== undefined) return typeof defined === "string" && args === "" ? defined : undefined;
  if (name === "_RANDOM") return randomValue(args, scope);
  if (name === "_ENV") return args === "" ? undefined : (scope.env(args) ?? "");
  return args === "" ? scope.predefined(name) : undefined;
}

function randomValue(args: string, scope: Scope): string | undefined {
  const numbers = args === "" ? [] : args.split(/[ \t]+/);
  if (numbers.length > 2 || !numbers.every((n) => /^\d+$/.test(n))) return undefined;
  const min = Number(numbers[0] ?? 0);
  const max = Number(numbers[1] ?? 32767);
  return min > max ? undefined : String(scope.random(min, max));
}

/** A multi-line definition used as the last thing on a line: what stands before it, and its lines. */
export function multiLineUse(
  text: string,
  scope: Scope,
): { name: string; before: string; lines: readonly DefinedLine[] } | undefined {
  const match = /\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))\s*$/.exec(text);
  if (match === null) return undefined;
  const name = match[1] ?? match[2]!;
  const lines = scope.definitions.get(name);
  return lines === undefined || typeof lines === "string" ? undefined : { name, before: text.slice(0, match.index), lines };
}

/** One value for each variable, for each line to be made. */
export interface Generator {
  readonly names: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** The rest of the line. */
  readonly rest: string;
}

const MOST_ROWS = 100_000;

/** `~SEQ(…) rest`, `~SEQx(…) rest` or `~LST(…) rest`; a text when it is malformed, undefined when it is neither. */
export function readGenerator(text: string): Generator | string | undefined {
  const head = /^~(SEQx?|LST)\(/.exec(text);
  if (head === null) return undefined;
  const close = text.indexOf(")");
  if (close < 0) return `~${head[1]} has no closing parenthesis`;
  const inside = text.slice(head[0].length, close);
  const rest = text.slice(close + 1);
  return head[1] === "LST" ? readList(inside, rest) : readSequence(inside, rest, head[1] === "SEQx");
}

function readSequence(inside: string, rest: string, hex: boolean): Generator | string {
  const [name = "", ...parts] = inside.split(",").map((part) => part.trim());
  const numbers = parts.map(parseCNumber);
  if (!/^[A-Za-z_]\w*$/.test(name) || numbers.length < 1 || numbers.length > 3 || !numbers.every(Number.isSafeInteger)) {
    return "~SEQ takes a variable and one to three numbers: ~SEQ(var[, start][, step], end)";
  }
  const end = numbers.at(-1)!;
  const start = numbers.length > 1 ? numbers[0]! : end < 0 ? -1 : 1;
  const step = numbers.length > 2 ? numbers[1]! : numbers.length === 2 ? (end < start ? -1 : 1) : end < 1 ? -1 : 1;
  if (step === 0 || (end - start) * step < 0) return "~SEQ would never reach its end";
  if ((end - start) / step >= MOST_ROWS) return `~SEQ makes more than ${MOST_ROWS} lines`;
  const rows: string[][] = [];
  for (let value = start; step > 0 ? value <= end : value >= end; value += step)
    rows.push([hex ? value.toString(16) : String(value)]);
  return { names: [name], rows, rest };
}

/** A number with C's prefixes. */
function parseCNumber(text: string): number {
  const match = /^([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/.exec(text);
  if (match === null) return Number.NaN;
  const digits = match[2]!;
  const base = /^0[xX]/.test(digits) ? 16 : digits.length > 1 && digits[0] === "0" ? 8 : 10;
  const value = Number.parseInt(digits, base);
  return match[1] === "-" ? -value : value;
}

function readList(inside: string, rest: string): Generator | string {
  const usage = "~LST takes a variable and its values: ~LST(var, a, b, …) or ~LST({v, w}, {a, b}, {c, d}, …)";
  if (!inside.trim().startsWith("{")) {
    const [name = "", ...values] = inside.split(",").map((part) => part.trim());
    if (!/^[A-Za-z_]\w*$/.test(name) || values.length === 0) return usage;
    return { names: [name], rows: values.map((value) => [value]), rest };
  }
  const groups = [...inside.matchAll(/\{([^{}]*)\}/g)].map((g) => g[1]!.split(",").map((part) => part.trim()));
  const [names = [], ...rows] = groups;
  if (rows.length === 0 || !names.every((name) => /^[A-Za-z_]\w*$/.test(name))) return usage;
  if (rows.some((row) => row.length > names.length)) return "~LST has more values than variables";
  return { names, rows: rows.map((row) => names.map((_, i) => row[i] ?? "")), rest };
}
