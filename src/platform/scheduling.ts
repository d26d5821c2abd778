import { readdirSync, readFileSync } from "node:fs";
import { Fault } from "../fault.ts";
import { cString, errno, libc, struct } from "./koffi.ts";

/**
 * What the kernel's scheduler is to know of this process. All of it goes for every thread that there is: V8 collects garbage
 * with helpers that the main thread waits for, and would wait long for one that has to queue with everybody else.
 */

const SCHED_OTHER = 0;
const SCHED_RR = 2;
/** What is started from here (scripts) begins as an ordinary process. */
const SCHED_RESET_ON_FORK = 0x4000_0000;
const PRIO_PROCESS = 0;
const MLOCK_ONFAULT = 1;
const RLIMIT_RTTIME = 15;
const PR_SET_NAME = 15;
const CPU_BYTES = 128;

const c = {
  scheduler: libc<(tid: number, policy: number, parameter: Uint8Array) => number>(
    "int sched_setscheduler(int tid, int policy, void *parameter)",
  ),
  affinity: libc<(tid: number, size: number, mask: Uint8Array) => number>(
    "int sched_setaffinity(int tid, size_t size, void *mask)",
  ),
  setpriority: libc<(which: number, who: number, nice: number) => number>("int setpriority(int which, uint32_t who, int nice)"),
  mlock2: libc<(at: bigint, length: bigint, flags: number) => number>("int mlock2(void *at, size_t length, unsigned int flags)"),
  munlockall: libc<() => number>("int munlockall()"),
  setrlimit: libc<(resource: number, limit: Uint8Array) => number>("int setrlimit(int resource, void *limit)"),
  prctl: libc<(option: number, name: Uint8Array, c: number, d: number, e: number) => number>(
    "int prctl(int option, void *name, long c, long d, long e)",
  ),
};

/** @param priority 1..99, SCHED_RR; 0: as everybody. Throws a Fault (EPERM without CAP_SYS_NICE). */
export function setRealTime(priority: number): void {
  const { bytes, view } = struct(4);
  view.setInt32(0, priority, true);
  const policy = (priority > 0 ? SCHED_RR : SCHED_OTHER) | SCHED_RESET_ON_FORK;
  forThreads(`real-time priority ${priority}`, (tid) => c.scheduler(tid, policy, bytes));
}

/** @param nice -20..19. Throws a Fault (EACCES for less than now without CAP_SYS_NICE). */
export function setNice(nice: number): void {
  forThreads(`nice ${nice}`, (tid) => c.setpriority(PRIO_PROCESS, tid, nice));
}

/** The CPUs that this process may run on. */
export function allowedCpus(): readonly number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
  return list.split(",").flatMap((range) => {
    const [from, to = from] = range.split("-").map(Number);
    return from === undefined || to === undefined ? [] : Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

/** Runs on these CPUs only. Throws a Fault (EINVAL when none of them is there). */
export function setAffinity(cpus: readonly number[]): void {
  const mask = new Uint8Array(CPU_BYTES);
  for (const cpu of cpus) mask[cpu >> 3]! |= 1 << (cpu & 7);
  forThreads(`CPUs ${cpus.join(" ")}`, (tid) => c.affinity(tid, mask.length, mask));
}

/**
 * The program, its libraries, the stack and malloc's heap stay in memory once they have been used. Not V8's own heap: V8 gives
 * pages back by MADV_DONTNEED, which the kernel refuses for locked ones, and V8 takes a refusal for a defect and aborts.
 * Throws a Fault (EPERM, ENOMEM).
 */
export function lockProgram(): void {
  for (const line of readFileSync("/proc/self/maps", "utf8").split("\n")) {
    const found = /^([0-9a-f]+)-([0-9a-f]+) r.*?(\/|\[heap\]|\[stack\])/.exec(line);
    if (found === null) continue;
    const [from, to] = [BigInt(`0x${found[1]}`), BigInt(`0x${found[2]}`)];
    if (c.mlock2(from, to - from, MLOCK_ONFAULT) !== 0) throw Fault.fromErrno("mlock", errno(), "memory of the program");
  }
}

export const unlockMemory = (): void => void c.munlockall();

/**
 * How long a real-time thread may run without waiting, in microseconds: at the first SIGXCPU, at the second SIGKILL.
 * Throws a Fault.
 */
export function limitRealTime(warn: number, kill: number): void {
  const { bytes, view } = struct(16);
  view.setBigUint64(0, BigInt(warn), true);
  view.setBigUint64(8, BigInt(kill), true);
  if (c.setrlimit(RLIMIT_RTTIME, bytes) !== 0) throw Fault.fromErrno("setrlimit", errno(), `real-time ${warn} ${kill} us`);
}

/** What ps and top call the process, 15 bytes of it. */
export const nameProcess = (name: string): void => void c.prctl(PR_SET_NAME, cString(name.slice(0, 15)), 0, 0, 0);

/** Threads of this process. */
const threads = (): number[] => readdirSync("/proc/self/task").map(Number);

/** A thread that has ended meanwhile needs nothing. */
function forThreads(what: string, set: (tid: number) => number): void {
  for (const tid of threads()) {
    if (set(tid) === 0) continue;
    const code = errno();
    if (code !== ESRCH) throw Fault.fromErrno("schedule", code, what);
  }
}
const ESRCH = 3;
