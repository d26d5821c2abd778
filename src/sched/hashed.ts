import { fold, hash32 } from "./hash.ts";
import { type Candidate, type DestList, type Flow, type SchedulerKind, usableById } from "./scheduler.ts";

/** The schedulers that look an address up in a table of 256 buckets: dest ids, 0 in an empty table. */

const BITS = 8;
const BUCKETS = 1 << BITS;

/** Bucket i holds the dest i mod n, whatever its weight (spec 3.9). */
export function dhTable(list: DestList): Int32Array {
  return Int32Array.from({ length: BUCKETS }, (_, bucket) => list[bucket % list.length]?.id ?? 0);
}

/** Round the list, each dest `weight` buckets in a row, but at least one (spec 3.10). */
export function shTable(list: DestList): Int32Array {
  const table = new Int32Array(BUCKETS);
  for (let bucket = 0; bucket < BUCKETS && list.length > 0; ) {
    for (const dest of list) {
      const end = bucket + Math.max(dest.weight, 1);
      table.fill(dest.id, bucket, end);
      bucket = end;
    }
  }
  return table;
}

/** Destination hashing: for caches, which a packet reaches by its own destination address. */
export const dh: SchedulerKind = {
  name: "dh",
  create(list, { family }) {
    let table = dhTable(list);
    const rebuild = (list: DestList): void => {
      table = dhTable(list);
    };
    return {
      pick: (list, flow) => usableById(list, table[hash32(fold(flow.destinationAddr, family), BITS)]),
      added: rebuild,
      deleted: rebuild,
    };
  },
};

/** Source hashing: a client stays with its dest. Flag 1: fall back to another dest; flag 2: hash the port too. */
export const sh: SchedulerKind = {
  name: "sh",
  create(list, { family }) {
    let table = shTable(list);
    const rebuild = (list: DestList): void => {
      table = shTable(list);
    };
    return {
      pick(list, flow, { flags }) {
        const bucket = hash32(sourceWord(flow, family, flags), BITS);
        const dest = usableById(list, table[bucket]);
        return dest === undefined && flags.includes(1) ? fallBack(list, table, bucket) : dest;
      },
      added: rebuild,
      deleted: rebuild,
      edited: rebuild,
    };
  },
};

/** The first usable dest on a walk through all buckets, from the one that is as far from `bucket` as that is from 0. */
function fallBack(list: DestList, table: Int32Array, bucket: number): Candidate | undefined {
  for (let offset = 0; offset < BUCKETS; offset++) {
    const dest = usableById(list, table[(offset + 2 * bucket) % BUCKETS]);
    if (dest !== undefined) return dest;
  }
  return undefined;
}

/** What sh and mh hash: the client's address and, with flag 2, its port. */
export const sourceWord = (flow: Flow, family: Candidate["family"], flags: readonly number[]): number =>
  (fold(flow.sourceAddr, family) + (flags.includes(2) ? flow.sourcePort : 0)) >>> 0;
