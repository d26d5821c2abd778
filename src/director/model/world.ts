import type { Ip } from "../../net/ip.ts";
import { type Mac, macBytes } from "../../net/mac.ts";
import { looksUnicast } from "../validate.ts";

/** What the director's host knows of the network around it: routes, neighbours, addresses, marks. */
export interface World {
  /** Of an interface, 6 bytes: frames for other addresses are not ours. undefined: take them all. */
  mac(ifindex: number): Uint8Array | undefined;
  /** Where a packet to this address goes next. */
  hop(address: Ip): Hop;
  /** An address of the director itself. */
  isLocal(address: Ip): boolean;
}

export type Hop =
  | {
      readonly state: "resolved";
      readonly ifindex: number;
      /** Destination and source MAC as they begin a frame, 12 bytes. */
      readonly macs: Uint8Array;
      /** Of the path, bytes. */
      readonly mtu: number;
      /** The director's address on the way: outer source of tunnels. */
      readonly source: Ip;
    }
  | { readonly state: "unresolved"; readonly source?: Ip }
  | { readonly state: "unreachable" }
  | { readonly state: "local" };

export const resolvedHop = (ifindex: number, to: Mac, from: Mac, source: Ip, mtu = 1500): Hop => {
  return { state: "resolved", ifindex, macs: Uint8Array.from([...macBytes(to), ...macBytes(from)]), mtu, source };
};

/** A world that was written down: for tests and what-if questions. */
export class StaticWorld implements World {
  readonly #macs: ReadonlyMap<number, Uint8Array>;
  readonly #local: ReadonlySet<Ip>;
  readonly #hops: Map<Ip, Hop>;
  readonly #otherwise: Hop;

  /** @param otherwise the hop of every address that is not named */
  constructor(
    macs: Readonly<Record<number, Mac>>,
    local: readonly Ip[],
    hops: Readonly<Record<string, Hop>>,
    otherwise: Hop = { state: "unresolved" },
  ) {
    this.#macs = new Map(Object.entries(macs).map(([ifindex, mac]) => [Number(ifindex), macBytes(mac)]));
    this.#local = new Set(local);
    this.#hops = new Map(Object.entries(hops) as [Ip, Hop][]);
    this.#otherwise = otherwise;
  }

  mac(ifindex: number): Uint8Array | undefined {
    return this.#macs.get(ifindex);
  }
  hop(address: Ip): Hop {
    return this.#local.has(address) ? { state: "local" } : (this.#hops.get(address) ?? this.#otherwise);
  }
  isLocal(address: Ip): boolean {
    return this.#local.has(address);
  }
  setHop(address: Ip, hop: Hop): void {
    this.#hops.set(address, hop);
  }
}

/** May a packet be forwarded to its own destination (cache_bypass)? */
export const isRemoteUnicast = (world: World, address: Ip): boolean => looksUnicast(address) && !world.isLocal(address);
