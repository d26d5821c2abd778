import { execFileSync } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Ip, ip } from "../net/ip.ts";
import { mac } from "../net/mac.ts";
import { parseMessages } from "../wire/netlink.ts";
import { parseRtEvent, RTNLGRP_IPV4_IFADDR, RTNLGRP_LINK, RTNLGRP_NEIGH, type RtEvent } from "../wire/rtnetlink.ts";
import { plainAddress, plainRoute, RtNetlink } from "../wire/rtnetlink-client.ts";
import { IFF_UP } from "../wire/rtnetlink-link.ts";
import { NUD_PERMANENT } from "../wire/rtnetlink-neighbour.ts";
import { RTN_BLACKHOLE } from "../wire/rtnetlink-route.ts";
import { netnsPath } from "./namespace.ts";
import { NETLINK_GENERIC, NETLINK_ROUTE, type NetlinkSocket, openNetlink } from "./netlink.ts";
import { interfaceIndex } from "./socket.ts";

/** One namespace with a veth pair near ── far, near has 10.8.0.1/24 and 2001:db8:8::1/64. */
const NAME = `lvsd-nl-${process.pid}`;
const namespace = netnsPath(NAME);
const run = (command: string) => execFileSync("ip", ["-n", NAME, ...command.split(" ")], { encoding: "utf8" });
const open: NetlinkSocket[] = [];
let kernel: RtNetlink;
let a = 0;

beforeAll(() => {
  execFileSync("ip", ["netns", "add", NAME]);
  run("link add name near address 02:00:00:00:08:01 type veth peer name far");
  run("address add 10.8.0.1/24 dev near");
  run("address add 2001:db8:8::1/64 dev near nodad");
  for (const link of ["lo", "near", "far"]) run(`link set ${link} up`);
  kernel = new RtNetlink(openNetlink({ protocol: NETLINK_ROUTE, namespace }));
  a = interfaceIndex("near", namespace)!;
});
afterEach(() => {
  for (const socket of open.splice(0)) socket.close();
});
afterAll(() => {
  execFileSync("ip", ["netns", "delete", NAME]);
});

/** Follows groups; what came is in the list that is returned. */
function follow(groups: number[], receiveRoom?: number) {
  const heard: (RtEvent | "overrun")[] = [];
  const socket = openNetlink({
    protocol: NETLINK_ROUTE,
    namespace,
    groups,
    ...(receiveRoom === undefined ? {} : { receiveRoom }),
  });
  open.push(socket);
  socket.watch({
    onDatagram: (bytes) => heard.push(...parseMessages(bytes).map((each) => parseRtEvent(each)!)),
    onOverrun: () => heard.push("overrun"),
  });
  return { heard, socket };
}
async function until(done: () => boolean): Promise<void> {
  for (let left = 200; left > 0 && !done(); left--) await delay(10);
  expect(done()).toBe(true);
}

test("links are those that ip lists", () => {
  const listed = JSON.parse(run("-json link")) as { ifindex: number; ifname: string; mtu: number; address: string }[];
  expect(kernel.links().map(({ ifindex, name, mtu }) => ({ ifindex, name, mtu }))).toEqual(
    listed.map(({ ifindex, ifname, mtu }) => ({ ifindex, name: ifname, mtu })),
  );
  expect(kernel.links().find((link) => link.name === "near")).toMatchObject({
    mac: "02:00:00:00:08:01",
    kind: "veth",
    hardware: 1,
  });
});

test("addresses are those that ip lists", () => {
  type Listed = { ifindex: number; addr_info: { local: string; prefixlen: number }[] };
  const listed = (JSON.parse(run("-json address")) as Listed[]).flatMap((link) =>
    link.addr_info.map((info) => `${link.ifindex} ${info.local}/${info.prefixlen}`),
  );
  expect(
    kernel
      .addresses()
      .map((each) => `${each.ifindex} ${each.address}/${each.prefixLength}`)
      .sort(),
  ).toEqual(listed.sort());
});

test("routes are those of the main and the local table", () => {
  const lines = ["-4", "-6"].flatMap((family) =>
    ["main", "local"].flatMap((table) => JSON.parse(run(`${family} -json route show table ${table}`)) as object[]),
  );
  expect(kernel.routes()).toHaveLength(lines.length);
  expect(kernel.routes()).toContainEqual(
    expect.objectContaining({
      prefix: "10.8.0.0",
      prefixLength: 24,
      prefSource: "10.8.0.1",
      nextHops: [expect.objectContaining({ ifindex: a })],
    }),
  );
});

test("an address is added, refused when it is there, seen by ip and deleted", () => {
  const vip = { ...plainAddress(a, ip("10.8.0.100"), 32), label: "near:vip" };
  kernel.addAddress(vip);
  expect(run("address show dev near")).toContain("inet 10.8.0.100/32 scope global near:vip");
  expect(() => kernel.addAddress(vip)).toThrow(expect.objectContaining({ code: "EEXIST" }));
  kernel.addAddress(vip, "replace");
  kernel.deleteAddress(vip);
  expect(run("address show dev near")).not.toContain("10.8.0.100");
  expect(() => kernel.deleteAddress(vip)).toThrow(expect.objectContaining({ code: "EADDRNOTAVAIL" }));
});

test("routes of every kind are added, read back as they were meant, and deleted", () => {
  const gateway = ip("10.8.0.254");
  const routes = [
    plainRoute(ip("192.0.2.0"), 24, a, gateway),
    { ...plainRoute(ip("192.0.2.0"), 25, a), metric: 7, mtu: 1400, prefSource: ip("10.8.0.1") },
    { ...plainRoute(ip("198.51.100.0"), 24, 0), scope: 0, type: RTN_BLACKHOLE, nextHops: [] },
    {
      ...plainRoute(ip("203.0.113.0"), 24, a, gateway),
      nextHops: ["10.8.0.253", "10.8.0.254"].map((each, i) => ({ ifindex: a, gateway: ip(each), flags: 0, weight: i + 1 })),
    },
    { ...plainRoute(ip("2001:db8:f::"), 48, a, ip("2001:db8:8::254")), metric: 9 },
  ];
  for (const route of routes) {
    kernel.addRoute(route);
    expect(kernel.routes()).toContainEqual(route);
    kernel.deleteRoute(route);
    expect(kernel.routes()).not.toContainEqual(route);
  }
  expect(() => kernel.deleteRoute(routes[0]!)).toThrow(expect.objectContaining({ code: "ESRCH" }));
});

test("a refusal carries the kernel's own words", () => {
  const bad = plainRoute(ip("192.0.2.0"), 24, a, ip("172.16.0.1"));
  expect(() => kernel.addRoute(bad)).toThrow(/^add route 192\.0\.2\.0\/24: Nexthop has invalid gateway \(ENETUNREACH\)$/);
});

test("a link is switched off and on", () => {
  const isUp = () => ((kernel.links().find((link) => link.ifindex === a)?.flags ?? 0) & IFF_UP) !== 0;
  kernel.changeLink(a, { up: false });
  expect(isUp()).toBe(false);
  kernel.changeLink(a, { up: true, mtu: 1400 });
  expect(isUp()).toBe(true);
  expect(kernel.links().find((link) => link.ifindex === a)?.mtu).toBe(1400);
  kernel.changeLink(a, { mtu: 1500 });
});

test("a neighbour is fixed and deleted", () => {
  const address = ip("10.8.0.77");
  const find = () => kernel.neighbours().find((each) => each.address === address);
  kernel.setNeighbour(a, address, mac("02:00:00:00:00:77"));
  expect(find()).toMatchObject({ ifindex: a, mac: "02:00:00:00:00:77", state: NUD_PERMANENT });
  kernel.deleteNeighbour(a, address);
  expect(find()?.mac).toBeUndefined();
});

test("changes are heard in order", async () => {
  const { heard } = follow([RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_NEIGH]);
  const vip = plainAddress(a, ip("10.8.0.101"), 32);
  kernel.addAddress(vip);
  kernel.setNeighbour(a, ip("10.8.0.78"), mac("02:00:00:00:00:78"));
  kernel.deleteAddress(vip);
  await until(() => heard.length >= 3);
  expect(heard).toMatchObject([
    { kind: "address", gone: false, value: { address: "10.8.0.101" } },
    { kind: "neighbour", gone: false, value: { address: "10.8.0.78", mac: "02:00:00:00:00:78" } },
    { kind: "address", gone: true, value: { address: "10.8.0.101" } },
  ]);
});

test("one who listens too slowly is told that something is missing, and hears on", async () => {
  const { heard } = follow([RTNLGRP_NEIGH], 2048);
  const address = (i: number): Ip => ip(`10.8.0.${100 + i}`);
  for (let i = 0; i < 100; i++) kernel.setNeighbour(a, address(i), mac("02:00:00:00:00:01")); // without a turn of the event loop
  await until(() => heard.includes("overrun"));
  await delay(50);
  expect(heard.filter((each) => each !== "overrun").length).toBeLessThan(100);
  heard.length = 0;
  kernel.deleteNeighbour(a, address(0));
  await until(() => heard.length > 0);
  expect(heard[0]).toMatchObject({ kind: "neighbour", value: { address: address(0) } });
});

test("a generic netlink socket opens as well, and closes twice", () => {
  const socket = openNetlink({ protocol: NETLINK_GENERIC, namespace });
  expect(socket.port).toBeGreaterThan(0);
  socket.close();
  socket.close();
});

test("nothing is asked of a namespace that is not there", () => {
  expect(() => openNetlink({ protocol: NETLINK_ROUTE, namespace: netnsPath("lvsd-no-such") })).toThrow(
    expect.objectContaining({ code: "ENOENT" }),
  );
});
