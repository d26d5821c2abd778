import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { BfdConfig } from "../../bfd/config.ts";
import type { Operation } from "../../director/director.ts";
import type { LogValues } from "../../director/engine.ts";
import { Fault } from "../../fault.ts";
import type { Service } from "../../health/config.ts";
import { server, service, spec } from "../../health/testing.ts";
import { ip } from "../../net/ip.ts";
import { untuned } from "../../tuning.ts";
import { FakeDirector, silent } from "../testing/fake-director.ts";
import { type Around, type Configured, startConfigured } from "./configured.ts";
import { readConfig, type Wanted } from "./read.ts";

/** The parent's side, with a child that does as the checkers process does: it writes down its orders. */

const CHILD = `
import { appendFileSync } from "node:fs";
const key = { protocol: "tcp", addr: "192.0.2.1", port: 80 };
let isDumb = false;
const apply = (...operations) => process.send({ type: "apply", operations });
process.on("message", (order) => {
  if (["configure", "change"].includes(order.type)) appendFileSync(process.env.LVSD_TEST_ORDERS, JSON.stringify(order) + "\\n");
  const word = order.type === "configure" ? order.config.tls.key : order.change?.common.tls.key;
  if (order.type === "change" && word === "dies") process.exit(1);
  if (order.type === "change" && word === "late") return process.send({ type: "failed", reason: "late" }, () => process.exit(1));
  if (order.type === "change" && word === "bad") process.send({ type: "failed", reason: "no" });
  else if (order.type === "configure" || order.type === "change") process.send({ type: "ready" });
  isDumb ||= word === "dumb";
  if (order.type !== "stop") return;
  if (isDumb) process.exit(0);
  apply({ op: "delete-dest", key, dest: { addr: "10.0.0.11", port: 80 } });
  apply({ op: "delete-service", key });
  setTimeout(() => process.exit(0), 20);
});
process.on("disconnect", () => process.exit(0));
`;

vi.setConfig({ testTimeout: 30_000 }); // processes are started

let folder: string;
let director: FakeDirector;
let configured: Configured | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lvsd-configured-"));
  writeFileSync(join(folder, "child.mjs"), CHILD);
  writeFileSync(join(folder, "empty.conf"), "");
  process.env.LVSD_TEST_ORDERS = join(folder, "orders");
  director = new FakeDirector();
});
afterEach(async () => {
  await configured?.stop({ leave: true });
  rmSync(folder, { recursive: true });
});

function wanted(services: readonly Service[], more: Partial<Wanted> = {}): Wanted {
  const read = readConfig(join(folder, "empty.conf"));
  if ("problems" in read) throw new Error(read.problems.join());
  return { ...read.wanted, health: { ...read.wanted.health, services }, ...more };
}
const start = (first: Wanted, more: Partial<Around> = {}): Configured => {
  const program = (): string => join(folder, "child.mjs");
  configured = startConfigured(first, { director, log: silent, owned: join(folder, "owned"), program, ...more });
  return configured;
};
const orders = (): { type: string; change?: { services: { name: string }[] } }[] =>
  existsSync(join(folder, "orders"))
    ? readFileSync(join(folder, "orders"), "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line))
    : [];
const ready = (): Promise<void> => vi.waitFor(() => expect(orders()).toHaveLength(1), { timeout: 10_000 });
const words = (): Operation["op"][] => director.applied.map(({ op }) => op);

const web = service();
const mail = service({
  name: "[192.0.2.2]:tcp:25",
  specs: [{ ...spec, key: { protocol: "tcp", addr: ip("192.0.2.2"), port: 25 } }],
});

const stops: [flushOnStop: Wanted["flushOnStop"], asked: Operation["op"][]][] = [
  [undefined, ["delete-dest", "delete-service"]],
  ["VS", ["delete-service"]],
  ["all", ["flush"]],
];
for (const [flushOnStop, asked] of stops)
  test(`at a stop, lvs_flush_on_stop ${flushOnStop ?? "not set"}: ${asked.join(", ")}`, async () => {
    const it = start(wanted([web], { flushOnStop }));
    await ready();
    await it.stop({ leave: false });
    expect(words()).toEqual(asked);
    expect(existsSync(join(folder, "owned"))).toBe(false);
  });

test("what a process that just ends leaves at a stop goes all the same, before it is forgotten", async () => {
  const first = wanted([web, mail]);
  const it = start({ ...first, health: { ...first.health, tls: { key: "dumb" } } });
  await it.begun;
  director.apply([{ op: "add-service", service: web.specs[0]! }]); // and mail is gone already
  await it.stop({ leave: false });
  expect(director.applied.slice(1)).toEqual([{ op: "delete-service", key: spec.key }]);
  expect(existsSync(join(folder, "owned"))).toBe(false);
});

test("what a reload names no more goes though the process dies of it, and its next life knows nothing of that", async () => {
  const it = start(wanted([web, mail]));
  await it.begun;
  const dests = web.servers.map(({ dest }): Operation => ({ op: "add-dest", key: spec.key, dest }));
  director.apply([...[web, mail].map((s): Operation => ({ op: "add-service", service: s.specs[0]! })), ...dests]);
  director.applied.length = 0;
  const next = wanted([service({ servers: [server(11), server(12)] })]);
  expect(await it.carryOut({ ...next, health: { ...next.health, tls: { key: "dies" } } })).toEqual({
    troubles: [],
    operations: 2,
  });
  expect(orders().map(({ type }) => type)).toEqual(["configure", "change", "configure"]);
  expect(director.applied).toEqual([
    { op: "delete-dest", key: spec.key, dest: { addr: "10.0.0.13", port: 80 } },
    { op: "delete-service", key: mail.specs[0]!.key },
  ]);
});

test("what a reload names no more goes also when the process is there again only after the answer", async () => {
  const it = start(wanted([web, mail]));
  await it.begun;
  director.apply([{ op: "add-service", service: mail.specs[0]! }]);
  director.applied.length = 0;
  const next = wanted([web]);
  expect((await it.carryOut({ ...next, health: { ...next.health, tls: { key: "late" } } })).troubles).toEqual(["health: late"]);
  await vi.waitFor(() => expect(words()).toEqual(["delete-service"]), { timeout: 10_000 });
  expect(readFileSync(join(folder, "owned"), "utf8")).not.toContain("192.0.2.2");
});

test("lvs_timeouts are set at the start and when they change, and left alone where the file says nothing", async () => {
  const timeouts = { tcp: 100, tcpFin: 20, udp: 30 };
  const it = start(wanted([web], { timeouts }));
  await ready();
  await it.carryOut(wanted([web], { timeouts }));
  await it.carryOut(wanted([web], { timeouts: { ...timeouts, udp: 31 } }));
  await it.carryOut(wanted([web]));
  const set = director.applied.filter(({ op }) => op === "set-timeouts");
  expect(set).toEqual([
    { op: "set-timeouts", timeouts },
    { op: "set-timeouts", timeouts: { ...timeouts, udp: 31 } },
  ]);
});

test("what has changed goes to the process, and nothing when nothing has", async () => {
  const it = start(wanted([web, mail]));
  await ready();
  expect(await it.carryOut(wanted([web, { ...mail, quorum: 2 }]))).toEqual({ troubles: [], operations: 0 });
  await it.carryOut(wanted([web, { ...mail, quorum: 2 }]));
  expect(orders().map(({ type }) => type)).toEqual(["configure", "change"]);
  expect(orders()[1]!.change!.services.map(({ name }) => name)).toEqual([mail.name]);
});

test("a process that could not do it is told all the next time", async () => {
  const it = start(wanted([web]));
  await ready();
  const bad = wanted([web]);
  const { troubles } = await it.carryOut({ ...bad, health: { ...bad.health, tls: { key: "bad" } } });
  expect(troubles).toEqual(["health: no"]);
  expect((await it.carryOut(wanted([web]))).troubles).toEqual([]);
  expect(orders().map(({ type }) => type)).toEqual(["configure", "change", "configure"]);
});

test("a FIFO that somebody has removed, or made a folder of, holds up neither a reload nor the stop", async () => {
  const path = join(folder, "fifo");
  const fifos = [{ path, reader: undefined, isShared: false }];
  const it = start(wanted([web], { fifos }));
  await ready();
  rmSync(path);
  expect((await it.carryOut(wanted([web, mail]))).troubles).toEqual([]);
  expect(orders()).toHaveLength(2);
  await it.carryOut(wanted([web, mail], { fifos }));
  rmSync(path);
  mkdirSync(path);
  await it.stop({ leave: false });
});

test("what is not carried out to the end is told whole the next time", async () => {
  const it = start(wanted([web]));
  await ready();
  const next = wanted([web, mail]);
  const broken = Object.defineProperty({ ...next }, "timeouts", { get: () => expect.unreachable() });
  await expect(it.carryOut(broken)).rejects.toThrow();
  await it.carryOut(next);
  expect(orders().map(({ type }) => type)).toEqual(["configure", "configure"]);
});

test("what an earlier one has left and the file names no more goes, once the process is at work; what is new is remembered", async () => {
  const before = start(wanted([web, mail]));
  await ready();
  await vi.waitFor(() => expect(readFileSync(join(folder, "owned"), "utf8").split("\n")).toHaveLength(4));
  await before.stop({ leave: true }); // as a kill would: nothing is taken away
  rmSync(join(folder, "orders"));
  expect(words()).toEqual([]);

  const last = service({ servers: [server(11), server(12)] });
  const it = start(wanted([last]));
  await ready();
  await vi.waitFor(() => expect(words()).toEqual(["delete-dest", "delete-service"]));
  expect(director.applied[0]).toMatchObject({ key: spec.key, dest: { addr: "10.0.0.13" } });
  await it.carryOut(wanted([]));
  expect(readFileSync(join(folder, "owned"), "utf8")).not.toContain("192.0.2");
});

test("a table that is emptied at the start has nothing left over", async () => {
  const before = start(wanted([web]));
  await ready();
  await before.stop({ leave: true });
  start(wanted([mail], { flush: true }));
  await vi.waitFor(() => expect(orders()).toHaveLength(2), { timeout: 10_000 });
  expect(words()).toEqual(["flush"]);
});

test("a look at the director that fails is told once, and tried again", async () => {
  let looks = 0;
  director.service = () => {
    looks++;
    throw new Fault("netlink", "ENOBUFS", "no buffer space");
  };
  const said: string[] = [];
  const log = { ...silent, error: (event: string, values: LogValues = {}) => void said.push(`${event} ${values.reason}`) };
  start(wanted([service({ passive: 1 })]), { log });
  await vi.waitFor(() => expect(looks).toBe(2), { timeout: 10_000 });
  expect(said).toEqual(["look failed netlink: no buffer space"]);
});

test("a stop in the middle of the start starts nothing more", async () => {
  writeFileSync(join(folder, "slow.mjs"), 'process.on("message", ({ type }) => type === "stop" && process.exit(0))');
  const started: string[] = [];
  const care = { onStart: (name: string): void => void started.push(name) };
  const sessions = [{ name: "peer" } as BfdConfig["sessions"][number]];
  const it = start(wanted([web], { bfd: { sessions, tuning: untuned } }), { care, program: () => join(folder, "slow.mjs") });
  await it.stop({ leave: false });
  await it.begun;
  expect(started).toEqual(["health"]);
});

test("a child that cannot do its work ends all at the start, and not when a reload brings it", async () => {
  writeFileSync(join(folder, "dead.mjs"), 'process.on("message", () => process.exit(2))');
  const said: string[] = [];
  const tell = (event: string): void => void said.push(event);
  const log = { debug: tell, info: tell, warn: tell, error: tell };
  const care = { giveUp: (exit: number): void => tell(`give up ${exit}`) };
  const around = (dead: string): Partial<Around> => ({
    ...{ log, care, program: (name) => join(folder, name === dead ? "dead.mjs" : "child.mjs") },
  });
  const first = start(wanted([web], { hasVrrp: true }), around("lvsd-vrrp"));
  await vi.waitFor(() => expect(said).toContain("give up 2"), { timeout: 10_000 });
  await first.stop({ leave: true });

  said.length = 0;
  const it = start(wanted([web]), around("lvsd-bfd"));
  await it.begun;
  const sessions = [{ name: "peer" } as BfdConfig["sessions"][number]];
  void it.carryOut(wanted([web], { bfd: { sessions, tuning: untuned } }));
  await vi.waitFor(() => expect(said.slice(2)).toEqual(["process died", "process started", "process died"]), { timeout: 10_000 });
});
