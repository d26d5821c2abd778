import { Fault } from "../fault.ts";
import { check, cString, errno, libc, struct, toNumber } from "./koffi.ts";
import { inNamespace } from "./namespace.ts";
import { closeFd } from "./process.ts";
import { fromSocketAddress, packetAddress, type SocketAddress, toSocketAddress } from "./sockaddr.ts";

/** Sockets of the kinds that Node does not offer, and sockets in another network namespace. Thin: one call each. */

export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const IPPROTO_RAW = 255;
/** Every protocol, for packet sockets. */
export const ETH_P_ALL = 3;

export const SOL_SOCKET = 1;
export const SO_BINDTODEVICE = 25;
const SO_RCVBUF = 8;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;

const SOCK_CLOEXEC = 0o2000000;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

const EINTR = 4;
const EAGAIN = 11;
/** sockaddr_storage. */
const ADDRESS_BYTES = 128;

type Sized = (fd: number, address: Uint8Array, length: number) => number;
type Option = (fd: number, level: number, name: number, value: Uint8Array, length: number) => number;
type Length = Uint32Array;
const c = {
  socket: libc<(domain: number, type: number, protocol: number) => number>("int socket(int domain, int type, int protocol)"),
  bind: libc<Sized>("int bind(int fd, void *address, uint32_t length)"),
  connect: libc<Sized>("int connect(int fd, void *address, uint32_t length)"),
  listen: libc<(fd: number, backlog: number) => number>("int listen(int fd, int backlog)"),
  getsockname: libc<(fd: number, address: Uint8Array, length: Length) => number>(
    "int getsockname(int fd, void *address, void *length)",
  ),
  setsockopt: libc<Option>("int setsockopt(int fd, int level, int name, void *value, uint32_t length)"),
  getsockopt: libc<(fd: number, level: number, name: number, value: Uint8Array, length: Length) => number>(
    "int getsockopt(int fd, int level, int name, void *value, void *length)",
  ),
  sendto: libc<
    (fd: number, bytes: Uint8Array, length: number, flags: number, to: Uint8Array | null, toLength: number) => number | bigint
  >("int64_t sendto(int fd, void *bytes, size_t length, int flags, void *to, uint32_t toLength)"),
  recvfrom: libc<
    (
      fd: number,
      bytes: Uint8Array,
      length: number,
      flags: number,
      from: Uint8Array | null,
      fromLength: Length | null,
    ) => number | bigint
  >("int64_t recvfrom(int fd, void *bytes, size_t length, int flags, void *from, void *fromLength)"),
  if_nametoindex: libc<(name: Uint8Array) => number>("uint32_t if_nametoindex(void *name)"),
};

/** A descriptor, close-on-exec, blocking. It belongs to the network namespace of `namespace` (a path), else to this thread's. */
export function openSocket(domain: number, type: number, protocol: number, namespace?: string): number {
  const make = () => check("socket", c.socket(domain, type | SOCK_CLOEXEC, protocol), `domain ${domain} type ${type}`);
  return namespace === undefined ? make() : inNamespace(namespace, make);
}

export function bindSocket(fd: number, address: SocketAddress): void {
  const bytes = toSocketAddress(address);
  check("bind", c.bind(fd, bytes, bytes.length), describe(address));
}

/** "pending": the socket does not wait and the connection is on its way; it is there, or failed, once writable. */
export function connectSocket(fd: number, address: SocketAddress): "connected" | "pending" {
  const bytes = toSocketAddress(address);
  if (c.connect(fd, bytes, bytes.length) === 0) return "connected";
  const code = errno();
  if (code === EINPROGRESS) return "pending";
  throw Fault.fromErrno("connect", code, describe(address));
}
const EINPROGRESS = 115;

export function listenSocket(fd: number, backlog: number): void {
  check("listen", c.listen(fd, backlog), `descriptor ${fd}`);
}

/** The address the socket itself has. */
export function localAddress(fd: number): SocketAddress {
  const bytes = new Uint8Array(ADDRESS_BYTES);
  const length = Uint32Array.of(ADDRESS_BYTES);
  check("getsockname", c.getsockname(fd, bytes, length), `descriptor ${fd}`);
  return fromSocketAddress(bytes.subarray(0, length[0]));
}

/** @param value a number is passed as an int */
export function setOption(fd: number, level: number, name: number, value: number | Uint8Array): void {
  const bytes = typeof value === "number" ? intBytes(value) : value;
  check("setsockopt", c.setsockopt(fd, level, name, bytes, bytes.length), `level ${level} option ${name}`);
}

export function getOption(fd: number, level: number, name: number): number {
  const { bytes, view } = struct(4);
  check("getsockopt", c.getsockopt(fd, level, name, bytes, Uint32Array.of(4)), `level ${level} option ${name}`);
  return view.getInt32(0, true);
}

export function getOptionBytes(fd: number, level: number, name: number, room: number): Uint8Array {
  const bytes = new Uint8Array(room);
  const length = Uint32Array.of(room);
  check("getsockopt", c.getsockopt(fd, level, name, bytes, length), `level ${level} option ${name}`);
  return bytes.subarray(0, length[0]);
}

/** As much room for what waits to be read as may be had: beyond net.core.rmem_max only for CAP_NET_ADMIN. */
export function setReceiveRoom(fd: number, bytes: number): void {
  const value = intBytes(bytes);
  if (c.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, value, 4) !== 0) setOption(fd, SOL_SOCKET, SO_RCVBUF, value);
}

/** How long a receive that waits will wait. */
export function setReceiveTimeout(fd: number, ms: number): void {
  const { bytes, view } = struct(16);
  view.setBigInt64(0, BigInt(Math.floor(ms / 1000)), true);
  view.setBigInt64(8, BigInt((ms % 1000) * 1000), true);
  setOption(fd, SOL_SOCKET, SO_RCVTIMEO, bytes);
}

/**
 * Sends without waiting: false when there is no room now (EAGAIN). Throws a Fault for all else.
 * @param to bytes: a socket address as toSocketAddress() makes it, for those that send often
 */
export function send(fd: number, bytes: Uint8Array, to?: SocketAddress | Uint8Array): boolean {
  const address = to === undefined ? null : to instanceof Uint8Array ? to : toSocketAddress(to);
  for (;;) {
    const sent = c.sendto(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address?.length ?? 0);
    if (toNumber(sent) >= 0) return true;
    const code = errno();
    if (code === EAGAIN) return false;
    if (code !== EINTR) throw Fault.fromErrno("send", code, to === undefined ? `${bytes.length} bytes` : describe(to));
  }
}

/**
 * Reads one datagram (or what there is of a stream) into a buffer. Returns its length, which is greater than the buffer's
 * when the end was cut off; undefined when there is none.
 * @param wait until one comes or the receive timeout of the socket is over
 */
export function receive(fd: number, into: Uint8Array, { wait = false } = {}): number | undefined {
  return receiveBytes(fd, into, wait, null, null);
}

/** As receive, and who sent it. */
export function receiveFrom(
  fd: number,
  into: Uint8Array,
  { wait = false } = {},
): { length: number; from: SocketAddress } | undefined {
  const address = new Uint8Array(ADDRESS_BYTES);
  const addressLength = Uint32Array.of(ADDRESS_BYTES);
  const length = receiveBytes(fd, into, wait, address, addressLength);
  return length === undefined ? undefined : { length, from: fromSocketAddress(address.subarray(0, addressLength[0])) };
}

function receiveBytes(fd: number, into: Uint8Array, wait: boolean, from: Uint8Array | null, fromLength: Length | null) {
  for (;;) {
    const flags = MSG_TRUNC | (wait ? 0 : MSG_DONTWAIT);
    const got = toNumber(c.recvfrom(fd, into, into.length, flags, from, fromLength));
    if (got >= 0) return got;
    const code = errno();
    if (code === EAGAIN) return undefined;
    if (code !== EINTR) throw Fault.fromErrno("receive", code, `descriptor ${fd}`);
  }
}

/** The number of an interface by its name; undefined when there is none. */
export function interfaceIndex(name: string, namespace?: string): number | undefined {
  const find = () => c.if_nametoindex(cString(name)) || undefined;
  return namespace === undefined ? find() : inNamespace(namespace, find);
}

/**
 * A packet socket (packet(7)) on one interface: whole Ethernet frames in both directions, also of what the host sends.
 * @param protocol an EtherType; 0: for sending only
 */
export function openPacketSocket(
  ifindex: number,
  { namespace, protocol = ETH_P_ALL }: { namespace?: string; protocol?: number } = {},
) {
  const fd = openSocket(AF_PACKET, SOCK_RAW, 0, namespace); // protocol 0: nothing is captured before the bind
  try {
    bindSocket(fd, packetAddress(ifindex, protocol));
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function intBytes(value: number): Uint8Array {
  const { bytes, view } = struct(4);
  view.setInt32(0, value, true);
  return bytes;
}

const describe = (to: SocketAddress | Uint8Array): string =>
  describeAddress(to instanceof Uint8Array ? fromSocketAddress(to) : to);

const describeAddress = (address: SocketAddress): string =>
  address.family === "ip" ? `${address.ip} port ${address.port}` : JSON.stringify(address);
