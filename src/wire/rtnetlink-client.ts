import { anyOf, familyOf, type Ip } from "../net/ip.ts";
import type { Mac } from "../net/mac.ts";
import { type NetlinkMessage, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from "./netlink.ts";
import { NetlinkClient, type NetlinkPort } from "./netlink-client.ts";
import {
  parseRtEvent,
  RTM_DELADDR,
  RTM_DELNEIGH,
  RTM_DELROUTE,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETNEIGH,
  RTM_GETROUTE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
  type RtEvent,
} from "./rtnetlink.ts";
import { emitAddress, FOREVER, type InterfaceAddress } from "./rtnetlink-address.ts";
import { emitLinkChange, type Link, type LinkChange, linkHeader } from "./rtnetlink-link.ts";
import { emitNeighbour, type Neighbour, NTF_USE, NUD_NONE, NUD_PERMANENT, NUD_PROBE } from "./rtnetlink-neighbour.ts";
import {
  emitRoute,
  type Route,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTN_UNICAST,
  RTPROT_STATIC,
} from "./rtnetlink-route.ts";

/** What to do when the thing is there already: refuse (EEXIST), take its place, or stand beside it (routes). */
export type Placement = "new" | "replace" | "append";
const placementFlags: Readonly<Record<Placement, number>> = {
  new: NLM_F_CREATE | NLM_F_EXCL,
  replace: NLM_F_CREATE | NLM_F_REPLACE,
  append: NLM_F_CREATE | NLM_F_APPEND,
};

/** Reads and changes links, addresses, routes and neighbours, synchronously. All throw a Fault with the kernel's errno. */
export class RtNetlink {
  readonly #client: NetlinkClient;

  constructor(port: NetlinkPort) {
    this.#client = new NetlinkClient(port);
  }

  links(): Link[] {
    return values(this.#client.dump("list links", RTM_GETLINK, linkHeader(0, 0, 0, 0)), "link");
  }

  addresses(): InterfaceAddress[] {
    return values(this.#client.dump("list addresses", RTM_GETADDR, new Uint8Array(8)), "address");
  }

  /** The main and the local table, or others. */
  routes(tables: readonly number[] = [RT_TABLE_MAIN, RT_TABLE_LOCAL]): Route[] {
    const all = values(this.#client.dump("list routes", RTM_GETROUTE, new Uint8Array(12)), "route");
    return all.filter((route) => tables.includes(route.table));
  }

  neighbours(): Neighbour[] {
    return values(this.#client.dump("list neighbours", RTM_GETNEIGH, new Uint8Array(12)), "neighbour");
  }

  changeLink(ifindex: number, change: LinkChange): void {
    this.#client.request(`change link ${ifindex}`, RTM_NEWLINK, 0, emitLinkChange(ifindex, change));
  }

  addAddress(address: InterfaceAddress, placement: Placement = "new"): void {
    this.#client.request(`add address ${at(address)}`, RTM_NEWADDR, placementFlags[placement], emitAddress(address));
  }

  /** EADDRNOTAVAIL: it is not there. */
  deleteAddress(address: InterfaceAddress): void {
    this.#client.request(`delete address ${at(address)}`, RTM_DELADDR, 0, emitAddress(address));
  }

  addRoute(route: Route, placement: Placement = "new"): void {
    this.#client.request(`add route ${to(route)}`, RTM_NEWROUTE, placementFlags[placement], emitRoute(route));
  }

  /** ESRCH: it is not there. */
  deleteRoute(route: Route): void {
    this.#client.request(`delete route ${to(route)}`, RTM_DELROUTE, 0, emitRoute(route));
  }

  /** Fixes the Ethernet address of a neighbour for good. */
  setNeighbour(ifindex: number, address: Ip, mac: Mac): void {
    this.#neighbour(`set neighbour ${address}`, neighbour(ifindex, address, { mac, state: NUD_PERMANENT }));
  }

  /**
   * Has the kernel find out the Ethernet address (ARP, neighbour discovery), or confirm the one it has if that is stale.
   * `managed` has the kernel keep it so from now on; kernels before 5.16 ignore that word and resolve it this once. Must
   * not be used on a permanent entry, which would cease to be one.
   */
  resolveNeighbour(ifindex: number, address: Ip, { managed }: { readonly managed: boolean }): void {
    this.#neighbour(`resolve neighbour ${address}`, neighbour(ifindex, address, { state: NUD_NONE, flags: NTF_USE, managed }));
  }

  /**
   * Asks a neighbour whose Ethernet address is known whether it is still there, at once: it stays usable until it has not
   * answered three times (3 s). It is not managed any more after that. EINVAL: its Ethernet address is not known.
   */
  probeNeighbour(ifindex: number, address: Ip): void {
    this.#neighbour(`probe neighbour ${address}`, neighbour(ifindex, address, { state: NUD_PROBE }));
  }

  deleteNeighbour(ifindex: number, address: Ip): void {
    this.#client.request(`delete neighbour ${address}`, RTM_DELNEIGH, 0, emitNeighbour(neighbour(ifindex, address, {})));
  }

  #neighbour(op: string, value: Neighbour): void {
    this.#client.request(op, RTM_NEWNEIGH, placementFlags.replace, emitNeighbour(value));
  }
}

/** A plain address as `ip address add ADDRESS/LENGTH dev …` makes it, to be varied by spreading. */
export const plainAddress = (ifindex: number, address: Ip, prefixLength: number): InterfaceAddress => ({
  family: familyOf(address),
  ifindex,
  address,
  prefixLength,
  peer: undefined,
  broadcast: undefined,
  scope: RT_SCOPE_UNIVERSE,
  flags: 0,
  label: "",
  preferredSeconds: FOREVER,
  validSeconds: FOREVER,
});

/** A plain route of the main table, through a gateway or straight onto the link, to be varied by spreading. */
export const plainRoute = (prefix: Ip, prefixLength: number, ifindex: number, gateway?: Ip): Route => ({
  family: familyOf(prefix),
  table: RT_TABLE_MAIN,
  prefix: prefixLength === 0 ? anyOf(familyOf(prefix)) : prefix,
  prefixLength,
  tos: 0,
  protocol: RTPROT_STATIC,
  // IPv6 has no scopes.
  scope: gateway === undefined && familyOf(prefix) === "ipv4" ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
  type: RTN_UNICAST,
  metric: 0,
  prefSource: undefined,
  mtu: undefined,
  nextHops: [{ ifindex, gateway, flags: 0, weight: 1 }],
});

const neighbour = (ifindex: number, address: Ip, some: Partial<Neighbour>): Neighbour => ({
  family: familyOf(address),
  ifindex,
  address,
  mac: undefined,
  state: NUD_NONE,
  flags: 0,
  managed: false,
  ...some,
});

const at = (a: InterfaceAddress): string => `${a.address}/${a.prefixLength} on link ${a.ifindex}`;
const to = (r: Route): string => `${r.prefix}/${r.prefixLength}`;

type Value<K extends RtEvent["kind"]> = Extract<RtEvent, { kind: K }>["value"];
function values<K extends RtEvent["kind"]>(messages: readonly NetlinkMessage[], kind: K): Value<K>[] {
  return messages
    .map(parseRtEvent)
    .filter((event) => event?.kind === kind)
    .map((event) => event!.value as Value<K>);
}
