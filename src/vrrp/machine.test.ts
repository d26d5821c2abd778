import fc from "fast-check";
import { expect, test } from "vitest";
import { ip } from "../net/ip.ts";
import { type Backup, compare, deadline, type Input, masterDown, type Router, type State, skew, step } from "./machine.ts";
import { router } from "./testing.ts";

const waiting: Backup = {
  name: "backup",
  master: undefined,
  masterInterval: 1000,
  masterDownAt: 3609.375,
  preemptAt: undefined,
  asking: false,
};
const leading: State = { name: "master", advertAt: 1000, announceAt: 5000, announceRepeat: 5, refreshAt: undefined };
const advert = (priority: number, from = "10.0.0.2", interval = 1000): Input => ({
  type: "advert",
  from: ip(from),
  priority,
  interval,
});
const summary = (r: Router, state: State, input: Input, now: number): [State["name"], string[]] => {
  const next = step(r, state, input, now);
  return [next.state.name, next.effects.flatMap((e) => (e.type === "say" ? [] : e.type === "notify" ? [e.notice] : [e.type]))];
};
const said = (r: Router, state: State, input: Input, now: number): string[] =>
  step(r, state, input, now).effects.flatMap((e) => (e.type === "say" ? [e.text] : []));

const TAKE = ["advertise", "take-addresses", "announce", "MASTER"];
const YIELD = ["release-addresses", "BACKUP"];
const FORCE = ["advertise", "announce", "MASTER_RX_LOWER_PRI"];

const cases: [
  name: string,
  change: Partial<Router>,
  from: State,
  input: Input,
  now: number,
  to: State["name"],
  effects: string[],
][] = [
  ["one that comes up is a backup first", {}, { name: "init" }, { type: "up" }, 0, "backup", ["BACKUP"]],
  ["one that comes up broken is in fault", {}, { name: "init" }, { type: "down" }, 0, "fault", ["FAULT"]],
  ["a repaired one is a backup again", {}, { name: "fault" }, { type: "up" }, 0, "backup", ["BACKUP"]],
  ["a backup takes over when the master falls silent", {}, waiting, { type: "clock" }, 3610, "master", TAKE],
  ["a backup waits until then", {}, waiting, { type: "clock" }, 3609, "backup", []],
  ["a member of a group asks first", { grouped: true }, waiting, { type: "clock" }, 3610, "backup", []],
  ["and leads when the group agrees", { grouped: true }, waiting, { type: "promote" }, 3610, "master", TAKE],
  ["a master sends its advert in time", {}, leading, { type: "clock" }, 1000, "master", ["advertise"]],
  ["a master announces a second time", {}, { ...leading, advertAt: 9000 }, { type: "clock" }, 5000, "master", ["announce"]],
  ["a master yields to a higher priority", {}, leading, advert(101), 10, "backup", YIELD],
  ["or after one more advert", { higherPrioSendAdvert: true }, leading, advert(101), 10, "backup", ["advertise", ...YIELD]],
  ["a master yields to an equal priority with a greater address", {}, leading, advert(100), 10, "backup", YIELD],
  [
    "a master stays with an equal priority and the greater address",
    {},
    leading,
    advert(100, "9.255.255.255"),
    10,
    "master",
    FORCE,
  ],
  ["an advert with our own address is only told", {}, leading, advert(100, "10.0.0.1"), 10, "master", []],
  ["a master answers a lower priority", {}, leading, advert(99), 10, "master", FORCE],
  ["or only announces", { lowerPrioNoAdvert: true }, leading, advert(99), 10, "master", ["announce", "MASTER_RX_LOWER_PRI"]],
  ["a master answers priority 0 at once", {}, leading, advert(0), 10, "master", ["advertise"]],
  [
    "a master that fails says so with priority 0",
    {},
    leading,
    { type: "down" },
    10,
    "fault",
    ["advertise", "release-addresses", "FAULT"],
  ],
  [
    "a master that stops says so with priority 0",
    {},
    leading,
    { type: "stop" },
    10,
    "init",
    ["advertise", "release-addresses", "STOP"],
  ],
  ["a backup that stops is quiet", {}, waiting, { type: "stop" }, 10, "init", ["STOP"]],
  ["its group takes a master back without priority 0", {}, leading, { type: "demote" }, 10, "backup", YIELD],
];
for (const [name, change, from, input, now, to, effects] of cases) {
  test(name, () => expect(summary({ ...router, ...change }, from, input, now)).toEqual([to, effects]));
}

const downs: [change: Partial<Router>, interval: number, ms: number][] = [
  [{ priority: 150, base: 150 }, 1000, 3414.0625],
  [{ version: 3, priority: 100 }, 500, 1804.6875],
  [{ version: 3, priority: 200, base: 200 }, 1000, 3218.75],
  [{ version: 3, priority: 255, base: 255 }, 1000, 3003.90625],
  [{ downTimerAdverts: 5 }, 1000, 5609.375],
];
for (const [change, interval, ms] of downs) {
  test(`the master is missed after ${ms} ms (${JSON.stringify(change)})`, () => {
    expect(masterDown({ ...router, ...change }, interval)).toBe(ms);
  });
}

test("priority 0 leaves a backup only its skew", () => {
  const next = step(router, waiting, advert(0), 100);
  expect(deadline(next.state)).toBe(100 + skew(router, 1000));
});

test("one that was master until just now goes on without waiting", () => {
  expect(deadline(step({ ...router, resumes: true }, { name: "init" }, { type: "up" }, 50).state)).toBe(50);
});

test("an owner with state MASTER does not wait, another one waits an interval", () => {
  const start = (change: Partial<Router>) =>
    deadline(step({ ...router, eager: true, ...change }, { name: "init" }, { type: "up" }, 50).state);
  expect(start({ base: 255, priority: 255 })).toBe(50);
  expect(start({})).toBe(50 + 1000 + 1000 / 256);
});

test("a lower advert does not delay a backup that may preempt", () => {
  expect(step(router, waiting, advert(99), 3000).state).toEqual(waiting);
  expect(said(router, waiting, advert(99), 3000)).toEqual(["received lower priority (99) advert from 10.0.0.2 - discarding"]);
});

test("without preemption a lower master is followed", () => {
  const next = step({ ...router, preempt: false }, waiting, advert(99), 3000);
  expect(next.state).toMatchObject({ name: "backup", masterDownAt: 3000 + 3609.375, master: { priority: 99 } });
});

test("a preemption delay starts with the first lower advert, ends with a higher one, and is then over", () => {
  const r = { ...router, preemptDelay: 4000 };
  let { state } = step(r, waiting, advert(99), 1000);
  expect(state).toMatchObject({ preemptAt: 5000, masterDownAt: 1000 + 3609.375 });
  expect(said(r, waiting, advert(99), 1000)).toEqual(["start preempt delay (4.000000)"]);
  expect(said(r, state, advert(101), 2000)).toEqual(["stop preempt delay"]);
  expect(step(r, state, advert(101), 2000).state).toMatchObject({ preemptAt: undefined });
  state = step(r, state, advert(99), 4900).state;
  expect(state).toMatchObject({ preemptAt: 5000, masterDownAt: 4900 + 3609.375 });
  expect(step(r, state, advert(99), 5001).state).toBe(state);
});

test("a preemption delay runs from the start", () => {
  expect(step({ ...router, preemptDelay: 4000 }, { name: "init" }, { type: "up" }, 7).state).toMatchObject({ preemptAt: 4007 });
});

test("version 3 learns the interval of its master and returns to its own as master", () => {
  const r: Router = { ...router, version: 3 };
  const { state } = step(r, waiting, advert(200, "10.0.0.2", 500), 0);
  expect(state).toMatchObject({ masterInterval: 500, masterDownAt: 1500 + (156 / 256) * 500 });
  expect(said(r, waiting, advert(200, "10.0.0.2", 500), 0)).toEqual([
    "advertisement interval updated from 1000ms to 500ms by master",
  ]);
  expect(said(r, state, { type: "clock" }, 5000)).toContain("changing advert interval from 500ms to locally configured 1000ms");
});

test("the beat of adverts is kept when the clock is a little late, and begun anew when it is very late", () => {
  expect(step(router, leading, { type: "clock" }, 1003).state).toMatchObject({ advertAt: 2000 });
  expect(step(router, leading, { type: "clock" }, 4500).state).toMatchObject({ advertAt: 5500 });
});

test("one that slept too long yields instead of fighting, if it is to", () => {
  const r = { ...router, lateBackup: 254 };
  expect(summary(r, leading, { type: "clock" }, 3000)).toEqual(["master", ["advertise"]]);
  expect(summary(r, leading, { type: "clock" }, 3100)).toEqual(["backup", YIELD]);
  expect(summary(router, leading, { type: "clock" }, 60_000)[0]).toBe("master");
});

test("a lower advert schedules a second block of its own", () => {
  const r = { ...router, announce: { ...router.announce, lowerDelay: 700, lowerRepeat: 2 } };
  expect(step(r, leading, advert(99), 10).state).toMatchObject({ announceAt: 710, announceRepeat: 2, advertAt: 1010 });
});

test("addresses are announced again and again if that is wanted", () => {
  const r = { ...router, announce: { ...router.announce, refresh: 60_000, refreshRepeat: 3 } };
  const { state } = step(r, waiting, { type: "clock" }, 4000);
  expect(state).toMatchObject({ announceAt: 9000, refreshAt: 69_000 });
  const next = step(r, { ...(state as typeof leading), advertAt: 1e9, announceAt: undefined }, { type: "clock" }, 69_000);
  expect(next).toMatchObject({ state: { refreshAt: 129_000 }, effects: [{ type: "announce", repeat: 3 }] });
});

test("addresses are compared as numbers and not as text", () => {
  expect(compare(ip("10.0.0.9"), ip("10.0.0.10"))).toBeLessThan(0);
  expect(compare(ip("fe80::a"), ip("fe80::10"))).toBeLessThan(0);
  expect(compare(ip("10.0.0.1"), ip("10.0.0.1"))).toBe(0);
});

const priority = fc.integer({ min: 1, max: 254 });

/** A link without delay: every advert reaches all others that are not cut off. */
function settle(priorities: readonly number[], rounds: number, cutOff?: number): State[] {
  const routers = priorities.map((p, i): Router => ({ ...router, base: p, priority: p, address: ip(`10.0.0.${i + 1}`) }));
  const states: State[] = routers.map((r) => step(r, { name: "init" }, { type: "up" }, 0).state);
  const feed = (i: number, input: Input, now: number): void => {
    const next = step(routers[i]!, states[i]!, input, now);
    states[i] = next.state;
    for (const effect of next.effects) {
      if (effect.type !== "advertise" || i === cutOff) continue;
      const heard: Input = { type: "advert", from: routers[i]!.address!, priority: effect.priority, interval: 1000 };
      for (let j = 0; j < routers.length; j++) if (j !== i && j !== cutOff) feed(j, heard, now);
    }
  };
  for (let n = 0; n < rounds; n++) {
    const due = states.map((s) => deadline(s) ?? Number.POSITIVE_INFINITY);
    const now = Math.min(...due);
    feed(due.indexOf(now), { type: "clock" }, now);
  }
  return states;
}

test("of any routers on a link one leads in the end: the highest priority, then the highest address", () => {
  fc.assert(
    fc.property(fc.array(priority, { minLength: 1, maxLength: 6 }), (priorities) => {
      const states = settle(priorities, 60);
      const masters = states.flatMap((s, i) => (s.name === "master" ? [i] : []));
      const best = Math.max(...priorities);
      expect(masters).toHaveLength(1);
      expect(priorities[masters[0]!]).toBe(best);
    }),
  );
});

test("one that is cut off leads its own side, and only there", () => {
  fc.assert(
    fc.property(fc.array(priority, { minLength: 3, maxLength: 5 }), (priorities) => {
      const states = settle(priorities, 60, 0);
      expect(states[0]!.name).toBe("master");
      expect(states.slice(1).filter((s) => s.name === "master")).toHaveLength(1);
    }),
  );
});
