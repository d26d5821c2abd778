import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { parseText } from "../../../config/parse.ts";
import { fromConfig } from "../from-config.ts";
import type { Order, Report } from "../process.ts";
import type { SessionStatus } from "../status.ts";

/**
 * Two hosts in network namespaces of their own, on one link, each with our BFD process or Debian's keepalived:
 *
 *   a (10.9.0.1, 2001:db8:9::1) eth0 ──── eth0 (10.9.0.2, 2001:db8:9::2) b
 */

export type Kind = "ours" | "keepalived";
export type Place = "a" | "b";

export interface Node {
  readonly kind: Kind;
  log(): string;
  /** When it said last that its session is in a state (performance.now()); undefined: never. */
  enteredAt(state: string): number | undefined;
  state(): string | undefined;
  /** Ours only. */
  status(): Promise<readonly SessionStatus[]>;
  /** Ours only: another configuration. */
  configure(conf: string): void;
  /** keepalived only: SIGHUP with another file. */
  reload(conf: string): void;
  /** SIGTERM, and its end. */
  stop(): Promise<void>;
  /** SIGKILL of the process that runs the sessions, and of its parent. */
  kill(): Promise<void>;
}

export interface Stage {
  readonly a: string;
  readonly b: string;
  start(kind: Kind, place: Place, conf: string): Node;
  /** Packets in both directions are lost, and neither side's link goes down. */
  cut(): void;
  mend(): void;
  /** Ends what runs. */
  clear(): Promise<void>;
  remove(): Promise<void>;
}

export const ip = (...args: string[]): string =>
  execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

let stages = 0;

/** @param program of bundleBfd */
export async function openStage(program: string): Promise<Stage> {
  mkdirSync("build", { recursive: true });
  const folder = mkdtempSync(resolve("build/test-bfd-"));
  const number = ++stages;
  const names = { a: `lvsd-bfd-${process.pid}-${number}a`, b: `lvsd-bfd-${process.pid}-${number}b` };
  const bridge = `lvsd-bfd-${process.pid}-${number}m`;
  const running: Node[] = [];
  const clear = async (): Promise<void> => void (await Promise.all(running.splice(0).map((node) => node.kill())));
  const remove = async (): Promise<void> => {
    await clear();
    for (const name of [names.a, names.b, bridge]) tryTo(() => ip("netns", "delete", name));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    lay(names, bridge);
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    ...{ ...names, clear, remove },
    start(kind, place, conf) {
      const node = kind === "ours" ? startOurs(program, names[place], conf) : startKeepalived(folder, names[place], conf);
      running.push(node);
      return node;
    },
    // The hosts' own links stay up: nothing but silence tells them.
    cut: () => void ip("-n", bridge, "link", "set", "middle", "down"),
    mend: () => void ip("-n", bridge, "link", "set", "middle", "up"),
  };
}

/** Our process as one file, for any number of stages. */
export async function bundleBfd(): Promise<{ readonly program: string; remove(): void }> {
  mkdirSync("build", { recursive: true });
  const folder = mkdtempSync(resolve("build/test-bfd-program-")); // inside the repository, so that koffi is found
  const outfile = join(folder, "bfd.mjs");
  const require = `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);`;
  await build({
    entryPoints: ["src/daemon/entry/lvsd-bfd.ts"],
    ...{ bundle: true, platform: "node", format: "esm", external: ["koffi"], logLevel: "error", outfile },
    banner: { js: require },
  });
  return { program: outfile, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The two hosts, and a bridge between them in a namespace of its own. */
function lay(names: { readonly a: string; readonly b: string }, bridge: string): void {
  for (const name of [names.a, names.b, bridge]) {
    ip("netns", "add", name);
    ip("-n", name, "link", "set", "lo", "up");
  }
  ip("-n", bridge, "link", "add", "middle", "type", "bridge");
  ip("-n", bridge, "link", "set", "middle", "up");
  for (const [place, host] of [
    ["a", 1],
    ["b", 2],
  ] as const) {
    ip("-n", names[place], "link", "add", "eth0", "type", "veth", "peer", "name", `p${place}`, "netns", bridge);
    ip("-n", bridge, "link", "set", `p${place}`, "master", "middle", "up");
    ip("-n", names[place], "link", "set", "eth0", "addrgenmode", "none");
    ip("-n", names[place], "address", "add", `10.9.0.${host}/24`, "dev", "eth0");
    ip("-n", names[place], "link", "set", "eth0", "up");
    ip("-n", names[place], "address", "add", `2001:db8:9::${host}/64`, "dev", "eth0", "nodad");
  }
}

function startOurs(program: string, place: string, conf: string): Node {
  const read = (text: string): Order => {
    const { config, problems, verdict } = parseText(text);
    if (verdict === "refuse") throw new Error(problems.map((p) => p.message).join("\n"));
    return { type: "configure", config: fromConfig(config) };
  };
  const args = [`--net=/run/netns/${place}`, process.execPath, program, "--detail"];
  const child = spawn("nsenter", args, { stdio: ["ignore", "pipe", "pipe", "ipc"] });
  const base = running(child);
  let last: string | undefined;
  let answer: ((sessions: readonly SessionStatus[]) => void) | undefined;
  child.on("message", (report: Report) => {
    if (report.type === "status") answer?.(report.sessions);
    if (report.type === "event") last = report.event.state;
    if (report.type === "event") base.entered.set(report.event.state, performance.now());
  });
  const send = (order: Order): void => void child.send(order);
  send(read(conf));
  return {
    ...{ kind: "ours", log: base.log, enteredAt: (state) => base.entered.get(state), state: () => last },
    status: () =>
      new Promise((done) => {
        answer = done;
        send({ type: "status" });
      }),
    configure: (text) => send(read(text)),
    reload: no,
    async stop() {
      child.kill("SIGTERM");
      await base.ended;
    },
    async kill() {
      child.kill("SIGKILL");
      await base.ended;
    },
  };
}

const no = (): never => {
  throw new Error("not of this kind");
};

let files = 0;

function startKeepalived(folder: string, place: string, conf: string): Node {
  const base = join(folder, `keepalived-${++files}`);
  writeFileSync(`${base}.conf`, conf);
  const pids = ["-p", `${base}.pid`, "-r", `${base}-vrrp.pid`, "-c", `${base}-check.pid`, "-b", `${base}-bfd.pid`];
  const args = [`--net=/run/netns/${place}`, "/usr/sbin/keepalived", "-n", "-l", "-D", "-G", "-f", `${base}.conf`, ...pids];
  const child = spawn("nsenter", args, { env: { ...process.env, TMPDIR: folder } });
  let last: string | undefined;
  const { log, entered, ended } = running(child, (line) => {
    const state = /Entering (\w+) state/.exec(line)?.[1];
    if (state !== undefined) last = state;
    return state;
  });
  return {
    ...{ kind: "keepalived", log, enteredAt: (state) => entered.get(state), state: () => last, status: no, configure: no },
    reload(text) {
      writeFileSync(`${base}.conf`, text);
      child.kill("SIGHUP");
    },
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGSTOP"); // so that it does not start another child
      tryTo(() => process.kill(Number(readFileSync(`${base}-bfd.pid`, "utf8")), "SIGKILL"));
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function running(child: ChildProcess, stateIn: (line: string) => string | undefined = () => undefined) {
  let text = "";
  const entered = new Map<string, number>();
  const add = (part: Buffer): void => {
    for (const line of String(part).split("\n")) {
      const state = stateIn(line);
      if (state !== undefined) entered.set(state, performance.now());
    }
    text += String(part);
  };
  child.stderr!.on("data", add);
  child.stdout!.on("data", add);
  const ended = new Promise<void>((done) => child.on("close", () => done()));
  return { log: () => text, entered, ended };
}

export async function until(what: string, done: () => boolean, limitMs = 15_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!done()) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function tryTo(what: () => unknown): void {
  try {
    what();
  } catch {
    // it was not there
  }
}
