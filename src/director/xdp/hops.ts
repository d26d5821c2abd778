import type { Ip } from "../../net/ip.ts";
import type { Mac } from "../../net/mac.ts";
import type { RtEvent } from "../../wire/rtnetlink.ts";
import {
  IFA_F_DADFAILED,
  IFA_F_DEPRECATED,
  IFA_F_OPTIMISTIC,
  IFA_F_SECONDARY,
  IFA_F_TENTATIVE,
  type InterfaceAddress,
} from "../../wire/rtnetlink-address.ts";
import { IFF_LOWER_UP, IFF_UP, type Link } from "../../wire/rtnetlink-link.ts";
import {
  type Neighbour,
  NTF_PROXY,
  NUD_DELAY,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
} from "../../wire/rtnetlink-neighbour.ts";
import {
  type NextHop,
  type Route,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTN_ANYCAST,
  RTN_BLACKHOLE,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_MULTICAST,
  RTN_PROHIBIT,
  RTN_UNICAST,
  RTN_UNREACHABLE,
} from "../../wire/rtnetlink-route.ts";
import { type RouteEvent, RouteSet } from "./hop-routes.ts";
import { chooseSource } from "./hop-source.ts";

/**
 * The way to an address, as the kernel would go it: its own addresses and the main routing table (no policy rules, no
 * TOS), longest prefix, then lowest metric, then the first next hop of several whose link works. Pure: fed with what the
 * kernel tells, asked whenever one likes.
 */

export type Hop =
  | ({ readonly state: "resolved"; readonly sourceMac: Mac; readonly destinationMac: Mac } & Way)
  /** The Ethernet address of `via` is not known (yet). */
  | ({ readonly state: "unresolved" } & Way)
  /** The director's own. */
  | { readonly state: "local" }
  | { readonly state: "unreachable"; readonly reason: UnreachableReason };

interface Way {
  readonly ifindex: number;
  /** The neighbour that packets are handed to: a gateway, or the address itself. */
  readonly via: Ip;
  /** What the kernel would write as source of its own packets there; 0.0.0.0 or :: when it has no address to offer. */
  readonly source: Ip;
  /** Bytes of the largest IP packet: the route's, else the link's. */
  readonly mtu: number;
}

export type UnreachableReason =
  | "no-route"
  | "blackhole"
  | "unreachable"
  | "prohibit"
  | "broadcast"
  | "multicast"
  /** There is a route, but its links are down, without carrier or gone. */
  | "link-down"
  /** The way leads to a link without Ethernet addresses: loopback, tun. */
  | "no-link-layer";

export interface NetworkState {
  readonly links: Iterable<Link>;
  readonly addresses: Iterable<InterfaceAddress>;
  readonly routes: Iterable<Route>;
  readonly neighbours: Iterable<Neighbour>;
}

const LOCAL: Hop = { state: "local" };
const reasons: Readonly<Record<number, UnreachableReason>> = {
  [RTN_BLACKHOLE]: "blackhole",
  [RTN_UNREACHABLE]: "unreachable",
  [RTN_PROHIBIT]: "prohibit",
  [RTN_BROADCAST]: "broadcast",
  [RTN_MULTICAST]: "multicast",
};

/** States in which the kernel would send to a neighbour at once. */
const USABLE = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;
/** The flags that have a say in an answer. */
const LINK_FLAGS = IFF_UP | IFF_LOWER_UP;
const ADDRESS_FLAGS = IFA_F_SECONDARY | IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED;

export class Hops {
  #links = new Map<number, Link>();
  /** In the order of the kernel, which decides between addresses that are equally good as a source. */
  #addresses = new Map<string, InterfaceAddress>();
  #local = new RouteSet();
  #main = new RouteSet();
  #neighbours = new Map<string, Neighbour>();
  #generation = 0;
  #doubtful = false;

  /** Moves whenever an answer may have become another; not when a neighbour is confirmed with the address it had. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * The kernel does not tell all that happens to routes: IPv4 ones vanish with a link that goes down or an address that goes
   * away, next hops revive with a link, and IPv6 ones join each other. True after such an event, until the routes have been
   * read again (replaceRoutes, load).
   */
  get doubtful(): boolean {
    return this.#doubtful;
  }

  /** Puts the routes in doubt: they were read while they changed. */
  doubt(): void {
    this.#doubtful = true;
  }

  /** Takes the place of all that was known. */
  load(state: NetworkState): void {
    const links = new Map([...state.links].map((link) => [link.ifindex, link]));
    const addresses = new Map([...state.addresses].map((address) => [addressKey(address), address]));
    const neighbours = new Map(
      [...state.neighbours].filter(isOwn).map((each) => [neighbourKey(each.ifindex, each.address), each]),
    );
    const same =
      sameMap(this.#links, links, sameLink) &&
      sameMap(this.#addresses, addresses, sameAddress) &&
      sameOrder(this.#addresses, addresses) &&
      sameMap(this.#neighbours, neighbours, sameNeighbour);
    this.#links = links;
    this.#addresses = addresses;
    this.#neighbours = neighbours;
    if (!same) this.#generation++;
    this.replaceRoutes(state.routes);
  }

  /** Takes the place of all routes that were known. */
  replaceRoutes(routes: Iterable<Route>): void {
    const [local, main] = [new RouteSet(), new RouteSet()];
    for (const route of routes) pickTable(route, local, main)?.push(route);
    if (!this.#local.equals(local) || !this.#main.equals(main)) this.#generation++;
    this.#local = local;
    this.#main = main;
    this.#doubtful = false;
  }

  /** Takes note of one event. The same event twice does no harm. */
  apply(event: RtEvent): void {
    if (this.#note(event)) this.#generation++;
  }

  resolve(address: Ip): Hop {
    const own = this.#local.find(address, isNever);
    if (own !== undefined && own.type !== RTN_UNICAST) {
      return own.type === RTN_LOCAL || own.type === RTN_ANYCAST ? LOCAL : unreachable(reasons[own.type] ?? "no-route");
    }
    let isDown = false;
    const route = this.#main.find(address, (each) => {
      const skip = each.type === RTN_UNICAST && !each.nextHops.some((hop) => this.#has(hop, IFF_UP));
      isDown ||= skip;
      return skip;
    });
    if (route === undefined) return unreachable(isDown ? "link-down" : "no-route");
    return route.type === RTN_UNICAST ? this.#follow(route, address) : unreachable(reasons[route.type] ?? "no-route");
  }

  neighbour(ifindex: number, address: Ip): Neighbour | undefined {
    return this.#neighbours.get(neighbourKey(ifindex, address));
  }

  link(ifindex: number): Link | undefined {
    return this.#links.get(ifindex);
  }

  links(): Iterable<Link> {
    return this.#links.values();
  }

  addresses(): Iterable<InterfaceAddress> {
    return this.#addresses.values();
  }

  #follow(route: Route, address: Ip): Hop {
    const hop = route.nextHops.find((each) => this.#has(each, IFF_UP | IFF_LOWER_UP));
    const link = hop && this.#links.get(hop.ifindex);
    if (hop === undefined || link === undefined) return unreachable("link-down");
    if (link.mac === undefined) return unreachable("no-link-layer");
    const via = hop.gateway ?? address;
    const neighbour = this.neighbour(hop.ifindex, via);
    const destinationMac = usableMac(neighbour);
    const way: Way = {
      ifindex: hop.ifindex,
      via,
      source: route.prefSource ?? chooseSource(this.#addresses.values(), address, hop, route.scope),
      mtu: route.mtu ?? link.mtu,
    };
    if (destinationMac === undefined) return { state: "unresolved", ...way };
    return { state: "resolved", ...way, sourceMac: link.mac, destinationMac };
  }

  #has(hop: NextHop, flags: number): boolean {
    return ((this.#links.get(hop.ifindex)?.flags ?? 0) & flags) === flags;
  }

  /** May an answer have become another? */
  #note(event: RtEvent): boolean {
    switch (event.kind) {
      case "link":
        return event.gone ? this.#dropLink(event.value) : this.#noteLink(event.value);
      case "address":
        return this.#noteAddress(event.value, event.gone);
      case "neighbour": {
        const { ifindex, address } = event.value;
        if (!isOwn(event.value)) return false;
        return note(this.#neighbours, neighbourKey(ifindex, address), event.gone ? undefined : event.value, sameNeighbour);
      }
      case "route":
        return this.#noteRoute(event);
    }
  }

  #noteLink(link: Link): boolean {
    const before = this.#links.get(link.ifindex);
    if (((before?.flags ?? 0) & LINK_FLAGS) !== (link.flags & LINK_FLAGS)) this.#doubtful = true;
    return note(this.#links, link.ifindex, link, sameLink);
  }

  #noteRoute(event: RouteEvent): boolean {
    const table = pickTable(event.value, this.#local, this.#main);
    if (table === undefined) return false;
    if (table.isUnclear(event)) this.#doubtful = true;
    return event.gone ? table.remove(event.value) : table.add(event.value, event.placement);
  }

  #noteAddress(address: InterfaceAddress, gone: boolean): boolean {
    if (gone) this.#doubtful = true;
    const key = addressKey(address);
    // The kernel lists a new IPv6 address before those that the link has, and of addresses alike it takes the first.
    const isFirst = address.family === "ipv6" && !gone && !this.#addresses.has(key);
    if (isFirst) this.#addresses = new Map([[key, address], ...this.#addresses]);
    return isFirst || note(this.#addresses, key, gone ? undefined : address, sameAddress);
  }

  #dropLink({ ifindex }: Link): boolean {
    this.#doubtful = true;
    for (const [key, address] of this.#addresses) if (address.ifindex === ifindex) this.#addresses.delete(key);
    for (const [key, neighbour] of this.#neighbours) if (neighbour.ifindex === ifindex) this.#neighbours.delete(key);
    return this.#links.delete(ifindex);
  }
}

const pickTable = ({ table }: Route, local: RouteSet, main: RouteSet): RouteSet | undefined =>
  table === RT_TABLE_LOCAL ? local : table === RT_TABLE_MAIN ? main : undefined;

/** The Ethernet address of a neighbour that may be sent to. */
export const usableMac = (neighbour: Neighbour | undefined): Mac | undefined =>
  neighbour !== undefined && (neighbour.state & USABLE) !== 0 ? neighbour.mac : undefined;

const unreachable = (reason: UnreachableReason): Hop => ({ state: "unreachable", reason });
const isNever = (): boolean => false;
/** Not an address that this host merely answers for. */
const isOwn = (neighbour: Neighbour): boolean => (neighbour.flags & NTF_PROXY) === 0;

const neighbourKey = (ifindex: number, address: Ip): string => `${ifindex} ${address}`;
const addressKey = (a: InterfaceAddress): string => `${a.ifindex} ${a.address}/${a.prefixLength} ${a.peer ?? ""}`;

const sameLink = (a: Link, b: Link): boolean =>
  a.mac === b.mac && a.mtu === b.mtu && (a.flags & LINK_FLAGS) === (b.flags & LINK_FLAGS);
const sameAddress = (a: InterfaceAddress, b: InterfaceAddress): boolean =>
  a.scope === b.scope && (a.flags & ADDRESS_FLAGS) === (b.flags & ADDRESS_FLAGS);
const sameNeighbour = (a: Neighbour | undefined, b: Neighbour | undefined): boolean => usableMac(a) === usableMac(b);

/** Writes or deletes (undefined) an entry. Does it differ from what was there? */
function note<K, V>(map: Map<K, V>, key: K, value: V | undefined, same: (a: V, b: V) => boolean): boolean {
  const before = map.get(key);
  if (value === undefined) map.delete(key);
  else map.set(key, value);
  if (before === undefined || value === undefined) return before !== value;
  return !same(before, value);
}

const sameMap = <K, V>(a: ReadonlyMap<K, V>, b: ReadonlyMap<K, V>, same: (a: V, b: V) => boolean): boolean =>
  a.size === b.size && [...a].every(([key, value]) => b.has(key) && same(value, b.get(key)!));
function sameOrder(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  const keys = [...b.keys()];
  return [...a.keys()].every((key, i) => key === keys[i]);
}
