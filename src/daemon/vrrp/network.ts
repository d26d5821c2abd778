import { explain, Fault } from "../../fault.ts";
import { NETLINK_ROUTE, type NetlinkSocket, openNetlink } from "../../platform/netlink.ts";
import type { Change, Held } from "../../vrrp/addresses.ts";
import { NLM_F_CREATE, NLM_F_EXCL, parseMessages } from "../../wire/netlink.ts";
import { NetlinkClient } from "../../wire/netlink-client.ts";
import {
  parseRtEvent,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_LINK,
} from "../../wire/rtnetlink.ts";
import { RtNetlink } from "../../wire/rtnetlink-client.ts";
import { IFF_NOARP, IFF_UP, type Link } from "../../wire/rtnetlink-link.ts";
import {
  emitRule,
  parseRule,
  type RoutingRule,
  RTM_DELRULE,
  RTM_GETRULE,
  RTM_NEWRULE,
  RTNLGRP_IPV4_RULE,
  RTNLGRP_IPV6_RULE,
  ruleQuery,
} from "../../wire/rtnetlink-rule.ts";

/** The kernel's links, addresses, routes and rules: as they are, changes of them, and changing them. */

export const IFF_RUNNING = 0x40;
const ROUTE_GROUPS = [RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE];
const ADDRESS_GROUPS = [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR];
/** There, or gone, already: somebody was faster, and the outcome is what was wanted. */
const DONE = new Set(["EEXIST", "EADDRNOTAVAIL", "ESRCH", "ENOENT", "ENODEV"]);

export const isUp = (link: Link): boolean => (link.flags & IFF_UP) !== 0 && (link.flags & IFF_RUNNING) !== 0;
export const hasArp = (link: Link): boolean => (link.flags & IFF_NOARP) === 0 && link.mac !== undefined;

export interface Network {
  /** As of the last read. */
  links(): readonly Link[];
  /** Asked of the kernel now: addresses, routes of the tables named, and rules if they are watched. */
  held(tables: readonly number[]): Held;
  apply(change: Change): void;
  /** Links are read again now. */
  refresh(): void;
  /** From now on routes and rules are of interest too. */
  watchRoutes(): void;
  changeLink: RtNetlink["changeLink"];
  /** For what this has no words for. */
  readonly client: NetlinkClient;
  close(): void;
}

export interface NetworkOptions {
  readonly namespace?: string;
  /** Bytes for what waits to be read. */
  readonly room?: { readonly commands: number | undefined; readonly events: number | undefined };
  /** Something may have changed: links, addresses, routes or rules. */
  onChange(): void;
  log(text: string): void;
}

export function openNetwork({ namespace, room, onChange, log }: NetworkOptions): Network {
  const place = namespace === undefined ? {} : { namespace };
  const roomOf = (bytes: number | undefined) => (bytes === undefined ? {} : { receiveRoom: bytes });
  const port = openNetlink({ protocol: NETLINK_ROUTE, ...place, ...roomOf(room?.commands) });
  const ears = openNetlink({ protocol: NETLINK_ROUTE, groups: ADDRESS_GROUPS, ...place, ...roomOf(room?.events) });
  let routes = false;
  const client = new NetlinkClient(port);
  const kernel = new RtNetlink(port);
  let links = kernel.links();
  const refresh = (): void => {
    links = kernel.links();
  };
  watch(ears, {
    onLink: refresh,
    onChange,
    onOverrun() {
      log("Netlink: Receive buffer overrun");
      refresh();
      onChange();
    },
  });
  return {
    links: () => links,
    refresh,
    watchRoutes() {
      if (!routes) for (const group of ROUTE_GROUPS) ears.join(group);
      routes = true;
    },
    held: (tables) => ({
      addresses: kernel.addresses(),
      routes: tables.length === 0 ? [] : kernel.routes(tables),
      rules: routes ? rulesOf(client) : [],
    }),
    apply(change) {
      try {
        applyChange(kernel, client, change);
      } catch (error) {
        if (!(error instanceof Fault) || !DONE.has(error.code)) log(`Netlink: ${explain(error)}`);
      }
    },
    changeLink: (ifindex, change) => kernel.changeLink(ifindex, change),
    client,
    close() {
      ears.close();
      port.close();
    },
  };
}

interface Ears {
  onLink(): void;
  onChange(): void;
  onOverrun(): void;
}

function watch(ears: NetlinkSocket, { onLink, onChange, onOverrun }: Ears): void {
  ears.watch({
    onDatagram(bytes) {
      const messages = parseMessages(bytes);
      if (messages.some((m) => parseRtEvent(m)?.kind === "link")) onLink();
      onChange();
    },
    onOverrun,
  });
}

function rulesOf(client: NetlinkClient): RoutingRule[] {
  const families = ["ipv4", "ipv6"] as const;
  const messages = families.flatMap((family) => client.dump("list rules", RTM_GETRULE, ruleQuery(family)));
  return messages.flatMap((m) => (m.type === RTM_NEWRULE ? (parseRule(m.payload) ?? []) : []));
}

function applyChange(kernel: RtNetlink, client: NetlinkClient, { op, kind, value }: Change): void {
  if (kind === "address" && op === "add") kernel.addAddress(value);
  else if (kind === "address") kernel.deleteAddress(value);
  else if (kind === "route" && op === "add") kernel.addRoute(value, "append");
  else if (kind === "route") kernel.deleteRoute(value);
  else {
    const [type, flags] = op === "add" ? [RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL] : [RTM_DELRULE, 0];
    client.request(`${op} rule ${value.preference}`, type, flags, emitRule(value));
  }
}
