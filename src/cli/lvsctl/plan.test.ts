import { afterEach, beforeEach, expect, test } from "vitest";
import type { Change, Outcome, Plan } from "../../director/plan.ts";
import type { Io } from "./command.ts";
import type { Control } from "./control.ts";
import { lvsctl } from "./main.ts";

let plan: Plan;
let asked: unknown[];
let [out, err] = ["", ""];

const io: Io = {
  out(text) {
    out += text;
  },
  err(text) {
    err += text;
  },
  ...{ terminal: false, rows: () => 24, pause: async () => false },
};
const outcome = (more: Partial<Outcome> = {}): Outcome => ({
  ...plan,
  isDone: true,
  ...{ troubles: [], remarks: [] },
  operations: 1,
  took: 12,
  ...more,
});
const note =
  <T>(word: string, give: () => T) =>
  async (...args: unknown[]): Promise<T> => {
    asked.push([word, ...args]);
    return give();
  };
let reloaded: Partial<Outcome>;
const control = {
  plan: note("plan", () => plan),
  applyFile: note("apply", outcome),
  reload: note("reload", () => outcome(reloaded)),
  confirm: note("confirm", () => outcome({ isDone: false, remarks: ["nothing waits for a confirmation"] })),
  revert: note("revert", outcome),
} as unknown as Control;
const run = (...argv: string[]): Promise<number> => lvsctl(argv, io, control, false);

const weight: Change = {
  ...{ what: "change", kind: "server", name: "[10.0.0.1]:tcp:80", of: "[192.0.2.1]:tcp:80" },
  fields: [{ field: "weight", from: "1", to: "0" }],
  conns: { active: 12, inactive: 3, persistent: 0 },
  effects: ["no new connections"],
};
const WEIGHT =
  "~ real_server [10.0.0.1]:tcp:80 of [192.0.2.1]:tcp:80: weight 1 -> 0 (12 active, 3 inactive conns); no new connections\n";

beforeEach(() => {
  [out, err, asked, reloaded] = ["", "", [], {}];
  plan = { file: "/etc/k.conf", problems: [], notes: [], changes: [weight] };
});
afterEach(() => expect(err === "" || err.endsWith("\n")).toBe(true));

test("a plan of one weight is one line", async () => {
  expect(await run("plan")).toBe(0);
  expect([out, err, asked]).toEqual([WEIGHT, "", [["plan", undefined]]]);
});

test("what comes, goes, is a list, a secret, or many", async () => {
  const about = { fields: [], effects: [] };
  const names = ["b", "c", "d", "e"];
  const changes: Change[] = [
    { ...about, what: "add", kind: "service", name: "a", fields: [{ field: "lb_algo", to: "rr" }] },
    { ...about, what: "remove", kind: "service", name: "a", conns: { active: 0, inactive: 0, persistent: 0 } },
    { ...about, what: "add", kind: "server", name: "a", and: names, of: "s" },
    {
      ...{ ...about, what: "change", kind: "instance", name: "VI" },
      fields: [{ field: "virtual_ipaddress", from: "x" }, { field: "virtual_ipaddress", to: "y" }, { field: "auth_pass" }],
    },
    { ...about, what: "change", kind: "global", name: "lvs_flush", fields: [{ field: "lvs_flush", from: "off", to: "on" }] },
  ];
  plan = { ...plan, changes };
  await run("plan");
  expect(out.split("\n")).toEqual([
    "+ virtual_server a: lb_algo rr",
    "- virtual_server a (no conns)",
    "+ real_server a, b, c and 2 more of s",
    "~ vrrp_instance VI: -virtual_ipaddress x, +virtual_ipaddress y, auth_pass differs",
    "~ lvs_flush off -> on",
    "",
  ]);
});

test("a plan of nothing says so, and who asks for it gets an exit code", async () => {
  expect(await run("plan", "--detailed-exitcode")).toBe(2);
  plan = { ...plan, changes: [] };
  expect(await run("plan", "--detailed-exitcode")).toBe(0);
  expect(out).toBe(`${WEIGHT}nothing to change\n`);
});

test("a file with errors is told on standard error, and the command ends with 1", async () => {
  plan = { ...plan, problems: ["k.conf:1:1: error: x\n  y\n  ^"], changes: [] };
  expect(await run("plan", "-f", "/k.conf")).toBe(1);
  expect([out, err]).toEqual(["", "k.conf:1:1: error: x\n  y\n  ^\nlvsctl: /etc/k.conf has errors; it would change nothing\n"]);
  expect(asked).toEqual([["plan", "/k.conf"]]);
});

test("a file is named from the folder of who asks; a time has a unit", async () => {
  await run("apply", "-f", "k.conf", "--confirm", "5m");
  await run("apply", "--confirm", "60");
  expect(asked).toEqual([
    ["apply", `${process.cwd()}/k.conf`, 300],
    ["apply", undefined, 60],
  ]);
  expect(await run("apply", "--confirm", "2d")).toBe(2);
  expect(err).toContain("A time such as 60s");
});

test("what was done is told, with what waits; what was not ends with 1", async () => {
  plan = { ...plan, waiting: { file: "/etc/k.conf", seconds: 60 } };
  expect(await run("reload")).toBe(0);
  expect(out).toBe(
    `${WEIGHT}reloaded /etc/k.conf: 1 change, 1 operation in 12 ms\n/etc/k.conf is applied until confirmed: taken back in 60 s unless lvsctl confirm\n`,
  );
  expect(await run("confirm")).toBe(1);
  expect(err).toBe("lvsctl: nothing waits for a confirmation; nothing is changed\n");
});

test("what a process did not do is told on standard error, and the command ends with 1", async () => {
  reloaded = { troubles: ["vrrp: no such interface"] };
  expect(await run("reload")).toBe(1);
  expect(out).toBe(`${WEIGHT}reloaded /etc/k.conf: 1 change, 1 operation in 12 ms\n`);
  expect(err).toBe("lvsctl: not all of it is carried out: vrrp: no such interface\n");
  out = err = "";
  expect(await run("reload", "--json")).toBe(1);
  expect([JSON.parse(out), err]).toMatchObject([{ isDone: true, troubles: ["vrrp: no such interface"] }, ""]);
});

test("programs get all of it as JSON", async () => {
  expect(await run("plan", "--json")).toBe(0);
  expect(JSON.parse(out)).toEqual(plan);
});
