import type { CheckerEffect } from "./checker.ts";
import type { Server } from "./config.ts";

/** A real server: alive while none of its checks has failed (spec 4.2, 4.3). */

export interface ServerState {
  /** The checks that have failed, by their place in the list. */
  readonly failed: ReadonlySet<number>;
  /** What each check adds to the weight. */
  readonly added: readonly number[];
  /** Has anybody been told of its state yet? */
  readonly isKnown: boolean;
}

export type Change = Extract<CheckerEffect, { type: "up" | "down" | "weight" }>;
export interface ServerStep {
  readonly state: ServerState;
  /** "up" and "down" are to be told, though a server that was never up (alpha) can be told to be down. */
  readonly turn: "up" | "down" | "weight" | undefined;
}

export const startServer = (c: Server): ServerState => ({
  failed: new Set(c.checks.flatMap((check, i) => (check.alpha ? [i] : []))),
  added: c.checks.map(() => 0),
  isKnown: false,
});

export const isAlive = (s: ServerState): boolean => s.failed.size === 0;

/** Never below 0. */
export const weightOf = (c: Server, s: ServerState): number =>
  Math.min(
    0x7fffffff,
    Math.max(
      0,
      s.added.reduce((sum, weight) => sum + weight, c.dest.weight),
    ),
  );

/** @param initNotifies the first success is told of, though the server was taken to be up before */
export function stepServer(s: ServerState, check: number, change: Change, initNotifies = false): ServerStep {
  if (change.type === "weight") {
    const added = s.added.map((weight, i) => (i === check ? change.weight : weight));
    return { state: { ...s, added }, turn: "weight" };
  }
  const failed = new Set(s.failed);
  if (change.type === "up") failed.delete(check);
  else failed.add(check);
  const next = { ...s, failed };
  const isTurn = isAlive(s) !== isAlive(next);
  const isNews = !s.isKnown && (isAlive(next) ? initNotifies : change.type === "down");
  return isTurn || isNews ? { state: { ...next, isKnown: true }, turn: change.type } : { state: next, turn: undefined };
}
