import { type ChildProcess, spawn } from "node:child_process";
import { Fault } from "../src/fault.ts";

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const STOP_TIMEOUT = 5_000; // ms from SIGTERM to SIGKILL
const OUTPUT_LIMIT = 1 << 20; // characters kept of each stream, the latest

/** A process that was started and will be stopped. */
export class Running {
  readonly title: string;
  readonly pid: number;
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  #stdout = "";
  #stderr = "";
  #wake: () => void = () => {};

  /** In a session of its own: a Ctrl-C on the terminal is for the lab, which then stops it in order. */
  constructor(title: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.title = title;
    this.#child = spawn(argv[0] ?? "", argv.slice(1), {
      detached: true,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.pid = this.#child.pid ?? 0;
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#hear("stdout", text));
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#hear("stderr", text));
    this.ended = new Promise((resolve) => {
      this.#child.on("error", () => resolve({ code: 127, signal: null }));
      this.#child.on("exit", (code, signal) => {
        resolve({ code, signal });
        this.#wake();
      });
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get isRunning(): boolean {
    return this.pid !== 0 && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  kill(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#child.kill(signal);
  }

  /** SIGTERM (or another), and SIGKILL if that is not heard. May be called twice. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (!this.isRunning) return;
    this.kill(signal);
    const timer = setTimeout(() => this.kill("SIGKILL"), STOP_TIMEOUT);
    await this.ended;
    clearTimeout(timer);
  }

  /**
   * Until either stream has said this.
   * @throws Fault EXIT when it ends first, ETIMEDOUT when it takes longer than `timeout` ms
   */
  async hear(pattern: RegExp, timeout = 10_000): Promise<void> {
    const deadline = Date.now() + timeout;
    while (!pattern.test(this.#stdout) && !pattern.test(this.#stderr)) {
      const left = deadline - Date.now();
      if (!this.isRunning) throw new Fault(this.title, "EXIT", `ended before it said ${pattern}: ${this.#stderr.trim()}`);
      if (left <= 0) throw new Fault(this.title, "ETIMEDOUT", `did not say ${pattern}: ${this.#stderr.trim()}`);
      await this.#news(left);
    }
  }

  #news(timeout: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeout);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #hear(stream: "stdout" | "stderr", text: string): void {
    if (stream === "stdout") this.#stdout = (this.#stdout + text).slice(-OUTPUT_LIMIT);
    else this.#stderr = (this.#stderr + text).slice(-OUTPUT_LIMIT);
    this.#wake();
  }
}
