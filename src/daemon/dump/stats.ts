import type { InstanceStatus } from "../vrrp/status.ts";

/** Counters of instances: keepalived.stats, and the same numbers for others (spec 5.3). */

export interface Stats {
  readonly advertRcvd: number;
  readonly advertSent: number;
  readonly becomeMaster: number;
  readonly releaseMaster: number;
  readonly packetLenErr: number;
  readonly advertIntervalErr: number;
  readonly ipTtlErr: number;
  readonly invalidTypeRcvd: number;
  readonly addrListErr: number;
  readonly invalidAuthtype: number;
  readonly authtypeMismatch: number;
  readonly authFailure: number;
  readonly priZeroRcvd: number;
  readonly priZeroSent: number;
}

export function statsOf({ counters: c }: InstanceStatus): Stats {
  const refused = (...fields: readonly string[]): number => fields.reduce((sum, field) => sum + (c.refused[field] ?? 0), 0);
  const all = Object.values(c.refused).reduce((sum, n) => sum + n, 0);
  return {
    // keepalived counts those that it takes; with another address list an advert is taken here, as in keepalived since 2.3.3.
    advertRcvd: c.advertsReceived - all + refused("vip-list"),
    advertSent: c.advertsSent,
    becomeMaster: c.becameMaster,
    releaseMaster: c.releasedMaster,
    packetLenErr: refused("length"),
    advertIntervalErr: refused("interval"),
    ipTtlErr: refused("ttl"),
    invalidTypeRcvd: refused("type"),
    addrListErr: refused("vip-list"),
    invalidAuthtype: refused("auth-unknown"),
    authtypeMismatch: refused("auth-type"),
    authFailure: refused("auth-data", "sequence"),
    priZeroRcvd: c.zeroReceived,
    priZeroSent: c.zeroSent,
  };
}

/** keepalived.stats. */
export const vrrpStats = (instances: readonly InstanceStatus[]): string =>
  instances.flatMap((instance) => statsLines(instance.name, statsOf(instance))).join("");

const statsLines = (name: string, s: Stats): string[] =>
  [
    `VRRP Instance: ${name}`,
    "  Advertisements:",
    `    Received: ${s.advertRcvd}`,
    `    Sent: ${s.advertSent}`,
    `  Became master: ${s.becomeMaster}`,
    `  Released master: ${s.releaseMaster}`,
    "  Packet Errors:",
    `    Length: ${s.packetLenErr}`,
    `    TTL: ${s.ipTtlErr}`,
    `    Invalid Type: ${s.invalidTypeRcvd}`,
    `    Advertisement Interval: ${s.advertIntervalErr}`,
    `    Address List: ${s.addrListErr}`,
    "  Authentication Errors:",
    `    Invalid Type: ${s.invalidAuthtype}`,
    `    Type Mismatch: ${s.authtypeMismatch}`,
    `    Failure: ${s.authFailure}`,
    "  Priority Zero:",
    `    Received: ${s.priZeroRcvd}`,
    `    Sent: ${s.priZeroSent}`,
  ].map((line) => `${line}\n`);
