import type { Ip } from "../../net/ip.ts";
import { type Neighbour, NUD_NOARP, NUD_PERMANENT, NUD_STALE } from "../../wire/rtnetlink-neighbour.ts";
import type { Hops } from "./hops.ts";

/** How soon the kernel is asked again for a neighbour that it has not found. */
export const RETRY_MS = 1000;
/** How soon a neighbour that is not managed is confirmed, once it has gone stale. */
export const REFRESH_MS = 15_000;

/** A neighbour that the kernel shall resolve; `managed`: and keep resolved by itself. */
export interface Ask {
  readonly ifindex: number;
  readonly address: Ip;
  readonly managed: boolean;
}

/**
 * Which neighbours the kernel must be asked for, so that all wanted addresses have a resolved next hop, and a next hop
 * that has died is noticed. Pure: `now` in ms of any clock that does not jump.
 *
 * Kernels from 5.16 keep "managed" neighbours resolved themselves. Older ones ignore that word and do the rest, so it is
 * always said; a neighbour that then does not come back as managed is refreshed from here.
 */
export class Keeper {
  #wanted: ReadonlySet<Ip> = new Set();
  /** The next hops that have been asked for, and when last. */
  #asked = new Map<string, { readonly ifindex: number; readonly address: Ip; at: number }>();

  /** Takes the place of what was wanted before. */
  want(addresses: Iterable<Ip>): void {
    this.#wanted = new Set(addresses);
  }

  /** Is there anything to do as time passes? */
  get isBusy(): boolean {
    return this.#wanted.size > 0 || this.#asked.size > 0;
  }

  /** What to ask now; asking is noted as done. */
  due(hops: Hops, now: number): Ask[] {
    const asks: Ask[] = [];
    const keys = new Set<string>();
    for (const wanted of this.#wanted) {
      const hop = hops.resolve(wanted);
      if (hop.state !== "resolved" && hop.state !== "unresolved") continue;
      const key = `${hop.ifindex} ${hop.via}`;
      if (keys.has(key)) continue;
      keys.add(key);
      const waited = now - (this.#asked.get(key)?.at ?? Number.NEGATIVE_INFINITY);
      const neighbour = hops.neighbour(hop.ifindex, hop.via);
      if (!(hop.state === "resolved" ? isDue(neighbour, waited) : waited >= RETRY_MS)) continue;
      this.#asked.set(key, { ifindex: hop.ifindex, address: hop.via, at: now });
      asks.push({ ifindex: hop.ifindex, address: hop.via, managed: true });
    }
    return [...asks, ...this.#release(hops, keys)];
  }

  /** Next hops that are no longer needed are the kernel's to forget again. */
  #release(hops: Hops, keys: ReadonlySet<string>): Ask[] {
    const asks: Ask[] = [];
    for (const [key, { ifindex, address }] of this.#asked) {
      if (keys.has(key)) continue;
      this.#asked.delete(key);
      const neighbour = hops.neighbour(ifindex, address);
      if (neighbour?.managed && !isFixed(neighbour)) asks.push({ ifindex, address, managed: false });
    }
    return asks;
  }
}

/** Of a neighbour that is resolved, `waited` ms after it was asked for. */
function isDue(neighbour: Neighbour | undefined, waited: number): boolean {
  if (neighbour === undefined || neighbour.managed || isFixed(neighbour)) return false;
  if (waited === Number.POSITIVE_INFINITY) return true; // for it to become managed
  return (neighbour.state & NUD_STALE) !== 0 && waited >= REFRESH_MS;
}

/** Set by hand, or of a link that has no need to ask. */
const isFixed = (neighbour: Neighbour): boolean => (neighbour.state & (NUD_PERMANENT | NUD_NOARP)) !== 0;
