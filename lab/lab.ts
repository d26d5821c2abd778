import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "../src/fault.ts";
import { execute, Host, netnsPath } from "./host.ts";
import { sweep, sweepLeftovers } from "./remains.ts";
import { netnsName, plan, portsOf, type Topology } from "./topology.ts";

/** Machines and cables out of network namespaces and veth pairs; gone again when closed, or when this process is. */
export interface Lab<H extends string> {
  readonly topology: Topology<H>;
  readonly hosts: { readonly [host in H]: Host };
  /** For configurations, logs and captures; removed with the lab. */
  readonly directory: string;
  /** Stops what was spawned, removes the namespaces. May be called twice. */
  close(): Promise<void>;
}

const open = new Set<string>(); // prefixes of the labs of this process

/** @throws Fault when this is not root, or a command that makes the lab fails; what was made is removed */
export async function startLab<H extends string>(topology: Topology<H>): Promise<Lab<H>> {
  if (process.getuid?.() !== 0) throw new Fault("start lab", "EPERM", "network namespaces need root");
  if (open.size === 0) {
    sweepLeftovers();
    watchExit();
  }
  const prefix = claimPrefix();
  open.add(prefix);
  try {
    await build(topology, prefix);
  } catch (cause) {
    remove(prefix);
    throw cause;
  }
  const ports = portsOf(topology);
  const names = Object.keys(topology.hosts) as H[];
  const hosts = Object.fromEntries(names.map((name) => [name, new Host(name, netnsName(prefix, name), ports)])) as Record<
    H,
    Host
  >;
  return {
    topology,
    hosts,
    directory: join(tmpdir(), prefix),
    async close() {
      if (!open.has(prefix)) return;
      for (const name of names.toReversed()) await hosts[name].stop();
      remove(prefix);
    },
  };
}

/** A lab for the time of one call. */
export async function withLab<H extends string, T>(topology: Topology<H>, use: (lab: Lab<H>) => Promise<T>): Promise<T> {
  const lab = await startLab(topology);
  try {
    return await use(lab);
  } finally {
    await lab.close();
  }
}

async function build(topology: Topology, prefix: string): Promise<void> {
  const { namespaces, links, scripts, settle } = plan(topology, prefix);
  await must("make namespaces and cables", ["ip", "-batch", "-"], [...namespaces.map((name) => `netns add ${name}`), ...links]);
  for (const round of [scripts, settle]) {
    const shell = (name: string) => ["nsenter", `--net=${netnsPath(name)}`, "--", "sh", "-e", "-s"];
    await Promise.all([...round].map(([name, lines]) => must(`set up ${name}`, shell(name), lines)));
  }
}

async function must(what: string, argv: readonly string[], lines: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await execute(argv, { input: `${lines.join("\n")}\n` });
  if (code !== 0) throw new Fault(`start lab: ${what}`, "EXIT", `exit ${code}: ${(stderr || stdout).trim()}`);
}

/** lvsd-<pid>-<n>, by making the directory of that name, which only one can. */
function claimPrefix(): string {
  for (let n = 1; ; n++) {
    const prefix = `lvsd-${process.pid}-${n}`;
    try {
      mkdirSync(join(tmpdir(), prefix), { mode: 0o755 });
      return prefix;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
  }
}

function remove(prefix: string): void {
  sweep(prefix);
  open.delete(prefix);
}

const removeAll = (): void => [...open].forEach(remove);

let isWatching = false;

/** However this process ends (short of SIGKILL, which sweepLeftovers is for), its labs go first. */
function watchExit(): void {
  if (isWatching) return;
  isWatching = true;
  process.on("exit", removeAll);
  process.on("SIGHUP", () => process.exit(128 + 1));
  process.on("SIGINT", () => process.exit(128 + 2));
  process.on("SIGTERM", () => process.exit(128 + 15));
}
