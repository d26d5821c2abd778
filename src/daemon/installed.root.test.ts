import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

/** What `make install` puts there works there, away from this repository; and what lvsd tells the service manager. */

const name = `lvsdinst${process.pid}`;
const root = mkdtempSync(join(tmpdir(), "lvsd-install-"));
const running: ChildProcess[] = [];
const command = (word: string): string => join(root, "usr/sbin", word);
const until = (what: () => void): Promise<void> => vi.waitFor(what, { timeout: 15_000, interval: 50 });

beforeAll(() => {
  execFileSync("make", ["install", "PREFIX=/usr", `DESTDIR=${root}`], { stdio: "ignore" });
  execFileSync("ip", ["netns", "add", name]);
  const links = [
    "link set lo up",
    "link add eth0 type veth peer name eth1",
    "address add 10.9.0.1/24 dev eth0",
    "link set eth0 up",
  ];
  for (const line of links) execFileSync("ip", ["-n", name, ...line.split(" ")]);
});
afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
  execFileSync("ip", ["netns", "del", name]);
  rmSync(root, { recursive: true, force: true });
});

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn("nsenter", [`--net=/run/netns/${name}`, ...args], { cwd: "/", env: { ...process.env, ...env } });
  running.push(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (part) => {
      text += part;
    });
  return { child, log: () => text, ended: new Promise<number | null>((done) => child.once("close", done)) };
}

/** A service manager's socket; what is sent there, a line for each message. */
async function manager() {
  const path = join(root, `notify${running.length}`);
  const program = `import socket,sys
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound",flush=True)
while True: print("+".join(s.recv(4096).decode().split("\\n")),flush=True)`;
  const { log } = start(["python3", "-c", program, path]);
  await until(() => expect(log()).toContain("bound"));
  return { path, said: () => log().split("\n").slice(1, -1) };
}

const CONF = `vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  version 3
  advert_int 0.1
  virtual_ipaddress {
    10.9.0.100
  }
}
virtual_server 10.9.0.100 80 {
  protocol TCP
  lb_algo rr
  lb_kind NAT
  real_server 10.9.0.1 8080 {
    TCP_CHECK {
    }
  }
}
`;

test("an installed lvsd runs with the capabilities of its unit, its tools speak to it, and its unit is in order", async () => {
  const unit = join(root, "usr/lib/systemd/system/lvsd.service");
  const text = readFileSync(unit, "utf8");
  const allowed = [...text.matchAll(/^CapabilityBoundingSet=(.*)$/gm)].flatMap(([, words]) => words!.split(" "));
  expect(allowed).toContain("CAP_BPF");
  const bounds = `--bounding-set=-all,${allowed.map((word) => word.replace("CAP_", "+").toLowerCase()).join()}`;
  const { child, log, ended } = start(["setpriv", bounds, "--inh-caps=-all", command("lvsd"), "--interface", "eth0"]);
  await until(() => expect(log()).toContain("info ready"));
  const run = (...args: string[]) => spawnSync("nsenter", [`--net=/run/netns/${name}`, ...args], { encoding: "utf8", cwd: "/" });
  expect(run(command("ipvsadm"), "-A", "-t", "10.9.0.1:80", "-s", "rr").status).toBe(0);
  expect(run(command("ipvsadm"), "-Ln").stdout).toContain("TCP  10.9.0.1:80 rr");
  expect(run(command("lvsctl"), "status").stdout).toContain("eth0");
  child.kill("SIGTERM");
  expect(await ended).toBe(0);

  expect(text).toContain("ExecStart=/usr/lib/lvsd/bin/lvsd -f ");
  expect(text).not.toContain("@");
  writeFileSync(unit, text.replace("ExecStart=/usr", `ExecStart=${root}/usr`));
  const verified = spawnSync("systemd-analyze", ["verify", unit], { encoding: "utf8" });
  if (verified.error === undefined) expect(verified.stderr).not.toContain("lvsd.service");
});

test("the service manager is told of the start, a reload, the stop, and that all live while all answer", async () => {
  const conf = join(root, "k.conf");
  writeFileSync(conf, CONF);
  const { path, said } = await manager();
  const lines = [
    command("keepalived"),
    "-n",
    "-G",
    "-f",
    conf,
    "-p",
    join(root, "p"),
    "-r",
    join(root, "r"),
    "-c",
    join(root, "c"),
  ];
  const { child, ended } = start(lines, { NOTIFY_SOCKET: path, WATCHDOG_USEC: "400000" });
  await until(() => expect(said()).toContain("READY=1+STATUS=1 routers, 1 services"));
  await until(() => expect(said().filter((line) => line === "WATCHDOG=1").length).toBeGreaterThan(2));

  child.kill("SIGHUP");
  await until(() => expect(said().filter((line) => line.startsWith("READY=1"))).toHaveLength(2));
  const events = said().filter((line) => line !== "WATCHDOG=1");
  expect(events.map((line) => line.replace(/\d{6,}/, "N"))).toEqual([
    "READY=1+STATUS=1 routers, 1 services",
    "RELOADING=1+MONOTONIC_USEC=N",
    "READY=1+STATUS=1 routers, 1 services",
  ]);

  const vrrp = Number(readFileSync(join(root, "r"), "utf8"));
  for (const pid of [vrrp, child.pid!]) {
    process.kill(pid, "SIGSTOP"); // as one that turns in a circle: it is there and does not answer
    await new Promise((done) => setTimeout(done, 500)); // what was under way arrives
    const before = said().length;
    await new Promise((done) => setTimeout(done, 1000));
    expect(said().length, `pid ${pid}`).toBe(before);
    process.kill(pid, "SIGCONT");
    await until(() => expect(said().length).toBeGreaterThan(before));
  }
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
  expect(said()).toContain("STOPPING=1");
});
