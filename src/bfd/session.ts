import type { Bfd, BfdState } from "../wire/bfd.ts";
import type { Millis, SessionConfig } from "./config.ts";
import { DIAGNOSTIC } from "./words.ts";

/** What is known of a session (RFC 5880 section 6.8.1), and what follows from it. */

/** What the neighbour said last. */
export interface Remote {
  readonly state: BfdState;
  readonly diagnostic: number;
  /** 0: not known, or not heard of for a detection time. */
  readonly discriminator: number;
  readonly minTx: Millis;
  /** 0: it wants nothing sent periodically. */
  readonly minRx: Millis;
  readonly multiplier: number;
  readonly demand: boolean;
}

/** An interval that the neighbour is told, and the one in use until it has heard (section 6.8.3). */
export interface Agreed {
  readonly told: Millis;
  readonly used: Millis;
}

export interface Session {
  readonly state: BfdState;
  readonly diagnostic: number;
  /** Ours, 1..2^32-1. */
  readonly discriminator: number;
  readonly remote: Remote;
  readonly tx: Agreed;
  readonly rx: Agreed;
  /** A Poll Sequence is under way. */
  readonly isPolling: boolean;
  /** When the last packet left and the next one will; undefined: none has, none will. */
  readonly sentAt: Millis | undefined;
  readonly sendAt: Millis | undefined;
  /** When the last valid packet came, and until when the next one must. */
  readonly heardAt: Millis | undefined;
  readonly expireAt: Millis | undefined;
}

const unheard: Remote = {
  ...{ state: "Down", diagnostic: DIAGNOSTIC.none, discriminator: 0, minTx: 0, minRx: 0.001, multiplier: 0, demand: false },
};

/** @param discriminator ours: not 0, and of no other session */
export const newSession = (c: SessionConfig, discriminator: number): Session => ({
  ...{ state: "Down", diagnostic: DIAGNOSTIC.none, discriminator, remote: unheard, isPolling: false },
  tx: { told: c.idleTx, used: c.idleTx },
  rx: { told: c.minRx, used: c.minRx },
  ...{ sentAt: undefined, sendAt: undefined, heardAt: undefined, expireAt: undefined },
});

/** The neighbour has fallen silent: what it asked for is no more. Its diagnostic is kept for people. */
export const forgotten = ({ diagnostic }: Remote): Remote => ({ ...unheard, diagnostic });

/** Between periodic packets, before jitter (section 6.8.7). */
export const transmitInterval = ({ tx, remote }: Session): Millis => Math.max(tx.used, remote.minRx);

/** Without a packet for so long the session fails (section 6.8.4). */
export const detectionTime = ({ rx, remote }: Session): Millis => remote.multiplier * Math.max(rx.used, remote.minTx);

/** The interval shortened by chance (section 6.8.7). @param random 0..1 */
export function jittered(interval: Millis, multiplier: number, random: number): Millis {
  const [least, most] = multiplier === 1 ? [0.75, 0.9] : [0.75, 1];
  return interval * (least + (most - least) * random);
}

/** May it send at all? A passive one waits for the neighbour (section 6.8.7). */
export const maySend = (c: SessionConfig, { remote }: Session): boolean => !c.passive || remote.discriminator !== 0;

/** May it send periodically? Not to who wants nothing, nor to who asks when it wants to know (demand mode). */
export function maySendPeriodically(c: SessionConfig, s: Session): boolean {
  const isAsked = s.remote.demand && s.state === "Up" && s.remote.state === "Up" && !s.isPolling;
  return maySend(c, s) && s.remote.minRx !== 0 && !isAsked;
}

const micros = (ms: Millis): number => Math.min(0xffff_ffff, Math.round(ms * 1000));

export const packetOf = (c: SessionConfig, s: Session, final: boolean): Bfd => ({
  diagnostic: s.diagnostic,
  state: s.state,
  poll: s.isPolling && !final,
  final,
  ...{ controlPlaneIndependent: false, authenticated: false, demand: false },
  multiplier: c.multiplier,
  myDiscriminator: s.discriminator,
  yourDiscriminator: s.remote.discriminator,
  desiredMinTx: micros(s.tx.told),
  requiredMinRx: micros(s.rx.told),
  requiredMinEchoRx: 0, // no echo function
});

export const remoteOf = (p: Bfd): Remote => ({
  ...{ state: p.state, diagnostic: p.diagnostic, discriminator: p.myDiscriminator },
  ...{ minTx: p.desiredMinTx / 1000, minRx: p.requiredMinRx / 1000, multiplier: p.multiplier, demand: p.demand },
});
