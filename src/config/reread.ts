import { isDeepStrictEqual } from "node:util";
import type { VirtualServer } from "./keywords.ts";
import type { Files, Place } from "./lines.ts";
import { type ParseOptions, type ParseResult, parseConfig } from "./parse.ts";
import type { Line } from "./tokens.ts";

/**
 * Reads files again, quickly: a reload mostly finds one line of 70 000 changed. A `virtual_server` whose text is the same as
 * before stays the same value, as long as all that is not a virtual_server is the same too, and nothing was to be said about
 * it. Whatever is not as plain as that is read anew, so that the outcome never differs from parseConfig's, but in this: the
 * places of a value that has moved are those of its first reading, and `lines` has only what was read now.
 */

/** A block from the first column to the first column, with everything inside indented. */
const BLOCK = /^virtual_server[ \t][^\n{}]*\{[ \t\r]*\n(?:[ \t\r][^\n]*\n|\n)*\}[ \t\r]*$/gm;
/** What means something else elsewhere: variables, conditions, generators, included files, text that goes on. */
const CONTEXT = /[$@~\\]|^\s*include/m;
/** The last line may go on in the next, which then is no block. */
const GOES_ON = /\\[^\n]*\n$/;
/** A virtual_server that may stand in a definition of several lines: it comes where that is used. */
const isDefined = (outside: string): boolean => outside.includes("\\") && /\bvirtual_server\b/.test(outside);
/** Where blocks stood: other things may have to stand before them. */
const MARK = "\0";

interface Known {
  readonly value: VirtualServer;
  /** Line breaks in its text. */
  readonly height: number;
}

interface Placed extends Place {
  readonly value: VirtualServer;
}

interface Block extends Place {
  readonly text: string;
}

export class Rereader {
  readonly #isQuiet: (lines: readonly Line[]) => boolean;
  #known = new Map<string, Known>();
  /** All that is not a block, as it was. */
  #outside = "";
  #options: ParseOptions = {};

  /** @param isQuiet nothing is to be said about these lines of a block, whenever the file is read */
  constructor(isQuiet: (lines: readonly Line[]) => boolean = () => true) {
    this.#isQuiet = isQuiet;
  }

  parse(path: string, files: Files, options: ParseOptions): ParseResult {
    const { random: _, ...facts } = options;
    const isSame = this.#known.size > 0 && isDeepStrictEqual(facts, this.#options);
    const quick = isSame ? this.#quickly(path, files, options) : undefined;
    if (quick !== undefined) return quick;
    const sieve = new Sieve(files, new Map());
    const result = parseConfig(path, sieve, options);
    this.#known = new Map();
    this.#outside = sieve.outside;
    this.#options = facts;
    if (result.verdict === "accept") this.#learn(sieve.others, result); // else a block might stand in the midst of something
    return result;
  }

  /** Without what is known; undefined where that will not do. */
  #quickly(path: string, files: Files, options: ParseOptions): ParseResult | undefined {
    const sieve = new Sieve(files, this.#known);
    const result = parseConfig(path, sieve, options);
    const isPlain = sieve.outside === this.#outside && sieve.isPlain && !isDefined(sieve.outside) && result.verdict === "accept";
    if (!isPlain || sieve.taken.length === 0) return undefined;
    this.#learn(sieve.others, result);
    const read = result.config.virtualServer.map((value): Placed => ({ value, ...value.origin }));
    const all = [...sieve.taken, ...read].map((placed) => ({ value: placed.value, way: sieve.wayTo(placed) }));
    const virtualServer = all.sort((a, b) => compareWays(a.way, b.way)).map(({ value }) => value);
    const origins = { ...result.config.origins, virtualServer: virtualServer[0]!.origin };
    return { ...result, config: { ...result.config, origins, virtualServer } };
  }

  #learn(blocks: readonly Block[], { config, problems, lines }: ParseResult): void {
    if (this.#known.size > 2 * config.virtualServer.length + 10_000) this.#known = new Map(); // of files long gone
    const values = new Map(config.virtualServer.map((value) => [`${value.origin.line} ${value.origin.file}`, value]));
    const told = new Set(problems.map(({ origin }) => `${origin.line} ${origin.file}`));
    const inside = linesOf(blocks, lines);
    for (const block of blocks) {
      const value = values.get(`${block.line} ${block.file}`);
      if (value === undefined || CONTEXT.test(block.text)) continue;
      const own = inside.get(block) ?? [];
      const isSilent = told.size === 0 || own.every(({ line, file }) => !told.has(`${line} ${file}`));
      if (isSilent && isWhole(own) && this.#isQuiet(own)) this.#known.set(block.text, { value, height: heightOf(block.text) });
    }
  }
}

/** Files without the blocks that are known. */
class Sieve implements Files {
  readonly taken: Placed[] = [];
  readonly others: Block[] = [];
  outside = "";
  /** No file was read twice (in which place would its blocks be?), and every block begins as one. */
  isPlain = true;
  readonly #files: Files;
  readonly #known: ReadonlyMap<string, Known>;
  readonly #ways = new Map<string, Way>();

  constructor(files: Files, known: ReadonlyMap<string, Known>) {
    this.#files = files;
    this.#known = known;
  }

  read(path: string, at?: Place): string | undefined {
    const text = this.#files.read(path, at);
    if (text === undefined) return undefined;
    if (this.#ways.has(path)) this.isPlain = false;
    this.#ways.set(path, at === undefined ? [] : [...this.wayTo(at), this.#ways.size]);
    return this.#sift(path, text);
  }

  wayTo = ({ file, line }: Place): Way => [...this.#ways.get(file)!, line];

  #sift(file: string, text: string): string {
    const left: string[] = [];
    const outside: string[] = [];
    let [end, line] = [0, 1];
    for (const found of text.matchAll(BLOCK)) {
      const [block] = found;
      const between = text.slice(end, found.index);
      line += heightOf(between);
      const goesOn = GOES_ON.test(between);
      if (goesOn) this.isPlain = false;
      const known = goesOn ? undefined : this.#known.get(block);
      left.push(between, known === undefined ? block : "\n".repeat(known.height));
      if (between.trim() !== "" || outside.length === 0) outside.push(between);
      if (known !== undefined) this.taken.push({ value: known.value, file, line });
      else if (!goesOn) this.others.push({ text: block, file, line });
      line += known?.height ?? heightOf(block);
      end = found.index + block.length;
    }
    const rest = text.slice(end);
    const place = /_PWD/.test(text) ? file : "";
    this.outside += [place, ...outside, rest.trim()].join(MARK);
    return [...left, rest].join("");
  }

  glob = (pattern: string): readonly string[] => this.#files.glob(pattern);
  isSkipped = (path: string): boolean => this.#files.isSkipped?.(path) === true;
  env = (name: string): string | undefined => this.#files.env?.(name);
}

/** A place in the order of reading: the line of an include in the first file, which of its files, a line in that, and so on. */
type Way = readonly number[];

function compareWays(a: Way, b: Way): number {
  const i = a.findIndex((n, at) => n !== b[at]);
  return i < 0 ? 0 : a[i]! - b[i]!;
}

function heightOf(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

function linesOf(blocks: readonly Block[], lines: readonly Line[]): Map<Block, Line[]> {
  const starts = new Map(blocks.map((block) => [`${block.line} ${block.file}`, block]));
  const inside = new Map<Block, Line[]>();
  let current: { readonly block: Block; readonly last: number; readonly own: Line[] } | undefined;
  for (const line of lines) {
    const block =
      line.kind === "words" && line.words[0]?.text === "virtual_server" ? starts.get(`${line.line} ${line.file}`) : undefined;
    if (block !== undefined) {
      current = { block, last: block.line + heightOf(block.text), own: [] };
      inside.set(block, current.own);
    }
    if (current !== undefined && line.file === current.block.file && line.line >= current.block.line && line.line <= current.last)
      current.own.push(line);
  }
  return inside;
}

/** Every brace of it is its own, and its last closes its first. */
function isWhole(lines: readonly Line[]): boolean {
  let depth = 0;
  const isOwn = lines.every(({ kind }, i) => {
    if (kind === "open") depth++;
    else if (kind === "close") depth--;
    return kind === "words" ? depth > 0 || i === 0 : depth > 0 || i === lines.length - 1;
  });
  return isOwn && depth === 0;
}
