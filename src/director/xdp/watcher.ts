import { explain, Fault } from "../../fault.ts";
import type { Ip } from "../../net/ip.ts";
import { NETLINK_ROUTE, type NetlinkHandlers, openNetlink } from "../../platform/netlink.ts";
import { monotonicMs } from "../../platform/timer.ts";
import { parseMessages } from "../../wire/netlink.ts";
import {
  isNextHopObject,
  parseRtEvent,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_LINK,
  RTNLGRP_NEIGH,
  RTNLGRP_NEXTHOP,
} from "../../wire/rtnetlink.ts";
import { RtNetlink } from "../../wire/rtnetlink-client.ts";
import { Hops } from "./hops.ts";
import { type Ask, Keeper } from "./keeper.ts";
import type { Log } from "./types.ts";

/** Keeps Hops as the kernel has them, and the next hops of wanted addresses resolved. */

export interface HopWatcher {
  readonly hops: Hops;
  /** Keep the way to these resolved, instead of those wanted before. Asks the kernel at once for what is missing. */
  want(addresses: Iterable<Ip>): void;
  /** Neighbours that are managed stay so, for forwarding goes on; `want([])` before it gives them back. May be called twice. */
  close(): void;
}

export interface WatchOptions {
  /** The path of a network namespace; this thread's if absent. */
  readonly namespace?: string;
  /** Answers of `hops` may have changed. Once for all events that came in one turn of the event loop. */
  onChange(): void;
  readonly log: Log;
  /** Bytes for events that wait to be read. */
  readonly receiveRoom?: number;
}

const GROUPS = [
  RTNLGRP_LINK,
  RTNLGRP_NEIGH,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_NEXTHOP,
];
const TICK_MS = 1000;
/** Before reading again: the kernel speaks of a link before it is done with the link's routes. */
const SETTLE_MS = 20;
/** Of a great table that changes all the time, reading takes at most one part in so many of the time. */
const REST = 10;
/** After a refusal. */
const RETRY_MS = 1000;

/** Reads everything, so that `hops` can be asked at once. Throws a Fault where netlink is refused. */
export function watchHops({ namespace, onChange, log, receiveRoom }: WatchOptions): HopWatcher {
  const where = { protocol: NETLINK_ROUTE, ...(namespace === undefined ? {} : { namespace }) };
  // Listening begins before reading: what changes meanwhile is heard twice rather than never.
  const events = openNetlink({ ...where, groups: GROUPS, ...(receiveRoom === undefined ? {} : { receiveRoom }) });
  const questions = openNetlink(where);
  const kernel = new RtNetlink(questions);
  const hops = new Hops();
  const keeper = new Keeper();

  let known = -1; // the generation that onChange has been told of
  let isLost = false; // events, for want of room
  let routesHeard = 0;
  let restMs = SETTLE_MS; // before the next reading
  let turn: NodeJS.Immediate | undefined;
  let rereading: NodeJS.Timeout | undefined;
  let ticking: NodeJS.Timeout | undefined;
  let isOpen = true;

  const handlers: NetlinkHandlers = {
    onDatagram(bytes) {
      for (const message of parseMessages(bytes)) {
        const event = parseRtEvent(message);
        if (event !== undefined) hops.apply(event);
        if (isNextHopObject(message)) hops.doubt(); // with one that is deleted its routes go silently
        if (event?.kind === "route" || isNextHopObject(message)) routesHeard++;
      }
      if (hops.generation !== known || hops.doubtful) soon();
    },
    onOverrun() {
      if (!isLost) log.warn("lost events of the network", { remedy: "read anew" });
      isLost = true;
      soon();
    },
  };

  /**
   * What was said before the reading is heard first, so that it is not taken for news. What was said while reading may be in
   * what was read or not: then the routes, whose changes build on each other, are to be read once more.
   */
  function betweenEvents(read: () => void): void {
    events.drain(handlers);
    const heard = routesHeard;
    read();
    events.drain(handlers);
    if (routesHeard === heard) return;
    hops.doubt();
    soon();
  }

  function reload(): void {
    hops.load({ links: kernel.links(), addresses: kernel.addresses(), routes: kernel.routes(), neighbours: kernel.neighbours() });
    isLost = false;
  }

  /** At the end of a turn of the event loop in which something was heard. */
  function settle(): void {
    turn = undefined;
    if (!isOpen) return;
    if (isLost || hops.doubtful) rereading ??= setTimeout(reread, restMs);
    tell();
  }

  function reread(): void {
    rereading = undefined;
    if (!isOpen) return;
    const start = monotonicMs();
    try {
      betweenEvents(isLost ? reload : () => hops.replaceRoutes(kernel.routes()));
      restMs = Math.max(SETTLE_MS, REST * (monotonicMs() - start));
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      log.warn("cannot follow the network", { reason: explain(error) });
      restMs = RETRY_MS;
    }
    if (isLost || hops.doubtful) soon();
    tell();
  }

  function tell(): void {
    if (hops.generation === known) return;
    known = hops.generation;
    askAll();
    onChange();
  }

  function askAll(): void {
    for (const each of keeper.due(hops, monotonicMs())) tryAsk(each);
  }

  function tryAsk({ ask, ifindex, address }: Ask): void {
    try {
      if (ask === "probe") kernel.probeNeighbour(ifindex, address);
      kernel.resolveNeighbour(ifindex, address, { managed: ask !== "release" });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      log.debug("cannot ask for neighbour", { ask, address, ifindex, reason: explain(error) }); // asked again in time
    }
  }

  function tick(): void {
    askAll();
    if (keeper.isBusy) return;
    clearInterval(ticking);
    ticking = undefined;
  }

  function soon(): void {
    turn ??= setImmediate(settle);
  }

  function close(): void {
    if (!isOpen) return;
    isOpen = false;
    clearImmediate(turn);
    clearTimeout(rereading);
    clearInterval(ticking);
    events.close();
    questions.close();
  }

  try {
    betweenEvents(reload);
  } catch (error) {
    close();
    throw error;
  }
  known = hops.generation;
  events.watch(handlers);

  return {
    hops,
    want(addresses) {
      keeper.want(addresses);
      askAll();
      if (keeper.isBusy) ticking ??= setInterval(tick, TICK_MS);
    },
    close,
  };
}
