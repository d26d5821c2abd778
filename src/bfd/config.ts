import { familyOf, type Ip } from "../net/ip.ts";
import type { Tuning } from "../tuning.ts";

/** What a BFD process is to do (spec 2.14), as plain values with every default filled in: they travel as JSON. */

/** With fractions down to the microsecond. */
export type Millis = number;

export interface BfdConfig {
  readonly sessions: readonly SessionConfig[];
  readonly tuning: Tuning;
}

export interface SessionConfig {
  readonly name: string;
  readonly neighbour: Ip;
  /** What its packets are sent from; undefined: as the routes say. */
  readonly source: Ip | undefined;
  /** The shortest interval that packets may come at. */
  readonly minRx: Millis;
  /** The interval to send at while the session is up; the neighbour may ask for a longer one. */
  readonly minTx: Millis;
  /** The interval to send at otherwise, 1000 or more. */
  readonly idleTx: Millis;
  /** 1..255: so many intervals without a packet are a failure. */
  readonly multiplier: number;
  /** Send nothing before the neighbour does. */
  readonly passive: boolean;
  /** Of its packets: TTL or hop limit, 1..255. */
  readonly ttl: number;
  /** What comes in may have lost so many hops of that TTL. As many as the TTL, or 255: any number. */
  readonly maxHops: number;
  /** Port 4784 in place of 3784. */
  readonly multihop: boolean;
  /** Who is to hear of it. */
  readonly tells: { readonly vrrp: boolean; readonly checker: boolean };
}

/** A session is the same across reloads when this is. */
export const identity = ({ name, neighbour, multihop }: SessionConfig): string => `${name} ${neighbour} ${multihop}`;

/** May the socket that a session sends by stay when it is configured anew? */
export const isSameSender = (a: SessionConfig, b: SessionConfig): boolean => a.source === b.source && a.ttl === b.ttl;

/** TTL of keepalived's packets when the file says nothing. */
export const usualTtl = (neighbour: Ip): number => (familyOf(neighbour) === "ipv4" ? 255 : 64);
