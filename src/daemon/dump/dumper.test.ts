import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { LogValues } from "../../director/engine.ts";
import { silent } from "../testing/fake-director.ts";
import { dump } from "./dumper.ts";
import { dumpMode, dumpPath } from "./dumps.ts";
import { factsOf } from "./testing/facts.ts";
import { writeWhole } from "./write.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lvsd-dump-"));
  vi.stubEnv("TMPDIR", folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const of = (globals: string, before = "") => factsOf(`${before}global_defs {\n${globals}\n}\n`).config;

const places: readonly (readonly [globals: string, before: string, paths: Readonly<Record<string, string>>])[] = [
  [
    "",
    "",
    { data: "/d/keepalived.data", stats: "/d/keepalived.stats", json: "/d/keepalived.json", parent: "/d/keepalived_parent.data" },
  ],
  [
    "data_use_instance",
    "net_namespace n1\ninstance foo\n",
    { data: "/d/keepalived.n1_foo.data", stats: "/d/keepalived.stats", checks: "/d/keepalived_check.n1_foo.data" },
  ],
  ["data_use_instance", "instance foo\n", { data: "/d/keepalived.foo.data" }],
  ["data_use_instance", "", { data: "/d/keepalived.data" }],
  ["", "instance foo\n", { data: "/d/keepalived.data" }],
  ["state_dump_file /x/a\nstats_dump_file /x/b\njson_dump_file /x/c", "", { data: "/x/a", stats: "/x/b", json: "/x/c" }],
];
for (const [globals, before, paths] of places)
  test(`with ${JSON.stringify(`${before}${globals}`)} the files are where keepalived has them`, () => {
    for (const [name, path] of Object.entries(paths)) expect(dumpPath(name as "data", of(globals, before), "/d")).toBe(path);
  });

test("the mode is what the umask of the file leaves", () => {
  expect([dumpMode(of("")), dumpMode(of("umask 022"))]).toEqual([0o600, 0o644]);
});

test("a symbolic link in its place is replaced, and a reader never sees half a file", () => {
  const [path, victim] = [join(folder, "dump"), join(folder, "victim")];
  writeFileSync(victim, "untouched");
  symlinkSync(victim, path);
  writeWhole(path, "text\n", 0o640);
  expect([readFileSync(path, "utf8"), readFileSync(victim, "utf8")]).toEqual(["text\n", "untouched"]);
  expect([lstatSync(path).isFile(), lstatSync(path).mode & 0o777]).toEqual([true, 0o640]);
  expect(readdirSync(folder).sort()).toEqual(["dump", "victim"]);
});

test("what cannot be written is told and leaves no draft", async () => {
  const told: [string, LogValues | undefined][] = [];
  const log = { ...silent, error: (word: string, values?: LogValues) => void told.push([word, values]) };
  mkdirSync(join(folder, "keepalived_parent.data"));
  const facts = factsOf("");
  const state = { ...facts, hasVrrp: false, hasHealth: false, services: undefined, machine: undefined };
  await dump("DATA", { state: async () => state }, log);
  expect(told).toEqual([
    ["not dumped", { file: join(folder, "keepalived_parent.data"), reason: expect.stringContaining("EISDIR") }],
  ]);
  expect(readdirSync(folder)).toEqual(["keepalived_parent.data"]);
});

test("a process that does not answer is told, and no old numbers are passed off as new", async () => {
  const told: (LogValues | undefined)[] = [];
  const log = { ...silent, error: (_: string, values?: LogValues) => void told.push(values) };
  const state = {
    ...factsOf("vrrp_instance V {\n  virtual_router_id 1\n  interface eth0\n}\n"),
    hasVrrp: true,
    hasHealth: false,
  };
  await dump("STATS", { state: async () => ({ ...state, status: undefined, services: undefined }) }, log);
  expect(told).toEqual([{ what: "STATS", reason: "dump: the VRRP process does not answer" }]);
  expect(readdirSync(folder)).toEqual([]);
});

test("without a configuration file there is nothing to dump", async () => {
  await dump("JSON", undefined, silent);
  expect(readdirSync(folder)).toEqual([]);
});
