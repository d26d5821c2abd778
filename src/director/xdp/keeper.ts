import type { Ip } from "../../net/ip.ts";
import { type Neighbour, NUD_NOARP, NUD_PERMANENT, NUD_REACHABLE, NUD_STALE } from "../../wire/rtnetlink-neighbour.ts";
import type { Hops } from "./hops.ts";

/** How soon the kernel is asked again for a neighbour that it has not found. */
export const RETRY_MS = 1000;
/** How often a neighbour that is known must show that it is still there. */
export const REFRESH_MS = 15_000;

/**
 * What to have the kernel do with a neighbour: find its Ethernet address and keep it resolved from now on ("resolve"), ask
 * it whether it is still there ("probe"), or leave it to time again ("release").
 */
export interface Ask {
  readonly ask: "resolve" | "probe" | "release";
  readonly ifindex: number;
  readonly address: Ip;
}

/**
 * Which neighbours the kernel must be asked for, so that all wanted addresses have a resolved next hop, and a next hop
 * that has died is noticed within REFRESH_MS and the kernel's three seconds. Pure: `now` in ms of any clock that does not
 * jump.
 *
 * Kernels from 5.16 keep "managed" neighbours resolved by themselves, but take up to a minute to notice that one has died;
 * older ones ignore that word. Both are served by the same questions.
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
      const ask = hop.state === "unresolved" ? askUnknown(waited) : askKnown(hops.neighbour(hop.ifindex, hop.via), waited);
      if (ask === undefined) continue;
      this.#asked.set(key, { ifindex: hop.ifindex, address: hop.via, at: now });
      asks.push({ ask, ifindex: hop.ifindex, address: hop.via });
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
      if (neighbour?.managed && !isFixed(neighbour)) asks.push({ ask: "release", ifindex, address });
    }
    return asks;
  }
}

/** @param waited ms since it was last asked for */
const askUnknown = (waited: number) => (waited >= RETRY_MS ? "resolve" : undefined);

function askKnown(neighbour: Neighbour | undefined, waited: number): "resolve" | "probe" | undefined {
  if (neighbour === undefined || isFixed(neighbour)) return undefined;
  if (!neighbour.managed && waited === Number.POSITIVE_INFINITY) return "resolve";
  const isBeingAsked = (neighbour.state & (NUD_REACHABLE | NUD_STALE)) === 0;
  return waited >= REFRESH_MS && !isBeingAsked ? "probe" : undefined;
}

/** Set by hand, or of a link that has no need to ask. */
const isFixed = (neighbour: Neighbour): boolean => (neighbour.state & (NUD_PERMANENT | NUD_NOARP)) !== 0;
