import type { Family, Ip } from "../net/ip.ts";

/** A dest as the schedulers see it. */
export interface Candidate {
  readonly id: number;
  readonly addr: Ip;
  readonly port: number;
  readonly family: Family;
  readonly weight: number;
  /** Weight at add, then the last non-zero weight set by an edit. */
  readonly lastWeight: number;
  /** Its upper threshold is reached (spec 2.4). */
  readonly overloaded: boolean;
  readonly available: boolean;
  readonly activeConns: number;
  /** Active and inactive. */
  readonly totalConns: number;
}

/** The packet that wants a dest, from the client's side. */
export interface Flow {
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly sourceAddr: Ip;
  readonly sourcePort: number;
  readonly destinationAddr: Ip;
  readonly destinationPort: number;
}

/** What a pick may know besides the dests and the packet. */
export interface Circumstances {
  /** ms of a monotonic clock */
  readonly now: number;
  /** Uniform in 0 <= r < 1, as Math.random. */
  readonly random: () => number;
  /** Flags 1..3 of the service, as they are now: sh and mh read them at each pick. */
  readonly flags: readonly number[];
}

export interface Setting {
  /** Of the service. */
  readonly family: Family;
  /** ms of a monotonic clock */
  readonly now: number;
  /** lblc_expiration or lblcr_expiration, in seconds; read at each clean-up. */
  readonly expirationSeconds?: () => number;
  /** rr and wrr go on from here; absent: a round begins. */
  readonly turn?: Turn;
}

/** Dests newest first: the order every scheduler walks (spec chapter 3). */
export type DestList = readonly Candidate[];

/** Where a round stands that was begun elsewhere. */
export interface Turn {
  /** Id of the dest that had it last; undefined: the head of the list. */
  readonly last: number | undefined;
  /** wrr's; 0 for rr. */
  readonly level: number;
}

/** The scheduler of one service, with its state. The list it is given is always the list as of now. */
export interface Scheduler {
  /** undefined: no dest may take a new connection. */
  pick(list: DestList, flow: Flow, circumstances: Circumstances): Candidate | undefined;
  /** A dest was put at the head. */
  added?(list: DestList): void;
  /** @param at its place before it was taken out */
  deleted?(list: DestList, id: number, at: number): void;
  /** Weights changed. */
  edited?(list: DestList): void;
  /** Let time pass: clean-up of caches. */
  tick?(now: number): void;
  /** Does a cache hold this dest? Then it may not leave the trash (spec 2.3). */
  refersTo?(id: number): boolean;
}

export interface SchedulerKind {
  readonly name: string;
  /** @param list the dests the service has already */
  create(list: DestList, setting: Setting): Scheduler;
}

/** May it take a new connection? */
export const isUsable = (dest: Candidate): boolean => dest.weight > 0 && !dest.overloaded;

/** Load: an active connection weighs 257, an inactive one 1; a 32-bit int as in the kernel. */
export const overhead = (dest: Candidate): number => ((dest.activeConns << 8) + dest.totalConns) | 0;

/** a1 * a2 > b1 * b2, exact for 32-bit factors. */
export function isGreater(a1: number, a2: number, b1: number, b2: number): boolean {
  const a = a1 * a2;
  const b = b1 * b2;
  return Number.isSafeInteger(a) && Number.isSafeInteger(b) ? a > b : BigInt(a1) * BigInt(a2) > BigInt(b1) * BigInt(b2);
}

/** The usable dest with the least cost / weight, the first of equals. */
export function leastLoaded(list: DestList, cost: (dest: Candidate) => number): Candidate | undefined {
  let best: Candidate | undefined;
  for (const dest of list) {
    if (!isUsable(dest)) continue;
    if (best === undefined || isGreater(cost(best), dest.weight, cost(dest), best.weight)) best = dest;
  }
  return best;
}

/** The usable dest with an id that a table gave. */
export function usableById(list: DestList, id: number | undefined): Candidate | undefined {
  return list.find((dest) => dest.id === id && dest.available && isUsable(dest));
}
