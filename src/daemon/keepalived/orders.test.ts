import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { parseText } from "../../config/parse.ts";
import type { Operation, Timeouts } from "../../director/director.ts";
import { service } from "../../health/testing.ts";
import { untuned } from "../../tuning.ts";
import { standardGlobals } from "../../vrrp/config.ts";
import { counted } from "../metrics/reloads.ts";
import { silent } from "../testing/fake-director.ts";
import { type Orders, openOrders } from "./orders.ts";
import { parentWords } from "./parent-words.ts";
import type { Reading, Wanted } from "./read.ts";

const wanted = (quorum: number): Wanted => ({
  config: parseText("").config,
  vrrp: {
    ...{
      instances: [],
      groups: [],
      scripts: [],
      files: [],
      processes: [],
      bfds: [],
      scriptSecurity: false,
      fifos: [],
      tuning: untuned,
      globals: standardGlobals,
    },
    statics: { addresses: [], routes: [], rules: [] },
    ...{ startupDelay: 0, garpInterval: 0, gnaInterval: 0 },
  },
  hasVrrp: false,
  health: { services: [service({ quorum })], tls: {}, initNotifies: false, scriptSecurity: false, tuning: untuned },
  bfd: { sessions: [], tuning: untuned },
  mail: { config: undefined, vrrp: { instances: [], groups: [], faults: true } },
  ...{ fifos: [], flush: false, flushOnStop: undefined, parent: parentWords(parseText("").config) },
});

let running: Wanted;
let files: Record<string, Reading>;
let orders: Orders;
/** Looks at something while a file is read. */
let seen: (() => string) | undefined;
let last: string | undefined;
let timeouts: Timeouts;
let troubles: string[];
let told: string[];
const note = (message: string): void => void told.push(message);
const quorum = (): number => running.health.services[0]!.quorum;

beforeEach(() => {
  vi.useFakeTimers();
  running = wanted(1);
  [troubles, told] = [[], []];
  files = {
    "/own": { wanted: wanted(2), errors: [], notes: ["a warning"] },
    "/other": { wanted: wanted(3), errors: [], notes: [] },
    "/same": { wanted: wanted(1), errors: [], notes: [] },
    "/bad": { problems: ["/bad:1:1: error"], isMissing: false },
  };
  const configured = {
    wanted: () => running,
    vrrp: async () => [],
    carryOut: async (next: Wanted) => {
      if (next.timeouts !== undefined) director.apply([{ op: "set-timeouts", timeouts: next.timeouts }]);
      running = next;
      return { troubles, operations: 1 };
    },
  };
  const director = {
    service: () => undefined,
    timeouts: () => timeouts,
    apply(operations: readonly Operation[]) {
      for (const operation of operations) if (operation.op === "set-timeouts") timeouts = { ...timeouts, ...operation.timeouts };
      return [];
    },
  };
  timeouts = { tcp: 900, tcpFin: 120, udp: 300 };
  seen = undefined;
  const read = (path: string): Reading => {
    last = seen?.();
    return files[path]!;
  };
  orders = openOrders({
    path: "/own",
    configured,
    director,
    log: { ...silent, info: note, error: note },
    now: () => Date.now(),
    read,
    errors: ["/own:7:3: error: old"],
  });
});
afterEach(() => {
  orders.close();
  vi.useRealTimers();
});

test("a plan changes nothing", async () => {
  expect(await orders.plan()).toMatchObject({ file: "/own", notes: ["a warning"], changes: [{ name: "[192.0.2.1]:tcp:80" }] });
  expect(quorum()).toBe(1);
});

test("a plan tells of the file's meaning, not of its text", async () => {
  const config = parseText("global_defs {\n  smtp_alert\n}\n").config;
  files["/own"] = { wanted: { ...wanted(1), config }, errors: [], notes: [] };
  expect((await orders.plan()).changes).toEqual([]);
});

test("a reload carries out lvsd's own file and tells what has changed", async () => {
  expect(await orders.reload()).toMatchObject({ isDone: true, file: "/own", changes: [{ fields: [{ from: "1", to: "2" }] }] });
  expect(quorum()).toBe(2);
  expect((await orders.reload()).changes).toEqual([]);
});

test("what a process did not do is a trouble: the log does not say that all is reloaded, and the metric not that it is good", async () => {
  const { orders: passing, reloads } = counted(orders, () => 5000);
  await passing.reload();
  expect([told.at(-1), reloads()]).toEqual(["reloaded", { done: 1, refused: 0, isGood: true, lastGood: 5 }]);
  troubles = ["the vrrp process does not answer"];
  expect(await passing.apply("/other")).toMatchObject({ isDone: true, troubles, remarks: [expect.not.stringContaining("vrrp")] });
  expect([told.at(-1), reloads()]).toEqual(["applied in part", { done: 1, refused: 1, isGood: false, lastGood: 5 }]);
});

test("a file with errors changes nothing, whoever asks", async () => {
  files["/own"] = files["/bad"]!;
  for (const done of [await orders.reload(), await orders.apply("/bad"), await orders.apply("/bad", 60)])
    expect(done).toMatchObject({ isDone: false, problems: ["/bad:1:1: error"], changes: [] });
  expect(await orders.plan("/bad")).toMatchObject({ problems: ["/bad:1:1: error"], changes: [] });
  expect([quorum(), orders.inForce().waiting]).toEqual([1, undefined]);
});

test("an error that the file had at the start is left out as before, at whatever place; a new one refuses the file", async () => {
  files["/own"] = { wanted: wanted(2), errors: ["/own:9:1: error: old"], notes: [] };
  expect(await orders.reload()).toMatchObject({ isDone: true, notes: ["/own:9:1: error: old"] });
  files["/own"] = { wanted: wanted(5), errors: ["/own:9:1: error: old", "/own:10:1: error: new"], notes: [] };
  expect(await orders.reload()).toMatchObject({ isDone: false, problems: ["/own:10:1: error: new"] });
  files["/own"] = { wanted: wanted(3), errors: [], notes: [] };
  expect(await orders.reload()).toMatchObject({ isDone: true, notes: [] });
  files["/own"] = { wanted: wanted(4), errors: ["/own:9:1: error: old"], notes: [] };
  expect(await orders.reload()).toMatchObject({ isDone: false });
  expect(quorum()).toBe(3);
});

test("with reload_check_config an error refuses the file though it was there at the start, and is written down", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lvsd-orders-"));
  const path = join(folder, "check.log");
  const { config } = parseText(`global_defs {\n  reload_check_config ${path}\n}\n`);
  files["/own"] = { wanted: { ...wanted(2), config }, errors: [], notes: [] };
  expect((await orders.reload()).isDone).toBe(true);
  files["/own"] = { wanted: { ...wanted(3), config }, errors: ["/own:7:3: error: old"], notes: [] };
  expect((await orders.reload()).remarks).toEqual([`New config failed validation, see ${path} for details`]);
  expect([quorum(), readFileSync(path, "utf8")]).toEqual([2, "/own:7:3: error: old\n"]);
  rmSync(folder, { recursive: true });
});

test("what cannot be changed at a reload refuses the file", async () => {
  const { config } = parseText("net_namespace other\ninstance one\n");
  files["/own"] = { wanted: { ...wanted(2), config }, errors: [], notes: [] };
  expect((await orders.reload()).problems).toEqual([
    "/own: error: Cannot change network namespace at a reload - please restart lvsd",
    "/own: error: Cannot change instance name at a reload - please restart lvsd",
  ]);
  expect((await orders.plan()).problems).toHaveLength(2);
  expect(quorum()).toBe(1);
});

test("the reload file is there, and empty, while files are read", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lvsd-orders-"));
  const path = join(folder, "reading");
  const { config } = parseText(`global_defs {\n  reload_file ${path}\n}\n`);
  files["/own"] = { wanted: { ...wanted(2), config }, errors: [], notes: [] };
  await orders.reload();
  writeFileSync(path, "somebody writes the file");
  seen = () => readFileSync(path, "utf8");
  await orders.reload();
  expect([last, existsSync(path)]).toEqual(["", false]);
  rmSync(folder, { recursive: true });
});

test("an apply that is not confirmed is taken back after its time", async () => {
  expect((await orders.apply("/other", 60)).waiting).toEqual({ file: "/other", seconds: 60 });
  expect(quorum()).toBe(3);
  await vi.advanceTimersByTimeAsync(59_000);
  expect([quorum(), orders.inForce()]).toEqual([3, { file: "/other", seconds: 59, waiting: { file: "/other", seconds: 1 } }]);
  await vi.advanceTimersByTimeAsync(1000);
  expect([quorum(), orders.inForce()]).toEqual([1, { file: "/own", seconds: 0 }]);
  expect(await orders.confirm()).toMatchObject({ isDone: false, remarks: ["nothing waits for a confirmation"] });
});

test("an apply that is confirmed stays", async () => {
  await orders.apply("/other", 60);
  expect(await orders.confirm()).toMatchObject({ isDone: true, file: "/other" });
  await vi.advanceTimersByTimeAsync(100_000);
  expect([quorum(), orders.inForce().waiting]).toEqual([3, undefined]);
});

test("an apply may be taken back at once", async () => {
  await orders.apply("/other", 60);
  expect(await orders.revert()).toMatchObject({ isDone: true, file: "/own", changes: [{ fields: [{ from: "3", to: "1" }] }] });
  await vi.advanceTimersByTimeAsync(100_000);
  expect(quorum()).toBe(1);
});

test("lvs_timeouts that are taken back are as they were, though no file told of them before", async () => {
  files["/other"] = { wanted: { ...wanted(1), timeouts: { udp: 31 } }, errors: [], notes: [] };
  await orders.apply("/other", 60);
  expect(timeouts.udp).toBe(31);
  await orders.revert();
  expect(timeouts).toEqual({ tcp: 900, tcpFin: 120, udp: 300 });
});

test("while one waits nothing else is carried out, and it is said why", async () => {
  await orders.apply("/other", 60);
  for (const done of [await orders.apply("/own"), await orders.apply("/own", 5), await orders.reload()])
    expect(done).toMatchObject({
      isDone: false,
      remarks: ["an apply of /other waits: lvsctl confirm, or lvsctl revert"],
      waiting: { file: "/other" },
    });
  expect(quorum()).toBe(3);
  expect((await orders.plan()).waiting).toEqual({ file: "/other", seconds: 60 });
});

test("what is not remembered over a restart is said", async () => {
  expect((await orders.apply("/other")).remarks.join()).toContain("lvsd reads /own at its next start");
  expect((await orders.apply("/own")).remarks).toEqual([]);
});

test("an apply that changes nothing waits for nothing", async () => {
  expect((await orders.apply("/same", 60)).waiting).toBeUndefined();
});

test("orders are carried out one after another", async () => {
  const [first, second, third] = await Promise.all([orders.apply("/other", 60), orders.revert(), orders.reload()]);
  expect([first, second, third].map(({ isDone, file }) => [isDone, file])).toEqual([
    [true, "/other"],
    [true, "/own"],
    [true, "/own"],
  ]);
  expect(quorum()).toBe(2);
});
