import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ctime, openLines } from "../lines.ts";
import { askForTime, periodOf, startWatchdog } from "../watchdog.ts";
import { takeWork } from "./background.ts";
import { runOnce } from "./once.ts";
import { phraseLog } from "./phrases.ts";
import { pidPath, takePidFile } from "./pid-file.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lvsd-parent-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const script = (...command: string[]) => ({ command, user: undefined, group: undefined });

test("a script that is waited for ends with its code, or by TERM and then KILL when its time is over", async () => {
  expect(await runOnce({ script: script("/bin/true"), timeout: 5000 })).toBe("exit 0");
  expect(await runOnce({ script: script("/bin/sh", "-c", "exit 3"), timeout: 5000 })).toBe("exit 3");
  expect(await runOnce({ script: script("/none"), timeout: 5000 })).toBe("ENOENT");
  expect(await runOnce({ script: script("/bin/sleep", "10"), timeout: 50 })).toBe("timed out");
  const stubborn = script("/bin/sh", "-c", `trap '' TERM; sleep 10 & echo $! >${folder}/pid; wait; wait`);
  expect(await runOnce({ script: stubborn, timeout: 200 }, 100)).toBe("timed out");
  const child = Number(readFileSync(join(folder, "pid"), "utf8"));
  await new Promise((done) => setTimeout(done, 100));
  const state = existsSync(`/proc/${child}/stat`) ? readFileSync(`/proc/${child}/stat`, "utf8").split(") ")[1]![0] : "gone";
  expect(["gone", "Z"]).toContain(state); // what it started is ended too
});

test("a keepalived that a script of one in the background calls goes to the background itself", () => {
  const env: NodeJS.ProcessEnv = { LVSD_BACKGROUND: "1", PATH: "/bin" };
  expect([takeWork(env), env, takeWork(env)]).toEqual([true, { PATH: "/bin" }, false]);
});

test("a pid file is held by one; one that nobody holds, or whose pid another program has, is taken over", () => {
  const path = join(folder, "sub/k.pid");
  const first = takePidFile(path, 123);
  expect(readFileSync(path, "utf8")).toBe("123\n");
  expect(takePidFile(path, 124)).toBeUndefined();
  first?.release();
  first?.release();
  expect(existsSync(path)).toBe(false);
  writeFileSync(path, `${process.ppid}\n`);
  const second = takePidFile(path, 125);
  expect(readFileSync(path, "utf8")).toBe("125\n");
  second?.release();
});

test("pid files are in /run, or in a folder of their own for an instance or a namespace", () => {
  expect(pidPath("parent", {})).toBe("/run/keepalived.pid");
  expect(pidPath("checkers", { usePidDir: true })).toBe("/run/keepalived/checkers.pid");
  expect(pidPath("vrrp", { instance: "a" })).toBe("/run/keepalived/vrrp_a.pid");
  expect(pidPath("bfd", { namespace: "blue", instance: "a" })).toBe("/run/keepalived/blue/bfd_a.pid");
});

test("events come out in keepalived's words, and others in lvsd's", () => {
  const lines: string[] = [];
  const log = phraseLog((line) => lines.push(line), 0);
  log.info("process started", { process: "vrrp", pid: 7 });
  log.error("process died", { process: "health", pid: 8, againInMs: 2000 });
  log.error("process failed", { process: "vrrp", pid: 7, reason: "exit 2", again: false });
  log.error("configuration", { problem: "a.conf:1: error: x\n  text\n  ^" });
  log.info("vrrp", { word: "MASTER" });
  log.debug("detail");
  log.warn("elsewhere", { reason: "two words", count: 3 });
  expect(lines).toEqual([
    "Starting VRRP child process, pid=7",
    "Healthcheck child process(8) died: Respawning",
    "Restart of Healthcheck process delayed 2 seconds to limit respawn rate",
    "pid 7 exited with permanent error CONFIG. Terminating",
    ...["a.conf:1: error: x", "  text", "  ^"],
    "elsewhere: reason two words, count 3",
  ]);
});

test("lines go to a file with keepalived's time; nobody at syslog's socket is no trouble", () => {
  const file = join(folder, "log");
  openLines({ ident: "Keepalived", facility: 3, console: false, file })("Stopping");
  expect(readFileSync(file, "utf8")).toMatch(/^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}: Stopping\n$/);
  expect(ctime(new Date(2026, 10, 5, 8, 3, 9))).toBe("Thu Nov  5 08:03:09 2026");
});

test("the watchdog is told only while all answer, and only when it asks this process", async () => {
  expect(periodOf({ WATCHDOG_USEC: "30000000" })).toBe(15_000);
  expect(periodOf({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: String(process.pid) })).toBe(15_000);
  expect(periodOf({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "1" })).toBeUndefined();
  expect(periodOf({})).toBeUndefined();
  let told = 0;
  let alive = true;
  const world = { notify: () => void told++, isAlive: async () => alive, env: { WATCHDOG_USEC: "40000" } };
  const watchdog = startWatchdog(world);
  const wait = (): Promise<void> => new Promise((done) => setTimeout(done, 150));
  await wait();
  expect(told).toBeGreaterThan(2);
  alive = false;
  await wait();
  const before = told;
  await wait();
  expect(told).toBe(before);
  watchdog.stop();
});

test("the service manager is asked for time until what takes it is over, though it does not listen at once", () => {
  vi.useFakeTimers();
  try {
    const told: string[] = [];
    const starting = askForTime((state) => {
      told.push(state);
      if (told.length === 1) throw new Error("EAGAIN");
    });
    vi.advanceTimersByTime(61_000);
    expect(told).toEqual(Array(12).fill("EXTEND_TIMEOUT_USEC=15000000"));
    starting.stop();
    vi.advanceTimersByTime(60_000);
    expect(told).toHaveLength(12);
  } finally {
    vi.useRealTimers();
  }
});
