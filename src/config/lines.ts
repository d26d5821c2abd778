import { Budget, LIMITS, type Limits } from "./budget.ts";
import { type DefinedLine, type Definition, multiLineUse, readGenerator, type Scope, substitute } from "./expand.ts";
import { dirOf, expandBraces, resolvePath } from "./paths.ts";
import { nearest, type Problem } from "./source.ts";
import { commentStart, type Line, problemAt, splitPiece, type Word } from "./tokens.ts";

/** Where text comes from; given by the caller, so that reading stays pure. */
export interface Files {
  /** The text of a file, or undefined. @param at the line that includes it */
  read(path: string, at?: Readonly<Place>): string | undefined;
  /** Paths that match a pattern with the shell's wildcards and braces, sorted; a plain name that exists is itself. */
  glob(pattern: string): readonly string[];
  /** True for a directory, a device or a file with an execute bit, which keepalived skips (spec 2.4). */
  isSkipped?(path: string): boolean;
  env?(name: string): string | undefined;
}

export interface ReadOptions {
  /** What `@ID` lines are compared with (spec 2.1, step 4). */
  readonly configId?: string;
  readonly limits?: Limits;
  /** Even spread over min..max, for `${_RANDOM}`. */
  readonly random?: (min: number, max: number) => number;
}

export interface ReadResult {
  readonly lines: readonly Line[];
  readonly problems: readonly Problem[];
  /** Every file that was read, in order. */
  readonly files: readonly string[];
}

/** What is said of a line that ends within quotes. */
export const OPEN_QUOTE = "quote without an end";

/** Longest line of keepalived 2.2.7, in bytes; what is beyond is taken for another line. */
const LONGEST_LINE = 1022;
/** A line that is longer still is not looked into. */
const HOPELESS_LINE = 1 << 16;
const DEEPEST_INCLUDE = 64;
const DEEPEST_EXPANSION = 40;
/** Conditions, braces and generators in one line, one after another. */
const LONGEST_CHAIN = 500;

/** Reads a file and all it includes into lines of words and braces (spec 2.1). */
export function readLines(path: string, files: Files, options: ReadOptions = {}): ReadResult {
  const reader = new Reader(files, options);
  reader.file(path, undefined);
  return { lines: reader.lines, problems: reader.problems, files: reader.files };
}

/** The place of the text at hand. */
export interface Place {
  file: string;
  line: number;
}

class Reader {
  readonly lines: Line[] = [];
  readonly problems: Problem[] = [];
  readonly files: string[] = [];
  private readonly source: Files;
  private readonly options: ReadOptions;
  private readonly stack: string[] = [];
  /** Names of the definitions whose lines are being read. */
  private readonly expanding = new Set<string>();
  private readonly scope: Scope;
  private readonly budget: Budget;
  private at: Place = { file: "", line: 0 };
  private chain = 0;
  private pending: { name: string; lines: DefinedLine[] } | undefined;

  constructor(source: Files, options: ReadOptions) {
    this.source = source;
    this.options = options;
    this.budget = new Budget(options.limits ?? LIMITS, (message) => this.tell(this.at, "", "error", message));
    this.scope = {
      definitions: new Map<string, Definition>(),
      predefined: (name) => this.predefined(name),
      env: (name) => source.env?.(name),
      random: options.random ?? ((min) => min),
    };
  }

  private predefined(name: string): string | undefined {
    if (name === "_PWD") return dirOf(this.stack.at(-1) ?? "");
    if (name === "_INSTANCE") return this.options.configId ?? "";
    if (name === "_HASH") return "\\#";
    return name === "_BANG" ? "\\!" : undefined;
  }

  file(path: string, at: Place | undefined): void {
    const text = this.source.read(path, at);
    if (text === undefined) {
      this.report(at ?? { file: path, line: 0 }, "", "warning", `cannot read file '${path}'`);
      return;
    }
    if (!this.budget.spend("files")) return;
    this.files.push(path);
    this.stack.push(path);
    let line = 1;
    for (let start = 0; start < text.length && !this.budget.isSpent; line++) {
      const newline = text.indexOf("\n", start);
      const end = newline < 0 ? text.length : newline;
      this.physical(text.slice(start, end), path, line);
      start = end + 1;
    }
    this.endDefinition();
    this.stack.pop();
  }

  private physical(raw: string, file: string, line: number): void {
    this.at = { file, line };
    if (raw.length > LONGEST_LINE) this.report({ file, line }, raw, "error", `line too long, the limit is ${LONGEST_LINE} bytes`);
    if (raw.includes("\0")) this.report({ file, line }, raw, "error", "NUL byte in a text file");
    if (raw.length > HOPELESS_LINE) return;
    if (this.pending !== undefined) this.definitionLine(raw, { file, line });
    else this.text(raw, { file, line }, 0);
  }

  /** One line of text, from a file or from a definition, at the start of a line. */
  private text(raw: string, place: Place, depth: number): void {
    const text = raw.charCodeAt(raw.length - 1) === 13 ? raw.slice(0, -1) : raw;
    const end = commentStart(text);
    let start = 0;
    while (start < end && text.charCodeAt(start) <= 32) start++;
    if (start === end) return;
    const first = text.charCodeAt(start);
    if (first === 105 && depth === 0 && this.include(text.slice(start, end), place)) return;
    this.rest(text, start, end, place, depth);
  }

  /** From `start`: a condition, a definition, a generator, or words and braces. */
  private rest(text: string, start: number, end: number, place: Place, depth: number): void {
    if (!this.budget.spend("steps")) return;
    if (this.chain >= LONGEST_CHAIN) {
      this.report(place, text, "error", "too many conditions and braces in one line");
      return;
    }
    this.chain++;
    this.statement(text, start, end, place, depth);
    this.chain--;
  }

  private statement(text: string, start: number, end: number, place: Place, depth: number): void {
    const first = text.charCodeAt(start);
    const dollar = text.indexOf("$", start);
    if (first === 64) this.condition(text, start, end, place, depth);
    else if (first === 36 && this.definition(text.slice(start, end), place)) return;
    else if (first === 126 && this.generator(text.slice(start, end), place, depth)) return;
    else if (dollar < 0 || dollar >= end) this.words(text, start, end, place, depth);
    else this.withReferences(text, start, end, place, depth);
  }

  private withReferences(text: string, start: number, end: number, place: Place, depth: number): void {
    const body = text.slice(start, end);
    const replaced = substitute(body, this.scope);
    if (replaced === undefined || depth > DEEPEST_EXPANSION) {
      this.report(place, text, "error", "a definition is used inside its own value");
      return;
    }
    const use = multiLineUse(replaced, this.scope);
    if (use !== undefined) {
      if (use.before.trim() !== "") this.again(use.before, place, depth);
      this.expand(use.name, use.lines, place, text, depth);
      return;
    }
    if (replaced.includes("$")) this.undefinedNames(text, replaced, place);
    if (replaced === body) this.words(text, start, end, place, depth);
    else this.again(replaced, place, depth);
  }

  /** Names outside quotes that nothing has been put in for: keepalived breaks the line at their braces. */
  private undefinedNames(text: string, replaced: string, place: Place): void {
    for (const { 1: braced, 2: bare } of replaced.matchAll(/"[^"]*"?|\$\{([A-Za-z_]\w*)[^}"]*\}|\$([A-Za-z_]\w*)/g)) {
      const name = braced ?? bare;
      if (name === undefined) continue;
      const column = text.indexOf(`$${braced === undefined ? "" : "{"}${name}`) + 1;
      const severity = braced === undefined ? "warning" : "error";
      this.report(
        place,
        text,
        severity,
        `'$${name}' is not defined before this line`,
        column,
        nearest(name, this.scope.definitions.keys()),
      );
    }
  }

  /** The lines of a definition; one that is being expanded already would never come to an end. */
  private expand(name: string, lines: readonly DefinedLine[], place: Place, text: string, depth: number): void {
    if (this.expanding.has(name)) {
      this.report(place, text, "error", "a definition is used inside its own value");
      return;
    }
    this.expanding.add(name);
    for (const line of lines) {
      if (this.budget.isSpent) break;
      this.text(line.text, { file: line.file, line: line.line }, depth + 1);
    }
    this.expanding.delete(name);
  }

  /** Step 8: what a substitution made is read as a new line. */
  private again(text: string, place: Place, depth: number): void {
    const end = commentStart(text);
    const start = text.length - text.trimStart().length;
    if (start >= end) return;
    const first = text[start];
    if (first === "@" || first === "~") this.rest(text, start, end, place, depth + 1);
    else this.words(text, start, end, place, depth);
  }

  private words(text: string, start: number, end: number, place: Place, depth: number): void {
    let at = start;
    while (at < end) {
      const piece = splitPiece(text, at, end);
      if (piece.unmatched > 0) this.report(place, text, "error", OPEN_QUOTE, piece.unmatched);
      if (piece.words.length > 0) this.emit("words", piece.words, text, place, piece.words[0]!.column, piece.unmatched > 0);
      if (piece.brace < 0) return;
      this.emit(text.charCodeAt(piece.brace) === 123 ? "open" : "close", [], text, place, piece.brace + 1);
      at = piece.brace + 1;
      while (at < end && text.charCodeAt(at) <= 32) at++;
      const next = text.charCodeAt(at);
      if (at < end && (next === 64 || next === 126)) {
        this.rest(text, at, end, place, depth);
        return;
      }
    }
  }

  private emit(
    kind: Line["kind"],
    words: readonly Word[],
    text: string,
    { file, line }: Place,
    column: number,
    isOpen = false,
  ): void {
    if (!this.budget.spend("lines") || !this.budget.spend("characters", text.length)) return;
    this.lines.push(isOpen ? { kind, words, text, file, line, column, isOpen } : { kind, words, text, file, line, column });
  }

  private condition(text: string, start: number, end: number, place: Place, depth: number): void {
    const negative = text[start + 1] === "^";
    let at = start + (negative ? 2 : 1);
    const from = at;
    while (at < end && text.charCodeAt(at) > 32) at++;
    const id = text.slice(from, at);
    const matches = id !== "" && id === this.options.configId;
    if (matches === negative) return;
    while (at < end && text.charCodeAt(at) <= 32) at++;
    if (at < end) this.rest(text, at, end, place, depth);
  }

  private definition(text: string, place: Place): boolean {
    const match = /^\$([A-Za-z_]\w*)=(.*)$/s.exec(text);
    if (match === null) return false;
    const value = match[2]!.trim();
    if (!value.endsWith("\\")) {
      this.scope.definitions.set(match[1]!, value);
      return true;
    }
    this.pending = { name: match[1]!, lines: [] };
    const head = value.slice(0, -1).trim();
    if (head !== "") this.pending.lines.push({ text: head, ...place });
    return true;
  }

  private definitionLine(raw: string, place: Place): void {
    const text = raw.trim();
    const more = text.endsWith("\\");
    const body = more ? text.slice(0, -1).trimEnd() : text;
    if (body !== "") this.pending!.lines.push({ text: body, ...place });
    if (!more) this.endDefinition();
  }

  private endDefinition(): void {
    if (this.pending !== undefined) this.scope.definitions.set(this.pending.name, this.pending.lines);
    this.pending = undefined;
  }

  private generator(text: string, place: Place, depth: number): boolean {
    const generator = readGenerator(text);
    if (generator === undefined) return false;
    if (typeof generator === "string" || depth > DEEPEST_EXPANSION) {
      this.report(place, text, "error", typeof generator === "string" ? generator : "generators nested too deep");
      return true;
    }
    for (const row of generator.rows) {
      generator.names.forEach((name, i) => {
        this.scope.definitions.set(name, row[i]!);
      });
      const body = generator.rest.trim();
      if (body !== "") this.rest(body, 0, body.length, place, depth + 1);
      if (this.budget.isSpent) break;
    }
    return true;
  }

  private include(text: string, place: Place): boolean {
    const match = /^include([rmwba]?)\s+(\S.*)$/.exec(text);
    if (match === null) return false;
    const pattern = resolvePath(dirOf(place.file), match[2]!.trim());
    const found = this.source.glob(pattern);
    this.checkInclude(match[1]!, pattern, found, place, text);
    for (const path of found) {
      const skipped = this.source.isSkipped?.(path) === true;
      if (skipped)
        this.report(place, text, /[ramwb]/.test(match[1]!) ? "error" : "warning", `'${path}' is not a plain file, skipped`);
      else if (this.stack.includes(path)) this.report(place, text, "warning", `'${path}' includes itself, skipped`);
      else if (this.stack.length >= DEEPEST_INCLUDE) this.report(place, text, "warning", "files included too deep, skipped");
      else this.file(path, place);
    }
    return true;
  }

  /** spec 2.5: what the suffixes of `include` insist on. */
  private checkInclude(suffix: string, pattern: string, found: readonly string[], place: Place, text: string): void {
    const wild = /[*?[]/.test(pattern);
    const missing = found.length === 0;
    const strict = wild ? /[wa]/ : /[mwba]/;
    if (missing) this.report(place, text, strict.test(suffix) ? "error" : "warning", `no file matches '${pattern}'`);
    const partly = /[ba]/.test(suffix) && expandBraces(pattern).some((p) => this.source.glob(p).length === 0);
    if (!missing && partly) this.report(place, text, "error", `not every part of '${pattern}' matches a file`);
  }

  private report(...problem: Parameters<Reader["tell"]>): void {
    if (this.budget.spend("problems")) this.tell(...problem);
  }

  private tell(place: Place, text: string, severity: Problem["severity"], message: string, column = 0, meant?: string): void {
    const line: Line = { kind: "words", words: [], text, file: place.file, line: place.line, column };
    const problem = problemAt(line, undefined, severity, message);
    this.problems.push(meant === undefined ? problem : { ...problem, suggestion: `$${meant}` });
  }
}
