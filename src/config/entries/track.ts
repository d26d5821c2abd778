import { readInt, type Weight } from "../args.ts";
import { nearest } from "../source.ts";
import type { Arg, Reading } from "../table.ts";
import { Cursor } from "./cursor.ts";

/** A tracked thing with the weight it has here; `undefined` when its own is used. */
export interface Tracked {
  readonly name: string;
  readonly weight?: Weight;
}

export type TrackedKind = "script" | "file" | "process" | "bfd" | "interface";

const MOST: Readonly<Record<TrackedKind, number>> = { script: 253, file: 254, process: 254, bfd: 253, interface: 253 };

/** `NAME [weight N [reverse]]`, one per line of a track_… block. */
export const trackEntry = (kind: TrackedKind): Arg<Tracked> => ({
  usage: `${kind.toUpperCase()} [weight N [reverse]]`,
  read: (r) => readTracked(r, kind),
});

function readTracked(r: Reading, kind: TrackedKind): Tracked | undefined {
  const c = new Cursor(r);
  const name = c.next();
  if (name === undefined) return undefined;
  if (!isDefined(r, kind, name.text))
    return r.error(
      name,
      `there is no ${DEFINED_BY[kind]} '${name.text}' before this line`,
      nearest(name.text, definedNames(r, kind)),
    );
  const missing = kind === "interface" && r.facts.interfaces !== undefined && !r.facts.interfaces.has(name.text);
  if (missing) r.absent(name, name.text);
  const option = c.next();
  if (option === undefined) return { name: name.text };
  if (option.text !== "weight") return r.error(option, `'${option.text}' is not 'weight'`) ?? { name: name.text };
  const value = c.value(option);
  if (value === undefined) return { name: name.text };
  const weight = readInt(r, value, -MOST[kind], MOST[kind]);
  const reverse = c.next();
  if (reverse !== undefined && reverse.text !== "reverse") r.error(reverse, `'${reverse.text}' is not 'reverse'`);
  return weight === undefined ? { name: name.text } : { name: name.text, weight: { weight, reverse: reverse !== undefined } };
}

const DEFINED_BY: Readonly<Record<TrackedKind, string>> = {
  script: "vrrp_script",
  file: "track_file",
  process: "vrrp_track_process",
  bfd: "bfd_instance",
  interface: "",
};

const FIELDS: Readonly<Record<TrackedKind, string>> = {
  script: "vrrpScript",
  file: "trackFile",
  process: "vrrpTrackProcess",
  bfd: "bfdInstance",
  interface: "",
};

/** keepalived looks names up while it reads, so a thing must be defined above its use. */
export function isDefined(r: Reading, kind: TrackedKind, name: string): boolean {
  if (kind === "interface") return true;
  return definedNames(r, kind).has(name);
}

const definedNames = (r: Reading, kind: TrackedKind): ReadonlySet<string> =>
  namesOf((r.top[FIELDS[kind]] ?? []) as readonly Named[]);

interface Named {
  readonly header: string;
}

const known = new WeakMap<readonly Named[], { readonly names: Set<string>; count: number }>();

/** The names of blocks in a list that still grows, without walking it for every question. */
function namesOf(blocks: readonly Named[]): ReadonlySet<string> {
  let entry = known.get(blocks);
  if (entry === undefined) {
    entry = { names: new Set(), count: 0 };
    known.set(blocks, entry);
  }
  for (; entry.count < blocks.length; entry.count++) entry.names.add(blocks[entry.count]!.header);
  return entry.names;
}

/** Names, one or several to a line. */
export const namesEntry = (usage: string): Arg<readonly string[]> => ({
  usage: `${usage}…`,
  read: (r) => r.args.map((w) => w.text),
});

/** One word per line, for lists of names. */
export const nameEntry = (usage: string): Arg<string> => ({ usage, read: (r) => r.args[0]?.text });
