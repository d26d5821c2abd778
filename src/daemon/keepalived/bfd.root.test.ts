import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { build } from "esbuild";
import { afterAll, beforeAll, type TestContext, test } from "vitest";
import { type Control, connectControl } from "../../cli/lvsctl/control.ts";

/**
 * BFD at work for VRRP and for the checkers: lvsd -f and Debian's keepalived in each other's places.
 *
 *   b (10.9.0.2) eth0 ──── eth0 (10.9.0.1) a (10.9.1.1) eth1 ──── eth0 (10.9.1.2) r
 *
 * a and b share the VIP 10.9.0.100; a is the better one while it has a BFD session with r.
 */

const VIP = "10.9.0.100";
/** Three packets of 100 ms. */
const DETECTION = 300;
/** The skew of priority 100 with adverts every 100 ms, and what a busy machine may add. */
const SKEW = 61;
const SLACK = 400;

let folder: string;

const ip = (...args: string[]): string => execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

beforeAll(async () => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(resolve("build", "test-bfd-lvsd-")); // inside the repository, where koffi and the BPF objects are found
  symlinkSync(resolve("build"), join(folder, "build"));
  const require = `import { createRequire as lvsdRequire } from "node:module"; const require = lvsdRequire(import.meta.url);`;
  for (const name of ["lvsd", "lvsd-vrrp", "lvsd-health", "lvsd-bfd"])
    await build({
      ...{ entryPoints: [`src/daemon/entry/${name}.ts`], outfile: join(folder, "bin", name), banner: { js: require } },
      ...{ bundle: true, platform: "node", format: "esm", external: ["koffi"], logLevel: "error" },
    });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The hosts of one test, and what runs on them. */
interface Hosts {
  readonly a: string;
  readonly b: string;
  readonly r: string;
  readonly children: ChildProcess[];
}
let stages = 0;

function lay(onTestFinished: TestContext["onTestFinished"]): Hosts {
  const base = `lvsdbfdk${process.pid}-${++stages}`;
  const [a, b, r] = [`${base}a`, `${base}b`, `${base}r`];
  const children: ChildProcess[] = [];
  onTestFinished(async () => {
    await Promise.all(children.map((child) => end(child, "SIGTERM")));
    for (const place of [a, b, r]) ip("netns", "delete", place);
  });
  for (const place of [a, b, r]) {
    ip("netns", "add", place);
    ip("-n", place, "link", "set", "lo", "up");
  }
  ip("-n", a, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", b);
  ip("-n", a, "link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", r);
  for (const [place, link, address] of [
    [a, "eth0", "10.9.0.1/24"],
    [b, "eth0", "10.9.0.2/24"],
    [a, "eth1", "10.9.1.1/24"],
    [r, "eth0", "10.9.1.2/24"],
  ] as const) {
    ip("-n", place, "address", "add", address, "dev", link);
    ip("-n", place, "link", "set", link, "up");
  }
  return { a, b, r, children };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once("exit", done));
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), 8000);
  await ended;
  clearTimeout(timer);
}

const router = (priority: number, track = ""): string => `vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  version 3
  advert_int 0.1
  priority ${priority}
  ${track}
  virtual_ipaddress {
    ${VIP}/32
  }
}
`;
const bfd = (neighbour: string, interval = 100): string => `bfd_instance B1 {
  neighbor_ip ${neighbour}
  min_rx ${interval}
  min_tx ${interval}
  multiplier 3
}
`;
const tracking = router(150, "track_bfd {\n B1\n }");
const service = `virtual_server ${VIP} 80 {
  protocol TCP
  lb_algo rr
  lb_kind NAT
  real_server 10.9.1.2 80 {
    BFD_CHECK {
      name B1
    }
  }
  real_server 10.9.1.3 80 {
  }
}
`;

interface Running {
  readonly child: ChildProcess;
  readonly conf: string;
  log(): string;
  stop(): Promise<void>;
}

let files = 0;

function run(
  { children }: Hosts,
  place: string,
  name: string,
  text: string,
  argsOf: (conf: string, at: string) => string[],
  env = {},
): Running {
  const at = join(folder, `${name}-${++files}`);
  const conf = `${at}.conf`;
  writeFileSync(conf, text);
  const args = [`--net=/run/netns/${place}`, ...argsOf(conf, at)];
  const child = spawn("nsenter", args, { env: { ...process.env, TMPDIR: folder, ...env } });
  children.push(child);
  let log = "";
  const add = (part: Buffer): void => {
    log += String(part);
  };
  child.stdout.on("data", add);
  child.stderr.on("data", add);
  return { child, conf, log: () => log, stop: () => end(child, "SIGTERM") };
}

function lvsd(hosts: Hosts, place: string, text: string): Running & { readonly control: Control } {
  const socket = join(folder, `lvsd-${files + 1}.sock`);
  const argsOf = (conf: string): string[] => [process.execPath, join(folder, "bin", "lvsd"), "--interface", "eth0", "-f", conf];
  return { ...run(hosts, place, "lvsd", text, argsOf, { LVSD_SOCKET: socket }), control: connectControl(socket) };
}

/** `crash`: its BFD process dies, and its parent with it. */
function keepalived(hosts: Hosts, place: string, text: string): Running & { crash(): Promise<void> } {
  let pids = "";
  const running = run(hosts, place, "keepalived", text, (conf, at) => {
    pids = at;
    const places = ["-p", `${at}.pid`, "-r", `${at}-vrrp.pid`, "-c", `${at}-check.pid`, "-b", `${at}-bfd.pid`];
    return ["/usr/sbin/keepalived", "-n", "-l", "-D", "-G", "-f", conf, ...places];
  });
  return {
    ...running,
    async crash() {
      running.child.kill("SIGSTOP"); // so that it does not start another child
      process.kill(Number(readFileSync(`${pids}-bfd.pid`, "utf8")), "SIGKILL");
      await end(running.child, "SIGKILL");
    },
  };
}

const has = (place: string): boolean => ip("-n", place, "-o", "address").includes(` ${VIP}/`);
const owners = ({ a, b }: Hosts): string => [a, b].filter(has).join();

async function until(what: string, done: () => boolean | Promise<boolean>): Promise<number> {
  const limit = performance.now() + 15_000;
  while (!(await done())) {
    if (performance.now() > limit) throw new Error(`not within 15 s: ${what}`);
    await delay(5);
  }
  return performance.now();
}

/** Addresses of the service's dests; nothing while lvsd starts. */
async function dests(control: Control): Promise<string> {
  const services = await control.services().catch(() => []);
  return services
    .flatMap((each) => each.dests.map(({ addr }) => addr))
    .sort()
    .join(" ");
}
const BOTH = "10.9.1.2 10.9.1.3";
const ONE = "10.9.1.3";

function childOf(parent: number, word: string): number {
  const pids = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim().split(" ").map(Number);
  return pids.find((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`/${word}\0`)) ?? 0;
}

test.concurrent("a session that fails takes the VIP and the real server away within its detection time, and brings them back", async ({
  expect,
  onTestFinished,
}) => {
  const hosts = lay(onTestFinished);
  const { a, b, r } = hosts;
  const ours = lvsd(hosts, a, bfd("10.9.1.2") + tracking + service);
  const { control, child, log } = ours;
  keepalived(hosts, b, router(100));
  let peer = keepalived(hosts, r, bfd("10.9.1.1"));
  const isWhole = async (): Promise<boolean> => owners(hosts) === a && (await dests(control)) === BOTH;
  const isOver = (): boolean => owners(hosts) === b;
  await until("a has all", isWhole).catch((error: Error) => {
    throw new Error(`${error.message}\n${log()}`);
  });

  for (const fail of [() => ip("-n", r, "link", "set", "eth0", "down"), () => peer.crash()]) {
    const start = performance.now();
    const [took, gone] = await Promise.all([
      until("b has the VIP", isOver),
      until("the server is gone", async () => (await dests(control)) === ONE),
      fail(),
    ]);
    expect(took - start).toBeLessThan(DETECTION + SKEW + SLACK);
    expect(gone - start).toBeLessThan(DETECTION + SLACK);
    expect((await control.bfd())[0]).toMatchObject({ state: "Down", fell: { diagnostic: "Control Detection Time Expired" } });
    expect((await control.vrrp())[0]).toMatchObject({ state: "FAULT", faults: ["(tracked BFD instance B1 down)"] });
    ip("-n", r, "link", "set", "eth0", "up");
    if (peer.child.signalCode !== null) peer = keepalived(hosts, r, bfd("10.9.1.1"));
    await until("a has all again", isWhole);
  }

  // The BFD process dies: what it ran is down until the next one has it up.
  process.kill(childOf(child.pid!, "lvsd-bfd"), "SIGKILL");
  await until("it is told", () => log().includes("process died process=bfd reason=SIGKILL"));
  await until("the server is gone", async () => (await dests(control)) === ONE);
  await until("a has all again", isWhole);

  // Other intervals: the session goes on.
  const before = (await control.bfd())[0]!;
  writeFileSync(ours.conf, bfd("10.9.1.2", 150) + tracking + service);
  child.kill("SIGHUP");
  await until("longer intervals are agreed on", async () => (await control.bfd())[0]?.detectionTime === 450);
  expect((await control.bfd())[0]!.age).toBeGreaterThan(before.age);
  expect(await isWhole()).toBe(true);

  await ours.stop();
  await until("keepalived is told of the end", () => peer.log().includes("Neighbor Signaled Session Down"));
  expect(log()).not.toMatch(/ error (refused|bfd refused|defect)/);
  expect(log().match(/VRRP_Instance\(VI_1\) Tracked BFD instance B1 is DOWN/g)).toHaveLength(3);
});

test.concurrent("lvsd is a neighbour that keepalived's routers can lean on, and takes over when they lose it", async ({
  expect,
  onTestFinished,
}) => {
  const hosts = lay(onTestFinished);
  const { a, b, r } = hosts;
  const neighbour = lvsd(hosts, r, bfd("10.9.1.1"));
  const backup = lvsd(hosts, b, router(100));
  const peer = keepalived(hosts, a, bfd("10.9.1.2") + tracking);
  await until("keepalived has the VIP", () => owners(hosts) === a);
  await until("lvsd has followed", async () => (await backup.control.vrrp().catch(() => []))[0]?.state === "BACKUP");
  const start = performance.now();
  process.kill(childOf(neighbour.child.pid!, "lvsd-bfd"), "SIGSTOP"); // silence
  const took = await until("ours has the VIP", () => owners(hosts) === b);
  expect(took - start).toBeLessThan(DETECTION + SKEW + SLACK);
  await until("keepalived says why", () => peer.log().includes("Control Detection Time Expired"));
  process.kill(childOf(neighbour.child.pid!, "lvsd-bfd"), "SIGCONT");
  await until("keepalived has the VIP again", () => owners(hosts) === a);
});
