import type { CheckerEffect } from "./checker.ts";
import type { Millis, Server } from "./config.ts";

/** A real server: alive while none of its checks has failed (spec 4.2, 4.3). */

export interface ServerState {
  /** The checks that have failed, by their place in the list. */
  readonly failed: ReadonlySet<number>;
  /** What each check adds to the weight. */
  readonly added: readonly number[];
  /** Has anybody been told of its state yet? */
  readonly isKnown: boolean;
  /** When it came to be alive or not. */
  readonly since: Millis;
  /** When it recovered; undefined when its weight is what it should be. */
  readonly warmsFrom: Millis | undefined;
}

export type Change = Extract<CheckerEffect, { type: "up" | "down" | "weight" }>;
export interface ServerStep {
  readonly state: ServerState;
  /** "up" and "down" are to be told, though a server that was never up (alpha) can be told to be down. */
  readonly turn: "up" | "down" | "weight" | undefined;
}

export const startServer = (c: Server, now: Millis): ServerState => ({
  failed: new Set(c.checks.flatMap((check, i) => (check.alpha ? [i] : []))),
  added: c.checks.map(() => 0),
  isKnown: false,
  since: now,
  warmsFrom: undefined,
});

export const isAlive = (s: ServerState): boolean => s.failed.size === 0;

/** What it should be when all is well, never below 0. */
export const weightOf = (c: Server, s: ServerState): number =>
  Math.min(
    0x7fffffff,
    Math.max(
      0,
      s.added.reduce((sum, weight) => sum + weight, c.dest.weight),
    ),
  );

/** Slow start: the weight grows in steps, which come once a second at most, ms. */
const STEP = 1000;

/** What its dest has now: in a slow start a share of it, at least 1, that grows with time. */
export function weightNow(c: Server, s: ServerState, now: Millis): number {
  const full = weightOf(c, s);
  if (s.warmsFrom === undefined || full === 0) return full;
  const past = now - s.warmsFrom;
  return past >= c.slowStart ? full : Math.max(1, Math.floor((full * Math.floor(past / STEP) * STEP) / c.slowStart));
}

/** When weightNow() changes next; undefined when it has come to its end. */
export function warmDeadline(c: Server, s: ServerState, now: Millis): Millis | undefined {
  const full = weightOf(c, s);
  if (s.warmsFrom === undefined || weightNow(c, s, now) >= full || !isAlive(s)) return undefined;
  const wanted = weightNow(c, s, now) + 1;
  return s.warmsFrom + Math.min(c.slowStart, Math.ceil((wanted * c.slowStart) / full / STEP) * STEP);
}

/** @param initNotifies the first success is told of, though the server was taken to be up before */
export function stepServer(s: ServerState, check: number, change: Change, now: Millis, initNotifies = false): ServerStep {
  if (change.type === "weight") {
    const added = s.added.map((weight, i) => (i === check ? change.weight : weight));
    return { state: { ...s, added }, turn: "weight" };
  }
  const failed = new Set(s.failed);
  if (change.type === "up") failed.delete(check);
  else failed.add(check);
  const next = { ...s, failed };
  const moved = { since: now, warmsFrom: isAlive(next) && s.isKnown ? now : undefined };
  const isTurn = isAlive(s) !== isAlive(next);
  const isNews = !s.isKnown && (isAlive(next) ? initNotifies : change.type === "down");
  if (!isTurn && !isNews) return { state: next, turn: undefined };
  return { state: { ...next, ...(isTurn ? moved : {}), isKnown: true }, turn: change.type };
}
