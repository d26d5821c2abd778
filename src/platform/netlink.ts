import { errnoName, Fault } from "../fault.ts";
import { type Watch, watchFd } from "./poll.ts";
import { closeFd } from "./process.ts";
import { netlinkAddress } from "./sockaddr.ts";
import {
  AF_NETLINK,
  bindSocket,
  localAddress,
  openSocket,
  receiveFrom,
  SOCK_RAW,
  send,
  setOption,
  setReceiveRoom,
  setReceiveTimeout,
} from "./socket.ts";

/** Netlink sockets: datagrams to and from the kernel. What is in them is the business of src/wire. */

export const NETLINK_ROUTE = 0;
export const NETLINK_GENERIC = 16;

const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
/** The kernel had more to say than there was room for, and threw it away. */
const ENOBUFS = errnoName(105);

/** The kernel makes no greater datagrams but for dumps of links with hundreds of virtual functions. */
const DATAGRAM_BYTES = 256 * 1024;
const RECEIVE_ROOM = 8 * 1024 * 1024;
/** Answers are there when the question has been sent; only a wrong question is never answered. */
const ANSWER_TIMEOUT_MS = 5000;
/** How many datagrams are read before other events of the loop have their turn. */
const DATAGRAMS_PER_TURN = 64;

/** Shared by all sockets of the thread: what is received is copied out before anybody sees it. */
const buffer = new Uint8Array(DATAGRAM_BYTES);

export interface NetlinkOptions {
  /** NETLINK_ROUTE, NETLINK_GENERIC, … */
  readonly protocol: number;
  /** The path of a network namespace; this thread's if absent. */
  readonly namespace?: string;
  /** Multicast groups to listen to, by number. */
  readonly groups?: readonly number[];
  /** Bytes for what waits to be read. */
  readonly receiveRoom?: number;
}

export function openNetlink({ protocol, namespace, groups = [], receiveRoom = RECEIVE_ROOM }: NetlinkOptions): NetlinkSocket {
  const fd = openSocket(AF_NETLINK, SOCK_RAW, protocol, namespace);
  try {
    setOption(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
    setOption(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
    setReceiveRoom(fd, receiveRoom);
    setReceiveTimeout(fd, ANSWER_TIMEOUT_MS);
    bindSocket(fd, netlinkAddress());
    const socket = new NetlinkSocket(fd);
    for (const group of groups) socket.join(group);
    return socket;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

export interface NetlinkHandlers {
  onDatagram(bytes: Uint8Array): void;
  /** Some datagrams were lost: what they told must be asked for anew. */
  onOverrun(): void;
}

export class NetlinkSocket {
  readonly fd: number;
  #watch: Watch | undefined;
  #isUnref = false;
  #isOpen = true;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** The socket's port id, by which the kernel addresses its answers. */
  get port(): number {
    const address = localAddress(this.fd);
    return address.family === "netlink" ? address.port : 0;
  }

  /** Joins a multicast group; may be done while it is watched. */
  join(group: number): void {
    setOption(this.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
  }

  send(bytes: Uint8Array): void {
    if (!send(this.fd, bytes, netlinkAddress())) throw Fault.fromErrno("send", 11, "netlink");
  }

  /** The next datagram from the kernel. Waits for it up to five seconds, then throws a Fault (EAGAIN). Not for watched ones. */
  receive(): Uint8Array {
    const bytes = this.#read(true);
    if (bytes === undefined) throw Fault.fromErrno("receive", 11, "netlink");
    return bytes;
  }

  /** From now on hands over what comes, in order. Once per socket. */
  watch(handlers: NetlinkHandlers): void {
    this.#watch?.close();
    this.#watch = watchFd(this.fd, () => this.drain(handlers));
    if (this.#isUnref) this.#watch.unref();
  }

  /** Let the event loop end in spite of the watch. */
  unref(): void {
    this.#isUnref = true;
    this.#watch?.unref();
  }

  /** May be called twice. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#watch?.close();
    closeFd(this.fd);
  }

  /** Hands over what is there now, up to a limit, without waiting for the event loop. */
  drain(handlers: NetlinkHandlers): void {
    for (let left = DATAGRAMS_PER_TURN; left > 0 && this.#isOpen; left--) {
      try {
        const bytes = this.#read(false);
        if (bytes === undefined) return;
        handlers.onDatagram(bytes);
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== ENOBUFS) throw error;
        if (this.#watch !== undefined) this.watch(handlers); // libuv gives up on a descriptor that has had an error
        handlers.onOverrun();
      }
    }
  }

  /** A copy of the next datagram that is the kernel's own: others may write to a port as well. */
  #read(wait: boolean): Uint8Array | undefined {
    for (;;) {
      const got = receiveFrom(this.fd, buffer, { wait });
      if (got === undefined) return undefined;
      if (got.from.family !== "netlink" || got.from.port !== 0) continue;
      if (got.length > buffer.length) throw Fault.fromErrno("receive", 90, `a netlink datagram of ${got.length} bytes`);
      return buffer.slice(0, got.length);
    }
  }
}
