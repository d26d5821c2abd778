import type { Family } from "../net/ip.ts";
import { fold, hsiphash } from "./hash.ts";
import { sourceWord } from "./hashed.ts";
import { type Candidate, type DestList, type SchedulerKind, usableById } from "./scheduler.ts";

export const MH_SIZE = 4093;
const KEY1 = 2654435761;
const KEY2 = 2654446892;
const TAB_BITS = 6;

/**
 * Maglev's table of dest ids (spec 3.13), 0 in an empty one. Each dest walks the slots in an order of its own and takes
 * free ones in turn. undefined: more dests than slots.
 */
export function mhTable(list: DestList, family: Family): Int32Array | undefined {
  if (list.length > MH_SIZE) return undefined;
  const table = new Int32Array(MH_SIZE);
  const turns = turnsOf(list);
  const walkers = list.map((dest, i) => walker(dest, family, turns[i] ?? 0)).filter(({ turns }) => turns > 0);
  if (walkers.length === 0) return table;
  for (let left = MH_SIZE; ; ) {
    for (const walker of walkers) {
      for (let turn = 0; turn < walker.turns; turn++) {
        while (table[walker.slot] !== 0) walker.slot = (walker.slot + walker.skip) % MH_SIZE;
        table[walker.slot] = walker.id;
        if (--left === 0) return table;
      }
    }
  }
}

interface Walker {
  readonly id: number;
  readonly turns: number;
  readonly skip: number;
  slot: number;
}

function walker(dest: Candidate, family: Family, turns: number): Walker {
  const word = (fold(dest.addr, family) + dest.port) >>> 0;
  return { id: dest.id, turns, skip: (hsiphash(word, KEY2) % (MH_SIZE - 1)) + 1, slot: hsiphash(word, KEY1) % MH_SIZE };
}

/** Slots a dest takes in a round: its last weight, made small by the common divisor and a shift. */
function turnsOf(list: DestList): number[] {
  const weights = list.map((dest) => dest.lastWeight);
  const divisor = weights.reduce(gcd, 0);
  const top = Math.floor(weights.reduce((a, b) => Math.max(a, b), 0) / divisor);
  const shift = Math.max(0, 32 - Math.clz32(top) - TAB_BITS);
  return weights.map((weight) => (weight === 0 ? 0 : Math.max(1, (weight / divisor) >> shift)));
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** The slot of a client. */
export const mhSlot = (word: number): number => hsiphash(word >>> 0, KEY1) % MH_SIZE;

/** Maglev hashing. Flag 1: fall back to another dest; flag 2: hash the port too. */
export const mh: SchedulerKind = {
  name: "mh",
  create(list, { family }) {
    let table = mhTable(list, family) ?? new Int32Array(MH_SIZE);
    const rebuild = (list: DestList): void => {
      table = mhTable(list, family) ?? table;
    };
    return {
      pick(list, flow, { flags }) {
        const word = sourceWord(flow, family, flags);
        const slot = mhSlot(word);
        const dest = usableById(list, table[slot]);
        return dest === undefined && flags.includes(1) ? fallBack(list, table, word, slot) : dest;
      },
      added: rebuild,
      deleted: rebuild,
      edited: rebuild,
    };
  },
};

function fallBack(list: DestList, table: Int32Array, word: number, slot: number): Candidate | undefined {
  for (let offset = 0; offset < MH_SIZE; offset++) {
    const dest = usableById(list, table[mhSlot(word + ((offset + slot) % MH_SIZE))]);
    if (dest !== undefined) return dest;
  }
  return undefined;
}
