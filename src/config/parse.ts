import { checkConfig } from "./checks.ts";
import { forgives } from "./consequence.ts";
import { homesOf } from "./explain.ts";
import { type KeepalivedConfig, root } from "./keywords.ts";
import { type Files, OPEN_QUOTE, type ReadOptions, readLines } from "./lines.ts";
import { nearest, type Problem } from "./source.ts";
import { type AnyBlock, type Arg, type Facts, fieldsByWord, type Reading, type Setting, type Settings } from "./table.ts";
import { type Line, originOf, problemAt, type Word } from "./tokens.ts";

export interface ParseOptions extends ReadOptions {
  readonly facts?: Facts;
  /** Words of later keepalived versions are unknown. `"2.2.7"`: judge as Debian 12's keepalived does. */
  readonly dialect?: "2.2.7";
}

export interface ParseResult {
  readonly config: KeepalivedConfig;
  /** Every problem of all files, in the order of reading. */
  readonly problems: readonly Problem[];
  /** What `keepalived -t` says: refused when there is an error. */
  readonly verdict: "accept" | "refuse";
  readonly files: readonly string[];
  readonly lines: readonly Line[];
}

/** Text to values (spec 2): reads `path` and what it includes, reports every problem, never throws for a bad file. */
export function parseConfig(path: string, files: Files, options: ParseOptions = {}): ParseResult {
  const read = readLines(path, files, options);
  const parser = new Parser(read.lines, options, [...read.problems]);
  const config = parser.root();
  checkConfig(config, { facts: options.facts ?? {}, lines: read.lines, problems: parser.problems, dialect: options.dialect });
  const verdict = parser.problems.some((p) => p.severity === "error") ? "refuse" : "accept";
  return { config, problems: parser.problems, verdict, files: read.files, lines: read.lines };
}

/** parseConfig for one text without files around it. */
export function parseText(text: string, options: ParseOptions = {}, path = "keepalived.conf"): ParseResult {
  return parseConfig(path, { read: (p) => (p === path ? text : undefined), glob: () => [] }, options);
}

type Draft = Record<string, unknown>;

/** A block that is being read. */
interface Level {
  readonly settings: Settings;
  readonly fields: ReadonlyMap<string, string>;
  /** The line of its keyword. */
  readonly opened: Line | undefined;
}

class Parser implements Reading {
  readonly problems: Problem[];
  top: Draft = {};
  private readonly known: Facts;
  private readonly lines: readonly Line[];
  readonly dialect: "2.2.7" | undefined;
  private at = 0;
  /** How often a reader could not use what it read. */
  private faults = 0;
  /** The word of the block at hand. */
  private within = "";
  /** The blocks around the line at hand, from the root. */
  private readonly levels: Level[] = [];
  /** How many of them stay when a closing brace was forgotten. */
  private stay: number | undefined;

  // What the argument readers see; set before each call.
  line: Line = EMPTY;
  keyword: Word = NO_WORD;
  args: readonly Word[] = [];
  block: Draft = {};

  constructor(lines: readonly Line[], options: ParseOptions, problems: Problem[]) {
    this.lines = lines;
    this.problems = problems;
    this.known = options.facts ?? {};
    this.dialect = options.dialect;
  }

  /** With dynamic_interfaces, interfaces may be missing. */
  get facts(): Facts {
    const globals = this.top.globalDefs as Draft | undefined;
    if (globals?.dynamicInterfaces === undefined) return this.known;
    const { interfaces: _, ...rest } = this.known;
    return rest;
  }

  error(word: Word | undefined, message: string, suggestion?: string): undefined {
    this.faults++;
    const problem = problemAt(this.line, word, "error", message);
    this.problems.push(suggestion === undefined ? problem : { ...problem, suggestion });
  }

  /** keepalived ends at once where a value is missing, except at some words. */
  lacks(word: Word): undefined {
    this.faults++;
    const kind = forgives(this.within, this.line, word) ? {} : ({ kind: "argument" } as const);
    const open = this.line.isOpen ? this.problems.findIndex((p) => p.text === this.line.text && p.message === OPEN_QUOTE) : -1;
    if (open >= 0) this.problems[open] = { ...this.problems[open]!, ...kind };
    else this.problems.push({ ...problemAt(this.line, word, "error", `'${word.text}' needs a value`), ...kind });
  }

  absent(word: Word | undefined, name: string, spare?: "spare"): undefined {
    const kind = spare === undefined ? "interface" : "spare-interface";
    const meant = nearest(name, this.known.interfaces ?? []);
    const problem = { ...problemAt(this.line, word, "error", `interface '${name}' does not exist`), kind } as const;
    this.faults++;
    this.problems.push(meant === undefined ? problem : { ...problem, suggestion: meant });
  }

  warn(word: Word | undefined, message: string): undefined {
    this.problems.push(problemAt(this.line, word, "warning", message));
  }

  root(): KeepalivedConfig {
    const first = this.lines[0] ?? EMPTY;
    const value = this.draft(root as AnyBlock, undefined, { ...first, line: first.line && 1, column: 0 });
    this.top = value;
    this.body(root.settings as Settings, value, 0, undefined);
    return value as unknown as KeepalivedConfig;
  }

  private draft(spec: AnyBlock, header: unknown, line: Line, word?: Word): Draft {
    return { ...initialOf(spec.settings), header, origin: originOf(line, word), origins: {} };
  }

  /** The lines of a block up to its closing brace. */
  private body(settings: Settings, value: Draft, depth: number, opened: Line | undefined): void {
    const fields = fieldsByWord(settings);
    const outside = this.within;
    this.within = opened?.words[0]?.text ?? "";
    this.levels.push({ settings, fields, opened });
    this.statements(settings, fields, value, depth, opened);
    this.levels.pop();
    this.within = outside;
  }

  private statements(
    settings: Settings,
    fields: ReadonlyMap<string, string>,
    value: Draft,
    depth: number,
    opened: Line | undefined,
  ): void {
    while (this.at < this.lines.length) {
      const line = this.lines[this.at++]!;
      if (line.kind === "close") {
        if (depth > 0) return;
        this.line = line;
        this.error(undefined, "this '}' closes nothing");
      } else if (line.kind === "open") this.stray(line);
      else this.setting(settings, fields, value, line, depth);
      if (this.stay !== undefined && this.stay < this.levels.length) return;
      this.stay = undefined;
    }
    if (opened !== undefined) this.unclosed(opened);
  }

  private unclosed(opened: Line): void {
    this.line = opened;
    this.error(opened.words[0], `the block '${opened.words[0]?.text ?? "{"}' is never closed, a '}' is missing`);
  }

  /** A block that nobody asked for. */
  private stray(line: Line): void {
    this.line = line;
    this.error(undefined, "this '{' opens nothing");
    this.skipBlock();
  }

  private skipBlock(): void {
    for (let depth = 1; depth > 0 && this.at < this.lines.length; this.at++) {
      const kind = this.lines[this.at]!.kind;
      if (kind === "open") depth++;
      else if (kind === "close") depth--;
    }
  }

  private setting(settings: Settings, fields: ReadonlyMap<string, string>, value: Draft, line: Line, depth: number): void {
    const keyword = line.words[0]!;
    const field = fields.get(keyword.text);
    const setting = field === undefined ? undefined : settings[field];
    if (field === undefined || setting === undefined || this.isTooNew(setting)) this.unknown(fields, line, setting, value);
    else this.assign(field, setting, value, line, depth);
  }

  private assign(field: string, setting: Setting<unknown>, value: Draft, line: Line, depth: number): void {
    const keyword = line.words[0]!;
    const target = value as Draft & { origins: Record<string, unknown> };
    const again = field in target.origins;
    const before = this.faults;
    const read = this.read(setting, line, value, field, depth);
    this.line = line;
    if (setting.deprecated !== undefined && setting.quiet === undefined)
      this.error(keyword, `'${keyword.text}' is deprecated`, setting.deprecated);
    else if (setting.deprecated !== undefined) this.warn(keyword, `'${keyword.text}' is deprecated, use ${setting.deprecated}`);
    if (setting.once && again) this.error(keyword, `'${keyword.text}' is set already, this one is ignored`);
    else if (read !== undefined) {
      target[field] = read;
      if (!again || setting.reader.kind === "value") target.origins[field] = originOf(line, keyword);
    }
    if (this.faults > before || (line.isOpen && read === undefined)) {
      add(value, "failed", field, this.problems.length - 1);
      this.explainSlip(line);
    }
  }

  /** Signs of other languages after a value that could not be used. */
  private explainSlip({ words }: Line): void {
    const last = this.problems.at(-1)!;
    const slip =
      words[1]?.text === "="
        ? "no '=' stands between a word and its value"
        : words.length > 1 && words.at(-1)!.text.endsWith(";")
          ? "a line ends without ';'"
          : undefined;
    if (slip !== undefined) this.problems[this.problems.length - 1] = { ...last, message: `${last.message}; ${slip}` };
  }

  private isTooNew(setting: Setting<unknown>): boolean {
    return this.dialect === "2.2.7" && setting.since !== undefined;
  }

  private unknown(fields: ReadonlyMap<string, string>, line: Line, newer: Setting<unknown> | undefined, value: Draft): void {
    const word = line.words[0]!;
    this.line = line;
    if (newer !== undefined) this.error(word, `'${word.text}' is not known before keepalived ${newer.since}`);
    else if (this.comesAfter(line, this.levels.length - 1)) return;
    else {
      const meant = this.problems.length < ENOUGH ? nearest(word.text, fields.keys()) : undefined;
      const home = meant === undefined ? homesOf(word.text) : [];
      const hint =
        home.length === 0 ? "" : `, it belongs ${home[0] === "" ? "outside of all blocks" : `in ${home.slice(0, 3).join(", ")}`}`;
      this.error(word, `unknown keyword '${word.text}'${hint && ` here${hint}`}`, meant);
      if (meant !== undefined) add(value, "misspelt", fields.get(meant)!, this.problems.length - 1);
    }
    if (this.lines[this.at]?.kind === "open") {
      this.at++;
      this.skipBlock();
    }
  }

  /**
   * A block that belongs to one around this, so that a closing brace was forgotten: told, and read again there.
   * @param among levels from the root that are looked at, less one
   * @param list the list that has no end, when it is none of the levels
   */
  private comesAfter(line: Line, among: number, list?: Line): boolean {
    const word = line.words[0]!;
    if (this.lines[this.at]?.kind !== "open") return false;
    for (let n = among - 1; n >= 0; n--) {
      const { settings, fields } = this.levels[n]!;
      const field = fields.get(word.text);
      if (field === undefined || settings[field]?.reader.kind === "value") continue;
      const opened = list ?? this.levels.at(-1)!.opened!;
      this.line = line;
      this.error(
        word,
        `'${word.text}' stands inside '${opened.words[0]!.text}' of line ${opened.line}: a '}' is missing before it`,
      );
      this.at--;
      this.stay = n + 1;
      return true;
    }
    return false;
  }

  private read(setting: Setting<unknown>, line: Line, value: Draft, field: string, depth: number): unknown {
    const { reader } = setting;
    switch (reader.kind) {
      case "value": {
        const result = this.call(reader.arg, line, line.words.slice(1), value);
        if (this.lines[this.at]?.kind === "open") this.stray(this.lines[this.at++]!);
        if (!reader.many) return result;
        return result === undefined
          ? undefined
          : append(setting, value, field, { value: result, origin: originOf(line, line.words[0]) });
      }
      case "entries":
        return this.entries(setting, reader.arg, line, value, listOf(setting, value, field));
      case "group":
        return this.group(setting, reader, line, value, field);
      case "block":
        return this.nested(setting, reader.spec, reader.many, line, value, field, depth);
    }
  }

  private call(arg: Arg<unknown>, line: Line, args: readonly Word[], block: Draft): unknown {
    this.line = line;
    this.keyword = line.words[0]!;
    this.args = args;
    this.block = block;
    return arg.read(this);
  }

  /** The brace after a block's keyword, on its line or on the next. */
  private opens(line: Line, isList: boolean, own?: Settings): boolean {
    if (this.lines[this.at]?.kind === "open") {
      this.at++;
      return true;
    }
    this.line = line;
    const next = this.lines[this.at];
    // keepalived takes the brace that follows for the list's own; harmless only when nothing comes after.
    if (next?.kind === "close" && isList && this.at === this.lines.length - 1)
      this.warn(line.words[0], `'${line.words[0]!.text}' has no block`);
    else if (next !== undefined) this.error(line.words[0], `'${line.words[0]!.text}' needs a block, a '{' is missing`);
    // Words of the block follow: it was forgotten.
    return own !== undefined && next?.kind === "words" && fieldsByWord(own).has(next.words[0]!.text);
  }

  private entries(setting: Setting<unknown>, arg: Arg<unknown>, line: Line, block: Draft, out: unknown[]): unknown[] {
    const extra = line.words[1];
    this.line = line;
    if (extra !== undefined && setting.reader.kind === "entries")
      this.error(extra, `'${extra.text}' stands between '${setting.word}' and its block`);
    if (!this.opens(line, true)) {
      if (setting.filled) this.error(line.words[0], `'${setting.word}' is empty`);
      return out;
    }
    let count = 0;
    const outside = this.within;
    this.within = setting.word;
    while (this.at < this.lines.length) {
      const entry = this.lines[this.at++]!;
      if (entry.kind === "close") {
        this.line = line;
        this.within = outside;
        if (setting.filled && count === 0) this.error(line.words[0], `'${setting.word}' is empty`);
        return out;
      }
      if (entry.kind === "open") this.stray(entry);
      else if (this.comesAfter(entry, this.levels.length, line)) {
        this.within = outside;
        return out;
      } else {
        count++;
        const value = this.call(arg, entry, entry.words, block);
        if (value !== undefined) out.push({ value, origin: originOf(entry, entry.words[0]) });
      }
    }
    this.unclosed(line);
    return out;
  }

  private group(
    setting: Setting<unknown>,
    reader: { readonly header: Arg<unknown>; readonly arg: Arg<unknown> },
    line: Line,
    value: Draft,
    field: string,
  ): unknown {
    const header = this.call(reader.header, line, line.words.slice(1), value);
    const extra = line.words[2];
    if (extra !== undefined) {
      const message = `'${extra.text}' stands between '${setting.word}' and its block`;
      this.problems.push({ ...problemAt(line, extra, "error", message), kind: "argument" });
    }
    const entries = this.entries(setting, reader.arg, line, value, []);
    if (header === undefined) return undefined;
    return append(setting, value, field, { header, entries, origin: originOf(line, line.words[0]) });
  }

  private nested(
    setting: Setting<unknown>,
    spec: AnyBlock,
    many: boolean,
    line: Line,
    value: Draft,
    field: string,
    depth: number,
  ): unknown {
    const before = this.faults;
    const header = this.call(spec.header, line, line.words.slice(1), value);
    const wrong = header === undefined && spec.header.usage !== "" && this.faults > before;
    // A second global_defs or authentication adds to the first.
    const merged = !many && value[field] !== undefined && setting.once === undefined ? (value[field] as Draft) : undefined;
    const inner = merged ?? this.draft(spec, header, line, line.words[0]);
    if (!this.opens(line, false, spec.settings)) {
      // At the end of the file keepalived takes the block for an empty one.
      if (this.at < this.lines.length || wrong) return value[field];
      return many ? append(setting, value, field, inner) : inner;
    }
    this.body(spec.settings, inner, depth + 1, line);
    if (wrong) return undefined;
    return many ? append(setting, value, field, inner) : inner;
  }
}

const initials = new WeakMap<Settings, Draft>();

/** All fields of a block with their defaults; copying one object is much faster than filling a new one. */
function initialOf(settings: Settings): Draft {
  let initial = initials.get(settings);
  if (initial === undefined) {
    initial = { header: undefined, origin: undefined, origins: undefined };
    for (const [field, setting] of Object.entries(settings)) initial[field] = setting.initial;
    initial = { ...initial }; // V8 makes a copy of a copy 20 times faster than one of what was filled field by field
    initials.set(settings, initial);
  }
  return initial;
}

/** The list of a field; a new one while it is still the table's own empty list. */
function listOf(setting: Setting<unknown>, value: Draft, field: string): unknown[] {
  if (value[field] === setting.initial) value[field] = [];
  return value[field] as unknown[];
}

function append(setting: Setting<unknown>, value: Draft, field: string, item: unknown): unknown[] {
  const list = listOf(setting, value, field);
  list.push(item);
  return list;
}

/** @param problem where it has been told */
function add(value: Draft, list: "failed" | "misspelt", field: string, problem: number): void {
  value[list] = { ...(value[list] as Readonly<Record<string, number>> | undefined), [field]: problem };
}

/** After so many problems nobody is told what was meant: it takes its time. */
const ENOUGH = 1000;

const EMPTY: Line = { kind: "words", words: [], text: "", file: "", line: 0, column: 0 };
const NO_WORD: Word = { text: "", column: 0, quoted: false };
