import { isDeepStrictEqual } from "node:util";
import { anyOf } from "../net/ip.ts";
import { FOREVER, type InterfaceAddress } from "../wire/rtnetlink-address.ts";
import {
  type Route,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RTN_BLACKHOLE,
  RTN_PROHIBIT,
  RTN_THROW,
  RTN_UNICAST,
  RTN_UNREACHABLE,
  RTNH_F_ONLINK,
} from "../wire/rtnetlink-route.ts";
import type { RoutingRule } from "../wire/rtnetlink-rule.ts";
import type { Instance, VirtualAddress, VirtualRoute } from "./config.ts";

/**
 * The addresses, routes and rules that a master has: what should be there against what is there. The same comparison
 * clears up at start, takes over, yields, puts back what somebody else has removed, and follows a reload.
 */

const IFA_F_NODAD = 0x02;
const IFA_F_HOMEADDRESS = 0x10;
const IFA_F_MANAGETEMPADDR = 0x100;
const IFA_F_NOPREFIXROUTE = 0x200;
const IFA_F_MCAUTOJOIN = 0x400;
/** So that `ip route` shows whose a route is. */
export const RTPROT_KEEPALIVED = 18;

/** Interfaces by name. */
export type IfIndex = (name: string) => number | undefined;

/** Things of one kind, in the order they are to be made. */
export interface Held {
  readonly addresses: readonly InterfaceAddress[];
  readonly routes: readonly Route[];
  readonly rules: readonly RoutingRule[];
}

export const nothingHeld: Held = { addresses: [], routes: [], rules: [] };

export const together = (all: readonly Held[]): Held => ({
  addresses: all.flatMap((h) => h.addresses),
  routes: all.flatMap((h) => h.routes),
  rules: all.flatMap((h) => h.rules),
});

export type Change =
  | { readonly op: "add" | "delete"; readonly kind: "address"; readonly value: InterfaceAddress }
  | { readonly op: "add" | "delete"; readonly kind: "route"; readonly value: Route }
  | { readonly op: "add" | "delete"; readonly kind: "rule"; readonly value: RoutingRule };

/** What an instance has while it is master, on interfaces that are there. */
export function holdings(i: Instance, ifindex: IfIndex): Held {
  return onLinks({ ...i, addresses: [...i.addresses, ...i.excluded] }, i.vmac ?? i.interface, ifindex);
}

/** @param own where those stand that name no device */
export function onLinks(
  things: Pick<Instance, "addresses" | "routes" | "rules">,
  own: string | undefined,
  ifindex: IfIndex,
): Held {
  return {
    addresses: things.addresses.flatMap((a) => kernelAddress(a, own, ifindex) ?? []),
    routes: things.routes.flatMap((r) => kernelRoute(r, own, ifindex) ?? []),
    rules: things.rules,
  };
}

/**
 * What is to be done. Removing goes rules, routes, addresses; making goes the other way (spec 3.6).
 * @param own all that this process has or might have: what is there of it and not wanted is removed
 */
export function changes(wanted: Held, own: Held, actual: Held): readonly Change[] {
  const addresses = differ("address", addressKey, wanted.addresses, own.addresses, actual.addresses);
  const routes = differ("route", routeKey, wanted.routes, own.routes, actual.routes);
  const rules = differ("rule", ruleKey, wanted.rules, own.rules, actual.rules);
  return [...rules.gone, ...routes.gone, ...addresses.gone, ...addresses.made, ...routes.made, ...rules.made];
}

/** Those of `before` that are wanted still, but otherwise: with another label, another source, other next hops. */
export const altered = (before: Held, wanted: Held): Held => ({
  addresses: otherwise(addressKey, before.addresses, wanted.addresses),
  routes: otherwise(routeKey, before.routes, wanted.routes),
  rules: [], // all of a rule is its key
});

function otherwise<T>(key: (value: T) => string, before: readonly T[], wanted: readonly T[]): T[] {
  const now = new Map(wanted.map((v) => [key(v), v]));
  return unique(before, key).filter((v) => now.has(key(v)) && !isDeepStrictEqual(v, now.get(key(v))));
}

interface Difference {
  readonly gone: Change[];
  readonly made: Change[];
}

function differ<T>(
  kind: Change["kind"],
  key: (value: T) => string,
  wanted: readonly T[],
  own: readonly T[],
  actual: readonly T[],
): Difference {
  const there = new Set(actual.map(key));
  const stays = new Set(wanted.map(key));
  const change = (op: Change["op"]) => (value: T) => ({ op, kind, value }) as unknown as Change;
  return {
    gone: unique(own, key)
      .filter((v) => there.has(key(v)) && !stays.has(key(v)))
      .map(change("delete")),
    made: unique(wanted, key)
      .filter((v) => !there.has(key(v)))
      .map(change("add")),
  };
}

const unique = <T>(list: readonly T[], key: (value: T) => string): T[] => [...new Map(list.map((v) => [key(v), v])).values()];

export const addressKey = (a: InterfaceAddress): string => `${a.ifindex} ${a.address}/${a.prefixLength}`;
export const routeKey = (r: Route): string =>
  `${r.family} ${r.table} ${r.prefix}/${r.prefixLength} ${r.tos} ${metricOf(r)} ${hopOf(r)}`;
export const ruleKey = (r: RoutingRule): string =>
  [r.family, r.preference, prefixText(r.from), prefixText(r.to), r.iif, r.oif, r.mark, r.table].join(" ");

/** IPv6 gives a route without a metric 1024. */
const metricOf = (r: Route): number => (r.family === "ipv6" && r.metric === 0 ? 1024 : r.metric);
const hopOf = (r: Route): string =>
  r.type === RTN_UNICAST ? `${r.nextHops[0]?.ifindex} ${r.nextHops[0]?.gateway ?? ""}` : String(r.type);
const prefixText = (p: RoutingRule["from"]): string => (p === undefined ? "-" : `${p.ip}/${p.length}`);

export function kernelAddress(a: VirtualAddress, own: string | undefined, ifindex: IfIndex): InterfaceAddress | undefined {
  const name = a.dev ?? own;
  const index = name === undefined ? undefined : ifindex(name);
  if (index === undefined) return undefined;
  const family = a.ip.includes(":") ? "ipv6" : "ipv4";
  // A host's own /128 must not be chosen as a source (spec 2.9).
  const standard = family === "ipv6" && a.length === 128 ? 0 : FOREVER;
  return {
    family,
    ifindex: index,
    address: a.ip,
    prefixLength: a.length,
    peer: a.peer,
    broadcast: a.broadcast,
    scope: a.scope,
    flags: flagsOf(a, family),
    label: a.label,
    preferredSeconds: a.preferredLifetime ?? standard,
    validSeconds: FOREVER,
  };
}

const flagsOf = (a: VirtualAddress, family: "ipv4" | "ipv6"): number =>
  (family === "ipv6" && !a.dad ? IFA_F_NODAD : 0) |
  (a.noprefixroute ? IFA_F_NOPREFIXROUTE : 0) |
  (a.home ? IFA_F_HOMEADDRESS : 0) |
  (a.mngtmpaddr ? IFA_F_MANAGETEMPADDR : 0) |
  (a.autojoin ? IFA_F_MCAUTOJOIN : 0);

const TYPES: Readonly<Record<VirtualRoute["type"], number>> = {
  unicast: RTN_UNICAST,
  blackhole: RTN_BLACKHOLE,
  unreachable: RTN_UNREACHABLE,
  prohibit: RTN_PROHIBIT,
  throw: RTN_THROW,
};

function kernelRoute(r: VirtualRoute, own: string | undefined, ifindex: IfIndex): Route | undefined {
  // With a gateway and no device the kernel finds the device, and would tell of it; so the instance's own is taken.
  const hops = (r.hops.length > 1 ? r.hops : [{ via: r.via, dev: r.dev, onlink: r.onlink, weight: 1 }]).map(
    ({ via, dev, onlink, weight }) => {
      const name = dev ?? own;
      return { ifindex: name && ifindex(name), gateway: via, flags: onlink ? RTNH_F_ONLINK : 0, weight };
    },
  );
  const nextHops = r.type === "unicast" ? hops.flatMap((h) => (h.ifindex ? [{ ...h, ifindex: h.ifindex }] : [])) : [];
  if (r.type === "unicast" && nextHops.length < hops.length) return undefined;
  const onLink = r.via === undefined && r.hops.length < 2 && r.family === "ipv4" && r.type === "unicast";
  return {
    family: r.family,
    table: r.table,
    prefix: r.prefix ?? anyOf(r.family),
    prefixLength: r.length,
    tos: r.tos,
    protocol: RTPROT_KEEPALIVED,
    scope: r.scope ?? (onLink ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE),
    type: TYPES[r.type],
    metric: r.metric,
    prefSource: r.source,
    mtu: r.mtu,
    nextHops,
  };
}
