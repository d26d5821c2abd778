import { check, libc, struct } from "./koffi.ts";
import { type Watch, watchFd } from "./poll.ts";

/** Waits for thousands of descriptors at the price of one watch of the event loop (epoll(7)). */

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLLOUT = 4;
const EPOLLONESHOT = 1 << 30;
/** struct epoll_event is packed on x86-64 only. */
const DATA = process.arch === "x64" ? 4 : 8;
const EVENT = DATA + 8; // bytes
/** Events fetched at once. */
const ROOM = 256;

const c = {
  epoll_create1: libc<(flags: number) => number>("int epoll_create1(int flags)"),
  epoll_ctl: libc<(fd: number, op: number, of: number, event: Uint8Array) => number>(
    "int epoll_ctl(int fd, int op, int of, void *event)",
  ),
  epoll_wait: libc<(fd: number, events: Uint8Array, room: number, timeout: number) => number>(
    "int epoll_wait(int fd, void *events, int room, int timeout)",
  ),
};

interface Waiter {
  readonly serial: number;
  readonly ready: () => void;
}

const waiters = new Map<number, Waiter>();
const asked = struct(EVENT);
const events = struct(EVENT * ROOM);
let serial = 0;
let epoll: { readonly fd: number; readonly watch: Watch } | undefined;

/**
 * Calls back once, when the descriptor can be written or has failed; one wait for each life of a descriptor. The returned
 * function gives it up, which must come before the descriptor is closed, and says whether it was still waited for.
 */
export function onceWritable(fd: number, ready: () => void): () => boolean {
  serial = (serial + 1) >>> 0;
  const waiter = { serial, ready };
  asked.view.setUint32(0, EPOLLOUT | EPOLLONESHOT, true);
  asked.view.setUint32(DATA, fd, true);
  asked.view.setUint32(DATA + 4, serial, true);
  epoll ??= open();
  check("epoll_ctl", c.epoll_ctl(epoll.fd, EPOLL_CTL_ADD, fd, asked.bytes), `descriptor ${fd}`);
  waiters.set(fd, waiter);
  return () => waiters.get(fd) === waiter && waiters.delete(fd); // closing the descriptor takes it out of the epoll
}

/** It never keeps the process alive by itself: whoever waits has a timeout. */
function open(): { fd: number; watch: Watch } {
  const fd = check("epoll_create1", c.epoll_create1(EPOLL_CLOEXEC), "");
  const watch = watchFd(fd, () => hear(fd));
  watch.unref();
  return { fd, watch };
}

function hear(fd: number): void {
  const count = c.epoll_wait(fd, events.bytes, ROOM, 0);
  const ready: (() => void)[] = [];
  for (let i = 0; i < count; i++) {
    const at = i * EVENT + DATA;
    const of = events.view.getUint32(at, true);
    const waiter = waiters.get(of);
    if (waiter?.serial !== events.view.getUint32(at + 4, true)) continue; // of one that was closed before
    ready.push(() => {
      if (waiters.get(of) !== waiter) return; // given up by one that was called before it
      waiters.delete(of);
      waiter.ready();
    });
  }
  for (const call of ready) call();
}
