import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";

/** For tests: keepalived and lvsd in its place, each on a host of its own (a network namespace, /run and /dev/log). */

/** Bundles lvsd's commands into a folder inside the repository, where koffi and the BPF objects are found. */
export async function bundle(names: readonly string[]): Promise<{ readonly folder: string; remove(): void }> {
  mkdirSync("build", { recursive: true });
  const folder = mkdtempSync(resolve("build", "test-side-"));
  symlinkSync(resolve("build"), join(folder, "build"));
  const require = `import { createRequire as lvsdRequire } from "node:module"; const require = lvsdRequire(import.meta.url);`;
  for (const name of names)
    await build({
      ...{ entryPoints: [`src/daemon/entry/${name}.ts`], outfile: join(folder, "bin", name), banner: { js: require } },
      ...{ bundle: true, platform: "node", format: "esm", external: ["koffi"], logLevel: "error" },
    });
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export interface Started {
  readonly child: ChildProcess;
  /** All of standard output and error so far. */
  log(): string;
  readonly ended: Promise<number | string | null>;
}

let hosts = 0;

/** With eth0 (10.9.0.1/24), whose other end is eth1. */
export class Host {
  readonly name = `lvsdside${process.pid}x${++hosts}`;
  readonly folder: string;
  readonly #running: ChildProcess[] = [];
  readonly #links: readonly string[];

  constructor(folder: string) {
    this.folder = join(folder, this.name);
    for (const part of ["run", "dev"]) mkdirSync(join(this.folder, part), { recursive: true });
    execFileSync("ip", ["netns", "add", this.name]);
    this.#links = ["link set lo up", "link add eth0 type veth peer name eth1", "address add 10.9.0.1/24 dev eth0"];
    for (const line of [...this.#links, "link set eth0 up", "link set eth1 up"])
      execFileSync("ip", ["-n", this.name, ...line.split(" ")]);
  }

  file(name: string, text: string, mode = 0o644): string {
    const path = join(this.folder, name);
    writeFileSync(path, text, { mode });
    return path;
  }

  /** `command` with this host's network (or another's), /run and /dev. */
  start(command: readonly string[], env: NodeJS.ProcessEnv = {}, network = this.name): Started {
    const devices = "for f in null zero full random urandom; do touch $D/dev/$f; mount --bind /dev/$f $D/dev/$f; done";
    const names = "mkdir -p $D/run/netns; mount --rbind /run/netns $D/run/netns";
    const enter = `D=${this.folder}; ${devices}; ${names}; mount --rbind $D/run /run; mount --rbind $D/dev /dev; exec "$@"`;
    const line = [`--net=/run/netns/${network}`, "unshare", "-m", "sh", "-c", enter, "sh", ...command];
    const child = spawn("nsenter", line, { cwd: this.folder, env: { ...process.env, ...env } });
    this.#running.push(child);
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (part) => {
        text += part;
      });
    const ended = new Promise<number | string | null>((done) => child.on("close", (code, signal) => done(code ?? signal)));
    return { child, ended, log: () => text };
  }

  /** What is sent to /dev/log, a line for each. */
  async syslog(): Promise<Started> {
    const program = `import socket,sys
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound",flush=True)
while True: print(s.recv(4096).decode().rstrip("\\0\\n"),flush=True)`;
    const started = this.start(["python3", "-c", program, join(this.folder, "dev/log")]);
    while (!started.log().includes("bound")) await new Promise((done) => setTimeout(done, 20));
    return started;
  }

  pids(): Record<string, number> {
    const run = join(this.folder, "run");
    const paths = readdirSync(run, { recursive: true, encoding: "utf8" });
    const names = paths.filter((path) => path.endsWith(".pid") && !path.startsWith("lvsd/")); // lvsd's own is beside
    return Object.fromEntries(names.map((name) => [name, Number(readFileSync(join(run, name), "utf8"))]));
  }

  holds(address: string): boolean {
    return execFileSync("ip", ["-n", this.name, "-o", "address"], { encoding: "utf8" }).includes(`${address}/`);
  }

  remove(): void {
    for (const pid of [...Object.values(this.pids()), ...this.#running.map((child) => child.pid ?? 0)]) kill(pid);
    execFileSync("ip", ["netns", "del", this.name]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Of a process that this host started. */
function kill(pid: number): void {
  if (pid <= 1 || !existsSync(`/proc/${pid}`)) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it has ended meanwhile
  }
}

/** keepalived's lines without the time, and numbers that differ from run to run. */
export const linesOf = (log: string): string[] =>
  log
    .split("\n")
    .map((line) => line.replace(/^\w{3} \w{3} [ \d]\d [\d:]{8} \d{4}: /, "").replace(/pid[= ]\d+|\(\d+\)/g, "PID"))
    .filter((line) => line !== "");
