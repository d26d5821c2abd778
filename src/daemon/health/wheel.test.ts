import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Wheel } from "./wheel.ts";

describe("the timer wheel", () => {
  let now = 0;
  const pass = (ms: number): void => {
    for (const end = now + ms; now < end; ) {
      now += 5;
      vi.advanceTimersByTime(5);
    }
  };
  beforeEach(() => {
    now = 1_000_000;
    vi.useFakeTimers();
  });
  afterEach(() => vi.useRealTimers());

  test("wakes everybody once, never early and at most a slot late, slot by slot", () => {
    const wheel = new Wheel(() => now);
    const begin = now;
    const woken: [wanted: number, late: number][] = [];
    const times = [0, 3, 10, 11, 995, 1000, 10_239, 10_240, 10_241, 25_000, 60_001];
    for (const time of [...times].reverse()) wheel.at(begin + time, () => woken.push([time, now - begin - time]));
    expect(woken).toEqual([]);
    pass(70_000);
    const slots = (list: number[]): number[] => list.map((time) => Math.ceil(time / 10));
    expect(slots(woken.map(([wanted]) => wanted))).toEqual(slots(times));
    for (const [, late] of woken) expect(late).toBeGreaterThanOrEqual(0);
    for (const [, late] of woken) expect(late).toBeLessThan(15);
  });

  test("forgets who cancelled, also twice", () => {
    const wheel = new Wheel(() => now);
    const woken: string[] = [];
    const cancel = wheel.at(now + 50, () => woken.push("cancelled"));
    wheel.at(now + 60, () => woken.push("kept"));
    cancel();
    cancel();
    pass(200);
    expect(woken).toEqual(["kept"]);
  });

  test("does not wake who is cancelled by another that is woken with it", () => {
    const wheel = new Wheel(() => now);
    const woken: string[] = [];
    const cancels = ["a", "b"].map((name) =>
      wheel.at(now + 50, () => {
        woken.push(name);
        for (const cancel of cancels) cancel();
      }),
    );
    pass(200);
    expect(woken).toEqual(["a"]);
  });

  test("lets the woken wait again, at once too", () => {
    const wheel = new Wheel(() => now);
    let count = 0;
    const again = (): void => {
      count++;
      if (count < 5) wheel.at(now, again);
    };
    wheel.at(now, again);
    pass(200);
    expect(count).toBe(5);
  });

  test("needs one timer for ten thousand waiters, and none when nobody waits", () => {
    const wheel = new Wheel(() => now);
    let woken = 0;
    for (let i = 0; i < 10_000; i++) wheel.at(now + 20_000 + i, () => woken++);
    expect(vi.getTimerCount()).toBe(1);
    pass(31_000);
    expect(woken).toBe(10_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is silent after close", () => {
    const wheel = new Wheel(() => now);
    let woken = 0;
    wheel.at(now + 10, () => woken++);
    wheel.close();
    pass(100);
    expect([woken, vi.getTimerCount()]).toEqual([0, 0]);
  });
});
