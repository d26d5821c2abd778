import { Fault } from "../fault.ts";
import { check, errno, libc, struct } from "./koffi.ts";
import { watchFd } from "./poll.ts";
import { closeFd } from "./process.ts";

const CLOCK_MONOTONIC = 1;
const NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;
const TFD_TIMER_ABSTIME = 1;
const EAGAIN = 11;

const c = {
  create: libc<(clock: number, flags: number) => number>("int timerfd_create(int clock, int flags)"),
  settime: libc<(fd: number, flags: number, to: Uint8Array, old: null) => number>(
    "int timerfd_settime(int fd, int flags, void *to, void *old)",
  ),
  read: libc<(fd: number, to: Uint8Array, size: number) => number>("int64_t read(int fd, void *to, size_t size)"),
};

/** Milliseconds, with fractions, of the clock that timers run by (CLOCK_MONOTONIC). */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** A timerfd: wakes to the microsecond, where Node's own timers round up to the next millisecond. */
export interface Timer {
  /** At a time of monotonicMs(), at once when that is past. Replaces what was set before. */
  at(time: number): void;
  /** Every so many ms, first one such period from now. Replaces what was set before. */
  every(periodMs: number): void;
  /** Not at all. It may be set again. */
  stop(): void;
  close(): void;
}

/** `onTick` is told how many periods have passed since it was last called: more than 1 when the process was late. */
export function openTimer(onTick: (expirations: number) => void): Timer {
  const fd = check("timerfd_create", c.create(CLOCK_MONOTONIC, NONBLOCK_CLOEXEC), "CLOCK_MONOTONIC");
  const count = struct(8);
  const spec = struct(32); // itimerspec: period, then first, in seconds and nanoseconds
  let open = true;

  function set(flags: number, firstMs: number, periodMs: number): void {
    setTimespec(spec.view, 0, periodMs);
    setTimespec(spec.view, 16, firstMs);
    check("timerfd_settime", c.settime(fd, flags, spec.bytes, null), `${firstMs} ms, then every ${periodMs} ms`);
  }

  const watch = watchFd(fd, () => {
    if (c.read(fd, count.bytes, 8) === 8) onTick(Number(count.view.getBigUint64(0, true)));
    else if (errno() !== EAGAIN) throw Fault.fromErrno("read", errno(), "timerfd"); // EAGAIN: set anew meanwhile
  });

  return {
    at: (time) => set(TFD_TIMER_ABSTIME, Math.max(time, 1e-6), 0), // 0 would stop it
    every: (periodMs) => set(0, periodMs, periodMs),
    stop: () => set(0, 0, 0),
    close() {
      if (!open) return;
      open = false;
      watch.close();
      closeFd(fd);
    },
  };
}

function setTimespec(view: DataView, at: number, ms: number): void {
  const seconds = Math.floor(ms / 1000);
  // Halves of 64 bits, because bigints are garbage and this happens for every advert.
  view.setUint32(at, seconds % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(seconds / 2 ** 32), true);
  view.setUint32(at + 8, Math.min(999_999_999, Math.round((ms - seconds * 1000) * 1e6)), true);
  view.setUint32(at + 12, 0, true);
}
