import { detectionTime, transmitInterval } from "../../bfd/session.ts";
import { diagnosticText } from "../../bfd/words.ts";
import type { Ip } from "../../net/ip.ts";
import type { BfdState } from "../../wire/bfd.ts";
import type { Unit } from "./unit.ts";

/** What a session is at the moment, for the parent, the API and tests. Times are milliseconds. */
export interface SessionStatus {
  readonly name: string;
  readonly neighbour: Ip;
  readonly source: Ip | undefined;
  readonly state: BfdState;
  readonly diagnostic: string;
  /** In this state. */
  readonly age: number;
  /** Between its packets, before jitter. */
  readonly transmitInterval: number;
  /** Without a packet for so long it fails; 0: the neighbour has not said how often it sends. */
  readonly detectionTime: number;
  readonly multiplier: number;
  readonly discriminator: number;
  readonly isPolling: boolean;
  /** Its last packet could not be sent. */
  readonly isMute: boolean;
  /** What the neighbour said last. */
  readonly remote: {
    readonly state: BfdState;
    readonly diagnostic: string;
    readonly discriminator: number;
    readonly minTx: number;
    readonly minRx: number;
    readonly multiplier: number;
    readonly demand: boolean;
    /** Since then. */
    readonly heardAge: number | undefined;
  };
  /** The last failure. */
  readonly fell: undefined | { readonly age: number; readonly diagnostic: string };
  readonly counters: {
    readonly sent: number;
    readonly received: number;
    readonly ups: number;
    /** By reason. */
    readonly refused: Readonly<Record<string, number>>;
  };
}

export function statusOf({ config: c, session: s, since, sendError, fell, counters }: Unit, now: number): SessionStatus {
  const { remote: r, heardAt } = s;
  return {
    ...{ name: c.name, neighbour: c.neighbour, source: c.source, state: s.state, age: now - since },
    diagnostic: diagnosticText(s.diagnostic),
    ...{ transmitInterval: transmitInterval(s), detectionTime: detectionTime(s), multiplier: c.multiplier },
    ...{ discriminator: s.discriminator, isPolling: s.isPolling, isMute: sendError !== "" },
    remote: {
      ...{ state: r.state, diagnostic: diagnosticText(r.diagnostic), discriminator: r.discriminator },
      ...{ minTx: r.minTx, minRx: r.minRx, multiplier: r.multiplier, demand: r.demand },
      heardAge: heardAt === undefined ? undefined : now - heardAt,
    },
    fell: fell && { age: now - fell.at, diagnostic: diagnosticText(fell.diagnostic) },
    counters: { ...counters, refused: Object.fromEntries(counters.refused) },
  };
}
