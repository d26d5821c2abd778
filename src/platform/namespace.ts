import { closeSync, openSync, statSync } from "node:fs";
import { Fault } from "../fault.ts";
import { check, libc, struct } from "./koffi.ts";
import { closeFd } from "./process.ts";

/** Network namespaces. A namespace is of a thread: other threads (workers, libuv's pool) stay where they are. */

const CLONE_NEWNET = 0x4000_0000;
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const SOL_SOCKET = 1;
const SO_NETNS_COOKIE = 71;
const THIS_THREAD = "/proc/thread-self/ns/net";

const c = {
  setns: libc<(fd: number, kind: number) => number>("int setns(int fd, int kind)"),
  socket: libc<(family: number, type: number, protocol: number) => number>("int socket(int family, int type, int protocol)"),
  getsockopt: libc<(fd: number, level: number, name: number, value: Uint8Array, size: Uint32Array) => number>(
    "int getsockopt(int fd, int level, int name, void *value, void *size)",
  ),
};

/** Where `ip netns add NAME` puts a namespace. */
export const netnsPath = (name: string): string => `/run/netns/${name}`;

/** The inode that tells network namespaces of a machine apart while they live: of this thread's, or of a path's. */
export const netnsInode = (path: string = THIS_THREAD): number => statSync(path).ino;

/** A number that no two network namespaces of one boot share, even after they are gone (kernel 5.14). */
export function netnsCookie(): bigint {
  const fd = check("socket", c.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0), "for SO_NETNS_COOKIE");
  try {
    const cookie = struct(8);
    const got = c.getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie.bytes, new Uint32Array([8]));
    check("getsockopt", got, "SO_NETNS_COOKIE");
    return cookie.view.getBigUint64(0, true);
  } finally {
    closeFd(fd);
  }
}

/** Moves the calling thread into the network namespace of a descriptor. */
export function enterNamespace(fd: number): void {
  check("setns", c.setns(fd, CLONE_NEWNET), `descriptor ${fd}`);
}

/**
 * Runs `fn` inside the network namespace of a path (/run/netns/NAME, /proc/PID/ns/net) and comes back, also when it throws.
 * `fn` must do its work before it returns: sockets made by system call and child processes started in it belong to that
 * namespace; what Node defers (net.listen, dgram.bind) does not.
 */
export function inNamespace<T>(path: string, fn: () => T): T {
  const there = openNamespace(path);
  try {
    const home = openNamespace(THIS_THREAD);
    try {
      enterNamespace(there);
      try {
        return fn();
      } finally {
        enterNamespace(home);
      }
    } finally {
      closeSync(home);
    }
  } finally {
    closeSync(there);
  }
}

function openNamespace(path: string): number {
  try {
    return openSync(path, "r");
  } catch (cause) {
    throw new Fault("open namespace", (cause as NodeJS.ErrnoException).code ?? "EIO", path, cause);
  }
}
