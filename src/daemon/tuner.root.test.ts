import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { parseText } from "../config/parse.ts";
import { fromConfig } from "./vrrp/from-config.ts";
import { openStage, type Stage, until } from "./vrrp/testing/nodes.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterEach(() => stage.clear());
afterAll(() => stage.remove());

const conf = (globals: string, words = ""): string => `global_defs {
  ${globals}
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  version 3
  advert_int 0.1
  ${words}
  virtual_ipaddress {
    10.9.0.100/32
  }
}`;

/** Fields of /proc/PID/task/TID/stat, counted as in proc(5). */
const stat = (pid: number, tid: number | string): string[] => {
  const text = readFileSync(`/proc/${pid}/task/${tid}/stat`, "utf8");
  return ["", String(tid), "", ...text.slice(text.lastIndexOf(")") + 2).split(" ")];
};
const [NICE, RT_PRIORITY, POLICY] = [19, 40, 41];
const each = (pid: number, field: number): Set<string> =>
  new Set(readdirSync(`/proc/${pid}/task`).map((tid) => stat(pid, tid)[field]!));
const status = (pid: number, word: string): string =>
  new RegExp(`^${word}:\\s+(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";

test("a process is scheduled as its file says, in all its threads, and its scripts are not", async () => {
  const notes = join(stage.program, "..", "script");
  const globals = "vrrp_rt_priority 42\nvrrp_no_swap\nvrrp_rlimit_rttime 500000\nvrrp_cpu_affinity 0\nprocess_names";
  const script = `notify_master "/bin/sh -c 'cat /proc/self/stat > ${notes}'"`;
  const node = stage.start("ours", stage.a, conf(globals, script));
  await until("it leads", () => node.log().includes("Entering MASTER STATE"));
  const { pid } = node;
  expect([each(pid, POLICY), each(pid, RT_PRIORITY)]).toEqual([new Set(["2"]), new Set(["42"])]);
  expect(status(pid, "Name")).toBe("keepalived_vrrp");
  expect(status(pid, "Cpus_allowed_list")).toBe("0");
  expect(Number.parseInt(status(pid, "VmLck"), 10)).toBeGreaterThan(10_000);
  expect(readFileSync(`/proc/${pid}/limits`, "utf8")).toMatch(/^Max realtime timeout\s+250000\s+500000\s/m);
  await until("its script has run", () => existsSync(notes) && readFileSync(notes, "utf8").endsWith("\n"));
  expect(readFileSync(notes, "utf8").trim().split(" ")[POLICY - 1]).toBe("0");
  node.reload(conf("vrrp_priority -7"));
  await until("it may run anywhere again", () => status(pid, "Cpus_allowed_list") === status(process.pid, "Cpus_allowed_list"));
  await until("it is ordinary again", () => status(pid, "VmLck") === "0 kB");
  expect([each(pid, POLICY), each(pid, NICE)]).toEqual([new Set(["0"]), new Set(["-7"])]);
});

test("what the kernel refuses is told in one line, and VRRP goes on", async () => {
  const file = join(stage.program, "..", "refused.json");
  writeFileSync(file, JSON.stringify(fromConfig(parseText(conf("vrrp_rt_priority 42\nvrrp_priority -7")).config)));
  const words = [`--net=/run/netns/${stage.a}`, "setpriv", "--bounding-set=-sys_nice", process.execPath, stage.program];
  const child = spawn("nsenter", [...words, "--config", file]);
  const ended = new Promise((done) => child.once("exit", done));
  let log = "";
  child.stderr.on("data", (part) => {
    log += String(part);
  });
  try {
    await until("it leads", () => log.includes("Entering MASTER STATE"));
    const lines = log.split("\n").filter((line) => line.includes("refuses"));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/nice -7.*real-time priority 42/);
  } finally {
    child.kill("SIGTERM");
    await ended;
  }
});

test("one that is late raises its own priority, as far as it may", async () => {
  const node = stage.start("ours", stage.a, conf("max_auto_priority 2\nmin_auto_priority_delay 200000"));
  await until("it leads", () => node.log().includes("Entering MASTER STATE"));
  for (let priority = 1; priority <= 3; priority++) {
    node.pause();
    await new Promise((resolve) => setTimeout(resolve, 400));
    node.resume();
    await until("it has noticed", () => stat(node.pid, node.pid)[RT_PRIORITY] === String(Math.min(2, priority)));
  }
  expect(each(node.pid, RT_PRIORITY)).toEqual(new Set(["2"]));
});
