import { type ChildProcess, fork } from "node:child_process";
import type { Log } from "../../director/engine.ts";

/** A process beside the director: started, started again when it dies, and told what to do by messages (spec 1.5). */

/** A child that lived this long is started again at once, ms. */
const STEADY = 60_000;
const LONGEST_PAUSE = 60_000;
/** Time to end before it is killed, ms. */
const PATIENCE = 5000;
/** Time to tell how it is, ms. */
const ANSWER = 2000;
/** Time to do what it is told; it may have to be started first, with 10 000 servers. ms */
const OBEDIENCE = 20_000;

export interface ChildOptions<Report> {
  /** Its word in the log. */
  readonly name: string;
  /** A JavaScript file. */
  readonly program: string;
  /** Of every start but the first that was ready. */
  readonly again?: readonly string[];
  readonly log: Log;
  onReport(report: Report): void;
  /** It has died, and is to be started again. */
  onEnd?(): void;
}

/** What came of an order; undefined: all is well. */
type Answer = (trouble: string | undefined) => void;

export class Child<Config, Report extends { readonly type: string }> {
  readonly #options: ChildOptions<Report>;
  #config: Config;
  #process: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pause = 0;
  #startedAt = 0;
  #wasReady = false;
  #isEnding = false;
  #asked: Promise<Report | undefined> | undefined;
  #answer = (_report: Report | undefined): void => {};
  /** Those who wait for "ready" or "failed", by the order that it will be said to; one order may answer several. */
  #orders: Answer[][] = [];
  readonly #ended: Promise<void>;
  #end = (): void => {};

  constructor(config: Config, options: ChildOptions<Report>) {
    this.#config = config;
    this.#options = options;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#start();
  }

  /**
   * From now on; a child that is started again gets it too.
   * @param order how to tell it, when it knows the configuration before
   * @returns what went wrong
   */
  configure(config: Config, order: object = { type: "configure", config }): Promise<string | undefined> {
    this.#config = config;
    if (this.#process?.connected) this.#orders.push([]); // else it is said at the start, which is to come
    this.send(order);
    return this.obeyed();
  }

  /** When it has done what it was told last. @returns what went wrong */
  obeyed(): Promise<string | undefined> {
    const last = this.#orders.at(-1);
    if (last === undefined || this.#isEnding) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(`the ${this.#options.name} process does not answer`), OBEDIENCE);
      timer.unref();
      last.push((trouble) => {
        clearTimeout(timer);
        resolve(trouble);
      });
    });
  }

  /** Nothing when it is between two lives. */
  send(order: object): void {
    if (this.#process?.connected) this.#process.send(order);
  }

  /** Its next report of a status; undefined when none comes. Those who ask at the same time get the same answer. */
  status(): Promise<Report | undefined> {
    this.#asked ??= new Promise((resolve) => {
      const timer = setTimeout(() => this.#answer(undefined), ANSWER);
      this.#answer = (report) => {
        clearTimeout(timer);
        this.#asked = undefined;
        resolve(report);
      };
      this.send({ type: "status" });
    });
    return this.#asked;
  }

  /** Tells it to take away what it has put in place, and waits for its end. */
  stop(): Promise<void> {
    return this.#finish((child) => child.connected && child.send({ type: "stop" }));
  }

  /** As if the parent were gone. */
  abandon(): Promise<void> {
    return this.#finish((child) => child.connected && child.disconnect());
  }

  #finish(tell: (child: ChildProcess) => unknown): Promise<void> {
    if (this.#isEnding) return this.#ended;
    this.#isEnding = true;
    clearTimeout(this.#timer);
    const child = this.#process;
    if (child === undefined) this.#end();
    else {
      tell(child);
      this.#timer = setTimeout(() => {
        this.#options.log.warn("killed", { process: this.#options.name, reason: "it does not end" });
        child.kill("SIGKILL");
      }, PATIENCE);
    }
    return this.#ended;
  }

  #start(): void {
    const { program, again = [], onReport } = this.#options;
    const child = fork(program, this.#wasReady ? again : [], {
      execArgv: [],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      detached: true, // a terminal's Ctrl-C is for the parent, which stops its children in order
    });
    this.#process = child;
    this.#orders = [this.#orders.flat()];
    this.#startedAt = performance.now();
    child.on("message", (report: Report) => {
      if (report.type === "ready") this.#wasReady = true;
      if (report.type === "ready" || report.type === "failed") this.#told(report);
      if (report.type === "status") this.#answer(report);
      else onReport(report);
    });
    const ended = (reason: string): void => {
      if (this.#process === child) this.#over(reason);
    };
    child.on("error", (error) => {
      if (child.pid === undefined) ended(error.message); // else a message that came too late
    });
    child.once("exit", (code, signal) => {
      const over = (): void => ended(signal ?? `exit ${code}`);
      if (child.connected)
        child.once("disconnect", over); // its last messages may still be on the way
      else over();
    });
    this.send({ type: "configure", config: this.#config });
  }

  /** After those who listen: what was wanted before is done. */
  #told(report: Report): void {
    const answers = this.#orders.shift() ?? [];
    const trouble = "reason" in report ? `${this.#options.name}: ${report.reason}` : undefined;
    setImmediate(() => {
      for (const answer of answers) answer(trouble);
    });
  }

  /** Pauses of 0, 1, 2, 4 … seconds for one that does not live long. */
  #over(reason: string): void {
    this.#process = undefined;
    this.#orders = [this.#orders.flat()]; // answered in its next life
    if (this.#isEnding) {
      clearTimeout(this.#timer);
      for (const answer of this.#orders.flat()) answer(`the ${this.#options.name} process has ended`);
      this.#end();
      return;
    }
    if (performance.now() - this.#startedAt >= STEADY) this.#pause = 0;
    const pause = this.#pause;
    this.#pause = Math.min(pause === 0 ? 1000 : pause * 2, LONGEST_PAUSE);
    this.#options.onEnd?.();
    this.#options.log.error("process died", { process: this.#options.name, reason, againInMs: pause });
    this.#timer = setTimeout(() => this.#start(), pause);
  }
}
