import type { Bfd, BfdState } from "../wire/bfd.ts";
import type { Millis, SessionConfig } from "./config.ts";
import {
  type Agreed,
  detectionTime,
  forgotten,
  jittered,
  maySend,
  maySendPeriodically,
  packetOf,
  remoteOf,
  type Session,
  transmitInterval,
} from "./session.ts";
import { DIAGNOSTIC, diagnosticText } from "./words.ts";

/** A session through time, in asynchronous mode (RFC 5880 section 6). Pure: packets, the time and chance in, effects out. */

export type Input =
  | { readonly type: "start" | "clock" }
  /** One that src/bfd/receive.ts has let through. */
  | { readonly type: "packet"; readonly packet: Bfd }
  /** Its configuration has changed: the one given to `step` is new. */
  | { readonly type: "configure" }
  /** The end. */
  | { readonly type: "disable" };

export type Effect =
  | { readonly type: "send"; readonly packet: Bfd }
  | { readonly type: "entered"; readonly state: BfdState }
  /** @property detail of use to who looks for a fault */
  | { readonly type: "say"; readonly text: string; readonly detail: boolean };

export interface Step {
  readonly session: Session;
  readonly effects: readonly Effect[];
}

/** When `step` next wants a "clock" input. */
export function deadline({ sendAt, expireAt }: Session): Millis | undefined {
  if (sendAt === undefined || expireAt === undefined) return sendAt ?? expireAt;
  return Math.min(sendAt, expireAt);
}

/** @param random 0..1, for the jitter of what is sent next */
export function step(c: SessionConfig, s: Session, input: Input, now: Millis, random: number): Step {
  if (s.state === "AdminDown") return { session: s, effects: [] };
  switch (input.type) {
    case "start":
      return finish(c, s, { ...s, sendAt: maySend(c, s) ? now : undefined }, [], now, random);
    case "clock":
      return clock(c, s, now, random);
    case "packet":
      return hear(c, s, input.packet, now, random);
    case "configure":
      return finish(c, s, configured(c, s), [], now, random);
    case "disable": {
      const session: Session = { ...s, state: "AdminDown", diagnostic: DIAGNOSTIC.adminDown, isPolling: false };
      const done: Session = { ...session, sendAt: undefined, expireAt: undefined };
      return { session: done, effects: maySend(c, s) ? [{ type: "send", packet: packetOf(c, done, false) }] : [] };
    }
  }
}

function clock(c: SessionConfig, s: Session, now: Millis, random: number): Step {
  if (s.expireAt === undefined || now < s.expireAt) return finish(c, s, s, [], now, random);
  const silent: Session = { ...s, remote: forgotten(s.remote), expireAt: undefined };
  if (s.state === "Down") return finish(c, s, silent, [], now, random);
  const late = `Expired after ${Math.round(detectionTime(s))} ms (${Math.round((now - s.expireAt) * 1000)} usec overdue)`;
  return finish(c, s, enter(c, silent, "Down", DIAGNOSTIC.expired), [say(late)], now, random);
}

/** What is done with a packet that is not discarded, in the order of RFC 5880 section 6.8.6. */
function hear(c: SessionConfig, s: Session, packet: Bfd, now: Millis, random: number): Step {
  const isAnswer = packet.final && s.isPolling;
  const agreed = (a: Agreed): Agreed => (isAnswer ? { told: a.told, used: a.told } : a);
  const heard: Session = {
    ...{ ...s, remote: remoteOf(packet), heardAt: now, isPolling: s.isPolling && !isAnswer },
    ...{ tx: agreed(s.tx), rx: agreed(s.rx) },
  };
  const moved = follow(c, heard);
  const expireAt = now + detectionTime(moved);
  return finish(c, s, { ...moved, expireAt }, [], now, random, packet.poll);
}

/** The state that follows from the neighbour's (section 6.2). */
function follow(c: SessionConfig, s: Session): Session {
  const other = s.remote.state;
  switch (s.state) {
    case "Down":
      return other === "Down" ? enter(c, s, "Init") : other === "Init" ? enter(c, s, "Up") : s;
    case "Init":
      if (other === "AdminDown") return enter(c, s, "Down", DIAGNOSTIC.neighbourDown);
      return other === "Init" || other === "Up" ? enter(c, s, "Up") : s;
    case "Up":
      return other === "AdminDown" || other === "Down" ? enter(c, s, "Down", DIAGNOSTIC.neighbourDown) : s;
    case "AdminDown":
      return s;
  }
}

/** While it is not up it asks for no more than a packet a second; the real interval is told in a Poll Sequence when it is. */
function enter(c: SessionConfig, s: Session, state: "Down" | "Init" | "Up", diagnostic: number = DIAGNOSTIC.none): Session {
  if (state === "Up") return retold({ ...s, state, diagnostic }, c.minTx, s.rx.told);
  const [tx, rx] = [c.idleTx, c.minRx];
  return { ...s, state, diagnostic, tx: { told: tx, used: tx }, rx: { told: rx, used: rx }, isPolling: false };
}

const configured = (c: SessionConfig, s: Session): Session =>
  s.state === "Up" ? retold(s, c.minTx, c.minRx) : enter(c, s, s.state === "Init" ? "Init" : "Down", s.diagnostic);

/**
 * Other intervals for a session that is up (section 6.8.3): sending less often, and expecting packets more often, wait until
 * the neighbour has heard.
 */
function retold(s: Session, minTx: Millis, minRx: Millis): Session {
  if (minTx === s.tx.told && minRx === s.rx.told) return s;
  return {
    ...s,
    tx: { told: minTx, used: Math.min(minTx, s.tx.used) },
    rx: { told: minRx, used: Math.max(minRx, s.rx.used) },
    isPolling: true,
  };
}

/** What is to be sent, now and later, and what is to be told of the way from `before` to `s`. */
function finish(
  c: SessionConfig,
  before: Session,
  s: Session,
  news: readonly Effect[],
  now: Millis,
  random: number,
  isAsked = false,
): Step {
  const isNew = s.state !== before.state;
  const isDue = s.sendAt !== undefined && now >= s.sendAt && maySendPeriodically(c, s);
  const isSent = (isNew || isDue || isAsked) && maySend(c, s);
  // A Final is sent at once and beside the others; what has changed is told at once too (section 6.8.7).
  const sentAt = isNew || isDue ? now : s.sentAt;
  const session: Session = { ...s, sentAt, sendAt: nextSend(c, before, { ...s, sentAt }, now, random) };
  const effects: Effect[] = [...news, ...told(before, s)];
  if (isSent) effects.push({ type: "send", packet: packetOf(c, s, isAsked) });
  return { session, effects };
}

/** Counted from the last periodic packet; anew when the interval has changed meanwhile. */
function nextSend(c: SessionConfig, before: Session, s: Session, now: Millis, random: number): Millis | undefined {
  if (!maySendPeriodically(c, s)) return undefined;
  const interval = transmitInterval(s);
  const isSame = s.sentAt === before.sentAt && interval === transmitInterval(before);
  if (isSame && s.sendAt !== undefined) return s.sendAt;
  return s.sentAt === undefined ? now : Math.max(now, s.sentAt + jittered(interval, c.multiplier, random));
}

function told(before: Session, s: Session): Effect[] {
  const effects: Effect[] = [];
  const [time, was] = [detectionTime(s), detectionTime(before)];
  if (time !== was && time > 0) effects.push(say(`Detection time is ${micros(time)} us (was ${micros(was)} us)`, true));
  if (s.state !== before.state) {
    const why = ` (Local diagnostic - ${diagnosticText(s.diagnostic)}, Remote diagnostic - ${diagnosticText(s.remote.diagnostic)})`;
    effects.push(say(`Entering ${s.state} state${s.state === "Down" ? why : ""}`), { type: "entered", state: s.state });
  }
  if (s.isPolling && !before.isPolling) effects.push(say("Starting poll sequence", true));
  return effects;
}

const micros = (ms: Millis): number => Math.round(ms * 1000);
const say = (text: string, detail = false): Effect => ({ type: "say", text, detail });
