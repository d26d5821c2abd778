import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

/**
 * What Debian's keepalived and lvsd dump of BFD sessions that they have with each other, and of one whose neighbour is not there:
 *
 *   keepalived (10.9.0.1) eth0 ──── eth0 (10.9.0.2) lvsd
 */

type Side = "keepalived" | "lvsd";
const hosts = { keepalived: "10.9.0.1", lvsd: "10.9.0.2" } as const;
const place = (side: Side): string => `lvsdbfdd${process.pid}${side[0]}`;
const at = (side: Side, ...names: string[]): string => join(folder, side, ...names);
const running = new Map<Side, ChildProcess>();
let folder: string;
/** lvsd's. */
let log = "";

/** Descriptors and timers of keepalived's own making. */
const foreign = [/^ (fd_in|thread_in)/, /^ {3}(fd_out|thread_|sands_)/, /^ libnftnl version /];
const masks: readonly (readonly [RegExp, string])[] = [
  [/10\.9\.0\.[12]\b/, "10.9.0.X"],
  [/discriminator = 0x[1-9a-f][0-9a-f]*/, "discriminator = N"],
  [/last seen = \d+\.\d{6} \(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\.\d{6}\)/, "last seen = MOMENT"],
];

const linesOf = (side: Side, file: string): string[] =>
  readFileSync(at(side, file), "utf8")
    .split("\n")
    .filter((line) => !foreign.some((pattern) => pattern.test(line)))
    .map((line) => masks.reduce((text, [pattern, mask]) => text.replace(pattern, mask), line));

const router = (name: string, vrid: number, track: string): string => `vrrp_instance ${name} {
  interface eth0
  virtual_router_id ${vrid}
  virtual_ipaddress {
    10.9.0.${vrid}/32
  }
  ${track}
}
`;
const conf = (neighbour: string): string => `bfd_instance far {
  neighbor_ip 10.9.0.77
  min_rx 3.312
  weight -20 reverse
  max_hops -1
}
bfd_instance near {
  neighbor_ip ${neighbour}
  min_rx 100
  min_tx 200
  multiplier 3
}
bfd_instance checked {
  neighbor_ip 2001:db8::7
  passive
  checker
}
vrrp_sync_group G {
  group {
    VI_2
    VI_3
  }
  track_bfd {
    near
    far
  }
}
${router("VI_1", 51, "track_bfd {\n near\n far weight 20 reverse\n }")}
${router("VI_2", 52, "track_bfd {\n far weight 7\n }")}
${router("VI_3", 53, "")}
`;

const until = (what: () => void): Promise<void> => vi.waitFor(what, { timeout: 20_000, interval: 300 });
const ip = (...args: string[]): string => execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

beforeAll(async () => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(resolve("build/test-dump-bfd-")); // inside the repository, where koffi and the BPF objects are found
  symlinkSync(resolve("build"), join(folder, "build"));
  const require = `import { createRequire as lvsdRequire } from "node:module"; const require = lvsdRequire(import.meta.url);`;
  for (const name of ["lvsd", "lvsd-vrrp", "lvsd-bfd"])
    await build({
      ...{ entryPoints: [`src/daemon/entry/${name}.ts`], outfile: join(folder, "bin", name), banner: { js: require } },
      ...{ bundle: true, platform: "node", format: "esm", external: ["koffi"], logLevel: "error" },
    });
  for (const side of ["keepalived", "lvsd"] as const) {
    mkdirSync(at(side));
    writeFileSync(at(side, "conf"), conf(hosts[side === "lvsd" ? "keepalived" : "lvsd"]));
    ip("netns", "add", place(side));
  }
  ip("-n", place("lvsd"), "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", place("keepalived"));
  for (const side of ["keepalived", "lvsd"] as const) {
    ip("-n", place(side), "link", "set", "lo", "up");
    ip("-n", place(side), "address", "add", `${hosts[side]}/24`, "dev", "eth0");
    ip("-n", place(side), "link", "set", "eth0", "up");
  }
  const pids = ["-p", "p", "-r", "r", "-c", "c", "-b", "b"].map((word) => (word.startsWith("-") ? word : at("keepalived", word)));
  start("keepalived", "/usr/sbin/keepalived", ["-n", "-G", "-D", "-f", at("keepalived", "conf"), ...pids]);
  start("lvsd", process.execPath, [join(folder, "bin", "lvsd"), "--interface", "eth0", "-f", at("lvsd", "conf")]);
  // Before it listens to signals, one would end it.
  await until(() =>
    expect([existsSync(at("keepalived", "b")), log]).toEqual([true, expect.stringMatching(/ready .*bfd name=near state=Up/s)]),
  );
  for (const side of ["keepalived", "lvsd"] as const)
    await until(() => {
      running.get(side)!.kill("SIGUSR1");
      const [near] = /= near\n.*/s.exec(readFileSync(at(side, "keepalived_bfd.data"), "utf8")) ?? [""];
      expect(near.slice(0, near.indexOf("BFD Instance"))).toContain("local detection time = 600000 us");
      expect(readFileSync(at(side, "keepalived.data"), "utf8")).toContain("Bfd is up");
    });
});
afterAll(async () => {
  await Promise.all(
    [...running.values()].map((child) => {
      if (child.exitCode !== null || child.signalCode !== null) return undefined;
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGTERM");
      return ended;
    }),
  );
  for (const side of ["keepalived", "lvsd"] as const) ip("netns", "delete", place(side));
  rmSync(folder, { recursive: true, force: true });
});

function start(side: Side, program: string, args: readonly string[]): void {
  const inside = [`--net=/run/netns/${place(side)}`, program, ...args];
  const child = spawn("nsenter", inside, { env: { ...process.env, TMPDIR: at(side) }, stdio: ["ignore", "ignore", "pipe"] });
  child.stderr.on("data", (part) => {
    if (side === "lvsd") log += String(part);
  });
  running.set(side, child);
}

test("keepalived_bfd.data has keepalived's lines in keepalived's order", () => {
  expect(linesOf("lvsd", "keepalived_bfd.data")).toEqual(linesOf("keepalived", "keepalived_bfd.data"));
});

test("keepalived.data tells who tracks which session, as keepalived's does", () => {
  const tracked = (side: Side): string => {
    const text = linesOf(side, "keepalived.data").join("\n");
    const section = /------< VRRP Track BFDs >------.*?(?=------< Interfaces)/s.exec(text)?.[0];
    return [...text.matchAll(/ {3}Tracked BFDs :\n(?: {5}.*\n)*/g), section].join("");
  };
  expect(tracked("keepalived")).toContain("VI_3, weight -20 reverse");
  expect(tracked("lvsd")).toBe(tracked("keepalived"));
});
