import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { parseText } from "../../../config/parse.ts";
import { fromConfig } from "../from-config.ts";
import type { Report } from "../process.ts";
import type { InstanceStatus } from "../status.ts";

/**
 * Routers in network namespaces of their own, on one link, each either ours or Debian's keepalived:
 *
 *   a (10.9.0.1, fe80::a) eth0 ──── eth0 (10.9.0.2, fe80::b) b
 *
 *   a ──── p-a br0 (10.9.0.9) p-b ──── b      with the switch c between them
 */

export type Kind = "ours" | "keepalived";

export interface Node {
  readonly kind: Kind;
  readonly place: string;
  readonly pid: number;
  /** Of all its processes, the parent first: what SIGKILL needs for a death of all of it. */
  pids(): readonly number[];
  log(): string;
  /** SIGTERM, and its end. */
  stop(): Promise<void>;
  /** SIGKILL. keepalived's child is then asked to stop by the kernel, and says so with priority 0. */
  kill(): Promise<void>;
  /** As a crash of all of it: nobody is told anything. */
  crash(): Promise<void>;
  /** Stops its clock, so to speak. */
  pause(): void;
  resume(): void;
  /** Ours only. */
  status(): Promise<readonly InstanceStatus[]>;
  /** Ours only: the time (performance.now()) at which an instance says that it is in a state, from now on. */
  entered(word: string, name?: string): Promise<number>;
  /** Ours only: another file, and SIGHUP. */
  reload(conf: string): void;
}

export interface Stage {
  /** Our process, bundled. */
  readonly program: string;
  readonly a: string;
  readonly b: string;
  /** The switch between them, with an address on br0 and ports p-a and p-b; "" where they are joined directly. */
  readonly c: string;
  /** @param flags of ours */
  start(kind: Kind, place: string, conf: string, flags?: readonly string[]): Node;
  /** Ends what runs, and clears addresses that a killed one has left. */
  clear(): Promise<void>;
  remove(): Promise<void>;
}

let stages = 0;

export const ip = (...args: string[]): string =>
  execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** @param hasSwitch a third place between them, from which both can be watched and cut off */
export async function openStage({ hasSwitch = false } = {}): Promise<Stage> {
  mkdirSync("build", { recursive: true });
  const folder = mkdtempSync(resolve("build/test-vrrp-")); // inside the repository, so that koffi is found
  const program = join(folder, "vrrp.mjs");
  const number = ++stages;
  const [a, b, c] = ["a", "b", "c"].map((place) => `lvsd-vrrp-${process.pid}-${number}${place}`) as [string, string, string];
  const running: Running[] = [];
  const remove = async (): Promise<void> => {
    await Promise.all(running.splice(0).map((node) => node.kill()));
    for (const name of hasSwitch ? [a, b, c] : [a, b]) tryTo(() => ip("netns", "delete", name));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await bundle(program);
    if (hasSwitch) joinBySwitch(a, b, c);
    else joinDirectly(a, b);
    for (const [place, address, link] of ends(a, b)) giveAddresses(place, address, link);
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    ...{ a, b, c: hasSwitch ? c : "", program, remove },
    start(kind, place, conf, flags = []) {
      const node = kind === "ours" ? startOurs(program, folder, place, conf, flags) : startKeepalived(folder, place, conf);
      running.push(node);
      return node;
    },
    async clear() {
      await Promise.all(running.splice(0).map((node) => node.kill()));
      for (const [place, address, link] of ends(a, b)) {
        for (const vmac of ["vrrp.51", "vrrp6.51", "own.51"]) tryTo(() => ip("-n", place, "link", "delete", vmac));
        ip("-n", place, "address", "flush", "dev", "eth0");
        ip("-n", place, "address", "add", address, "dev", "eth0");
        ip("-n", place, "address", "add", link, "dev", "eth0", "nodad");
        ip("-n", place, "link", "set", "eth0", "up");
      }
    },
  };
}

async function bundle(outfile: string): Promise<void> {
  const require = `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);`;
  await build({
    entryPoints: ["src/daemon/entry/lvsd-vrrp.ts"],
    ...{
      bundle: true,
      platform: "node",
      format: "esm",
      external: ["koffi"],
      banner: { js: require },
      logLevel: "error",
      outfile,
    },
  });
}

const ends = (a: string, b: string) =>
  [
    [a, "10.9.0.1/24", "fe80::a/64"],
    [b, "10.9.0.2/24", "fe80::b/64"],
  ] as const;

function joinDirectly(a: string, b: string): void {
  for (const name of [a, b]) addPlace(name);
  ip("-n", a, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", b);
}

function joinBySwitch(a: string, b: string, c: string): void {
  for (const name of [a, b, c]) addPlace(name);
  ip("-n", c, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0");
  for (const [place, port] of [
    [a, "p-a"],
    [b, "p-b"],
  ] as const) {
    ip("-n", c, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", place);
    ip("-n", c, "link", "set", port, "master", "br0", "up");
  }
  for (const address of ["10.9.0.9/24", "2001:db8:9::9/64"]) ip("-n", c, "address", "add", address, "dev", "br0", "nodad");
  ip("-n", c, "link", "set", "br0", "up");
}

function addPlace(name: string): void {
  ip("netns", "add", name);
  ip("-n", name, "link", "set", "lo", "up");
}

function giveAddresses(place: string, address: string, link: string): void {
  ip("-n", place, "link", "set", "eth0", "addrgenmode", "none");
  ip("-n", place, "address", "add", address, "dev", "eth0");
  ip("-n", place, "link", "set", "eth0", "up");
  ip("-n", place, "address", "add", link, "dev", "eth0", "nodad");
}

type Running = Node & { readonly child: ChildProcess };

let nodes = 0;

function startOurs(program: string, folder: string, place: string, conf: string, flags: readonly string[]): Running {
  const id = ++nodes;
  const file = join(folder, `ours-${id}.json`);
  const socket = join(folder, `ours-${id}.sock`);
  const write = (text: string): void => {
    const { config, problems, verdict } = parseText(text);
    if (verdict === "refuse") throw new Error(problems.map((p) => p.message).join("\n"));
    writeFileSync(file, JSON.stringify(fromConfig(config)));
  };
  write(conf);
  const child = inside(place, process.execPath, [program, "--config", file, "--socket", socket, "--detail", ...flags], folder);
  const node = running("ours", place, child);
  return {
    ...node,
    status: () => askStatus(socket),
    entered: (word, name = "VI_1") => hearEvent(socket, word, name),
    reload(text) {
      write(text);
      child.kill("SIGHUP");
    },
  };
}

function startKeepalived(folder: string, place: string, conf: string): Running {
  const base = join(folder, `keepalived-${++nodes}`);
  writeFileSync(`${base}.conf`, conf);
  const places = ["-p", `${base}.pid`, "-r", `${base}-vrrp.pid`, "-c", `${base}-check.pid`];
  const child = inside(place, "/usr/sbin/keepalived", ["-n", "-l", "-D", "-G", "-P", "-f", `${base}.conf`, ...places], folder);
  const no = (): never => {
    throw new Error("only of ours");
  };
  const node = running("keepalived", place, child);
  const crash = async (): Promise<void> => {
    child.kill("SIGSTOP"); // so that it does not start another child
    process.kill(Number(readFileSync(`${base}-vrrp.pid`, "utf8")), "SIGKILL");
    await node.kill();
  };
  const pids = (): number[] => [child.pid!, Number(readFileSync(`${base}-vrrp.pid`, "utf8"))];
  const both = (signal: NodeJS.Signals): void => {
    for (const pid of pids()) process.kill(pid, signal);
  };
  return {
    ...node,
    pids,
    crash,
    pause: () => both("SIGSTOP"),
    resume: () => both("SIGCONT"),
    status: no,
    entered: no,
    reload: no,
  };
}

const inside = (place: string, program: string, args: readonly string[], folder: string): ChildProcess =>
  spawn("nsenter", [`--net=/run/netns/${place}`, program, ...args], { env: { ...process.env, TMPDIR: folder } });

function running(kind: Kind, place: string, child: ChildProcess): Omit<Running, "status" | "entered" | "reload"> {
  let text = "";
  const add = (part: Buffer): void => {
    text += String(part);
  };
  child.stderr!.on("data", add);
  child.stdout!.on("data", add);
  const ended = new Promise<void>((done) => child.on("close", () => done()));
  const kill = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await ended;
  };
  return {
    ...{ kind, place, child, pid: child.pid!, kill, crash: kill },
    pids: () => [child.pid!],
    log: () => text,
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
  };
}

function askStatus(path: string): Promise<readonly InstanceStatus[]> {
  return new Promise((done, fail) => {
    const socket = connect(path);
    let text = "";
    socket.on("error", fail).on("data", (part) => {
      text += String(part);
      const end = text.indexOf("\n");
      if (end < 0) return;
      socket.destroy();
      const report = JSON.parse(text.slice(0, end)) as Report;
      done(report.type === "status" ? report.instances : []);
    });
  });
}

/** @throws when it has not come within half a minute */
function hearEvent(path: string, word: string, name: string): Promise<number> {
  return new Promise((done, fail) => {
    const socket = connect(path);
    const timer = setTimeout(() => socket.destroy(new Error(`${name} did not become ${word}`)), 30_000);
    let text = "";
    socket.on("error", fail).on("close", () => clearTimeout(timer));
    socket.on("data", (part) => {
      const now = performance.now();
      const lines = (text + String(part)).split("\n");
      text = lines.pop()!;
      const isIt = (r: Report): boolean => r.type === "event" && r.event.name === name && r.event.word === word;
      if (!lines.some((line) => isIt(JSON.parse(line) as Report))) return;
      socket.destroy();
      done(now);
    });
  });
}

/** Is the address on eth0 (or another link) of the place? */
export const has = (place: string, address: string): boolean => ip("-n", place, "-o", "address", "show").includes(` ${address}/`);

/** The places that have the address. */
export const owners = (stage: Stage, address: string): string[] => [stage.a, stage.b].filter((place) => has(place, address));

export async function until(what: string, done: () => boolean, limitMs = 15_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!done()) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function tryTo(what: () => unknown): void {
  try {
    what();
  } catch {
    // it was not there
  }
}
