import { execFileSync } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { anyOf, familyOf, type Ip, ip } from "../../net/ip.ts";
import { netnsPath } from "../../platform/namespace.ts";
import { NETLINK_ROUTE, openNetlink } from "../../platform/netlink.ts";
import { interfaceIndex } from "../../platform/socket.ts";
import { until } from "../../platform/testing.ts";
import { parseMessages } from "../../wire/netlink.ts";
import { parseRtEvent, RTNLGRP_NEIGH } from "../../wire/rtnetlink.ts";
import { IFA_F_NODAD } from "../../wire/rtnetlink-address.ts";
import { plainAddress, RtNetlink } from "../../wire/rtnetlink-client.ts";
import { NUD_PROBE, NUD_REACHABLE } from "../../wire/rtnetlink-neighbour.ts";
import { Hops } from "./hops.ts";
import { type HopWatcher, watchHops } from "./watcher.ts";

/**
 *  director                         dest
 *  10.7.0.1/24  d0 ───────────── r0 10.7.0.2/24, 10.7.0.254/24
 *  2001:db8:7::1/64                 2001:db8:7::2/64
 *  10.71.0.1/16 d1 ── d2 (nobody)
 */
const DIRECTOR = `lvsd-hops-${process.pid}-d`;
const DEST = `lvsd-hops-${process.pid}-r`;
const namespace = netnsPath(DIRECTOR);
const PEER = ip("10.7.0.2");
const PEER6 = ip("2001:db8:7::2");
const GATEWAY = ip("10.7.0.254");

const ipCommand = (netns: string, command: string) =>
  execFileSync("ip", ["-n", netns, ...command.split(" ")], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
const director = (command: string) => ipCommand(DIRECTOR, command);
const dest = (command: string) => ipCommand(DEST, command);
const macOf = (netns: string, link: string): string =>
  (JSON.parse(ipCommand(netns, `-json link show ${link}`)) as { address: string }[])[0]!.address;

const open: HopWatcher[] = [];
let kernel: RtNetlink;
let closeKernel = (): void => {};

beforeAll(() => {
  for (const name of [DIRECTOR, DEST]) execFileSync("ip", ["netns", "add", name]);
  director(`link add name d0 type veth peer name r0 netns ${DEST}`);
  director("link add name d1 type veth peer name d2");
  director("address add 10.7.0.1/24 dev d0");
  director("address add 2001:db8:7::1/64 dev d0 nodad");
  director("address add 10.71.0.1/16 dev d1");
  dest("address add 10.7.0.2/24 dev r0");
  dest("address add 10.7.0.254/24 dev r0");
  dest("address add 2001:db8:7::2/64 dev r0 nodad");
  for (const link of ["lo", "d0", "d1", "d2"]) director(`link set ${link} up`);
  for (const link of ["lo", "r0"]) dest(`link set ${link} up`);
  const socket = openNetlink({ protocol: NETLINK_ROUTE, namespace });
  kernel = new RtNetlink(socket);
  closeKernel = () => socket.close();
});
afterEach(() => {
  for (const watcher of open.splice(0)) {
    watcher.want([]);
    watcher.close();
    watcher.close();
  }
});
afterAll(() => {
  closeKernel();
  for (const name of [DIRECTOR, DEST]) {
    try {
      execFileSync("ip", ["netns", "delete", name]);
    } catch {
      // was not made
    }
  }
});

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
function watch({ receiveRoom }: { receiveRoom?: number } = {}) {
  const seen = { changes: 0, warnings: [] as string[] };
  const watcher = watchHops({
    namespace,
    onChange: () => seen.changes++,
    log: { ...quiet, warn: (word) => seen.warnings.push(word) },
    ...(receiveRoom === undefined ? {} : { receiveRoom }),
  });
  open.push(watcher);
  return { ...watcher, seen };
}
/** Waits until it is so and prints how long that took. */
async function within(limitMs: number, what: string, done: () => boolean): Promise<void> {
  const start = performance.now();
  while (!done() && performance.now() - start < limitMs) await delay(1);
  const took = performance.now() - start;
  expect(done(), `${what}: not within ${limitMs} ms`).toBe(true);
  console.log(`${what}: ${took.toFixed(1)} ms`);
}
const isResolved = (watcher: HopWatcher, address: Ip) => watcher.hops.resolve(address).state === "resolved";
const forget = (address: Ip) => {
  for (const each of kernel.neighbours().filter((n) => n.address === address)) kernel.deleteNeighbour(each.ifindex, address);
};

test("what is there is known at once", () => {
  const { hops } = watch();
  expect(hops.resolve(ip("10.7.0.1"))).toEqual({ state: "local" });
  expect(hops.resolve(ip("192.0.2.1"))).toEqual({ state: "unreachable", reason: "no-route" });
  expect(hops.resolve(ip("10.71.2.3"))).toMatchObject({ state: "unresolved", source: "10.71.0.1", mtu: 1500 });
});

// The first IPv6 question waits until the link's own link-local address is known to be unique: up to 2 s.
test.each([PEER, PEER6])("%s is resolved because it is wanted, and then kept so by the kernel", async (address) => {
  forget(address);
  const watcher = watch();
  expect(isResolved(watcher, address)).toBe(false);
  watcher.want([address]);
  await within(8000, `resolved ${address}`, () => isResolved(watcher, address));
  expect(watcher.hops.resolve(address)).toMatchObject({ destinationMac: macOf(DEST, "r0"), sourceMac: macOf(DIRECTOR, "d0") });
  expect(watcher.seen.changes).toBeGreaterThan(0);
  const isManaged = () => watcher.hops.neighbour(interfaceIndex("d0", namespace)!, address)?.managed === true;
  await within(1000, "managed", isManaged);
  watcher.want([]);
  await within(1000, "given back", () => !isManaged());
});

test("addresses behind a gateway have the gateway resolved", async () => {
  forget(GATEWAY);
  const watcher = watch();
  director(`route add 192.0.2.0/24 via ${GATEWAY}`);
  watcher.want([ip("192.0.2.1"), ip("192.0.2.2")]);
  await within(2500, "gateway", () => isResolved(watcher, ip("192.0.2.1")));
  expect(watcher.hops.resolve(ip("192.0.2.2"))).toMatchObject({ via: GATEWAY, destinationMac: macOf(DEST, "r0") });
  director("route delete 192.0.2.0/24");
  await within(1000, "route gone", () => watcher.hops.resolve(ip("192.0.2.1")).state === "unreachable");
});

test("a dest that gets another Ethernet address and says so is known by it at once", async () => {
  execFileSync("ip", ["netns", "exec", DEST, "sysctl", "-qw", "net.ipv4.conf.r0.arp_notify=1"]);
  const watcher = watch();
  watcher.want([PEER]);
  await within(2500, "resolved", () => isResolved(watcher, PEER));
  const before = watcher.seen.changes;
  dest("link set r0 address 02:00:00:00:07:99");
  await within(1000, "new Ethernet address reached onChange", () => watcher.seen.changes > before);
  expect(watcher.hops.resolve(PEER)).toMatchObject({ state: "resolved", destinationMac: "02:00:00:00:07:99" });
});

test("a dest that gets another Ethernet address without a word is known by it in less than 20 s", async () => {
  execFileSync("ip", ["netns", "exec", DEST, "sysctl", "-qw", "net.ipv4.conf.r0.arp_notify=0"]);
  const watcher = watch();
  watcher.want([PEER]);
  await within(2500, "resolved", () => isResolved(watcher, PEER));
  dest("link set r0 address 02:00:00:00:07:77");
  const isNew = () => (watcher.hops.resolve(PEER) as { destinationMac?: string }).destinationMac === "02:00:00:00:07:77";
  await within(20_000, "new Ethernet address found out", isNew);
});

test("a dest that is not there yet is asked for until it is", async () => {
  const late = ip("10.7.0.50");
  const watcher = watch();
  watcher.want([late]);
  await delay(1500);
  expect(watcher.hops.resolve(late).state).toBe("unresolved");
  dest(`address add ${late}/24 dev r0`);
  await within(6000, "late dest resolved", () => isResolved(watcher, late));
  dest(`address delete ${late}/24 dev r0`);
});

test("changes of one moment are one call", async () => {
  const watcher = watch();
  for (let i = 0; i < 50; i++) kernel.addRoute({ ...routeTo(`198.51.100.${i}`, 32), nextHops: [hopTo(GATEWAY)] });
  await within(1000, "50 routes", () => watcher.seen.changes > 0);
  await delay(50);
  expect(watcher.seen.changes).toBeLessThanOrEqual(2);
  expect(watcher.hops.resolve(ip("198.51.100.49"))).toMatchObject({ via: GATEWAY });
  for (let i = 0; i < 50; i++) kernel.deleteRoute({ ...routeTo(`198.51.100.${i}`, 32), nextHops: [hopTo(GATEWAY)] });
});

test("a neighbour that is probed and confirmed is no change", async () => {
  const watcher = watch();
  watcher.want([PEER]);
  await within(2500, "resolved", () => isResolved(watcher, PEER));
  await delay(100);
  const { generation } = watcher.hops;
  const states: number[] = [];
  const listener = openNetlink({ protocol: NETLINK_ROUTE, namespace, groups: [RTNLGRP_NEIGH] });
  listener.watch({
    onDatagram(bytes) {
      for (const event of parseMessages(bytes).map(parseRtEvent))
        if (event?.kind === "neighbour" && event.value.address === PEER) states.push(event.value.state);
    },
    onOverrun() {},
  });
  try {
    kernel.probeNeighbour(interfaceIndex("d0", namespace)!, PEER);
    await within(3000, "probed and confirmed", () => states.includes(NUD_PROBE) && states.at(-1) === NUD_REACHABLE);
  } finally {
    listener.close();
  }
  expect(watcher.hops.generation).toBe(generation);
});

test("a next hop object that changes takes its routes along", async () => {
  const watcher = watch();
  const via = () => (watcher.hops.resolve(ip("203.0.113.1")) as { via?: Ip }).via;
  director("nexthop add id 7 via 10.7.0.254 dev d0");
  director("route add 203.0.113.0/24 nhid 7");
  await within(1000, "route seen", () => via() === GATEWAY);
  director("nexthop replace id 7 via 10.71.0.9 dev d1");
  await within(1000, "next hop replaced", () => via() === "10.71.0.9");
  director("nexthop delete id 7");
  await within(1000, "route gone with its next hop", () => via() === undefined);
});

test("routes that the kernel drops silently with their link are dropped", async () => {
  const watcher = watch();
  director("route add 203.0.113.0/24 via 10.71.0.9");
  await within(1000, "route seen", () => watcher.hops.resolve(ip("203.0.113.1")).state === "unresolved");
  director("link set d1 down");
  await within(1000, "link down seen", () => watcher.hops.resolve(ip("203.0.113.1")).state === "unreachable");
  director("link set d1 up");
  await within(1000, "link up seen", () => watcher.hops.resolve(ip("10.71.0.9")).state === "unresolved");
  await within(1000, "doubts settled", () => !watcher.hops.doubtful);
  expect(watcher.hops.resolve(ip("203.0.113.1"))).toEqual({ state: "unreachable", reason: "no-route" });
});

test("what was lost in an overrun is read anew", async () => {
  const watcher = watch({ receiveRoom: 2048 });
  for (let i = 0; i < 200; i++) kernel.addRoute({ ...routeTo(`198.51.100.${i}`, 32), nextHops: [hopTo(GATEWAY)] });
  await within(3000, "read anew", () => watcher.hops.resolve(ip("198.51.100.199")).state !== "unreachable");
  expect(watcher.seen.warnings).toContain("lost events of the network");
  for (let i = 0; i < 200; i++) expect(watcher.hops.resolve(ip(`198.51.100.${i}`))).toMatchObject({ via: GATEWAY });
  for (let i = 0; i < 200; i++) kernel.deleteRoute({ ...routeTo(`198.51.100.${i}`, 32), nextHops: [hopTo(GATEWAY)] });
  await within(3000, "and again", () => watcher.hops.resolve(ip("198.51.100.199")).state === "unreachable");
});

test("an idle watcher costs nothing", async () => {
  const watcher = watch();
  await delay(300); // what earlier tests left behind
  const [changes, cpu] = [watcher.seen.changes, process.cpuUsage()];
  await delay(1000);
  const { user, system } = process.cpuUsage(cpu);
  console.log(`idle for a second: ${((user + system) / 1000).toFixed(1)} ms of CPU`);
  expect(user + system).toBeLessThan(200_000);
  expect(watcher.seen.changes - changes).toBeLessThan(5); // the kernel itself may still forget a neighbour or two
});

test("every way is the one that the kernel itself would go", async () => {
  const watcher = watch();
  director("address add 10.7.0.7/24 dev d0");
  director("address add 10.72.0.1/24 dev d0");
  director("address add 2001:db8:72::1/64 dev d0 nodad");
  director("address add fd00:7::1/64 dev d1 nodad");
  const routes = [
    "192.0.2.0/24 via 10.7.0.254",
    "192.0.2.0/25 via 10.71.0.9 metric 50",
    "192.0.2.0/25 via 10.7.0.254 metric 20",
    "192.0.2.128/26 via 10.72.0.254",
    "192.0.2.192/26 via 10.7.0.254 src 10.7.0.7",
    "198.51.100.0/24 dev d1",
    "blackhole 198.51.100.64/26",
    "unreachable 198.51.100.128/26",
    "prohibit 198.51.100.192/26",
    "throw 203.0.113.128/25",
    "203.0.113.0/24 via 10.71.0.9 mtu 1300",
    "203.0.113.0/26 via inet6 2001:db8:7::2 dev d0",
    "default via 10.7.0.254",
    "2001:db8:1::/48 via 2001:db8:7::fe",
    "2001:db8:1:1::/64 via 2001:db8:72::fe metric 30",
    "2001:db8:1:1::/64 via 2001:db8:7::fe metric 20",
    "2001:db8:1:2::/64 dev d1",
    "fd00::/16 via 2001:db8:7::fe",
    "blackhole 2001:db8:2::/48",
    "default via 2001:db8:7::fe",
  ];
  for (const route of routes) director(`${route.includes(":") && !route.includes("inet6") ? "-6 " : ""}route add ${route}`);
  const hosts = [1, 65, 129, 193, 254];
  const addresses = [
    ...["192.0.2", "198.51.100", "203.0.113", "10.7.0", "10.71.0", "10.72.0", "8.8.8"].flatMap((net) =>
      hosts.map((host) => ip(`${net}.${host}`)),
    ),
    ...["2001:db8:1::1", "2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:2::1", "2001:db8:7::2", "2001:db8:72::2"].map(ip),
    ...["2001:4860::1", "fd00:1::1", "fd00:7::2", "fd00:7::1", "2001:db8:7::1", "::1", "127.0.0.1", "10.7.0.7", "10.7.0.255"].map(
      ip,
    ),
  ];
  await delay(200);
  const answers = addresses.map((address) => [address, mine(watcher, address)]);
  expect(answers).toEqual(addresses.map((address) => [address, kernels(address)]));
  console.log(`${addresses.length} ways as ip route get has them, ${new Set(answers.map(([, way]) => way)).size} different`);
});

test("after any number of changes what was heard is what would be read", async () => {
  const watcher = watch();
  const random = randomFrom(1);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const links = ["d0", "d1"].map((name) => interfaceIndex(name, namespace)!);
  const [gateways4, gateways6] = [["10.7.0.254", "10.7.0.253", "10.71.0.9"], ["2001:db8:7::fe", "2001:db8:7::fd"]].map((each) => each.map(ip)); // biome-ignore format: rows
  const networks = ["172.20.0.0/16", "172.20.1.0/24", "172.20.1.128/25", "2001:db8:20::/48", "2001:db8:20:1::/64"];
  const own = ["10.7.0.30/24", "10.7.0.31/24", "10.99.0.1/24", "2001:db8:7::30/64", "2001:db8:20:1::1/64"];
  const asked = [
    "172.20.9.9",
    "172.20.1.9",
    "172.20.1.200",
    "2001:db8:20::9",
    "2001:db8:20:1::9",
    "10.7.0.9",
    "10.99.0.9",
    "10.7.0.30",
  ].map(ip);
  const route = () => {
    const [prefix = "", length = ""] = pick(networks).split("/");
    const isIpv4 = !prefix.includes(":");
    const gateway = () => pick(isIpv4 ? gateways4! : gateways6!);
    const hop = (via: Ip | undefined) => ({
      ifindex: via?.startsWith("10.71.") ? links[1]! : via ? links[0]! : pick(links),
      gateway: via,
      flags: 0,
      weight: 1,
    });
    const hops = pick([() => [hop(undefined)], () => [hop(gateway())], () => [hop(gateway()), hop(gateway())]])();
    const metric = pick([0, 10, 20]) || (isIpv4 ? 0 : 1024);
    return {
      ...routeTo(prefix, Number(length)),
      family: familyOf(ip(prefix)),
      metric,
      nextHops: hops,
      mtu: pick([undefined, 1300]),
    };
  };
  const address = () => {
    const [text = "", length = ""] = pick(own).split("/");
    return { ...plainAddress(links[0]!, ip(text), Number(length)), flags: text.includes(":") ? IFA_F_NODAD : 0 };
  };
  const changes = [
    () => kernel.addRoute(route(), pick(["new", "replace", "append"])),
    () => kernel.addRoute(route(), "append"),
    () => kernel.deleteRoute(pick(kernel.routes([254]).filter((each) => each.protocol === 4))),
    () => kernel.addAddress(address()),
    () => kernel.deleteAddress(address()),
    () => kernel.changeLink(links[1]!, { up: random() < 0.7 }),
  ];
  let done = 0;
  for (let round = 0; round < 60; round++) {
    for (let i = 0; i < 8; i++) {
      try {
        // Rounds of routes alone, since after other changes the routes are read again anyway.
        pick(round % 3 === 0 ? changes : changes.slice(0, 3))();
        done++;
      } catch {
        // refused: there already, not there, no such gateway just now
      }
    }
    await delay(5);
    await until(() => !watcher.hops.doubtful);
    const fresh = new Hops();
    fresh.load({
      links: kernel.links(),
      addresses: kernel.addresses(),
      routes: kernel.routes(),
      neighbours: kernel.neighbours(),
    });
    const answers = (hops: Hops) => asked.map((each) => [each, hops.resolve(each)]);
    expect(answers(watcher.hops), `round ${round}`).toEqual(answers(fresh));
  }
  console.log(`${done} changes followed`);
  expect(done).toBeGreaterThan(200);
});

/** mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const mine = ({ hops }: HopWatcher, address: Ip): string => {
  const hop = hops.resolve(address);
  if (hop.state === "local") return "local";
  if (hop.state === "unreachable") return hop.reason === "broadcast" ? "broadcast" : "none";
  return `${hops.link(hop.ifindex)?.name} via ${hop.via} from ${hop.source}`;
};

/** "d0 via 10.7.0.254 from 10.7.0.1", "local", "broadcast", "none". */
function kernels(address: Ip): string {
  type Got = { type?: string; dev?: string; gateway?: Ip; via?: { host: Ip }; prefsrc?: Ip };
  try {
    const [got] = JSON.parse(director(`-json route get ${address}`)) as Got[];
    if (got?.type === "local" || got?.type === "broadcast") return got.type;
    if (got?.dev === undefined || (got.type !== undefined && got.type !== "unicast")) return "none";
    return `${got.dev} via ${got.gateway ?? got.via?.host ?? address} from ${got.prefsrc ?? anyOf(familyOf(address))}`;
  } catch {
    return "none"; // blackhole: ip fails with the errno of the route
  }
}

const hopTo = (gateway: Ip) => ({ ifindex: interfaceIndex("d0", namespace)!, gateway, flags: 0, weight: 1 });
const routeTo = (prefix: string, prefixLength: number) => ({
  family: "ipv4" as const,
  table: 254,
  prefix: ip(prefix),
  prefixLength,
  tos: 0,
  protocol: 4,
  scope: 0,
  type: 1,
  metric: 0,
  prefSource: undefined,
  mtu: undefined,
});
