import { explain } from "../../fault.ts";
import { familyOf, type Ip } from "../../net/ip.ts";
import { closeFd } from "../../platform/process.ts";
import { openPacketSocket, send } from "../../platform/socket.ts";
import type { GarpGroup } from "../../vrrp/config.ts";
import type { Millis } from "../../vrrp/machine.ts";
import { emitArp, gratuitousArp } from "../../wire/arp.ts";
import { emitNeighbourAdvert, unsolicitedAdvert } from "../../wire/ndp.ts";
import type { Link } from "../../wire/rtnetlink-link.ts";

/** Tells the link where addresses are: gratuitous ARP and unsolicited neighbour advertisements (spec 3.7). */

export interface Announcement {
  /** Whose; so that what waits can be dropped. */
  readonly owner: string;
  readonly link: Link;
  readonly address: Ip;
  readonly isReply: boolean;
  readonly isRouter: boolean;
}

export interface Announcer {
  /** Another pace from now on. */
  setPace(pace: Pace): void;
  announce(announcement: Announcement): void;
  /** What waits for its turn is not sent any more. */
  drop(owner: string): void;
  /** Sends what is due; when to be called again. */
  pump(now: Millis): Millis | undefined;
  close(): void;
}

export interface Pace {
  /** Between two of a kind on one interface; 0: none. */
  readonly garp: Millis;
  readonly gna: Millis;
  /** Interfaces that have a pace of their own, together. */
  readonly groups: readonly GarpGroup[];
}

export function openAnnouncer(first: Pace, log: (text: string) => void, namespace?: string): Announcer {
  const sockets = new Map<number, number>();
  const queues = new Map<string, { waiting: Announcement[]; next: Millis; gap: Millis }>();
  let pace = first;

  const socketOf = (ifindex: number): number => {
    const known = sockets.get(ifindex);
    if (known !== undefined) return known;
    const fd = openPacketSocket(ifindex, { protocol: 0, ...(namespace === undefined ? {} : { namespace }) });
    sockets.set(ifindex, fd);
    return fd;
  };
  const forget = (ifindex: number): void => {
    const fd = sockets.get(ifindex);
    if (fd === undefined) return;
    sockets.delete(ifindex);
    closeFd(fd);
  };
  const transmit = (a: Announcement): void => {
    try {
      send(socketOf(a.link.ifindex), frameOf(a));
    } catch (error) {
      log(`Error sending gratuitous ARP on ${a.link.name} for ${a.address}: ${explain(error)}`);
      forget(a.link.ifindex); // the interface may be another one of the same number by now
    }
  };
  return {
    setPace(next) {
      pace = next;
    },
    announce(a) {
      const isIpv4 = familyOf(a.address) === "ipv4";
      const group = pace.groups.find((g) => g.interfaces.includes(a.link.name));
      const own = group === undefined ? pace : { garp: group.garpInterval, gna: group.gnaInterval };
      const gap = isIpv4 ? own.garp : own.gna;
      if (gap === 0) return transmit(a);
      const key = `${group === undefined ? a.link.ifindex : group.interfaces.join(" ")} ${isIpv4}`;
      const queue = queues.get(key) ?? { waiting: [], next: 0, gap };
      queues.set(key, queue);
      queue.gap = gap;
      queue.waiting.push(a);
    },
    drop(owner) {
      for (const queue of queues.values()) queue.waiting = queue.waiting.filter((a) => a.owner !== owner);
    },
    pump(now) {
      let first: Millis | undefined;
      for (const queue of queues.values()) {
        if (queue.waiting.length > 0 && queue.next <= now) {
          transmit(queue.waiting.shift()!);
          queue.next = now + queue.gap;
        }
        if (queue.waiting.length > 0) first = Math.min(first ?? Number.POSITIVE_INFINITY, queue.next);
      }
      return first;
    },
    close() {
      for (const ifindex of [...sockets.keys()]) forget(ifindex);
    },
  };
}

function frameOf({ link, address, isReply, isRouter }: Announcement): Uint8Array {
  const mac = link.mac!;
  if (familyOf(address) === "ipv6") return emitNeighbourAdvert(unsolicitedAdvert(mac, address, isRouter));
  return emitArp(gratuitousArp(mac, address, isReply ? "reply" : "request"));
}
