import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";

/** lvsd -f, whole: its processes, the data path of a network namespace, and real servers that come and go. */

const name = `lvsdkeep${process.pid}`;
const children: ChildProcess[] = [];
let folder: string;
let conf: string;

beforeAll(async () => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(resolve("build", "test-keepalived-")); // inside the repository, where koffi and the BPF objects are found
  symlinkSync(resolve("build"), join(folder, "build"));
  conf = join(folder, "keepalived.conf");
  const entries = [
    "daemon/entry/lvsd",
    "daemon/entry/lvsd-vrrp",
    "daemon/entry/lvsd-health",
    "daemon/entry/lvsctl",
    "cli/entry/ipvsadm",
  ];
  const require = `import { createRequire as lvsdRequire } from "node:module"; const require = lvsdRequire(import.meta.url);`;
  for (const entry of entries)
    await build({
      ...{ entryPoints: [`src/${entry}.ts`], outfile: join(folder, "bin", entry.split("/").at(-1)!), banner: { js: require } },
      ...{ bundle: true, platform: "node", format: "esm", external: ["koffi"], logLevel: "error" },
    });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  execFileSync("ip", ["netns", "add", name]);
  for (const line of [
    "link set lo up",
    "link add eth0 type veth peer name eth1",
    "address add 10.9.0.1/24 dev eth0",
    "link set eth0 up",
    "link set eth1 up",
  ])
    execFileSync("ip", ["-n", name, ...line.split(" ")]);
});
afterEach(async () => {
  await Promise.all(children.splice(0).map(kill));
  execFileSync("ip", ["netns", "del", name]);
});

const enter = (args: readonly string[]): string[] => [`--net=/run/netns/${name}`, process.execPath, ...args];

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once("exit", done));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 8000);
  await ended;
  clearTimeout(timer);
}

function web(port: number): ChildProcess {
  const source = `require("node:net").createServer((s) => s.on("error", () => {}).end()).listen(${port}, "10.9.0.1")`;
  const child = spawn("nsenter", enter(["-e", source]), { stdio: "ignore" });
  children.push(child);
  return child;
}

const write = (weight: number, more = ""): void =>
  writeFileSync(
    conf,
    `vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  version 3
  advert_int 0.1
  virtual_ipaddress {
    10.9.0.100/32
  }
}
virtual_server 10.9.0.100 80 {
  delay_loop 0.2
  protocol TCP
  lb_algo wrr
  lb_kind NAT
${[8081, 8082]
  .map(
    (port) => `  real_server 10.9.0.1 ${port} {
    weight ${weight}
    TCP_CHECK {
      connect_timeout 1
      retry 0
    }
  }
`,
  )
  .join("")}}
${more}`,
  );

function lvsd(...args: string[]) {
  const child = spawn("nsenter", enter([join(folder, "bin", "lvsd"), "--interface", "eth0", "-f", conf, ...args]));
  children.push(child);
  let text = "";
  child.stderr.on("data", (part) => {
    text += part;
  });
  const ended = new Promise<number | null>((done) => child.once("close", done));
  return { child, ended, log: () => text };
}

/** Ports of real servers and their weights. */
function table(): Record<string, number> {
  const { stdout } = spawnSync("nsenter", enter([join(folder, "bin", "ipvsadm"), "-Ln"]), { encoding: "utf8" });
  return Object.fromEntries([...stdout.matchAll(/-> 10\.9\.0\.1:(\d+) +Masq +(\d+)/g)].map(([, port, w]) => [port!, Number(w)]));
}
const lvsctl = (word: string): string =>
  spawnSync("nsenter", enter([join(folder, "bin", "lvsctl"), word]), { encoding: "utf8" }).stdout;
const hasVip = (): boolean => execFileSync("ip", ["-n", name, "-o", "address"], { encoding: "utf8" }).includes("10.9.0.100/");
const until = (what: () => void): Promise<void> => vi.waitFor(what, { timeout: 15_000, interval: 100 });
/** The pid of a child. */
function childOf(parent: number, word: string): number {
  const pids = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim().split(" ").map(Number);
  return pids.find((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`/${word}\0`)) ?? 0;
}

test("a file becomes a VIP and a service that follows its real servers; SIGHUP changes it, SIGTERM takes all away", async () => {
  const [, second] = [web(8081), web(8082)];
  write(3);
  const { child, ended, log } = lvsd();
  await until(() => expect([table(), hasVip()], log()).toEqual([{ 8081: 3, 8082: 3 }, true]));

  await kill(second);
  await until(() => expect(table(), log()).toEqual({ 8081: 3 }));
  web(8082);
  await until(() => expect(table(), log()).toEqual({ 8081: 3, 8082: 3 }));

  expect(lvsctl("vrrp")).toMatch(/^VI_1 +MASTER +\d+s +eth0 +51 +100 .*10\.9\.0\.100$/m);
  expect(lvsctl("checks")).toMatch(/\[10\.9\.0\.1\]:tcp:8082 +up +\d+s +3 +TCP_CHECK .* ok/);
  write(5);
  child.kill("SIGHUP");
  await until(() => expect(table(), log()).toEqual({ 8081: 5, 8082: 5 }));
  expect(hasVip()).toBe(true);

  write(6, "virtual_sever 10.9.0.101 80 {\n}\n");
  child.kill("SIGHUP");
  await until(() => expect(log()).toContain("not reloaded"));
  expect(log()).toContain("did you mean 'virtual_server'?");
  write(7, "vrrp_instance VI_2 {\n  interface\n}\n"); // keepalived would end here
  child.kill("SIGHUP");
  await until(() => expect(log()).toContain("'interface' needs a value"));
  expect([table(), hasVip()]).toEqual([{ 8081: 5, 8082: 5 }, true]);

  child.kill("SIGTERM");
  expect(await ended).toBe(0);
  expect(hasVip()).toBe(false);
  expect(log()).toMatch(/info stopped forwarding=false\n$/);
  expect(log()).not.toMatch(/ error (refused|process died|defect)/);
});

test("children that are killed are started again, and the router stays master with its address", async () => {
  const [, second] = [web(8081), web(8082)];
  write(1);
  const { child, log } = lvsd();
  await until(() => expect([table(), hasVip()], log()).toEqual([{ 8081: 1, 8082: 1 }, true]));
  await until(() => expect(log()).toContain("word=MASTER"));
  const pids = ["lvsd-vrrp", "lvsd-health"].map((word) => childOf(child.pid!, word));
  expect(pids).not.toContain(0);
  for (const pid of pids) process.kill(pid, "SIGKILL");
  await until(() => expect(log().match(/process died process=(vrrp|health) reason=SIGKILL/g)).toHaveLength(2));
  expect(hasVip()).toBe(true);
  await kill(second);
  await until(() => expect(table(), log()).toEqual({ 8081: 1 }));
  expect(hasVip()).toBe(true);
});

test("with --leave the services outlive it, and the next one goes on with them and the file of then", async () => {
  web(8081);
  web(8082);
  write(3);
  const first = lvsd("--leave");
  await until(() => expect([table(), hasVip()], first.log()).toEqual([{ 8081: 3, 8082: 3 }, true]));
  first.child.kill("SIGTERM");
  expect([await first.ended, hasVip()]).toEqual([0, false]);
  write(4);
  const { child, ended, log } = lvsd();
  await until(() => expect([table(), hasVip()], log()).toEqual([{ 8081: 4, 8082: 4 }, true]));
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
  expect(log()).not.toMatch(/ error /);
});

test("with --strict a file with errors starts nothing", async () => {
  write(3, "virtual_sever 10.9.0.101 80 {\n}\n");
  const { ended, log } = lvsd("--strict");
  expect(await ended).toBe(78);
  expect(log()).toContain("did you mean 'virtual_server'?");
  expect(log()).toMatch(/has errors; nothing was started\n$/);
  expect([table(), hasVip()]).toEqual([{}, false]);
});
