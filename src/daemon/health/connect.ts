import { Socket } from "node:net";
import { Fault } from "../../fault.ts";
import type { Connection } from "../../health/config.ts";
import { anyOf, familyOf } from "../../net/ip.ts";
import { onceWritable } from "../../platform/epoll.ts";
import { closeFd } from "../../platform/process.ts";
import { ipAddress } from "../../platform/sockaddr.ts";
import {
  AF_INET,
  AF_INET6,
  bindSocket,
  connectSocket,
  getOption,
  interfaceIndex,
  openSocket,
  SO_BINDTODEVICE,
  SOCK_STREAM,
  SOL_SOCKET,
  setOption,
} from "../../platform/socket.ts";

/** Sockets with what Node does not offer: a mark and an interface. */

const SO_ERROR = 4;
const SO_MARK = 36;
const NONBLOCK = 0o4000;

/** Open, with its options, bound where that is asked for, and not connected. The caller closes it. */
export function openMarked(to: Connection, type: number, protocol = 0): number {
  const family = familyOf(to.ip);
  const fd = openSocket(family === "ipv4" ? AF_INET : AF_INET6, type, protocol);
  try {
    if (to.fwmark !== 0) setOption(fd, SOL_SOCKET, SO_MARK, to.fwmark);
    if (to.interface !== undefined) setOption(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${to.interface}\0`));
    if (to.fromIp !== undefined || to.fromPort !== undefined)
      bindSocket(fd, ipAddress(to.fromIp ?? anyOf(family), to.fromPort ?? 0));
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

export const addressOf = (to: Connection) =>
  ipAddress(to.ip, to.port, to.interface === undefined ? 0 : (interfaceIndex(to.interface) ?? 0));

/** A connected descriptor, which whoever gets it closes, or an error. Returns how to give it up before it is there. */
export function connectFd(to: Connection, done: (fd: number) => void, failed: (error: unknown) => void): () => void {
  const fd = openMarked(to, SOCK_STREAM | NONBLOCK);
  try {
    connectSocket(fd, addressOf(to));
    const giveUp = onceWritable(fd, () => {
      const errno = getOption(fd, SOL_SOCKET, SO_ERROR);
      if (errno === 0) return done(fd);
      closeFd(fd);
      failed(Fault.fromErrno("connect", errno, `${to.ip} port ${to.port}`));
    });
    return () => {
      if (giveUp()) closeFd(fd);
    };
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** A connected stream as Node's Socket, or an error. */
export const connectMarked = (to: Connection, done: (socket: Socket) => void, failed: (error: unknown) => void): (() => void) =>
  connectFd(to, (fd) => done(new Socket({ fd, readable: true, writable: true })), failed);
