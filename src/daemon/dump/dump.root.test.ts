import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

/**
 * The dumps of Debian's keepalived and ours for the same file, each in a namespace of its own with the same links: the same
 * lines in the same order, but for times, descriptors, and what is listed below.
 */

type Side = "keepalived" | "lvsd";
const sides: readonly Side[] = ["keepalived", "lvsd"];
const place = (side: Side): string => `lvsddump${process.pid}${side[0]}`;
const at = (side: Side, ...names: string[]): string => join(folder, side, ...names);
const running = new Map<Side, ChildProcess>();
let folder: string;

/** Lines of keepalived that have no meaning here. */
const foreign = [
  /^ libnftnl version /, // we speak to the kernel ourselves
  /^ {3}(Reset|Original) (ARP|arp|promote)/, // what it would put back of the kernel's settings
  /^ {3}rp_filter /,
  /^ {3}(Not )?IPv6 forwarding/, // when it last looked
  /^ G(ARP|NA) next time/,
];

/** What differs from run to run. */
const masks: readonly (readonly [RegExp, string])[] = [
  [/(Last transition|Read timeout) = \d+\.\d{6} \(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d\.\d{6} \d{4}\)/, "$1 = MOMENT"],
  [/fd_in \d+(,?) fd_out( =)? \d+/, "fd_in N$1 fd_out$2 N"],
  [/^ {3}index = \d+$/, "   index = N"],
  [/Master router = .*/, "Master router = ANY"], // of one that has heard none keepalived writes what was in the buffer
  [/, ifindex \d+$/, ", ifindex N"],
  [/Sent: \d+/, "Sent: N"],
];

const linesOf = (side: Side, file: string): string[] =>
  readFileSync(at(side, file), "utf8")
    .split("\n")
    .filter((line) => !foreign.some((pattern) => pattern.test(line)))
    .map((line) => masks.reduce((text, [pattern, mask]) => text.replace(pattern, mask), line));

const inside = (side: Side, program: string, args: readonly string[]): string[] => [
  `--net=/run/netns/${place(side)}`,
  program,
  ...args,
];

beforeAll(async () => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(resolve("build/test-dump-")); // inside the repository, where koffi and the BPF objects are found
  symlinkSync(resolve("build"), join(folder, "build"));
  const require = `import { createRequire as lvsdRequire } from "node:module"; const require = lvsdRequire(import.meta.url);`;
  for (const name of ["lvsd", "lvsd-vrrp", "lvsd-health", "lvsctl"])
    await build({
      ...{ entryPoints: [`src/daemon/entry/${name}.ts`], outfile: join(folder, "bin", name), banner: { js: require } },
      ...{ bundle: true, platform: "node", format: "esm", external: ["koffi"], logLevel: "error" },
    });
  const conf = readFileSync("src/daemon/dump/testing/vrrp.conf", "utf8").replace("FOLDER", folder);
  writeFileSync(join(folder, "numbers"), "3\n");
  writeFileSync(join(folder, "victim"), "untouched\n");
  for (const side of sides) {
    mkdirSync(at(side));
    writeFileSync(at(side, "conf"), conf);
    ip("netns", "add", place(side));
    for (const line of [
      "link set lo up",
      "link add eth0 address 02:00:00:00:00:01 type veth peer name eth2 address 02:00:00:00:00:02",
      "link add eth1 address 02:00:00:00:00:03 type veth peer name eth3 address 02:00:00:00:00:04",
      "address add 10.9.0.1/24 dev eth0",
      "link set eth0 up",
      "link set eth2 up",
    ])
      ip("-n", place(side), ...line.split(" "));
  }
  symlinkSync(join(folder, "victim"), at("lvsd", "keepalived.data"));
  start("keepalived", "/usr/sbin/keepalived", [
    ...[
      "-n",
      "-l",
      "-G",
      "-P",
      "-f",
      at("keepalived", "conf"),
      "-p",
      at("keepalived", "pid"),
      "-r",
      at("keepalived", "vrrp.pid"),
    ],
  ]);
  start("lvsd", process.execPath, [join(folder, "bin", "lvsd"), "--interface", "lo", "--hook", "tc", "-f", at("lvsd", "conf")]);
  // Not before the last of those that become master has done so, and announced it.
  for (const side of sides) await until(() => expect(addresses(side)).toMatch(/10\.9\.0\.140(.|\n)*10\.9\.0\.120/));
  await new Promise((done) => setTimeout(done, 1500));
  for (const [signal, file] of [
    ["SIGUSR1", "keepalived_parent.data"],
    ["SIGUSR2", "keepalived.stats"],
    [36, "keepalived.json"],
  ] as const)
    for (const side of sides) {
      process.kill(running.get(side)!.pid!, signal);
      await until(() => expect(size(at(side, file))).toBeGreaterThan(0));
    }
  for (const side of sides) await until(() => expect(size(at(side, "keepalived.data"))).toBeGreaterThan(5000));
});

afterAll(async () => {
  for (const child of running.values()) {
    const ended = new Promise((done) => child.once("exit", done));
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 8000);
    await ended;
    clearTimeout(timer);
  }
  for (const side of sides) spawnSync("ip", ["netns", "del", place(side)]);
  rmSync(folder, { recursive: true, force: true });
});

const ip = (...args: string[]): string => execFileSync("ip", args, { encoding: "utf8" });
const addresses = (side: Side): string => ip("-n", place(side), "-o", "address", "show");
const until = (what: () => void): Promise<void> => vi.waitFor(what, { timeout: 30_000, interval: 50 });
const size = (path: string): number => (existsSync(path) ? statSync(path).size : 0);

function start(side: Side, program: string, args: readonly string[]): void {
  const child = spawn("nsenter", inside(side, program, args), { env: { ...process.env, TMPDIR: at(side) }, stdio: "ignore" });
  running.set(side, child);
}

const lvsctl = (...args: string[]): string =>
  execFileSync("nsenter", inside("lvsd", process.execPath, [join(folder, "bin", "lvsctl"), ...args]), { encoding: "utf8" });

for (const file of ["keepalived.data", "keepalived.stats", "keepalived_parent.data"])
  test(`${file} has keepalived's lines in keepalived's order`, () => {
    expect(linesOf("lvsd", file)).toEqual(linesOf("keepalived", file));
  });

test("keepalived.json has keepalived's keys and values in keepalived's order", () => {
  const read = (side: Side) => {
    const instances = JSON.parse(readFileSync(at(side, "keepalived.json"), "utf8")) as {
      data: Record<string, unknown>;
      stats: Record<string, unknown>;
    }[];
    return instances.map(({ data, stats }) => [
      ...Object.entries(data).map((entry) => (entry[0] === "last_transition" ? [entry[0], typeof entry[1]] : entry)),
      ...Object.entries(stats).map((entry) => (entry[0] === "advert_sent" ? [entry[0], typeof entry[1]] : entry)),
    ]);
  };
  expect(read("lvsd")).toEqual(read("keepalived"));
});

test("a dump is a new file that only its owner may read: no symbolic link is followed, and no draft is left", () => {
  expect(readFileSync(join(folder, "victim"), "utf8")).toBe("untouched\n");
  const stat = lstatSync(at("lvsd", "keepalived.data"));
  expect([stat.isFile(), stat.mode & 0o777]).toEqual([true, 0o600]);
  const files = readdirSync(at("lvsd")).filter((name) => name.startsWith("keepalived"));
  expect(files.sort()).toEqual(["keepalived.data", "keepalived.json", "keepalived.stats", "keepalived_parent.data"]);
});

test("lvsctl dump shows the same, and the processes' own pids take the signals too", async () => {
  const now = (text: string): string => text.replaceAll(/\d+\.\d{6} \([^)]+\)/g, "MOMENT");
  expect(now(lvsctl("dump", "data"))).toBe(now(readFileSync(at("lvsd", "keepalived.data"), "utf8")));
  const { pid } = running.get("lvsd")!;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
  rmSync(at("lvsd", "keepalived.json"));
  process.kill(children[0]!, 36);
  await until(() => expect(size(at("lvsd", "keepalived.json"))).toBeGreaterThan(0));
});

test("STATS_CLEAR writes the counters as they were and begins at zero, as keepalived does", async () => {
  const total = (text: string): number => [...text.matchAll(/Became master: (\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0);
  for (const side of sides) {
    const { pid } = running.get(side)!;
    const file = at(side, "keepalived.stats");
    const dumped = async (signal: NodeJS.Signals | number): Promise<number> => {
      rmSync(file);
      process.kill(pid!, signal);
      await until(() => expect(size(file)).toBeGreaterThan(1000));
      return total(readFileSync(file, "utf8"));
    };
    expect([side, await dumped(63), await dumped("SIGUSR2")]).toEqual([side, 5, 0]);
  }
  expect(total(lvsctl("dump", "stats"))).toBe(0);
});
