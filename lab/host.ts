import { spawn as spawnChild } from "node:child_process";
import { constants } from "node:os";
import { Fault } from "../src/fault.ts";
import type { Ip } from "../src/net/ip.ts";
import { Running } from "./running.ts";
import { addressOf, type Port } from "./topology.ts";

export interface Result {
  /** Exit code; 128 + n when signal n ended it, 124 when the time was up. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  /** Milliseconds, then SIGKILL. */
  readonly timeout?: number;
  /** For its standard input. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface RunOptions extends ExecOptions {
  readonly shell?: "sh" | "bash";
}

const EXEC_TIMEOUT = 30_000; // ms

/** A network namespace of the lab, as the machine it plays. */
export class Host {
  readonly name: string;
  readonly netns: string;
  readonly #ports: readonly Port[];
  readonly #running: Running[] = [];

  constructor(name: string, netns: string, ports: readonly Port[]) {
    this.name = name;
    this.netns = netns;
    this.#ports = ports.filter((port) => port.host === name);
  }

  /** What a person types to be on this host. */
  get enter(): string {
    return `nsenter --net=${netnsPath(this.netns)} bash`;
  }

  /** Its own address on a segment; the first segment's when none is named. */
  address(segment?: string, family: "ipv4" | "ipv6" = "ipv4"): Ip {
    const found = addressOf(this.#ports, this.name, segment ?? this.#ports[0]?.segment ?? "", family);
    if (found === undefined) throw new RangeError(`${this.name} has no ${family} address on ${segment}`);
    return found;
  }

  mac(segment: string): string {
    const port = this.#ports.find((candidate) => candidate.segment === segment);
    if (port === undefined) throw new RangeError(`${this.name} has no interface on ${segment}`);
    return port.mac;
  }

  /** Its interfaces, which are named for their segments. */
  get interfaces(): readonly string[] {
    return this.#ports.map((port) => port.segment);
  }

  /** Run to the end, whatever it ends with. */
  exec(argv: readonly string[], options: ExecOptions = {}): Promise<Result> {
    return execute(this.#argv(argv), options);
  }

  /**
   * A shell line that has to succeed; its standard output.
   * @throws Fault ETIMEDOUT, or EXIT with the code and what it said
   */
  async run(line: string, options: RunOptions = {}): Promise<string> {
    const { timeout = EXEC_TIMEOUT, shell = "sh" } = options;
    const { code, stdout, stderr } = await this.exec([shell, "-c", line], options);
    if (code === 124) throw new Fault(`${this.name}: ${line}`, "ETIMEDOUT", `not done after ${timeout} ms`);
    if (code !== 0) throw new Fault(`${this.name}: ${line}`, "EXIT", `exit ${code}: ${(stderr || stdout).trim()}`);
    return stdout;
  }

  /** Start something that stays; it is stopped with the lab, if not before. */
  spawn(argv: readonly string[], options: { readonly env?: Readonly<Record<string, string>> } = {}): Running {
    const running = new Running(`${this.name}: ${argv.join(" ")}`, this.#argv(argv), options.env);
    this.#running.push(running);
    return running;
  }

  /** A file as it looks from here: /proc/net and /proc/sys/net differ between hosts. */
  async readFile(path: string): Promise<string> {
    const { code, stdout, stderr } = await this.exec(["cat", path]);
    if (code !== 0) throw new Fault(`${this.name}: read ${path}`, "EIO", stderr.trim());
    return stdout;
  }

  /** Stop what was spawned, the last one first. */
  async stop(): Promise<void> {
    for (const running of this.#running.reverse()) await running.stop();
    this.#running.length = 0;
  }

  // Not `ip netns exec`: it remounts /sys, and with it hides the BPF filesystem.
  #argv(argv: readonly string[]): string[] {
    return ["nsenter", `--net=${netnsPath(this.netns)}`, "--", ...argv];
  }
}

export const netnsPath = (netns: string): string => `/run/netns/${netns}`;

/** Run a command to its end in the namespace of this process. */
export function execute(argv: readonly string[], options: ExecOptions = {}): Promise<Result> {
  const { timeout = EXEC_TIMEOUT, input = "", env } = options;
  return new Promise((resolve, reject) => {
    const child = spawnChild(argv[0] ?? "", argv.slice(1), { env: { ...process.env, ...env } });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill("SIGKILL");
      child.stdout.destroy(); // a grandchild may hold them open for ever
      child.stderr.destroy();
    }, timeout);
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.stdin.on("error", () => {}); // it need not read all of its input
    child.stdin.end(input);
    child.on("error", (cause) => {
      clearTimeout(timer);
      reject(new Fault(`run ${argv.join(" ")}`, "ENOENT", "could not be started", cause));
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const text = (chunks: readonly Buffer[]) => Buffer.concat(chunks).toString("utf8");
      resolve({ code: isLate ? 124 : (code ?? signalExit(signal)), stdout: text(out), stderr: text(err) });
    });
  });
}

const signalExit = (signal: NodeJS.Signals | null): number => 128 + (signal === null ? 0 : (constants.signals[signal] ?? 0));
