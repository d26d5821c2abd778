import { explain, Fault } from "../../fault.ts";
import type { Ip } from "../../net/ip.ts";
import { NETLINK_ROUTE, openNetlink } from "../../platform/netlink.ts";
import { monotonicMs } from "../../platform/timer.ts";
import { parseMessages } from "../../wire/netlink.ts";
import {
  parseRtEvent,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_LINK,
  RTNLGRP_NEIGH,
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

const GROUPS = [RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE];
const TICK_MS = 1000;
/** The kernel speaks of a link before it is done with the link's routes. */
const ROUTES_SETTLE_MS = 20;

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
  let isLost = false;
  let turn: NodeJS.Immediate | undefined;
  let settling: NodeJS.Timeout | undefined;
  let ticking: NodeJS.Timeout | undefined;
  let isOpen = true;

  function reload(): void {
    hops.load({ links: kernel.links(), addresses: kernel.addresses(), routes: kernel.routes(), neighbours: kernel.neighbours() });
    isLost = false;
  }

  /** At the end of a turn of the event loop in which something was heard. */
  function settle(): void {
    turn = undefined;
    if (!isOpen) return;
    if (isLost) retrying("read anew", reload);
    if (isLost) startTicking();
    if (hops.doubtful) settling ??= setTimeout(rereadRoutes, ROUTES_SETTLE_MS);
    tell();
  }

  function rereadRoutes(): void {
    settling = undefined;
    if (!isOpen) return;
    retrying("read routes", () => hops.replaceRoutes(kernel.routes()));
    if (hops.doubtful) startTicking();
    tell();
  }

  function tell(): void {
    if (hops.generation === known) return;
    known = hops.generation;
    ask();
    onChange();
  }

  function ask(): void {
    for (const each of keeper.due(hops, monotonicMs())) tryAsk(each);
  }

  function tryAsk({ ifindex, address, managed }: Ask): void {
    try {
      kernel.resolveNeighbour(ifindex, address, { managed });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      log.debug("cannot resolve neighbour", { address, ifindex, reason: explain(error) }); // asked again in a second
    }
  }

  /** What is refused now is tried again by the next tick. */
  function retrying(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      log.warn("cannot follow the network", { what, reason: explain(error) });
    }
  }

  function startTicking(): void {
    ticking ??= setInterval(tick, TICK_MS);
  }

  function tick(): void {
    ask();
    if (isLost) settle();
    else if (hops.doubtful && settling === undefined) rereadRoutes();
    if (keeper.isBusy || isLost || hops.doubtful) return;
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
    clearTimeout(settling);
    clearInterval(ticking);
    events.close();
    questions.close();
  }

  try {
    reload();
  } catch (error) {
    close();
    throw error;
  }
  known = hops.generation;
  events.watch({
    onDatagram(bytes) {
      for (const message of parseMessages(bytes)) {
        const event = parseRtEvent(message);
        if (event !== undefined) hops.apply(event);
      }
      if (hops.generation !== known || hops.doubtful) soon();
    },
    onOverrun() {
      log.warn("lost events of the network", { remedy: "read anew" });
      isLost = true;
      soon();
    },
  });

  return {
    hops,
    want(addresses) {
      keeper.want(addresses);
      ask();
      if (keeper.isBusy) startTicking();
    },
    close,
  };
}
