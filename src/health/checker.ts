import type { Check, Millis } from "./config.ts";

/** One check through time (spec 4.2): when it is tried, and when a failure counts. Pure: results and the time in, effects out. */

export interface CheckerState {
  /** The next try, or undefined while one is under way. */
  readonly at: Millis | undefined;
  readonly isUp: boolean;
  /** When it came to be up or down. */
  readonly since: Millis;
  readonly hasRun: boolean;
  /** Failed tries of the present row that were forgiven. */
  readonly failures: number;
  /** HTTP: the page whose turn it is, and how many in a row were good. */
  readonly page: number;
  readonly goodPages: number;
  /** While it is down: good tries in a row and when they began. */
  readonly goodTries: number;
  readonly goodSince: Millis | undefined;
  /** When it went down of late, as far as flapping is looked for. */
  readonly downs: readonly Millis[];
  /** It has gone down too often: it is up again only after this time without a failure. */
  readonly heldFor: Millis;
  /** What it adds to the weight of its server. */
  readonly weight: number;
  readonly warning: string | undefined;
}

export type Result =
  /** `weight`: what the check now adds to its server's weight. `warning`: good, but not for long. */
  | { readonly type: "ok"; readonly weight?: number; readonly warning?: string }
  | { readonly type: "failed"; readonly reason: string }
  /** Trouble of our own, such as no free descriptor: says nothing about the server (spec 4.2, "local errors"). */
  | { readonly type: "unknown"; readonly reason: string };

export type CheckerInput = { readonly type: "clock" } | { readonly type: "result"; readonly result: Result };

export type CheckerEffect =
  | { readonly type: "start"; readonly page: number }
  | { readonly type: "up"; readonly isFirst: boolean }
  /** `retries`: those that went before. */
  | { readonly type: "down"; readonly isFirst: boolean; readonly reason: string; readonly retries: number }
  /** It has gone down `times` times within the window. */
  | { readonly type: "flapping"; readonly times: number }
  | { readonly type: "forgiven"; readonly reason: string; readonly retriesLeft: number }
  | { readonly type: "unknown"; readonly reason: string }
  | { readonly type: "warning"; readonly warning: string }
  | { readonly type: "weight"; readonly weight: number };

export interface CheckerStep {
  readonly state: CheckerState;
  readonly effects: readonly CheckerEffect[];
}

/** The first try is a second after the start, and somewhere in the warmup, so that a thousand checks do not come at once. */
export const BOOTSTRAP: Millis = 1000;

const MAY_RETRY_FIRST: ReadonlySet<Check["type"]> = new Set(["HTTP_GET", "SSL_GET", "MISC_CHECK"]);

/** @param random 0..1 */
export function startChecker(c: Check, now: Millis, random: number, bootstrap: Millis = BOOTSTRAP): CheckerState {
  const at = c.type === "BFD_CHECK" ? now : now + bootstrap + random * c.warmup; // which asks nobody
  // The retries begin used up: who fails the very first try is down at once. Not so with pages and scripts (keepalived 2.2.7).
  const failures = MAY_RETRY_FIRST.has(c.type) ? 0 : c.retry;
  return {
    ...{ at, isUp: !c.alpha, since: now, hasRun: false, failures, page: 0, goodPages: 0, weight: 0 },
    ...{ goodTries: 0, goodSince: undefined, downs: [], heldFor: 0, warning: undefined },
  };
}

/** When `stepChecker` next wants a "clock"; undefined while a try is under way. */
export const deadline = (state: CheckerState): Millis | undefined => state.at;

/** There is reason to doubt: the next try is due at once, unless one is under way, it is a retry, or it is down already. */
export const hurry = (s: CheckerState, now: Millis): CheckerState =>
  s.at === undefined || !s.isUp || s.failures > 0 ? s : { ...s, at: Math.min(s.at, now) };

export function stepChecker(c: Check, s: CheckerState, input: CheckerInput, now: Millis): CheckerStep {
  if (input.type === "clock") {
    const isDue = s.at !== undefined && now >= s.at;
    return isDue ? { state: { ...s, at: undefined }, effects: [{ type: "start", page: s.page }] } : { state: s, effects: [] };
  }
  switch (input.result.type) {
    case "ok":
      return succeed(c, s, input.result, now);
    case "failed":
      return fail(c, s, input.result.reason, now);
    case "unknown":
      return {
        state: { ...s, at: now + c.delayLoop },
        effects: [{ type: "unknown", reason: input.result.reason }],
      };
  }
}

/** One that is down has `rise` good tries before it is up, as far apart as retries are, and more when it flaps. */
function succeed(c: Check, s: CheckerState, result: Extract<Result, { type: "ok" }>, now: Millis): CheckerStep {
  const { weight = s.weight, warning } = result;
  const goodPages = Math.min(c.pages, s.goodPages + 1);
  const isWhole = goodPages === c.pages;
  const goodTries = s.isUp ? 0 : s.goodTries + (isWhole ? 1 : 0);
  const goodSince = s.isUp ? undefined : (s.goodSince ?? now);
  const isRisen = isWhole && (s.isUp || (goodTries >= c.rise && now - goodSince! >= s.heldFor));
  const isTurn = isRisen && (!s.isUp || !s.hasRun);
  const isRising = isWhole && !s.isUp && goodTries < c.rise;
  const pause = isRising ? c.delayBeforeRetry : c.fastRecovery && !s.isUp && !isWhole ? 0 : c.delayLoop;
  const isUp = s.isUp || isRisen;
  return {
    state: {
      at: now + pause,
      isUp,
      since: isUp === s.isUp ? s.since : now,
      hasRun: s.hasRun || isRisen,
      failures: 0,
      page: (s.page + 1) % c.pages,
      goodPages,
      ...(isUp ? { goodTries: 0, goodSince: undefined, heldFor: 0 } : { goodTries, goodSince, heldFor: s.heldFor }),
      downs: s.downs,
      ...{ weight, warning },
    },
    effects: [
      ...(weight === s.weight ? [] : [{ type: "weight", weight } as const]),
      ...(warning === undefined || warning === s.warning ? [] : [{ type: "warning", warning } as const]),
      ...(isTurn ? [{ type: "up", isFirst: !s.hasRun } as const] : []),
    ],
  };
}

/** The page that failed is the one tried next. */
function fail(c: Check, s: CheckerState, reason: string, now: Millis): CheckerStep {
  if (s.isUp && s.failures < c.retry) {
    const failures = s.failures + 1;
    return {
      state: { ...s, at: now + c.delayBeforeRetry, failures, goodPages: 0 },
      effects: [{ type: "forgiven", reason, retriesLeft: c.retry - failures }],
    };
  }
  const isHttp = c.type === "HTTP_GET" || c.type === "SSL_GET";
  const at = now + (isHttp ? Math.max(c.delayLoop, c.delayBeforeRetry) : c.delayLoop);
  const isTurn = s.isUp || !s.hasRun;
  const retries = s.hasRun || MAY_RETRY_FIRST.has(c.type) ? c.retry : 0;
  const { flap } = c;
  const downs = flap === undefined || !s.isUp ? s.downs : [...s.downs.filter((t) => now - t < flap.window), now];
  const isFlapping = s.isUp && flap !== undefined && downs.length > flap.limit;
  const since = s.isUp ? now : s.since;
  const isDown = { isUp: false, hasRun: true, failures: 0, goodPages: 0, goodTries: 0, goodSince: undefined };
  return {
    state: { ...s, ...isDown, at, since, downs, heldFor: isFlapping ? flap.hold : s.heldFor },
    effects: [
      ...(isTurn ? [{ type: "down", isFirst: !s.hasRun, reason, retries } as const] : []),
      ...(isFlapping ? [{ type: "flapping", times: downs.length } as const] : []),
    ],
  };
}
