import { explain } from "../../fault.ts";
import { type Family, type Ip, ipBytes, ipFromBytes } from "../../net/ip.ts";
import { messageReader } from "../../platform/message.ts";
import { type Watch, watchFd } from "../../platform/poll.ts";
import { closeFd } from "../../platform/process.ts";
import { ipAddress, toSocketAddress } from "../../platform/sockaddr.ts";
import {
  AF_INET,
  AF_INET6,
  bindSocket,
  openSocket,
  receive,
  SO_BINDTODEVICE,
  SOCK_RAW,
  SOL_SOCKET,
  send,
  setOption,
  setReceiveRoom,
} from "../../platform/socket.ts";
import type { Heard } from "../../vrrp/accept.ts";
import { PROTOCOL } from "../../wire/ipv4.ts";
import { IPPROTO_VRRP, vridOf } from "../../wire/vrrp.ts";
import { openVrrpIpv4 } from "../../wire/vrrp-packet.ts";

/** Raw sockets (spec 3.1): one per instance to send, and shared ones to receive. */

const SOL_IP = 0;
const IP_HDRINCL = 3;
const IP_MULTICAST_IF = 32;
const IP_MULTICAST_LOOP = 34;
const IP_ADD_MEMBERSHIP = 35;
const SOL_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_MULTICAST_IF = 17;
const IPV6_MULTICAST_HOPS = 18;
const IPV6_MULTICAST_LOOP = 19;
const IPV6_JOIN_GROUP = 20;
const IPV6_RECVPKTINFO = 49;
const IPV6_PKTINFO = 50;
const IPV6_RECVHOPLIMIT = 51;
const IPV6_HOPLIMIT = 52;
const IPV6_TCLASS = 67;
const SO_PRIORITY = 12;
/** Internetwork control: RFC 791's TOS, and TC_PRIO_CONTROL for the queues of the host. */
const CONTROL_CLASS = 0xc0;
const CONTROL_PRIORITY = 7;
/** More than the longest advert: 255 IPv6 addresses. */
const PACKET_BYTES = 4608;
/** How many packets are read before other events of the loop have their turn. */
const PACKETS_PER_TURN = 256;
const EADDRINUSE = "EADDRINUSE";

export interface Link {
  readonly name: string;
  readonly ifindex: number;
}

export interface Sender {
  /** Its descriptor, for dumps. */
  readonly fd?: number;
  /** IPv4: whole packets. Throws a Fault. */
  send(packet: Uint8Array, to: Ip): void;
  close(): void;
}

/** Sends the packets of one instance. @param namespace a path; the thread's own if absent */
export function openSender(
  { family, link, source, ttl }: { family: Family; link: Link | undefined; source: Ip; ttl: number },
  namespace?: string,
): Sender {
  const fd = openSocket(family === "ipv4" ? AF_INET : AF_INET6, SOCK_RAW, IPPROTO_VRRP, namespace);
  const scope = family === "ipv6" && isLinkLocal(source) ? (link?.ifindex ?? 0) : 0;
  try {
    setOption(fd, SOL_SOCKET, SO_PRIORITY, CONTROL_PRIORITY);
    if (link !== undefined) bindToDevice(fd, link.name);
    if (family === "ipv4") {
      setOption(fd, SOL_IP, IP_HDRINCL, 1);
      setOption(fd, SOL_IP, IP_MULTICAST_LOOP, 0);
      if (link !== undefined) setOption(fd, SOL_IP, IP_MULTICAST_IF, membership4(new Uint8Array(4), link.ifindex));
    } else {
      bindSocket(fd, ipAddress(source, 0, scope));
      setOption(fd, SOL_IPV6, IPV6_UNICAST_HOPS, ttl);
      setOption(fd, SOL_IPV6, IPV6_MULTICAST_HOPS, 255);
      setOption(fd, SOL_IPV6, IPV6_MULTICAST_LOOP, 0);
      setOption(fd, SOL_IPV6, IPV6_TCLASS, CONTROL_CLASS);
      if (link !== undefined) setOption(fd, SOL_IPV6, IPV6_MULTICAST_IF, link.ifindex);
    }
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  let open = true;
  /** As the kernel has them; a sender has few destinations and sends often. */
  const addresses = new Map<Ip, Uint8Array>();
  return {
    fd,
    // EAGAIN, no room just now: the next advert follows soon.
    send(packet, to) {
      let address = addresses.get(to);
      if (address === undefined) {
        address = toSocketAddress(ipAddress(to, 0, needsScope(to) ? (link?.ifindex ?? 0) : 0));
        addresses.set(to, address);
      }
      send(fd, packet, address);
    },
    close() {
      if (open) closeFd(fd);
      open = false;
    },
  };
}

export interface Receiver {
  /** Its descriptor, for dumps. */
  readonly fd?: number;
  /** Idempotent. Throws a Fault. */
  join(group: Ip): void;
  /** At least so many bytes for what waits. */
  makeRoom?(bytes: number): void;
  /** Hands over what is there without waiting for the event loop. */
  drain(): void;
  close(): void;
}

export interface Listen {
  readonly family: Family;
  /** undefined: of any interface. */
  readonly link: Link | undefined;
  /** IPv4: the authentication header in place of plain VRRP. */
  readonly ah: boolean;
}

/** Receives for all instances of one interface and family. */
export function openReceiver(
  { family, link, ah }: Listen,
  onPacket: (vrid: number, heard: Heard) => void,
  onTrouble: (text: string) => void,
  namespace?: string,
): Receiver {
  const fd = openSocket(family === "ipv4" ? AF_INET : AF_INET6, SOCK_RAW, ah ? PROTOCOL.ah : IPPROTO_VRRP, namespace);
  try {
    if (link !== undefined) bindToDevice(fd, link.name);
    if (family === "ipv6") {
      setOption(fd, SOL_IPV6, IPV6_RECVPKTINFO, 1);
      setOption(fd, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
    }
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  const read = family === "ipv4" ? reader4(fd) : reader6(fd);
  let watch: Watch | undefined;
  const drain = (): void => {
    try {
      for (let left = PACKETS_PER_TURN; left > 0 && watch !== undefined; left--) {
        const heard = read();
        if (heard === undefined) return;
        const vrid = heard === "foreign" ? undefined : vridOf(heard.message);
        if (heard !== "foreign" && vrid !== undefined) onPacket(vrid, heard);
      }
    } catch (error) {
      onTrouble(explain(error)); // ENETDOWN and the like: the next read will do
    }
  };
  watch = watchFd(fd, drain);
  let room = 0;
  return {
    makeRoom(bytes) {
      if (bytes <= room) return; // shared: the one that wants most has its way
      setReceiveRoom(fd, bytes);
      room = bytes;
    },
    fd,
    drain,
    join(group) {
      try {
        if (family === "ipv4") setOption(fd, SOL_IP, IP_ADD_MEMBERSHIP, membership4(ipBytes(group), link?.ifindex ?? 0));
        else setOption(fd, SOL_IPV6, IPV6_JOIN_GROUP, membership6(group, link?.ifindex ?? 0));
      } catch (error) {
        if ((error as { code?: string }).code !== EADDRINUSE) throw error; // joined already
      }
    },
    close() {
      if (watch === undefined) return;
      watch.close();
      watch = undefined;
      closeFd(fd);
    },
  };
}

/** "foreign": nothing that could be VRRP. */
type Read = () => Heard | "foreign" | undefined;

function reader4(fd: number): Read {
  const buffer = new Uint8Array(PACKET_BYTES);
  return () => {
    const length = receive(fd, buffer);
    if (length === undefined) return undefined;
    const packet = buffer.slice(0, Math.min(length, buffer.length));
    const carried = openVrrpIpv4(packet);
    if (typeof carried === "string") return "foreign";
    return { from: carried.src, to: carried.dst, ttl: carried.ttl, message: carried.message, packet, ah: carried.ah };
  };
}

function reader6(fd: number): Read {
  const buffer = new Uint8Array(PACKET_BYTES);
  const reader = messageReader(fd, buffer);
  return () => {
    const got = reader.receive();
    if (got === undefined) return undefined;
    const of = (type: number): Uint8Array | undefined => got.controls.find((c) => c.level === SOL_IPV6 && c.type === type)?.data;
    const to = of(IPV6_PKTINFO);
    const hops = of(IPV6_HOPLIMIT);
    if (got.from.family !== "ip" || to === undefined || hops === undefined) return "foreign";
    const message = buffer.slice(0, Math.min(got.length, buffer.length));
    return { from: got.from.ip, to: ipFromBytes(to.slice(0, 16)), ttl: hops[0]!, message, packet: message, ah: undefined };
  };
}

const bindToDevice = (fd: number, name: string): void =>
  setOption(fd, SOL_SOCKET, SO_BINDTODEVICE, new TextEncoder().encode(`${name}\0`));

/** struct ip_mreqn: group, own address, interface. */
function membership4(group: Uint8Array, ifindex: number): Uint8Array {
  const bytes = new Uint8Array(12);
  bytes.set(group);
  new DataView(bytes.buffer).setInt32(8, ifindex, true);
  return bytes;
}

/** struct ipv6_mreq. */
function membership6(group: Ip, ifindex: number): Uint8Array {
  const bytes = new Uint8Array(20);
  bytes.set(ipBytes(group));
  new DataView(bytes.buffer).setInt32(16, ifindex, true);
  return bytes;
}

export const isLinkLocal = (ip: Ip): boolean => /^fe[89ab][0-9a-f]:/.test(ip);
const needsScope = (to: Ip): boolean => isLinkLocal(to) || /^ff[0-9a-f]2:/.test(to);
