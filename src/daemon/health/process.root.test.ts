import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseText } from "../../config/parse.ts";
import type { HealthConfig } from "../../health/config.ts";
import { fromConfig } from "./from-config.ts";
import type { Order, Report } from "./process.ts";
import { bundleChecker } from "./testing/program.ts";

/** The checkers process as a process, in a network namespace of its own: what it checks is there and nowhere else. */

const name = `lvsdh${process.pid}`;
const children: ChildProcess[] = [];
let program: string;
let remove: () => void;
beforeAll(async () => {
  execFileSync("ip", ["netns", "add", name]);
  execFileSync("ip", ["-n", name, "link", "set", "lo", "up"]);
  ({ program, remove } = await bundleChecker());
});
afterAll(() => {
  for (const child of children) if (child.exitCode === null) child.kill("SIGKILL");
  execFileSync("ip", ["netns", "del", name]);
  remove();
});

const inside = (args: readonly string[], stdio: "ipc" | "ignore"): ChildProcess => {
  const child = spawn("nsenter", [`--net=/run/netns/${name}`, process.execPath, ...args], {
    stdio: ["ignore", "ignore", "ignore", stdio],
  });
  children.push(child);
  return child;
};

const config = (): HealthConfig =>
  fromConfig(
    parseText(`virtual_server 192.0.2.1 80 {
  protocol TCP
  lb_algo rr
  lb_kind NAT
  delay_loop 0.2
  real_server 127.0.0.1 8080 {
    weight 3
    TCP_CHECK {
    }
  }
}`).config,
  ).health;

function begin() {
  const child = inside([program], "ipc");
  const heard: string[] = [];
  child.on("message", (report: Report) => {
    if (report.type === "apply") heard.push(...report.operations.map((o) => o.op));
    else if (report.type !== "mail") heard.push(report.type === "tell" ? report.line.trim() : report.type);
  });
  const ended = new Promise((done) => child.once("exit", done));
  const until = async (word: string): Promise<void> => {
    for (let i = 0; i < 400 && !heard.includes(word); i++) await new Promise((done) => setTimeout(done, 20));
    expect(heard).toContain(word);
  };
  return { child, heard, ended, until, send: (order: Order) => void child.send(order) };
}

test("it tells its parent what to do as servers come and go, and takes the services away when it is told to stop", async () => {
  const { heard, ended, until, send } = begin();
  send({ type: "configure", config: config() });
  await until("VS [192.0.2.1]:tcp:80 DOWN");
  expect(heard).toEqual([
    ...["add-service", "add-dest", "VS [192.0.2.1]:tcp:80 UP", "ready", "delete-dest"],
    ...["RS [127.0.0.1]:tcp:8080 [192.0.2.1]:tcp:80 DOWN", "VS [192.0.2.1]:tcp:80 DOWN"],
  ]);
  heard.length = 0;
  inside(["-e", `require("node:net").createServer((s) => s.on("error", () => {})).listen(8080, "127.0.0.1")`], "ignore");
  await until("VS [192.0.2.1]:tcp:80 UP");
  expect(heard[0]).toBe("add-dest");
  heard.length = 0;
  send({ type: "stop" });
  expect(await ended).toBe(0);
  expect(heard).toEqual(["delete-dest", "delete-service"]);
});

test("what it says at a stop arrives though its parent is busy, and every down script has begun", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lvsd-health-stop-"));
  const script = join(folder, "down");
  writeFileSync(script, `#!/bin/sh\nsleep 1\necho down >> ${folder}/out\n`, { mode: 0o755 });
  const servers = (vs: number): string[] =>
    Array.from(
      { length: 20 },
      (_, i) => `real_server 127.0.1.${i + 1} 80 { ${vs < 2 && i === 0 ? `notify_down ${script}` : ""}\n}`,
    );
  const services = Array.from({ length: 300 }, (_, vs) => {
    const head = ["protocol TCP", "lb_algo rr", "lb_kind NAT", "omega"];
    return [`virtual_server 192.0.2.1 ${vs + 1} {`, ...head, ...servers(vs), "}"].join("\n");
  });
  try {
    const { heard, ended, until, send } = begin();
    send({ type: "configure", config: fromConfig(parseText(services.join("\n")).config).health });
    await until("ready");
    heard.length = 0;
    send({ type: "stop" });
    await new Promise((done) => setTimeout(done, 10)); // the order leaves
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    expect(await ended).toBe(0);
    const count = (word: string): number => heard.filter((one) => one === word).length;
    expect([count("delete-dest"), count("delete-service")]).toEqual([6000, 300]);
    const lines = (): string => readFileSync(join(folder, "out"), { encoding: "utf8", flag: "a+" });
    for (let i = 0; i < 200 && lines().length < 10; i++) await new Promise((done) => setTimeout(done, 20));
    expect(lines()).toBe("down\ndown\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("without its parent it ends and asks for nothing more", async () => {
  const { child, heard, ended, until, send } = begin();
  send({ type: "configure", config: config() });
  await until("ready");
  heard.length = 0;
  child.disconnect();
  expect(await ended).toBe(0);
  expect(heard).toEqual([]);
});
