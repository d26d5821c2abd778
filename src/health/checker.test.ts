import { describe, expect, test } from "vitest";
import { type CheckerEffect, type CheckerState, hurry, type Result, startChecker, stepChecker } from "./checker.ts";
import type { Check } from "./config.ts";
import { check } from "./testing.ts";

const ok: Result = { type: "ok" };
const failed: Result = { type: "failed", reason: "refused" };
const unknown: Result = { type: "unknown", reason: "no descriptor" };

/** Plays results one after another, each the moment it is due: when each try was, and what came of it. */
function play(c: Check, results: readonly Result[]): { at: number; page: number; effects: readonly CheckerEffect[] }[] {
  let state: CheckerState = startChecker(c, 0, 0.5);
  return results.map((result) => {
    const at = state.at!;
    const started = stepChecker(c, state, { type: "clock" }, at);
    const start = started.effects[0];
    const step = stepChecker(c, started.state, { type: "result", result }, at);
    state = step.state;
    return { at, page: start?.type === "start" ? start.page : -1, effects: step.effects };
  });
}

const words = (c: Check, results: readonly Result[]): string[] =>
  play(c, results).map(({ at, effects }) => `${at / 1000} ${effects.map((e) => e.type).join()}`.trimEnd());

describe("a checker", () => {
  test("begins within a second and its warmup, and is not due before", () => {
    expect(startChecker(check, 0, 0).at).toBe(1000);
    expect(startChecker(check, 0, 0.999).at).toBe(10_990);
    const state = startChecker(check, 0, 0.5);
    expect(stepChecker(check, state, { type: "clock" }, 5999).effects).toEqual([]);
    expect(stepChecker(check, state, { type: "clock" }, 6000).effects).toEqual([{ type: "start", page: 0 }]);
  });

  const cases: [name: string, c: Partial<Check>, results: Result[], then: string[]][] = [
    ["is tried every delay_loop while all is well", {}, [ok, ok, ok], ["6 up", "16", "26"]],
    ["that fails its very first try is down at once", {}, [failed, failed], ["6 down", "16"]],
    [
      "forgives as many tries as retry says",
      { retry: 2 },
      [ok, failed, failed, failed, failed],
      ["6 up", "16 forgiven", "17 forgiven", "18 down", "28"],
    ],
    [
      "forgets its failures after a success",
      {},
      [ok, failed, ok, failed, failed],
      ["6 up", "16 forgiven", "17", "27 forgiven", "28 down"],
    ],
    [
      "with rise is up after that many good tries in a row, delay_before_retry apart",
      { rise: 3, retry: 0 },
      [failed, ok, ok, failed, ok, ok, ok, ok],
      ["6 down", "16", "17", "18", "28", "29", "30 up", "40"],
    ],
    ["with rise and alpha comes up after as many", { rise: 2, alpha: true }, [ok, ok, ok], ["6", "7 up", "17"]],
    ["with rise is up from the start without alpha", { rise: 3 }, [ok, ok], ["6 up", "16"]],
    [
      "that went down more often than its limit is up again only after a time without a failure",
      { retry: 0, flap: { limit: 1, window: 60_000, hold: 25_000 } },
      [ok, failed, ok, failed, ok, ok, failed, ok, ok, ok, ok],
      ["6 up", "16 down", "26 up", "36 down,flapping", "46", "56", "66", "76", "86", "96", "106 up"],
    ],
    [
      "that goes down seldom does not flap",
      { retry: 0, flap: { limit: 1, window: 15_000, hold: 25_000 } },
      [ok, failed, ok, failed, ok],
      ["6 up", "16 down", "26 up", "36 down", "46 up"],
    ],
    ["without retries is down at the first failure", { retry: 0 }, [ok, failed], ["6 up", "16 down"]],
    ["comes back at the first success", {}, [failed, failed, ok, failed], ["6 down", "16", "26 up", "36 forgiven"]],
    [
      "of HTTP waits the longer of its delays when it goes down",
      { type: "HTTP_GET", delayBeforeRetry: 30_000, retry: 0 },
      [failed, ok],
      ["6 down", "36 up"],
    ],
    [
      "of HTTP and of a script forgives a failure of the first try too",
      { type: "MISC_CHECK" },
      [failed, failed],
      ["6 forgiven", "7 down"],
    ],
    ["learns nothing from trouble of our own", {}, [ok, unknown, unknown, ok], ["6 up", "16 unknown", "26 unknown", "36"]],
    [
      "that is alpha and fails first says that it is down, once",
      { alpha: true },
      [failed, failed, ok],
      ["6 down", "16", "26 up"],
    ],
    [
      "tells of a weight when it changes",
      {},
      [{ ...ok, weight: 5 }, { ...ok, weight: 5 }, ok, { ...ok, weight: 0 }],
      ["6 weight,up", "16", "26", "36 weight"],
    ],
  ];
  for (const [name, c, results, then] of cases) test(name, () => expect(words({ ...check, ...c }, results)).toEqual(then));

  const pages: Check = { ...check, type: "HTTP_GET", pages: 3 };
  test("of several pages gets one each time and is up when all were good", () => {
    const tries = play({ ...pages, alpha: true }, [ok, ok, ok, ok]);
    expect(tries.map((t) => [t.at / 1000, t.page, t.effects.length])).toEqual([
      [6, 0, 0],
      [16, 1, 0],
      [26, 2, 1],
      [36, 0, 0],
    ]);
  });
  test("with fast_recovery gets them at once while it is down", () => {
    const tries = play({ ...pages, alpha: true, fastRecovery: true }, [ok, ok, ok, ok]);
    expect(tries.map((t) => t.at / 1000)).toEqual([6, 6, 6, 16]);
  });
  test("tries the page that failed first, and wants all of them again", () => {
    const tries = play(pages, [ok, failed, failed, ok, ok, ok]);
    expect(tries.map((t) => t.page)).toEqual([0, 1, 1, 1, 2, 0]);
    expect(tries.map((t) => t.effects.map((e) => e.type).join())).toEqual(["", "forgiven", "down", "", "", "up"]);
  });
});

describe("a checker in doubt", () => {
  const at = (results: readonly Result[]) => {
    let state = startChecker(check, 0, 0.5);
    for (const result of results)
      state = stepChecker(check, { ...state, at: undefined }, { type: "result", result }, 10_000).state;
    return hurry(state, 12_000).at;
  };

  test("is tried at once", () => {
    expect(at([ok])).toBe(12_000);
  });

  test("keeps to its time when it is down already or its next try is a retry", () => {
    expect(at([ok, failed])).toBe(11_000);
    expect(hurry({ ...startChecker(check, 0, 0.5), at: undefined }, 5).at).toBe(undefined);
    expect(at([failed])).toBe(20_000);
  });
});

test("a warning is told when it is new, and is no failure", () => {
  const soon: Result = { type: "ok", warning: "the certificate expires in 3 days" };
  const sooner: Result = { type: "ok", warning: "the certificate expires in 2 days" };
  expect(words(check, [soon, soon, failed, soon, sooner, ok, sooner])).toEqual([
    ...["6 warning,up", "16", "26 forgiven", "27", "37 warning", "47", "57 warning"],
  ]);
});
