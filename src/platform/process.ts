import { readFileSync } from "node:fs";
import { Fault } from "../fault.ts";
import { check, errno, libc, struct, toNumber } from "./koffi.ts";

/** The process and its descriptors. */

const EAGAIN = 11;
const LOCK_EX = 2;
const LOCK_NB = 4;
const F_DUPFD_CLOEXEC = 1030;
const RLIMIT_MEMLOCK = 8;
const SC_PAGESIZE = 30;

const c = {
  close: libc<(fd: number) => number>("int close(int fd)"),
  flock: libc<(fd: number, operation: number) => number>("int flock(int fd, int operation)"),
  fcntl: libc<(fd: number, command: number, argument: number) => number>("int fcntl(int fd, int command, long argument)"),
  setrlimit: libc<(resource: number, limit: Uint8Array) => number>("int setrlimit(int resource, void *limit)"),
  sysconf: libc<(name: number) => number | bigint>("long sysconf(int name)"),
};

/** Closes any descriptor. Closing one that is not open is a Fault (EBADF): somebody's bookkeeping is wrong. */
export function closeFd(fd: number): void {
  check("close", c.close(fd), `descriptor ${fd}`);
}

/** Another descriptor for the same open thing, close-on-exec. */
export const dupFd = (fd: number): number => check("dup", c.fcntl(fd, F_DUPFD_CLOEXEC, 3), `descriptor ${fd}`);

/** Takes an exclusive lock that lasts until the descriptor is closed: false when somebody else has it (flock(2)). */
export function lockFile(fd: number): boolean {
  if (c.flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
  const code = errno();
  if (code === EAGAIN) return false;
  throw Fault.fromErrno("flock", code, `descriptor ${fd}`);
}

/**
 * Lifts the limit on locked memory, which kernels before 5.11 charge BPF maps to. Newer ones do not care, so being refused
 * (EPERM) is answered with false.
 */
export function raiseMemlock(): boolean {
  const { bytes } = struct(16);
  bytes.fill(0xff); // RLIM_INFINITY, soft and hard
  return c.setrlimit(RLIMIT_MEMLOCK, bytes) === 0;
}

/** Bytes in a page of memory. */
export const pageSize: number = toNumber(c.sysconf(SC_PAGESIZE));

/** How many values a per-CPU map has for a key: the CPUs that this machine may ever have, not those online. */
export function possibleCpus(): number {
  return countCpus(readFileSync("/sys/devices/system/cpu/possible", "utf8"));
}

/** "0-3,8-11" is 8 CPUs; what counts for per-CPU maps is the highest, but the kernel numbers possible CPUs without holes. */
export function countCpus(list: string): number {
  return list
    .trim()
    .split(",")
    .map((range) => range.split("-").map(Number))
    .reduce((sum, [first = 0, last = first]) => sum + last - first + 1, 0);
}
