import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { familyOf, type Ip, ip } from "../../net/ip.ts";
import { mac } from "../../net/mac.ts";
import { parseRtEvent } from "../../wire/rtnetlink.ts";
import {
  FOREVER,
  IFA_F_DEPRECATED,
  IFA_F_SECONDARY,
  IFA_F_TENTATIVE,
  type InterfaceAddress,
} from "../../wire/rtnetlink-address.ts";
import { ARPHRD_ETHER, IFF_LOWER_UP, IFF_UP, type Link } from "../../wire/rtnetlink-link.ts";
import {
  type Neighbour,
  NUD_DELAY,
  NUD_FAILED,
  NUD_INCOMPLETE,
  NUD_NOARP,
  NUD_NONE,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
} from "../../wire/rtnetlink-neighbour.ts";
import {
  emitRoute,
  type Route,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTN_BLACKHOLE,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_MULTICAST,
  RTN_PROHIBIT,
  RTN_THROW,
  RTN_UNICAST,
  RTN_UNREACHABLE,
} from "../../wire/rtnetlink-route.ts";
import { Hops, type NetworkState } from "./hops.ts";

const UP = IFF_UP | IFF_LOWER_UP;
const link = (ifindex: number, some: Partial<Link> = {}): Link => ({
  ifindex,
  name: `eth${ifindex}`,
  flags: UP,
  hardware: ARPHRD_ETHER,
  mac: mac(`02:00:00:00:00:0${ifindex}`),
  mtu: 1500,
  master: 0,
  lower: 0,
  kind: "",
  ...some,
});
const address = (
  ifindex: number,
  text: string,
  prefixLength: number,
  some: Partial<InterfaceAddress> = {},
): InterfaceAddress => ({
  family: familyOf(ip(text)),
  ifindex,
  address: ip(text),
  prefixLength,
  peer: undefined,
  broadcast: undefined,
  scope: text.startsWith("fe80") ? 253 : 0,
  flags: 0,
  label: "",
  preferredSeconds: FOREVER,
  validSeconds: FOREVER,
  ...some,
});
/** "10.0.0.0/24" on a link, through a gateway if one is named. */
const route = (network: string, ifindex: number, gateway?: string, some: Partial<Route> = {}): Route => {
  const [prefix = "", length = ""] = network.split("/");
  const hop = { ifindex, gateway: gateway === undefined ? undefined : ip(gateway), flags: 0, weight: 1 };
  return {
    family: familyOf(ip(prefix)),
    table: RT_TABLE_MAIN,
    prefix: ip(prefix),
    prefixLength: Number(length),
    tos: 0,
    protocol: 4,
    scope: gateway === undefined ? 253 : 0,
    type: RTN_UNICAST,
    metric: 0,
    prefSource: undefined,
    mtu: undefined,
    nextHops: [hop],
    ...some,
  };
};
const neighbour = (ifindex: number, text: string, state = NUD_REACHABLE, lladdr: string | undefined = FAR): Neighbour => ({
  family: familyOf(ip(text)),
  ifindex,
  address: ip(text),
  mac: lladdr === undefined ? undefined : mac(lladdr),
  state,
  flags: 0,
  managed: false,
});
const FAR = "02:00:00:00:00:99";

/** A director with two legs and a loopback. */
const base = {
  links: [link(1, { mac: undefined, hardware: 772, mtu: 65536 }), link(2), link(3, { mtu: 9000 })],
  addresses: [
    address(1, "127.0.0.1", 8, { scope: 254 }),
    address(2, "10.0.0.1", 24),
    address(2, "10.0.0.5", 24, { flags: IFA_F_SECONDARY }),
    address(2, "10.0.9.1", 24),
    address(3, "10.1.0.1", 16),
    address(2, "fe80::2", 64),
    address(2, "2001:db8::1", 64),
  ],
  routes: [
    route("127.0.0.0/8", 1, undefined, { table: RT_TABLE_LOCAL, type: RTN_LOCAL, scope: 254 }),
    route("10.0.0.1/32", 2, undefined, { table: RT_TABLE_LOCAL, type: RTN_LOCAL, scope: 254 }),
    route("10.0.0.255/32", 2, undefined, { table: RT_TABLE_LOCAL, type: RTN_BROADCAST }),
    route("2001:db8::1/128", 2, undefined, { table: RT_TABLE_LOCAL, type: RTN_LOCAL }),
    route("ff00::/8", 2, undefined, { table: RT_TABLE_LOCAL, type: RTN_MULTICAST }),
    route("10.0.0.0/24", 2, undefined, { prefSource: ip("10.0.0.1") }),
    route("10.1.0.0/16", 3),
    route("2001:db8::/64", 2),
    route("fe80::/64", 2, undefined, { metric: 256 }),
    route("0.0.0.0/0", 2, "10.0.0.254"),
    route("::/0", 2, "fe80::254"),
  ],
  neighbours: [
    neighbour(2, "10.0.0.11"),
    neighbour(2, "10.0.0.254"),
    neighbour(3, "10.1.0.9"),
    neighbour(2, "fe80::254"),
    neighbour(2, "2001:db8::11"),
  ],
} satisfies NetworkState;

/** The base with more of one thing or another; routes go in front, as the kernel puts new ones. */
function hopsWith(more: Partial<Record<keyof NetworkState, readonly unknown[]>> = {}): Hops {
  const hops = new Hops();
  const join = <T>(some: readonly unknown[] | undefined, rest: readonly T[]) => [...((some ?? []) as T[]), ...rest];
  hops.load({
    links: [...base.links, ...((more.links ?? []) as Link[])],
    addresses: [...base.addresses, ...((more.addresses ?? []) as InterfaceAddress[])],
    routes: join(more.routes, base.routes),
    neighbours: [...base.neighbours, ...((more.neighbours ?? []) as Neighbour[])],
  });
  return hops;
}
const resolved = (ifindex: number, via: string, source: string, mtu = 1500) => ({
  state: "resolved",
  ifindex,
  via,
  source,
  mtu,
  sourceMac: `02:00:00:00:00:0${ifindex}`,
  destinationMac: FAR,
});

const several = (...hops: [ifindex: number, gateway: string][]): Partial<Route> => ({
  scope: 0,
  nextHops: hops.map(([ifindex, gateway]) => ({ ifindex, gateway: ip(gateway), flags: 0, weight: 1 })),
});
const ways: [name: string, more: Partial<Record<keyof NetworkState, readonly unknown[]>>, to: string, hop: object][] = [
  ["a neighbour on the link is its own next hop", {}, "10.0.0.11", resolved(2, "10.0.0.11", "10.0.0.1")],
  ["what is further away goes through the gateway", {}, "192.0.2.1", resolved(2, "10.0.0.254", "10.0.0.1")],
  ["the link's MTU is that of the way", {}, "10.1.0.9", resolved(3, "10.1.0.9", "10.1.0.1", 9000)],
  [
    "a route's MTU goes before the link's",
    { routes: [route("192.0.2.0/24", 2, "10.0.0.254", { mtu: 1400 })] },
    "192.0.2.1",
    resolved(2, "10.0.0.254", "10.0.0.1", 1400),
  ],
  [
    "a route's preferred source is the source",
    { routes: [route("192.0.2.0/24", 2, "10.0.0.254", { prefSource: ip("10.0.0.5") })] },
    "192.0.2.1",
    resolved(2, "10.0.0.254", "10.0.0.5"),
  ],
  [
    "without one the source is the primary address in the gateway's network",
    { routes: [route("192.0.2.0/24", 2, "10.0.9.254")], neighbours: [neighbour(2, "10.0.9.254")] },
    "192.0.2.1",
    resolved(2, "10.0.9.254", "10.0.9.1"),
  ],
  [
    "a link without addresses borrows the source from another",
    { links: [link(4)], routes: [route("192.0.2.0/24", 4)], neighbours: [neighbour(4, "192.0.2.1")] },
    "192.0.2.1",
    resolved(4, "192.0.2.1", "10.0.0.1"),
  ],
  [
    "the longest prefix wins over the lower metric",
    { routes: [route("192.0.2.0/24", 3, "10.1.0.9", { metric: 500 }), route("192.0.0.0/16", 2, "10.0.0.254")] },
    "192.0.2.1",
    resolved(3, "10.1.0.9", "10.1.0.1", 9000),
  ],
  [
    "of two routes to one network the lower metric wins",
    { routes: [route("192.0.2.0/24", 2, "10.0.0.254", { metric: 200 }), route("192.0.2.0/24", 3, "10.1.0.9", { metric: 100 })] },
    "192.0.2.1",
    resolved(3, "10.1.0.9", "10.1.0.1", 9000),
  ],
  [
    "a route whose link is switched off is passed over",
    {
      links: [link(4, { flags: 0 })],
      routes: [route("192.0.2.0/24", 4, undefined, { metric: 1 }), route("192.0.2.0/24", 3, "10.1.0.9", { metric: 100 })],
    },
    "192.0.2.1",
    resolved(3, "10.1.0.9", "10.1.0.1", 9000),
  ],
  [
    "of several next hops the first is taken",
    { routes: [route("192.0.2.0/24", 0, undefined, several([3, "10.1.0.9"], [2, "10.0.0.254"]))] },
    "192.0.2.1",
    resolved(3, "10.1.0.9", "10.1.0.1", 9000),
  ],
  [
    "of several next hops those on a link without carrier are passed over",
    {
      links: [link(4, { flags: IFF_UP })],
      routes: [route("192.0.2.0/24", 0, undefined, several([4, "10.4.0.1"], [2, "10.0.0.254"]))],
    },
    "192.0.2.1",
    resolved(2, "10.0.0.254", "10.0.0.1"),
  ],
  [
    "an IPv4 route may go through an IPv6 gateway",
    { routes: [route("192.0.2.0/24", 2, "fe80::254")] },
    "192.0.2.1",
    resolved(2, "fe80::254", "10.0.0.1"),
  ],
  [
    "a route for another TOS is not taken",
    { routes: [route("192.0.2.0/24", 3, "10.1.0.9", { tos: 16 })] },
    "192.0.2.1",
    resolved(2, "10.0.0.254", "10.0.0.1"),
  ],
  [
    "a secondary address is not the source",
    {
      links: [link(4)],
      addresses: [address(4, "10.4.0.5", 24, { flags: IFA_F_SECONDARY }), address(4, "10.4.0.1", 24)],
      routes: [route("10.4.0.0/24", 4)],
      neighbours: [neighbour(4, "10.4.0.9")],
    },
    "10.4.0.9",
    resolved(4, "10.4.0.9", "10.4.0.1"),
  ],
  [
    "a throw route in the local table leads on to the main table",
    { routes: [route("10.0.0.11/32", 0, undefined, { table: RT_TABLE_LOCAL, type: RTN_THROW, nextHops: [] })] },
    "10.0.0.11",
    resolved(2, "10.0.0.11", "10.0.0.1"),
  ],
  ["an IPv6 neighbour is its own next hop", {}, "2001:db8::11", resolved(2, "2001:db8::11", "2001:db8::1")],
  ["IPv6 goes through a link-local gateway with a global source", {}, "2001:db8:1::1", resolved(2, "fe80::254", "2001:db8::1")],
  ["a link-local neighbour is spoken to with a link-local source", {}, "fe80::254", resolved(2, "fe80::254", "fe80::2")],
  [
    "a deprecated or tentative IPv6 address is not the source while there is another",
    {
      addresses: [
        address(2, "2001:db8:1::9", 128, { flags: IFA_F_DEPRECATED }),
        address(2, "2001:db8:1::8", 64, { flags: IFA_F_TENTATIVE }),
      ],
    },
    "2001:db8:1::1",
    resolved(2, "fe80::254", "2001:db8::1"),
  ],
  [
    "the IPv6 source is the one that shares most with the destination",
    { addresses: [address(2, "2001:db8:1::9", 64)] },
    "2001:db8:1::1",
    resolved(2, "fe80::254", "2001:db8:1::9"),
  ],
  [
    "an IPv6 address of a kind with the destination goes before a longer match",
    { addresses: [address(2, "3ffe::9", 64)] },
    "3fff::1",
    resolved(2, "fe80::254", "2001:db8::1"),
  ],
  ["the director's own address is local", {}, "10.0.0.1", { state: "local" }],
  ["the director's own IPv6 address is local", {}, "2001:db8::1", { state: "local" }],
  ["all of 127.0.0.0/8 is local", {}, "127.1.2.3", { state: "local" }],
  ["a broadcast address is no way", {}, "10.0.0.255", { state: "unreachable", reason: "broadcast" }],
  ["a multicast address is no way", {}, "ff02::1", { state: "unreachable", reason: "multicast" }],
  [
    "a blackhole is no way",
    { routes: [route("192.0.2.0/24", 0, undefined, { type: RTN_BLACKHOLE, nextHops: [] })] },
    "192.0.2.1",
    { state: "unreachable", reason: "blackhole" },
  ],
  [
    "an unreachable route is no way",
    { routes: [route("192.0.2.0/24", 0, undefined, { type: RTN_UNREACHABLE, nextHops: [] })] },
    "192.0.2.1",
    { state: "unreachable", reason: "unreachable" },
  ],
  [
    "a prohibited route is no way",
    { routes: [route("192.0.2.0/24", 0, undefined, { type: RTN_PROHIBIT, nextHops: [] })] },
    "192.0.2.1",
    { state: "unreachable", reason: "prohibit" },
  ],
  [
    "a throw route hides the shorter ones",
    { routes: [route("192.0.2.0/24", 0, undefined, { type: RTN_THROW, nextHops: [] })] },
    "192.0.2.1",
    { state: "unreachable", reason: "no-route" },
  ],
  [
    "a link without carrier is no way",
    { links: [link(4, { flags: IFF_UP })], routes: [route("192.0.2.0/24", 4)] },
    "192.0.2.1",
    { state: "unreachable", reason: "link-down" },
  ],
  [
    "a link that is not there is no way",
    { routes: [route("192.0.2.0/24", 7), route("0.0.0.0/0", 7)] },
    "10.0.0.11",
    resolved(2, "10.0.0.11", "10.0.0.1"),
  ],
  [
    "a tun has no Ethernet addresses",
    { links: [link(4, { mac: undefined, hardware: 65534 })], routes: [route("192.0.2.0/24", 4)] },
    "192.0.2.1",
    { state: "unreachable", reason: "no-link-layer" },
  ],
  [
    "a neighbour that nobody has heard of is unresolved",
    {},
    "10.0.0.12",
    { state: "unresolved", ifindex: 2, via: "10.0.0.12", source: "10.0.0.1", mtu: 1500 },
  ],
  [
    "an unresolved gateway is named",
    { routes: [route("192.0.2.0/24", 3, "10.1.0.254")] },
    "192.0.2.1",
    { state: "unresolved", ifindex: 3, via: "10.1.0.254", source: "10.1.0.1", mtu: 9000 },
  ],
];
test.each(ways)("%s", (_name, more, to, hop) => {
  expect(hopsWith(more).resolve(ip(to))).toEqual(hop);
});

test("without routes nothing is reachable", () => {
  expect(new Hops().resolve(ip("192.0.2.1"))).toEqual({ state: "unreachable", reason: "no-route" });
});

test("the only route being down is told from there being none", () => {
  const hops = new Hops();
  hops.load({ links: [link(2, { flags: 0 })], addresses: [], routes: [route("0.0.0.0/0", 2, "10.0.0.254")], neighbours: [] });
  expect(hops.resolve(ip("192.0.2.1"))).toEqual({ state: "unreachable", reason: "link-down" });
});

test.each([
  ["reachable", NUD_REACHABLE, "resolved"],
  ["stale", NUD_STALE, "resolved"],
  ["delay", NUD_DELAY, "resolved"],
  ["probe", NUD_PROBE, "resolved"],
  ["permanent", NUD_PERMANENT, "resolved"],
  ["noarp", NUD_NOARP, "resolved"],
  ["none", NUD_NONE, "unresolved"],
  ["incomplete", NUD_INCOMPLETE, "unresolved"],
  ["failed", NUD_FAILED, "unresolved"],
] as const)("a neighbour in state %s is as good as its word", (_name, state, expected) => {
  expect(hopsWith({ neighbours: [neighbour(2, "10.0.0.12", state)] }).resolve(ip("10.0.0.12")).state).toBe(expected);
});

/** Does the generation move when this happens? */
const moves = (hops: Hops, change: () => void): boolean => {
  const before = hops.generation;
  change();
  return hops.generation !== before;
};
const hear = (hops: Hops, kind: "link" | "address" | "neighbour", value: unknown, gone = false) =>
  moves(hops, () => hops.apply({ kind, gone, value } as never));
const hearRoute = (hops: Hops, value: Route, { gone = false, placement = "first" as "first" | "last" | "instead" } = {}) =>
  moves(hops, () => hops.apply({ kind: "route", gone, value, placement }));

describe("the generation", () => {
  test("stays when a neighbour is confirmed with the address it had", () => {
    const hops = hopsWith();
    for (const state of [NUD_STALE, NUD_DELAY, NUD_PROBE, NUD_REACHABLE])
      expect(hear(hops, "neighbour", neighbour(2, "10.0.0.11", state))).toBe(false);
  });

  test("moves when a neighbour changes its Ethernet address, fails, comes back or is forgotten", () => {
    const hops = hopsWith();
    expect(hear(hops, "neighbour", neighbour(2, "10.0.0.11", NUD_REACHABLE, "02:00:00:00:00:98"))).toBe(true);
    expect(hops.resolve(ip("10.0.0.11"))).toMatchObject({ destinationMac: "02:00:00:00:00:98" });
    expect(hear(hops, "neighbour", neighbour(2, "10.0.0.11", NUD_FAILED, undefined))).toBe(true);
    expect(hear(hops, "neighbour", neighbour(2, "10.0.0.11", NUD_INCOMPLETE, undefined))).toBe(false);
    expect(hear(hops, "neighbour", neighbour(2, "10.0.0.11"))).toBe(true);
    expect(hear(hops, "neighbour", neighbour(2, "10.0.0.11"), true)).toBe(true);
    expect(hear(hops, "neighbour", neighbour(2, "10.0.0.11"), true)).toBe(false);
  });

  test("stays for what has no say: other tables, names, lifetimes, proxy neighbours, the same route again", () => {
    const hops = hopsWith();
    expect(hearRoute(hops, route("192.0.2.0/24", 3, "10.1.0.9", { table: 100 }))).toBe(false);
    expect(hearRoute(hops, base.routes[5]!)).toBe(false);
    expect(hear(hops, "link", link(2, { name: "renamed" }))).toBe(false);
    expect(hear(hops, "address", address(2, "10.0.0.1", 24, { validSeconds: 60 }))).toBe(false);
    expect(hear(hops, "neighbour", { ...neighbour(2, "10.0.0.77"), flags: 0x08 })).toBe(false);
  });

  test("moves with links, addresses and routes", () => {
    const hops = hopsWith();
    expect(hear(hops, "link", link(2, { mtu: 1400 }))).toBe(true);
    expect(hear(hops, "link", link(2, { flags: IFF_UP }))).toBe(true);
    expect(hear(hops, "address", address(2, "10.0.0.7", 24))).toBe(true);
    expect(hear(hops, "address", address(2, "10.0.0.7", 24), true)).toBe(true);
    expect(hearRoute(hops, route("192.0.2.0/24", 3, "10.1.0.9"))).toBe(true);
    expect(hearRoute(hops, route("192.0.2.0/24", 3, "10.1.0.9"), { gone: true })).toBe(true);
    expect(hearRoute(hops, route("192.0.2.0/24", 3, "10.1.0.9"), { gone: true })).toBe(false);
  });

  test("stays when everything is read anew and nothing has changed, and moves when something has", () => {
    const hops = hopsWith();
    expect(moves(hops, () => hops.load(structuredClone(base)))).toBe(false);
    expect(moves(hops, () => hops.load({ ...base, routes: base.routes.slice(1) }))).toBe(true);
    hops.load(base);
    expect(moves(hops, () => hops.load({ ...base, addresses: base.addresses.toReversed() }))).toBe(true);
    hops.load(base);
    expect(moves(hops, () => hops.load({ ...base, neighbours: [] }))).toBe(true);
  });
});

describe("routes beside each other", () => {
  const to = ip("192.0.2.1");
  const [left, right] = [route("192.0.2.0/24", 2, "10.0.0.254"), route("192.0.2.0/24", 3, "10.1.0.9")];
  const via = (hops: Hops) => (hops.resolve(to) as { via?: Ip }).via;

  test("a new one of the same metric goes first, an appended one last, a replacing one instead", () => {
    const hops = hopsWith();
    hearRoute(hops, left);
    hearRoute(hops, right, { placement: "last" });
    expect(via(hops)).toBe("10.0.0.254");
    hearRoute(hops, route("192.0.2.0/24", 2, "10.0.0.11"), { placement: "first" });
    expect(via(hops)).toBe("10.0.0.11");
    hearRoute(hops, route("192.0.2.0/24", 2, "10.0.0.253"), { placement: "instead" });
    expect(via(hops)).toBe("10.0.0.253");
    hearRoute(hops, route("192.0.2.0/24", 2, "10.0.0.253"), { gone: true });
    expect(via(hops)).toBe("10.0.0.254");
    hearRoute(hops, left, { gone: true });
    expect(via(hops)).toBe("10.1.0.9");
  });

  test("an IPv6 route grows by a next hop and loses one", () => {
    const hops = hopsWith({ neighbours: [neighbour(3, "fe80::9")] });
    const prefix = "2001:db8:2::/64";
    const there = () => hops.resolve(ip("2001:db8:2::1"));
    hearRoute(hops, route(prefix, 2, "fe80::254", { metric: 1024 }));
    hearRoute(hops, route(prefix, 0, undefined, { metric: 1024, ...several([2, "fe80::254"], [3, "fe80::9"]) }));
    expect(there()).toMatchObject({ via: "fe80::254" });
    hearRoute(hops, route(prefix, 2, "fe80::254", { metric: 1024 }), { gone: true });
    expect(there()).toMatchObject({ via: "fe80::9", ifindex: 3 });
    hearRoute(hops, route(prefix, 3, "fe80::9", { metric: 1024 }), { gone: true });
    expect(there()).toMatchObject({ ifindex: 2, via: "fe80::254", source: "2001:db8::1" }); // the default route
  });
});

test("of addresses that are equally good as a source IPv4 takes the older and IPv6 the newer", () => {
  const hops = hopsWith();
  hear(hops, "address", address(2, "10.0.8.1", 24));
  hear(hops, "address", address(2, "2001:db8:0:8::1", 64));
  expect(hops.resolve(ip("192.0.2.1"))).toMatchObject({ source: "10.0.0.1" });
  expect(hops.resolve(ip("2001:4860::1"))).toMatchObject({ source: "2001:db8:0:8::1" });
});

test("the routes are in doubt after a link has gone down or an address away, until they are read again", () => {
  const hops = hopsWith();
  for (const change of [
    () => hear(hops, "link", link(2, { flags: 0 })),
    () => hear(hops, "address", address(2, "10.0.0.1", 24), true),
    () => hear(hops, "link", link(3), true),
  ]) {
    expect(hops.doubtful).toBe(false);
    change();
    expect(hops.doubtful).toBe(true);
    hops.replaceRoutes(base.routes);
  }
  hear(hops, "neighbour", neighbour(2, "10.0.0.11"), true);
  expect(hops.doubtful).toBe(false);
});

test("IPv6 routes of one network and metric put the routes in doubt, for how they join is not said", () => {
  const hops = hopsWith();
  const prefix = "2001:db8:2::/64";
  const first = route(prefix, 2, "fe80::254", { metric: 1024 });
  hearRoute(hops, first);
  hearRoute(hops, first);
  hearRoute(hops, route(prefix, 2, "fe80::253", { metric: 1024 }), { placement: "instead" });
  hearRoute(hops, route(prefix, 2, "fe80::252", { metric: 512 }));
  hearRoute(hops, route(prefix, 2, "fe80::252", { metric: 512 }), { gone: true });
  expect(hops.doubtful).toBe(false);
  hearRoute(hops, route(prefix, 3, "fe80::9", { metric: 1024 }), { placement: "last" });
  expect(hops.doubtful).toBe(true);
});

test("whatever is read from damaged messages is taken without a throw", () => {
  const messages = [
    emitRoute(base.routes[10]!),
    emitRoute(route("192.0.2.0/24", 0, undefined, several([2, "10.0.0.1"], [3, "10.1.0.1"]))),
  ];
  const damage = fc.array(fc.tuple(fc.constantFrom(24, 25, 28, 20), fc.nat(1), fc.nat(), fc.integer({ min: 0, max: 255 })), {
    maxLength: 20,
  });
  fc.assert(
    fc.property(damage, (list) => {
      const hops = hopsWith();
      for (const [type, which, at, byte] of list) {
        const payload = messages[which]!.slice();
        payload[at % payload.length] = byte;
        const event = parseRtEvent({ type, flags: 0, sequence: 0, port: 0, payload });
        if (event !== undefined) hops.apply(event);
      }
      for (const to of ["192.0.2.1", "2001:db8:1::1"]) expect(hops.resolve(ip(to)).state).toMatch(/resolved|unreachable|local/);
    }),
  );
});

test("with a link its neighbours are gone", () => {
  const hops = hopsWith();
  hear(hops, "link", link(2), true);
  hear(hops, "link", link(2));
  expect(hops.resolve(ip("10.0.0.11"))).toMatchObject({ state: "unresolved" });
});
