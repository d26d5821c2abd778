import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { LogValues } from "../director/engine.ts";
import { Fault } from "../fault.ts";
import { type Lvsd, startLvsd, type World } from "./lvsd.ts";
import type { LvsdOptions } from "./options.ts";
import { FakeDirector, silent } from "./testing/fake-director.ts";
import { ask } from "./testing/unix-http.ts";

let folder: string;
let director: FakeDirector;
let told: string[];
let events: [word: string, values?: LogValues][];
let lvsd: Lvsd | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lvsd-daemon-"));
  director = new FakeDirector(["eth0", "eth1"]);
  told = [];
  events = [];
});
afterEach(async () => {
  await lvsd?.stop();
  lvsd = undefined;
  rmSync(folder, { recursive: true });
});

const places = () => ({
  socket: join(folder, "s.sock"),
  pid: join(folder, "s.pid"),
  owned: join(folder, "s.owned"),
  totals: join(folder, "s.totals"),
});
const note = (...event: [word: string, values?: LogValues]) => void events.push(event);
const world = (): World => ({
  open: async () => director,
  places: places(),
  log: { ...silent, info: note, warn: note, error: note },
  notify: (state) => told.push(state) > 0,
  now: () => performance.now(),
});
const options: LvsdOptions = {
  ...{
    engine: "xdp",
    interfaces: ["eth0", "eth1"],
    hook: "auto",
    xdpMode: "auto",
    connTableSize: 1024,
    leave: false,
    strict: false,
    respawn: true,
    leaveVips: false,
    log: "text",
  },
};
const start = async (some: Partial<LvsdOptions> = {}) => {
  lvsd = await startLvsd({ ...options, ...some }, world());
  return lvsd;
};

test("when it is ready it says so once, to the log and to the service manager", async () => {
  await start();
  const ready = { pid: process.pid, interfaces: "eth0,eth1", hook: "xdp", mode: "native", socket: places().socket };
  expect(events).toEqual([["ready", ready]]);
  expect(told).toEqual(["READY=1"]);
});

test("its status tells of the process and the data path", async () => {
  await start();
  const status = JSON.parse((await ask(places().socket, "GET", "/v1/status")).text);
  expect(status).toMatchObject({ pid: process.pid, engine: "xdp", uptimeSeconds: 0, attachments: director.attachments() });
});

test("a stop takes away the forwarding, the socket and the pid file", async () => {
  await (await start()).stop();
  expect(director.stopped).toEqual({ leave: false });
  expect([existsSync(places().socket), existsSync(places().pid)]).toEqual([false, false]);
  expect(told).toEqual(["READY=1", "STOPPING=1"]);
});

test("a stop with --leave leaves the forwarding, and comes once", async () => {
  const running = await start({ leave: true });
  await Promise.all([running.stop(), running.stop()]);
  expect(director.stopped).toEqual({ leave: true });
  expect(events.filter(([word]) => word === "stopped").length).toBe(1);
});

test("a start that fails at the socket leaves nothing behind", async () => {
  writeFileSync(places().socket, "");
  await expect(start()).rejects.toThrow("not a socket");
  expect(director.stopped).toEqual({ leave: false });
  expect(existsSync(places().pid)).toBe(false);
});

test("a start that fails leaves alone the forwarding that it found", async () => {
  const attachments = director.attachments().map((attachment) => ({ ...attachment, adopted: true }));
  Object.assign(director, { attachments: () => attachments });
  writeFileSync(places().socket, "");
  await expect(start()).rejects.toThrow("not a socket");
  expect(director.stopped).toEqual({ leave: true });
});

test("no interface is a warning", async () => {
  director = new FakeDirector();
  await start({ interfaces: [] });
  expect(events.map(([word]) => word)).toEqual(["no interface", "ready"]);
  expect(events[1]?.[1]).toMatchObject({ interfaces: "none", hook: "none", mode: "none" });
});

test("the kernel's IPVS has no interfaces, and none is missed", async () => {
  director = new FakeDirector([], "kernel");
  await start({ engine: "kernel", interfaces: [] });
  expect(events).toEqual([["ready", { pid: process.pid, engine: "kernel", socket: places().socket }]]);
});

test("the director is given the time, and a tick that the system refuses is told once", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  try {
    await start();
    vi.advanceTimersByTime(2000);
    expect(director.ticks).toBe(4);
    director.tick = () => {
      throw new Fault("bpf", "EAGAIN", "try again");
    };
    vi.advanceTimersByTime(2000);
    expect(events.filter(([word]) => word === "tick failed").length).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});
