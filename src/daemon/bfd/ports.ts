import type { SessionConfig } from "../../bfd/config.ts";
import type { Heard } from "../../bfd/receive.ts";
import { explain, Fault } from "../../fault.ts";
import { anyOf, type Family, familyOf, ipFromBytes } from "../../net/ip.ts";
import { type Message, messageReader } from "../../platform/message.ts";
import { type Watch, watchFd } from "../../platform/poll.ts";
import { closeFd } from "../../platform/process.ts";
import { ipAddress } from "../../platform/sockaddr.ts";
import {
  AF_INET,
  AF_INET6,
  bindSocket,
  openSocket,
  SOCK_DGRAM,
  SOL_SOCKET,
  send,
  setOption,
  setReceiveRoom,
} from "../../platform/socket.ts";
import { BFD_MULTIHOP_PORT, BFD_PORT, BFD_SOURCE_PORTS } from "../../wire/bfd.ts";

/** UDP sockets (RFC 5881 section 4): one per session to send, and one per family and port to receive. */

const SOL_IP = 0;
const IP_TOS = 1;
const IP_TTL = 2;
const IP_PKTINFO = 8;
const IP_RECVTTL = 12;
const SOL_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_V6ONLY = 26;
const IPV6_RECVPKTINFO = 49;
const IPV6_PKTINFO = 50;
const IPV6_RECVHOPLIMIT = 51;
const IPV6_HOPLIMIT = 52;
const IPV6_TCLASS = 67;
const SO_PRIORITY = 12;
/** Internetwork control, and TC_PRIO_CONTROL for the queues of the host. */
const CONTROL_CLASS = 0xc0;
const CONTROL_PRIORITY = 7;
/** More than the greatest length that a packet can say. */
const PACKET_BYTES = 256;
const RECEIVE_ROOM = 1 << 18;
/** How many packets are read before other events of the loop have their turn. */
const PACKETS_PER_TURN = 256;

export interface Sender {
  /** Throws a Fault. */
  send(packet: Uint8Array): void;
  close(): void;
}

export interface Receiver {
  /** Hands over what is there without waiting for the event loop. */
  drain(): void;
  close(): void;
}

export const portOf = ({ multihop }: Pick<SessionConfig, "multihop">): number => (multihop ? BFD_MULTIHOP_PORT : BFD_PORT);

/** @param port of the source; @param namespace a path, the thread's own if absent. Throws a Fault. */
function openSenderAt(c: SessionConfig, port: number, namespace?: string): Sender {
  const family = familyOf(c.neighbour);
  const fd = openSocket(family === "ipv4" ? AF_INET : AF_INET6, SOCK_DGRAM, 0, namespace);
  try {
    setOption(fd, SOL_SOCKET, SO_PRIORITY, CONTROL_PRIORITY);
    if (family === "ipv4") {
      setOption(fd, SOL_IP, IP_TTL, c.ttl);
      setOption(fd, SOL_IP, IP_TOS, CONTROL_CLASS);
    } else {
      setOption(fd, SOL_IPV6, IPV6_V6ONLY, 1);
      setOption(fd, SOL_IPV6, IPV6_UNICAST_HOPS, c.ttl);
      setOption(fd, SOL_IPV6, IPV6_TCLASS, CONTROL_CLASS);
    }
    bindSocket(fd, ipAddress(c.source ?? anyOf(family), port));
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  const to = ipAddress(c.neighbour, portOf(c));
  let isOpen = true;
  return {
    // EAGAIN, no room just now: the next packet follows soon.
    send: (packet) => void send(fd, packet, to),
    close() {
      if (isOpen) closeFd(fd);
      isOpen = false;
    },
  };
}

/** Ports that are tried before it is given up; the kernel's own clients use part of the range. */
const TRIES = 64;

/** Sends the packets of one session, all from one port. Throws a Fault. */
export function openSender(c: SessionConfig, namespace?: string): Sender {
  const { first, last } = BFD_SOURCE_PORTS;
  for (let left = TRIES; ; left--) {
    try {
      return openSenderAt(c, first + Math.floor(Math.random() * (last - first + 1)), namespace);
    } catch (error) {
      if (left <= 1 || !(error instanceof Fault) || error.code !== "EADDRINUSE") throw error;
    }
  }
}

export interface Listen {
  readonly family: Family;
  readonly multihop: boolean;
}

/** Receives for all sessions of one family. Throws a Fault: EADDRINUSE when another BFD is there. */
export function openReceiver(
  { family, multihop }: Listen,
  onPacket: (heard: Heard) => void,
  onTrouble: (text: string) => void,
  namespace?: string,
): Receiver {
  const fd = openSocket(family === "ipv4" ? AF_INET : AF_INET6, SOCK_DGRAM, 0, namespace);
  try {
    if (family === "ipv4") {
      setOption(fd, SOL_IP, IP_RECVTTL, 1);
      setOption(fd, SOL_IP, IP_PKTINFO, 1);
    } else {
      setOption(fd, SOL_IPV6, IPV6_V6ONLY, 1);
      setOption(fd, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
      setOption(fd, SOL_IPV6, IPV6_RECVPKTINFO, 1);
    }
    setReceiveRoom(fd, RECEIVE_ROOM);
    bindSocket(fd, ipAddress(anyOf(family), portOf({ multihop })));
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  const buffer = new Uint8Array(PACKET_BYTES);
  const reader = messageReader(fd, buffer);
  let watch: Watch | undefined;
  const drain = (): void => {
    try {
      for (let left = PACKETS_PER_TURN; left > 0 && watch !== undefined; left--) {
        const message = reader.receive();
        if (message === undefined) return;
        const heard = heardOf(message, buffer, multihop);
        if (heard !== undefined) onPacket(heard);
      }
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      onTrouble(explain(error)); // the next read will do
    }
  };
  watch = watchFd(fd, drain);
  return {
    drain,
    close() {
      if (watch === undefined) return;
      watch.close();
      watch = undefined;
      closeFd(fd);
    },
  };
}

function heardOf({ length, from, controls }: Message, buffer: Uint8Array, multihop: boolean): Heard | undefined {
  const of = (level: number, type: number): Uint8Array | undefined =>
    controls.find((c) => c.level === level && c.type === type)?.data;
  const info4 = of(SOL_IP, IP_PKTINFO); // interface, own address, address in the packet
  const to = info4 === undefined ? of(SOL_IPV6, IPV6_PKTINFO)?.slice(0, 16) : info4.slice(8, 12);
  if (from.family !== "ip" || to === undefined) return undefined;
  const ttl = (of(SOL_IP, IP_TTL) ?? of(SOL_IPV6, IPV6_HOPLIMIT))?.[0]; // the low byte of an int
  const bytes = buffer.slice(0, Math.min(length, buffer.length));
  return { from: from.ip, to: ipFromBytes(to), ttl, multihop, bytes };
}
