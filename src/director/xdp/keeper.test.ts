import { expect, test } from "vitest";
import { type Ip, ip } from "../../net/ip.ts";
import { mac } from "../../net/mac.ts";
import { plainAddress, plainRoute } from "../../wire/rtnetlink-client.ts";
import { NUD_DELAY, NUD_FAILED, NUD_PERMANENT, NUD_PROBE, NUD_REACHABLE, NUD_STALE } from "../../wire/rtnetlink-neighbour.ts";
import { Hops } from "./hops.ts";
import { Keeper } from "./keeper.ts";

const A = ip("10.0.0.11");
const B = ip("10.0.0.12");
const GATEWAY = ip("10.0.0.254");

/** One link with 10.0.0.0/24 and a default route. */
function network(): Hops {
  const hops = new Hops();
  hops.load({
    links: [
      {
        ifindex: 2,
        name: "eth0",
        flags: 0x10001,
        hardware: 1,
        mac: mac("02:00:00:00:00:01"),
        mtu: 1500,
        master: 0,
        lower: 0,
        kind: "",
      },
    ],
    addresses: [plainAddress(2, ip("10.0.0.1"), 24)],
    routes: [plainRoute(ip("10.0.0.0"), 24, 2), plainRoute(ip("0.0.0.0"), 0, 2, GATEWAY)],
    neighbours: [],
  });
  return hops;
}
function meet(hops: Hops, address: Ip, state: number, managed: boolean): void {
  const known = state === NUD_FAILED ? undefined : mac("02:00:00:00:00:99");
  hops.apply({
    kind: "neighbour",
    gone: false,
    value: { family: "ipv4", ifindex: 2, address, mac: known, state, flags: 0, managed },
  });
}
function keeping(...wanted: Ip[]): Keeper {
  const keeper = new Keeper();
  keeper.want(wanted);
  return keeper;
}
const asked = (keeper: Keeper, hops: Hops, now: number) => keeper.due(hops, now).map((ask) => `${ask.ask} ${ask.address}`);

test("an unresolved neighbour is asked for at once and then every second", () => {
  const [hops, keeper] = [network(), keeping(A)];
  expect(asked(keeper, hops, 0)).toEqual([`resolve ${A}`]);
  expect(asked(keeper, hops, 999)).toEqual([]);
  expect(asked(keeper, hops, 1000)).toEqual([`resolve ${A}`]);
  meet(hops, A, NUD_FAILED, true);
  expect(asked(keeper, hops, 1500)).toEqual([]);
  expect(asked(keeper, hops, 2000)).toEqual([`resolve ${A}`]);
});

test("many addresses behind one gateway are one question", () => {
  expect(asked(keeping(ip("192.0.2.1"), ip("192.0.2.2"), A), network(), 0)).toEqual([`resolve ${GATEWAY}`, `resolve ${A}`]);
});

test("a neighbour that is known is made managed once, and probed every 15 s from then on, whether the kernel manages it or not", () => {
  for (const managed of [true, false]) {
    const [hops, keeper] = [network(), keeping(A)];
    meet(hops, A, NUD_REACHABLE, false);
    expect(asked(keeper, hops, 0)).toEqual([`resolve ${A}`]);
    meet(hops, A, NUD_REACHABLE, managed);
    expect(asked(keeper, hops, 14_999)).toEqual([]);
    expect(asked(keeper, hops, 15_000)).toEqual([`probe ${A}`]);
    meet(hops, A, NUD_STALE, managed);
    expect(asked(keeper, hops, 29_999)).toEqual([]);
    expect(asked(keeper, hops, 30_000)).toEqual([`probe ${A}`]);
  }
});

test("a neighbour that the kernel is just asking is not asked once more", () => {
  const [hops, keeper] = [network(), keeping(A)];
  meet(hops, A, NUD_PROBE, true);
  expect(asked(keeper, hops, 0)).toEqual([]);
  meet(hops, A, NUD_DELAY, true);
  expect(asked(keeper, hops, 60_000)).toEqual([]);
});

test("a neighbour that another daemon had managed is probed at once", () => {
  const [hops, keeper] = [network(), keeping(A)];
  meet(hops, A, NUD_STALE, true);
  expect(asked(keeper, hops, 0)).toEqual([`probe ${A}`]);
});

test("an entry that an administrator has fixed is never touched", () => {
  const [hops, keeper] = [network(), keeping(A)];
  meet(hops, A, NUD_PERMANENT, false);
  expect(asked(keeper, hops, 0)).toEqual([]);
  keeper.want([]);
  expect(asked(keeper, hops, 1)).toEqual([]);
});

test("a neighbour that is no longer wanted is given back to the kernel, once", () => {
  const [hops, keeper] = [network(), keeping(A, B)];
  asked(keeper, hops, 0);
  meet(hops, A, NUD_REACHABLE, true);
  meet(hops, B, NUD_REACHABLE, true);
  keeper.want([B]);
  expect(asked(keeper, hops, 10)).toEqual([`release ${A}`]);
  expect(asked(keeper, hops, 20)).toEqual([]);
  expect(keeper.isBusy).toBe(true);
  keeper.want([]);
  expect(asked(keeper, hops, 30)).toEqual([`release ${B}`]);
  expect(keeper.isBusy).toBe(false);
});

test("nobody is asked for local and unreachable addresses", () => {
  const hops = network();
  hops.replaceRoutes([]);
  expect(asked(keeping(A), hops, 0)).toEqual([]);
});
