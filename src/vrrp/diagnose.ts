import type { Ip } from "../net/ip.ts";
import type { Refusal } from "./accept.ts";
import type { State } from "./machine.ts";

/**
 * Why there are two masters, in one line, once per change (spec 3.8, chapter 8 no. 1): which peer, which field, what it
 * said, what was expected.
 */

export interface Trouble {
  readonly peer: Ip;
  /** The field that differs; "unheard": the peer does not seem to hear us. */
  readonly field: Refusal["field"] | "unheard";
  readonly got: string;
  readonly expected: string;
  /** Adverts so far. */
  readonly count: number;
  /** When the first came, and the last. */
  readonly since: number;
  readonly last: number;
}

export interface Diagnosis {
  /** Keyed by peer and field. */
  readonly troubles: ReadonlyMap<string, Trouble>;
}

export const healthy: Diagnosis = { troubles: new Map() };

export interface Told {
  readonly next: Diagnosis;
  /** Lines for the log. */
  readonly lines: readonly string[];
}

/** Senders can be forged: so many are told of at a time, and one gives way to another when it has been silent for so long. */
const MOST = 32;
const SILENT = 60_000; // ms

/** A peer that goes on with a lower priority although we answer does not hear us. */
const UNHEARD_AFTER = 3;
const OWNER = 255;

const keyOf = (peer: Ip, field: Trouble["field"]): string => `${peer} ${field}`;

/** An advert was refused, or taken with a complaint. Says so when it is news. */
export function refused(d: Diagnosis, r: Refusal, state: State["name"], now: number): Told {
  const before = d.troubles.get(keyOf(r.from, r.field));
  const isNews = before === undefined || before.got !== r.got || before.expected !== r.expected;
  const count = isNews ? 1 : before.count + 1;
  const since = isNews ? now : before.since;
  if (before === undefined && !hasRoom(d, now)) return { next: d, lines: [] };
  const trouble: Trouble = { peer: r.from, field: r.field, got: r.got, expected: r.expected, count, since, last: now };
  return { next: put(d, trouble), lines: isNews ? [r.text, ...splitBrain(r, state)] : [] };
}

const hasRoom = ({ troubles }: Diagnosis, now: number): boolean =>
  troubles.size < MOST || [...troubles.values()].some((t) => now - t.last > SILENT);

/** A sender of adverts believes that it is master. */
function splitBrain(r: Refusal, state: State["name"]): string[] {
  if (state !== "master" || r.field === "vip-list") return [];
  return [`split brain: ${r.from} is master too, its adverts are refused: ${r.field} is ${r.got}, expected ${r.expected}`];
}

/** A good advert: what was wrong with this peer is over, unless it goes on without hearing us. */
export function accepted(
  d: Diagnosis,
  from: Ip,
  { priority, own, state, complaint }: { priority: number; own: number; state: State["name"]; complaint: boolean },
  now: number,
): Told {
  const kept = [...d.troubles].filter(
    ([, t]) => t.peer !== from || t.field === "unheard" || t.field === "owner" || (complaint && t.field === "vip-list"),
  );
  const next: Diagnosis = { troubles: new Map(kept) };
  const over = d.troubles.size - kept.length;
  const lines = over > 0 ? [`adverts from ${from} are accepted again`] : [];
  if (state !== "master" || priority === 0 || priority > own) return { next: drop(next, from, "unheard"), lines };
  if (priority === OWNER && own === OWNER) return rivalOwner(next, from, lines, now);
  const before = d.troubles.get(keyOf(from, "unheard"));
  const count = (before?.count ?? 0) + 1;
  const trouble: Trouble = {
    peer: from,
    field: "unheard",
    got: `adverts with priority ${priority}`,
    expected: `silence, ours is ${own}`,
    ...{ count, since: before?.since ?? now, last: now },
  };
  const text = `split brain: ${from} goes on with priority ${priority} under ours, ${own}: it does not hear or accept our adverts`;
  return { next: put(next, trouble), lines: count === UNHEARD_AFTER ? [...lines, text] : lines };
}

function rivalOwner(d: Diagnosis, from: Ip, lines: readonly string[], now: number): Told {
  const before = d.troubles.get(keyOf(from, "owner"));
  const count = (before?.count ?? 0) + 1;
  const since = before?.since ?? now;
  const trouble: Trouble = { peer: from, field: "owner", got: "priority 255", expected: "one owner", count, since, last: now };
  const text = `CONFIGURATION ERROR: local instance and ${from} are both configured as address owner, please resolve`;
  return { next: put(d, trouble), lines: before === undefined ? [...lines, text] : lines };
}

/** A change of state starts afresh: what is still wrong is told again. */
export const changed = (): Diagnosis => healthy;

function put(d: Diagnosis, trouble: Trouble): Diagnosis {
  const isOld = (t: Trouble): boolean => d.troubles.size >= MOST && trouble.last - t.last > SILENT;
  const kept = [...d.troubles].filter(([, t]) => !isOld(t));
  return { troubles: new Map(kept).set(keyOf(trouble.peer, trouble.field), trouble) };
}

function drop(d: Diagnosis, peer: Ip, field: Trouble["field"]): Diagnosis {
  if (!d.troubles.has(keyOf(peer, field))) return d;
  const troubles = new Map(d.troubles);
  troubles.delete(keyOf(peer, field));
  return { troubles };
}

/** Who else is master while this one is: those that sent lately, and were not listened to or do not listen. */
export const rivals = ({ troubles }: Diagnosis, since: number): readonly Ip[] => [
  ...new Set([...troubles.values()].flatMap((t) => (t.field !== "vip-list" && t.last >= since ? [t.peer] : []))),
];
