import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Counters, noCounters, noRates, type Rates } from "./director.ts";
import { Estimators } from "./estimator.ts";

const counters = (part: Partial<Counters>): Counters => ({ ...noCounters, ...part });

/** What is shown after each step, when `field` grows by the given increases. */
function shown(field: keyof Counters, rate: keyof Rates, increases: readonly number[]): number[] {
  const estimators = new Estimators<string>();
  estimators.add("a", noCounters);
  let total = 0;
  return increases.map((increase) => {
    total += increase;
    estimators.update("a", counters({ [field]: total }));
    return estimators.rates("a")[rate];
  });
}

const steady = (n: number, times: number): number[] => new Array<number>(times).fill(n);

describe("the vectors of spec 6.2", () => {
  test("100 conns in one interval and none after", () => {
    expect(shown("conns", "cps", [100, ...steady(0, 11)])).toEqual([12, 9, 7, 5, 4, 3, 2, 2, 1, 1, 1, 1]);
  });

  test("200 packets in every interval", () => {
    const expected = [25, 44, 58, 68, 76, 82, 87, 90, 92, 94, 96, 97, 98, 98, 99, 99];
    expect(shown("inPackets", "inPps", steady(200, 16))).toEqual(expected);
    expect(shown("outPackets", "outPps", steady(200, 16))).toEqual(expected);
  });

  test("100000 bytes in every interval", () => {
    const expected = [12500, 21875, 28906, 34180, 38135, 41101, 43326, 44994];
    expect(shown("inBytes", "inBps", steady(100_000, 8))).toEqual(expected);
    expect(shown("outBytes", "outBps", steady(100_000, 8))).toEqual(expected);
  });

  test("a single connection shows 0", () => {
    expect(shown("conns", "cps", [1, 0, 0])).toEqual([0, 0, 0]);
  });
});

test("the arithmetic equals that of 64-bit integers", () => {
  const packets = fc.array(fc.nat(2 ** 31 - 1), { maxLength: 40 });
  fc.assert(
    fc.property(packets, packets, (conns, bytes) => {
      const slow = (increases: number[], shift: bigint, half: bigint, down: bigint) => {
        let e = 0n;
        return increases.map((d) => {
          e += ((BigInt(d) << shift) - e) >> 2n;
          return Number((e + half) >> down);
        });
      };
      expect(shown("conns", "cps", conns)).toEqual(slow(conns, 9n, 0x1ffn, 10n));
      expect(shown("inBytes", "inBps", bytes)).toEqual(slow(bytes, 4n, 0xfn, 5n));
    }),
  );
});

test("an object that enters with counters has no rate for what came before", () => {
  const estimators = new Estimators<number>();
  estimators.add(1, counters({ conns: 1_000_000 }));
  estimators.update(1, counters({ conns: 1_000_200 }));
  expect(estimators.rates(1).cps).toBe(25);
});

test("zero sets the rates to 0 and counts on from the counters given", () => {
  const estimators = new Estimators<number>();
  estimators.add(1, noCounters);
  estimators.update(1, counters({ conns: 200 }));
  estimators.zero(1, noCounters);
  expect(estimators.rates(1)).toEqual(noRates);
  estimators.update(1, counters({ conns: 200 }));
  expect(estimators.rates(1).cps).toBe(25);
});

test("counters that went back give no negative rate", () => {
  expect(shown("conns", "cps", [200, -200, 200])).toEqual([25, 19, 39]);
});

test("a removed object is unknown, and an unknown one has no rates", () => {
  const estimators = new Estimators<number>();
  estimators.add(1, noCounters);
  estimators.remove(1);
  estimators.update(1, counters({ conns: 200 }));
  estimators.zero(1, noCounters);
  expect(estimators.rates(1)).toEqual(noRates);
});

describe("tick", () => {
  /** The times at which the estimators stepped, ticked at the given times. */
  const steps = (times: readonly number[]): number[] => {
    const estimators = new Estimators<number>();
    estimators.add(1, noCounters);
    return times.filter((now) => estimators.tick(now, () => noCounters));
  };

  test("steps every two seconds, first two seconds after the start", () => {
    expect(steps([0, 500, 1999, 2000, 2500, 3999, 4000])).toEqual([2000, 4000]);
  });

  test("keeps its rhythm when ticks come late", () => {
    expect(steps([0, 2300, 3999, 4000, 6100, 8000])).toEqual([2300, 4000, 6100, 8000]);
  });

  test("does not catch up after a long pause", () => {
    expect(steps([0, 60_000, 60_001, 61_999, 62_000])).toEqual([60_000, 62_000]);
  });

  test("reads each object once and leaves those without counters alone", () => {
    const estimators = new Estimators<string>();
    estimators.add("a", noCounters);
    estimators.add("b", noCounters);
    const read: string[] = [];
    estimators.tick(0, () => noCounters);
    estimators.tick(2000, (id) => {
      read.push(id);
      return id === "a" ? counters({ inBytes: 100_000 }) : undefined;
    });
    expect(read).toEqual(["a", "b"]);
    expect(estimators.rates("a").inBps).toBe(12500);
    expect(estimators.rates("b")).toEqual(noRates);
  });
});
