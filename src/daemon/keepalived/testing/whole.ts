import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";

/** lvsd as it is installed, in a network namespace with one link, eth0 (10.9.0.1), for tests of `lvsd -f`. */

const ENTRIES = [
  ...["daemon/entry/lvsd", "daemon/entry/lvsd-vrrp", "daemon/entry/lvsd-health", "daemon/entry/lvsd-bfd"],
  ...["daemon/entry/lvsctl", "cli/entry/ipvsadm"],
];
const BANNER = `import { createRequire as lvsdRequire } from "node:module"; const require = lvsdRequire(import.meta.url);`;

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Lvsd {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  log(): string;
}

export class Whole {
  /** For files of the test too. */
  readonly folder: string;
  readonly name: string;
  readonly #children: ChildProcess[] = [];
  #logs = 0;

  private constructor(folder: string, name: string) {
    this.folder = folder;
    this.name = name;
  }

  /** @param name of the namespaces; the process id makes it the test's own */
  static async make(name: string): Promise<Whole> {
    mkdirSync("build", { recursive: true });
    const folder = mkdtempSync(resolve("build", `test-${name}-`)); // where koffi and the BPF objects are found
    symlinkSync(resolve("build"), join(folder, "build"));
    for (const entry of ENTRIES)
      await build({
        ...{ entryPoints: [`src/${entry}.ts`], outfile: join(folder, "bin", entry.split("/").at(-1)!), banner: { js: BANNER } },
        ...{ bundle: true, platform: "node", format: "esm", external: ["koffi"], logLevel: "error" },
      });
    return new Whole(folder, `lvsd${name}${process.pid}`);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Before each test. */
  up(): void {
    execFileSync("ip", ["netns", "add", this.name]);
    this.ip("link set lo up");
    this.ip("link add eth0 type veth peer name eth1");
    this.ip("address add 10.9.0.1/24 dev eth0");
    for (const link of ["eth0", "eth1"]) this.ip(`link set ${link} up`);
  }

  /** After each test: all that it started ends. */
  async down(): Promise<void> {
    await Promise.all(this.#children.splice(0).map(kill));
    execFileSync("ip", ["netns", "del", this.name]);
  }

  ip(line: string): string {
    return execFileSync("ip", ["-n", this.name, ...line.split(" ")], { encoding: "utf8" });
  }

  /** A program inside, until it ends by itself or with the test. */
  start(program: string, args: readonly string[], log: "pipe" | number = "pipe"): ChildProcess {
    const child = spawn("nsenter", [`--net=/run/netns/${this.name}`, program, ...args], { stdio: ["ignore", "pipe", log] });
    this.#children.push(child);
    return child;
  }

  lvsd(conf: string, ...args: string[]): Lvsd {
    const path = join(this.folder, `log-${++this.#logs}`); // not a pipe, which nobody reads while a command runs
    const fd = openSync(path, "w");
    const words = [join(this.folder, "bin", "lvsd"), "--interface", "eth0", "-f", conf, ...args];
    const child = this.start(process.execPath, words, fd);
    closeSync(fd);
    const ended = new Promise<number | null>((done) => child.once("close", done));
    return { child, ended, log: () => readFileSync(path, "utf8") };
  }

  lvsctl(...args: string[]): Ended {
    return this.#run("lvsctl", args);
  }

  ipvsadm(...args: string[]): Ended {
    return this.#run("ipvsadm", args);
  }

  #run(program: string, args: readonly string[]): Ended {
    const words = [`--net=/run/netns/${this.name}`, process.execPath, join(this.folder, "bin", program), ...args];
    const { status, stdout, stderr } = spawnSync("nsenter", words, { encoding: "utf8", maxBuffer: 1 << 28 });
    return { status, stdout, stderr };
  }

  /** "ADDRESS:PORT" of services, and of their dests with their weights. */
  table(): Record<string, Record<string, number>> {
    const table: Record<string, Record<string, number>> = {};
    let service: Record<string, number> = {};
    for (const line of this.ipvsadm("-Ln").stdout.split("\n")) {
      const [, key] = /^(?:TCP|UDP) +(\S+)/.exec(line) ?? [];
      const [, dest, weight] = /^ +-> (\d\S*) +\S+ +(\d+)/.exec(line) ?? [];
      if (key !== undefined) {
        service = {};
        table[key] = service;
      }
      if (dest !== undefined) service[dest] = Number(weight);
    }
    return table;
  }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once("exit", done));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
  await ended;
  clearTimeout(timer);
}
