import { type NetlinkMessage, NLM_F_APPEND, NLM_F_REPLACE } from "./netlink.ts";
import { type InterfaceAddress, parseAddress } from "./rtnetlink-address.ts";
import { type Link, parseLink } from "./rtnetlink-link.ts";
import { type Neighbour, parseNeighbour } from "./rtnetlink-neighbour.ts";
import { parseRoute, type Route } from "./rtnetlink-route.ts";

/** What the kernel tells about links, addresses, routes and neighbours (rtnetlink(7)), as one kind of value. */

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;
/** Next hops as objects of their own, which routes refer to (RTM_NEWNEXTHOP, RTM_DELNEXTHOP); routes are told with them resolved. */
export const isNextHopObject = ({ type }: NetlinkMessage): boolean => type === 104 || type === 105;

/** Multicast groups of NETLINK_ROUTE. */
export const RTNLGRP_LINK = 1;
export const RTNLGRP_NEIGH = 3;
export const RTNLGRP_IPV4_IFADDR = 5;
export const RTNLGRP_IPV4_ROUTE = 7;
export const RTNLGRP_IPV6_IFADDR = 9;
export const RTNLGRP_IPV6_ROUTE = 11;
export const RTNLGRP_NEXTHOP = 32;

/** A thing that is there (new or changed), or that is gone. */
export type RtEvent =
  | { readonly kind: "link"; readonly gone: boolean; readonly value: Link }
  | { readonly kind: "address"; readonly gone: boolean; readonly value: InterfaceAddress }
  | { readonly kind: "neighbour"; readonly gone: boolean; readonly value: Neighbour }
  | {
      readonly kind: "route";
      readonly gone: boolean;
      readonly value: Route;
      /** Where it goes among the routes of the same prefix, table, TOS and metric. */
      readonly placement: "first" | "last" | "instead";
    };

/** undefined: not about one of the four, of another address family, or malformed. */
export function parseRtEvent(message: NetlinkMessage): RtEvent | undefined {
  const { type, payload } = message;
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return event("link", type === RTM_DELLINK, parseLink(payload));
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return event("address", type === RTM_DELADDR, parseAddress(payload));
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return event("neighbour", type === RTM_DELNEIGH, parseNeighbour(payload));
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const value = parseRoute(payload);
      return value && { kind: "route", gone: type === RTM_DELROUTE, value, placement: placementOf(message.flags) };
    }
    default:
      return undefined;
  }
}

const placementOf = (flags: number) =>
  (flags & NLM_F_REPLACE) !== 0 ? "instead" : (flags & NLM_F_APPEND) !== 0 ? "last" : "first";

type Plain = Exclude<RtEvent, { kind: "route" }>;
const event = <K extends Plain["kind"]>(kind: K, gone: boolean, value: (Plain & { kind: K })["value"] | undefined) =>
  value === undefined ? undefined : ({ kind, gone, value } as Plain);
