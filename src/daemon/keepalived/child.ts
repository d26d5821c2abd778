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
/** Time to do what it is told, ms. */
const OBEDIENCE = 20_000;
/** The same for one that has to be started first, maybe with 10 000 servers. */
const BEGINNING = 120_000;

export interface ChildOptions<Report> {
  /** Its word in the log. */
  readonly name: string;
  /** A JavaScript file. */
  readonly program: string;
  readonly args?: readonly string[];
  /** It must be on time, always. */
  readonly isPunctual?: boolean;
  /** More, of every start but the first that was ready. */
  readonly again?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** What ps calls it. */
  readonly title?: string;
  readonly log: Log;
  readonly care?: Care;
  onReport(report: Report): void;
  /** It has died, and is to be started again. */
  onEnd?(): void;
}

/** What becomes of a child, beyond being started again. */
export interface Care {
  /** false: when a child dies all ends. */
  readonly respawn?: boolean;
  /** Time a child has to end before it is killed, ms. */
  patience?(): number;
  onStart?(name: string, pid: number): void;
  onEnd?(name: string): void;
  /** All should end, with this exit code: a child cannot do its work, or died and is not to be started again. */
  giveUp?(exit: number): void;
}

/** What the service manager says is for the parent only, and not for the scripts of children. */
const FOR_PARENT = { NOTIFY_SOCKET: undefined, WATCHDOG_USEC: undefined, WATCHDOG_PID: undefined };

/** Exit codes of a child that is no use starting again, when it never was ready (spec 1.5). */
const PERMANENT: ReadonlySet<number | null> = new Set([1, 2, 4]);

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
  #pong = (): void => {};

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
      const late = (): void => resolve(`the ${this.#options.name} process does not answer`);
      const timer = setTimeout(late, this.#wasReady ? OBEDIENCE : BEGINNING);
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

  /** Whether it answers within `ms`. Between two lives it does: a pause that is meant is no hang. */
  answers(ms: number): Promise<boolean> {
    if (this.#process === undefined) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), ms);
      this.#pong = () => {
        clearTimeout(timer);
        resolve(true);
      };
      this.send({ type: "ping" });
    });
  }

  /** Tells it to take away what it has put in place, and waits for its end. */
  stop(how: object = {}): Promise<void> {
    return this.#finish((child) => child.connected && child.send({ type: "stop", ...how }));
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
      }, this.#options.care?.patience?.() ?? PATIENCE);
    }
    return this.#ended;
  }

  #start(): void {
    const { name, program, args = [], again = [], env = {}, title, isPunctual, care, log, onReport } = this.#options;
    const child = fork(program, [...args, ...(this.#wasReady ? again : [])], {
      // V8 takes a process with little to do for idle and shrinks its heap, which stops it for longer than adverts may wait.
      execArgv: [...(isPunctual ? ["--no-memory-reducer"] : []), ...(title === undefined ? [] : [`--title=${title}`])],
      env: { ...process.env, ...FOR_PARENT, ...env },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      detached: true, // a terminal's Ctrl-C is for the parent, which stops its children in order
    });
    this.#process = child;
    this.#orders = [this.#orders.flat()];
    this.#startedAt = performance.now();
    child.on("message", (report: Report) => {
      if (report.type === "ready") this.#wasReady = true;
      if (report.type === "ready" || report.type === "failed") this.#told(report);
      if (report.type === "pong") this.#pong();
      else if (report.type === "status") this.#answer(report);
      else onReport(report);
    });
    if (child.pid !== undefined) {
      log.info("process started", { process: name, pid: child.pid });
      care?.onStart?.(name, child.pid);
    }
    const ended = (reason: string, code: number | null = null): void => {
      if (this.#process !== child) return;
      care?.onEnd?.(name);
      this.#over(reason, child.pid ?? 0, code);
    };
    child.on("error", (error) => {
      if (child.pid === undefined) ended(error.message); // else a message that came too late
    });
    child.once("exit", (code, signal) => {
      const over = (): void => ended(signal ?? `exit ${code}`, code);
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
  #over(reason: string, pid: number, code: number | null): void {
    this.#process = undefined;
    this.#pong();
    this.#orders = [this.#orders.flat()]; // answered in its next life
    if (this.#isEnding) {
      clearTimeout(this.#timer);
      for (const answer of this.#orders.flat()) answer(`the ${this.#options.name} process has ended`);
      this.#end();
      return;
    }
    const { name, care, log } = this.#options;
    const isPermanent = !this.#wasReady && PERMANENT.has(code);
    if (care?.giveUp !== undefined && (isPermanent || care.respawn === false)) {
      this.#isEnding = true;
      this.#end();
      log.error(isPermanent ? "process failed" : "process died", { process: name, pid, reason, again: false });
      care.giveUp(isPermanent ? (code ?? 1) : 0);
      return;
    }
    if (performance.now() - this.#startedAt >= STEADY) this.#pause = 0;
    const pause = this.#pause;
    this.#pause = Math.min(pause === 0 ? 1000 : pause * 2, LONGEST_PAUSE);
    this.#options.onEnd?.();
    log.error("process died", { process: name, reason, againInMs: pause, pid });
    this.#timer = setTimeout(() => this.#start(), pause);
  }
}
