import type { Origin, Problem } from "./source.ts";

/** One word of a line. `column` counts from 1. */
export interface Word {
  readonly text: string;
  readonly column: number;
  readonly quoted: boolean;
}

/** A line after includes, conditions, definitions and sequences: words, or one brace. */
export interface Line {
  readonly kind: "words" | "open" | "close";
  readonly words: readonly Word[];
  /** The text the words' columns point into. */
  readonly text: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** It ends within quotes: the words from there on are not among `words`. */
  readonly isOpen?: true;
}

export const originOf = (line: Line, word?: Word): Origin => ({
  file: line.file,
  line: line.line,
  column: word?.column ?? line.column,
});

/** A problem at a word of a line. */
export function problemAt(line: Line, word: Word | undefined, severity: Problem["severity"], message: string): Problem {
  const length = word === undefined ? 1 : word.text.length + (word.quoted ? 2 : 0);
  return { severity, message, text: line.text, length, origin: originOf(line, word) };
}

const TAB = 9;
const SPACE = 32;
const QUOTE = 34;
const OPEN = 123;
const CLOSE = 125;
const isBlank = (code: number): boolean => code === SPACE || (code >= TAB && code <= 13);

/**
 * Where the comment of a line starts, or its length: `#` or `!` outside double quotes (spec 2.1, step 2). A backslash
 * keeps the sign; `unescape` takes it away.
 */
export function commentStart(text: string): number {
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) quoted = !quoted;
    else if (!quoted && (c === 35 || c === 33) && text.charCodeAt(i - 1) !== 92) return i;
  }
  return text.length;
}

/**
 * The next piece of a line from `at`: words up to a brace or the end. Double quotes make one word, and a quote ends an
 * unquoted word in progress (spec 2.2). `unmatched` is the column of a quote without a partner.
 */
export interface Piece {
  readonly words: readonly Word[];
  /** Index of the brace that ended the piece, or -1. */
  readonly brace: number;
  readonly unmatched: number;
}

export function splitPiece(text: string, at: number, end: number): Piece {
  const words: Word[] = [];
  let i = at;
  while (i < end) {
    const c = text.charCodeAt(i);
    if (isBlank(c)) {
      i++;
    } else if (c === OPEN || c === CLOSE) {
      return { words, brace: i, unmatched: 0 };
    } else if (c === QUOTE) {
      const close = text.indexOf('"', i + 1);
      if (close < 0 || close >= end) {
        return { words, brace: -1, unmatched: i + 1 };
      }
      words.push({ text: text.slice(i + 1, close), column: i + 1, quoted: true });
      i = close + 1;
    } else {
      const start = i;
      while (i < end && !endsWord(text, i)) i = text.charCodeAt(i) === 36 ? afterReference(text, i, end) : i + 1;
      const word = text.slice(start, i);
      words.push({ text: word.includes("\\") ? word.replace(/\\([#!])/g, "$1") : word, column: start + 1, quoted: false });
    }
  }
  return { words, brace: -1, unmatched: 0 };
}

function endsWord(text: string, i: number): boolean {
  const c = text.charCodeAt(i);
  return c <= SPACE ? isBlank(c) : c === QUOTE || c === OPEN || c === CLOSE;
}

/** `${NAME}` that stayed unknown is part of the word it stands in. */
function afterReference(text: string, i: number, end: number): number {
  if (text.charCodeAt(i + 1) !== OPEN) return i + 1;
  const close = text.indexOf("}", i);
  return close < 0 || close >= end || /[\s{"]/.test(text.slice(i + 2, close)) ? i + 1 : close + 1;
}

/**
 * Program and arguments of a script-type keyword (spec 2.2): single and double quotes group, backslash escapes as in the
 * shell's `$'…'`. No shell is involved.
 */
export function splitScript(text: string): string[] {
  const out: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === "\\" && i + 1 < text.length) {
      const sequence = readEscape(text, i);
      word = (word ?? "") + sequence.text;
      i += sequence.length - 1;
    } else if (quote !== "" && c === quote) quote = "";
    else if (quote === "" && (c === "'" || c === '"')) {
      quote = c;
      word ??= "";
    } else if (quote === "" && isBlank(c.charCodeAt(0))) {
      if (word !== undefined) out.push(word);
      word = undefined;
    } else word = (word ?? "") + c;
  }
  if (word !== undefined) out.push(word);
  return out;
}

const ESCAPES: Readonly<Record<string, string>> = { a: "\x07", b: "\b", E: "\x1b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

function readEscape(text: string, at: number): { text: string; length: number } {
  const rest = text.slice(at + 1, at + 9);
  const octal = /^[0-7]{1,3}/.exec(rest);
  if (octal !== null) return { text: String.fromCharCode(Number.parseInt(octal[0], 8) & 255), length: 1 + octal[0].length };
  const hex = /^x([0-9a-fA-F]+)/.exec(rest);
  if (hex !== null) return { text: String.fromCharCode(Number.parseInt(hex[1]!, 16) & 255), length: 1 + hex[0].length };
  if (rest[0] === "c" && rest.length > 1) return { text: String.fromCharCode(rest.charCodeAt(1) & 31), length: 3 };
  return { text: ESCAPES[rest[0]!] ?? rest[0]!, length: 2 };
}
