import type { Origin } from "./source.ts";
import type { Line, Word } from "./tokens.ts";

/**
 * The shape of the keyword table. One table drives the parser, the checks, the defaults, the manual and the formatter:
 * a setting is a word, how its arguments become a value, what it is when absent, and what it means.
 */

/** What an argument reader sees of the line at hand. Readers report problems and return undefined for "not usable". */
export interface Reading {
  readonly line: Line;
  /** The keyword's own word; the first word of an entry line. */
  readonly keyword: Word;
  /** The words after the keyword; all words of an entry line. */
  readonly args: readonly Word[];
  /** The value of the enclosing block as far as it has been read. */
  readonly block: Readonly<Record<string, unknown>>;
  /** What the whole file has become so far: keepalived wants names defined before they are used. */
  readonly top: Readonly<Record<string, unknown>>;
  readonly facts: Facts;
  /** Set when the file is judged as an old version does it. */
  readonly dialect: "2.2.7" | undefined;
  error(word: Word | undefined, message: string, suggestion?: string): undefined;
  /** Nothing follows a word where something must. */
  lacks(word: Word): undefined;
  /** An interface is not there. `spare`: keepalived would do without it. */
  absent(word: Word | undefined, name: string, spare?: "spare"): undefined;
  warn(word: Word | undefined, message: string): undefined;
}

/** What is known of the machine; whatever is left out is not checked. */
export interface Facts {
  readonly interfaces?: ReadonlySet<string>;
  /** Those of the interfaces that are macvlans. */
  readonly macvlans?: ReadonlySet<string>;
  readonly users?: ReadonlySet<string>;
  readonly groups?: ReadonlySet<string>;
  readonly cpus?: number;
  /** Names of /etc/iproute2: rt_tables, rt_protos, rt_scopes, rt_realms, group. */
  readonly names?: Readonly<Record<string, ReadonlySet<string>>>;
  /** What would happen if the file were run as a script. */
  script?(path: string): "ok" | "missing" | "not-executable" | "unsafe";
  /** True when a host name can be resolved (only `smtp_server` takes names). */
  resolves?(name: string): boolean;
}

export interface Arg<T> {
  /** How the manual shows it. */
  readonly usage: string;
  read(r: Reading): T | undefined;
}

export interface Notes {
  readonly aliases?: readonly string[];
  /** First keepalived version that knows the word; absent: known by 2.2.7; "fork", "lvsd": none does. */
  readonly since?: string;
  /** What to write instead; using the word is a problem. */
  readonly deprecated?: string;
  /** `deprecated`, but keepalived 2.2.7 says nothing. */
  readonly quiet?: true;
  /** Read and without effect. Says why. */
  readonly ignored?: string;
  /** A second use is a problem and the first stays. */
  readonly once?: true;
  /** An empty block is a problem. */
  readonly filled?: true;
  /** The default in words, when it is not a plain value. */
  readonly standard?: string;
}

export interface Setting<V> extends Notes {
  readonly word: string;
  readonly doc: string;
  readonly usage: string;
  readonly initial: V;
  readonly reader: Reader;
}

export type Reader =
  | { readonly kind: "value"; readonly arg: Arg<unknown>; readonly many: boolean }
  | { readonly kind: "entries"; readonly arg: Arg<unknown> }
  | { readonly kind: "group"; readonly header: Arg<unknown>; readonly arg: Arg<unknown> }
  | { readonly kind: "block"; readonly spec: AnyBlock; readonly many: boolean };

export type Settings = Readonly<Record<string, Setting<unknown>>>;

/** The header (the words after the keyword) and the settings of a kind of block. */
export interface Block<H, S extends Settings> {
  readonly header: Arg<H>;
  readonly settings: S;
}
export type AnyBlock = Block<unknown, Settings>;

export interface Placed {
  readonly origin: Origin;
  /** Where each setting was written; those left out have their default. */
  readonly origins: Readonly<Record<string, Origin>>;
  /** Settings that were meant to be written and could not be used, and which problem says so. */
  readonly failed?: Readonly<Record<string, number>>;
  /** Settings that unknown words stand for, as far as one can tell. */
  readonly misspelt?: Readonly<Record<string, number>>;
}

/** Nobody wrote it, and nobody tried to. Lists are missing while they are empty. */
export function isMissing(block: Placed, field: string): boolean {
  const value = (block as unknown as Readonly<Record<string, unknown>>)[field];
  const isEmpty = value === undefined || (Array.isArray(value) && value.length === 0);
  return isEmpty && toldOf(block, field) === undefined;
}

/** The problem that tells why a setting has no value. */
export const toldOf = (block: Placed, field: string): number | undefined => block.failed?.[field] ?? block.misspelt?.[field];

/** What a block of the file becomes. */
export type BlockValue<B> =
  B extends Block<infer H, infer S> ? Placed & { readonly header: H } & { readonly [K in keyof S]: S[K]["initial"] } : never;

/** An entry of an entries block: its value and where it stands. */
export interface Entry<T> {
  readonly value: T;
  readonly origin: Origin;
}

export function opt<T>(word: string, arg: Arg<T>, doc: string, notes: Notes = {}): Setting<T | undefined> {
  return { word, doc, usage: arg.usage, initial: undefined, reader: { kind: "value", arg, many: false }, ...notes };
}

export function def<T>(word: string, arg: Arg<T>, initial: T, doc: string, notes: Notes = {}): Setting<T> {
  return { word, doc, usage: arg.usage, initial, reader: { kind: "value", arg, many: false }, ...notes };
}

export function many<T>(word: string, arg: Arg<T>, doc: string, notes: Notes = {}): Setting<readonly Entry<T>[]> {
  return { word, doc, usage: arg.usage, initial: [], reader: { kind: "value", arg, many: true }, ...notes };
}

export function entries<T>(word: string, arg: Arg<T>, doc: string, notes: Notes = {}): Setting<readonly Entry<T>[]> {
  return { word, doc, usage: `{ ${arg.usage} … }`, initial: [], reader: { kind: "entries", arg }, ...notes };
}

/** A named list: `virtual_server_group NAME { ENTRY … }`. */
export interface Group<H, T> {
  readonly header: H;
  readonly origin: Origin;
  readonly entries: readonly Entry<T>[];
}

export function groups<H, T>(
  word: string,
  header: Arg<H>,
  arg: Arg<T>,
  doc: string,
  notes: Notes = {},
): Setting<readonly Group<H, T>[]> {
  return {
    word,
    doc,
    usage: `${header.usage} { ${arg.usage} … }`,
    initial: [],
    reader: { kind: "group", header, arg },
    ...notes,
  };
}

export function block<H, S extends Settings>(
  word: string,
  spec: Block<H, S>,
  doc: string,
  notes: Notes = {},
): Setting<BlockValue<Block<H, S>> | undefined> {
  const usage = `${spec.header.usage} { … }`.trim();
  return { word, doc, usage, initial: undefined, reader: { kind: "block", spec, many: false }, ...notes };
}

export function blocks<H, S extends Settings>(
  word: string,
  spec: Block<H, S>,
  doc: string,
  notes: Notes = {},
): Setting<readonly BlockValue<Block<H, S>>[]> {
  const usage = `${spec.header.usage} { … }`.trim();
  return { word, doc, usage, initial: [], reader: { kind: "block", spec, many: true }, ...notes };
}

/** All settings of a table, with the field of each and the settings of the blocks around it; a block that is shared comes once. */
export function everySetting(
  settings: Settings,
  path: readonly Setting<unknown>[] = [],
  seen = new Set<Settings>(),
): { readonly field: string; readonly setting: Setting<unknown>; readonly path: readonly Setting<unknown>[] }[] {
  if (seen.has(settings)) return [];
  seen.add(settings);
  return Object.entries(settings).flatMap(([field, setting]) => [
    { field, setting, path },
    ...(setting.reader.kind === "block" ? everySetting(setting.reader.spec.settings, [...path, setting], seen) : []),
  ]);
}

const indexes = new WeakMap<Settings, ReadonlyMap<string, string>>();

/** From a word (or an alias) to the name of the field. */
export function fieldsByWord(settings: Settings): ReadonlyMap<string, string> {
  let index = indexes.get(settings);
  if (index === undefined) {
    const map = new Map<string, string>();
    for (const [field, setting] of Object.entries(settings)) {
      map.set(setting.word, field);
      for (const alias of setting.aliases ?? []) map.set(alias, field);
    }
    index = map;
    indexes.set(settings, index);
  }
  return index;
}
