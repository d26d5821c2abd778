import fc from "fast-check";
import { expect, test } from "vitest";
import { ip } from "../net/ip.ts";
import { RT_SCOPE_LINK } from "../wire/rtnetlink-route.ts";
import { addressKey, changes, type Held, holdings, nothingHeld } from "./addresses.ts";
import type { Instance, Notify, TrackScript } from "./config.ts";
import { fifoLine, scriptsFor } from "./notify.ts";
import { instance, noNotify } from "./testing.ts";
import { Timers } from "./timers.ts";
import { fileValue, isUp, newScript, outcome, type RunEnd, ran, type Tracked } from "./track.ts";

const thing = (kind: Tracked["kind"], weight: number, value: Tracked["value"], reverse = false): Tracked => ({
  ...{ kind, name: "t", weight: { weight, reverse }, value },
});

const outcomes: [name: string, tracked: Tracked[], priority: number, faults: string[]][] = [
  ["nothing is tracked", [], 100, []],
  ["weight 0 and down", [thing("interface", 0, false)], 100, [" (interface t down)"]],
  ["weight 0 and up", [thing("interface", 0, true)], 100, []],
  ["weight 0, reversed and up", [thing("interface", 0, true, true)], 100, [" (interface t up)"]],
  ["a BFD session with weight 0 that is down", [thing("bfd", 0, false)], 100, [" (tracked BFD instance t down)"]],
  ["a BFD session counts as a script does", [thing("bfd", 20, true), thing("bfd", -30, false)], 90, []],
  ["a script with weight 0 that failed", [thing("script", 0, false)], 100, [" due to script t"]],
  ["a positive weight counts while up", [thing("script", 20, true)], 120, []],
  ["a positive weight does not count while down", [thing("script", 20, false)], 100, []],
  ["a negative weight counts while down", [thing("process", -20, false)], 80, []],
  ["a negative weight does not count while up", [thing("process", -20, true)], 100, []],
  ["reversed, the sign is flipped", [thing("script", 20, true, true)], 80, []],
  ["a file counts its number times its weight", [thing("file", 2, -10)], 80, []],
  ["a file with weight 0 and a number", [thing("file", 0, 3)], 100, [" (tracked file t has status 3)"]],
  ["a file that goes too low", [thing("file", 1, -254)], 100, [" (tracked file t has status -254)"]],
  ["weights add up and stay within 1 to 254", [thing("script", 200, true), thing("script", 200, true)], 254, []],
  ["the same at the other end", [thing("script", -200, false), thing("script", -200, false)], 1, []],
];
for (const [name, tracked, priority, faults] of outcomes) {
  test(`priority: ${name}`, () => expect(outcome(100, tracked)).toMatchObject({ priority, faults, isPending: false }));
}

test("an owner keeps its priority", () => expect(outcome(255, [thing("script", -100, false)]).priority).toBe(255));

test("a script without weight that has not answered holds its instance, one with weight does not", () => {
  expect(outcome(100, [thing("script", 0, undefined)]).isPending).toBe(true);
  expect(outcome(100, [thing("script", 10, undefined)])).toMatchObject({ priority: 100, faults: [], isPending: false });
});

const script: TrackScript = {
  ...{ name: "chk", run: { command: ["/bin/true"], user: undefined, group: undefined }, interval: 1000, timeout: 1000 },
  ...{ rise: 2, fall: 3, initFail: false, weight: { weight: 0, reverse: false } },
};
/** "+" a success, "-" a failure; then whether it was up after each. */
function history(s: TrackScript, runs: string): string {
  let state = newScript(s);
  return [...runs]
    .map((run) => {
      state = ran(s, state, { code: run === "+" ? 0 : 1 }).state;
      return isUp(s, state) ? "U" : "d";
    })
    .join("");
}

test("one success is enough at start, then it takes rise and fall", () => {
  expect(history(script, "+--+---++-")).toBe("UUUUUdddUU");
  expect(history(script, "-++")).toBe("ddU");
});
test("with init_fail it must rise first", () => expect(history({ ...script, initFail: true }, "++")).toBe("dU"));

test("a script is up after rise successes in a row and down after fall failures in a row, whatever was before", () => {
  const runs = fc.string({ unit: fc.constantFrom("+", "-"), maxLength: 30 });
  const small = fc.integer({ min: 1, max: 4 });
  fc.assert(
    fc.property(runs, small, small, (before, rise, fall) => {
      const s = { ...script, rise, fall };
      expect(history(s, before + "+".repeat(rise)).endsWith("U")).toBe(true);
      expect(history(s, before + "-".repeat(fall)).endsWith("d")).toBe(true);
    }),
  );
});

const ends: [RunEnd, string][] = [
  [{ code: 0 }, "VRRP_Script(chk) succeeded"],
  [{ code: 3 }, "VRRP_Script(chk) failed (exited with status 3)"],
  [{ signal: "SIGKILL" }, "VRRP_Script(chk) failed (due to signal SIGKILL)"],
  ["timeout", "VRRP_Script(chk) timed_out"],
];
for (const [end, line] of ends) {
  test(`the first run of a script is told: ${line}`, () => expect(ran(script, newScript(script), end).lines).toEqual([line]));
}

test("a tracked file has a number or counts as 0", () => {
  expect(["5\n", " -12 x", "", "abc", undefined, "99999999999"].map(fileValue)).toEqual([5, -12, 0, 0, 0, 0x7fffffff]);
});

const program = (name: string) => ({ command: [name, "x"], user: undefined, group: undefined });
const all: Notify = {
  ...noNotify,
  master: program("/m"),
  fault: program("/f"),
  any: program("/n"),
  masterRxLowerPri: program("/l"),
};

test("scripts get their own arguments, and notify four more", () => {
  const event = { type: "INSTANCE", name: "VI_1", word: "MASTER", priority: 150 } as const;
  expect(scriptsFor(all, event).map((s) => s.command)).toEqual([
    ["/m", "x"],
    ["/n", "x", "INSTANCE", "VI_1", "MASTER", "150"],
  ]);
  expect(scriptsFor(all, { ...event, word: "BACKUP" }).map((s) => s.command)).toEqual([
    ["/n", "x", "INSTANCE", "VI_1", "BACKUP", "150"],
  ]);
  expect(scriptsFor(all, { ...event, word: "MASTER_RX_LOWER_PRI" }).map((s) => s.command)).toEqual([["/l", "x"]]);
});

test("the line of a FIFO is keepalived's", () => {
  expect(fifoLine({ type: "INSTANCE", name: "VI_1", word: "MASTER", priority: 100 })).toBe('INSTANCE "VI_1" MASTER 100\n');
  expect(fifoLine({ type: "GROUP", name: "G", word: "FAULT", priority: 0 })).toBe('GROUP "G" FAULT 0\n');
});

const ifindex = (name: string) => ({ eth0: 2, eth1: 3 })[name];
const route = {
  via: undefined,
  dev: undefined,
  source: undefined,
  table: 254,
  metric: 0,
  scope: undefined,
  onlink: false,
  tos: 0,
  mtu: undefined,
  hops: [],
};
const rich: Instance = {
  ...instance,
  excluded: [{ ...instance.addresses[0]!, ip: ip("2001:db8::1"), length: 128, dev: "eth1" }],
  routes: [{ ...route, family: "ipv4", prefix: ip("10.5.0.0"), length: 16, type: "unicast" }],
  rules: [
    {
      ...{ family: "ipv4", preference: 100, from: undefined, to: { ip: ip("10.5.0.0"), length: 16 }, iif: undefined },
      ...{ oif: undefined, mark: undefined, table: 7 },
    },
  ],
};

test("what a master has stands on its interface unless it names another", () => {
  const held = holdings(rich, ifindex);
  expect(held.addresses.map(addressKey)).toEqual(["2 10.0.0.100/32", "3 2001:db8::1/128"]);
  expect(held.addresses[1]).toMatchObject({ flags: 2, preferredSeconds: 0 }); // no DAD, and never a source
  expect(held.routes).toMatchObject([{ scope: RT_SCOPE_LINK, protocol: 18, nextHops: [{ ifindex: 2 }] }]);
  expect(holdings(rich, () => undefined)).toEqual({ addresses: [], routes: [], rules: rich.rules });
});

const words = (wanted: Held, own: Held, actual: Held) => changes(wanted, own, actual).map((c) => `${c.op} ${c.kind}`);
test("making begins with addresses and removing with rules; what is right is left alone", () => {
  const held = holdings(rich, ifindex);
  const make = ["add address", "add address", "add route", "add rule"];
  expect(words(held, held, nothingHeld)).toEqual(make);
  expect(words(nothingHeld, held, held)).toEqual(["delete rule", "delete route", "delete address", "delete address"]);
  expect(words(held, held, held)).toEqual([]);
  expect(words(held, held, { ...held, addresses: [] })).toEqual(["add address", "add address"]);
  expect(words(nothingHeld, nothingHeld, held)).toEqual([]); // not ours
});

test("timers come out in the order of their times, each name once, with its last time", () => {
  const moves = fc.array(
    fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined })),
  );
  fc.assert(
    fc.property(moves, (list) => {
      const timers = new Timers();
      const model = new Map<string, number>();
      for (const [key, at] of list) {
        timers.set(key, at);
        if (at === undefined) model.delete(key);
        else model.set(key, at);
      }
      const out: [string, number][] = [];
      for (let at = timers.next(); at !== undefined; at = timers.next()) {
        expect(timers.take(at - 1)).toBeUndefined();
        out.push([timers.take(at)!, at]);
      }
      expect(out.map(([, at]) => at)).toEqual([...model.values()].sort((a, b) => a - b));
      expect(new Map(out)).toEqual(model);
    }),
  );
});
