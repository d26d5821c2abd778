import { readFileSync } from "node:fs";
import { release } from "node:os";
import { fileURLToPath } from "node:url";
import type { Log, OpenDirector } from "../director/engine.ts";
import { explain, Fault } from "../fault.ts";
import { notifyManager } from "../platform/notify.ts";
import { nameProcess } from "../platform/scheduling.ts";
import { monotonicMs } from "../platform/timer.ts";
import { dumper } from "./dump/dumper.ts";
import { dumpText } from "./dump/dumps.ts";
import { factsOf } from "./dump/facts.ts";
import { hearDumpSignals } from "./dump/hear.ts";
import { type Failure, failureOf } from "./failure.ts";
import { placesOf } from "./instance.ts";
import type { Care } from "./keepalived/child.ts";
import { type Around, type Configured, startConfigured } from "./keepalived/configured.ts";
import { runOnce } from "./keepalived/once.ts";
import { type Orders, openOrders } from "./keepalived/orders.ts";
import type { Once } from "./keepalived/parent-words.ts";
import { enterNamed } from "./keepalived/place.ts";
import { namespaceIn, openReader, tellFindings, type Wanted } from "./keepalived/read.ts";
import { followReloadTime } from "./keepalived/reload-time.ts";
import { type Lvsd, startLvsd } from "./lvsd.ts";
import { counted, type Reloads } from "./metrics/reloads.ts";
import type { LvsdOptions } from "./options.ts";
import { preflight } from "./preflight.ts";
import type { FileStatus } from "./routes.ts";
import { judgeFile } from "./vrrp/security.ts";
import { askForTime, startWatchdog } from "./watchdog.ts";

/** The life of lvsd, whichever command it was started by: read the file, start, follow signals, stop. */

export interface RunOptions extends Omit<LvsdOptions, "log"> {
  /** A network namespace to go to; else the one the file names, else this. */
  readonly namespace?: string;
}

/** What the command that it was started by adds. */
export interface Front {
  readonly open: OpenDirector;
  readonly log: Log;
  readonly care?: Pick<Care, "onStart" | "onEnd">;
  readonly setting?: Around["setting"];
  /** The file is read, and nothing is started yet: may change what is to be done, or say why not (an exit code). */
  begin?(wanted: Wanted, options: RunOptions): RunOptions | number;
  /** All is started. */
  ready?(): void;
}

export type Ending =
  | { readonly why: "stopped"; readonly exit: number }
  /** It was not started. */
  | { readonly why: "file"; readonly problems: readonly string[]; readonly isMissing: boolean }
  | { readonly why: "failure"; readonly failure: Failure };

export async function runDaemon(asked: RunOptions, front: Front): Promise<Ending> {
  const { log } = front;
  const tell = managerTeller(log);
  let reload = (): void => log.info("nothing to reload", { reason: "no configuration file is in use" });
  const asking = signals(() => reload());
  let configured: Configured | undefined;
  const onDump = dumper(() => configured, log);
  hearDumpSignals(onDump);
  try {
    enterNamed(asked.namespace ?? (asked.file === undefined ? undefined : namespaceIn(asked.file, asked)), log);
  } catch (error) {
    return { why: "failure", failure: failureOrThrow(error) };
  }
  const read = openReader(asked);
  const first = asked.file === undefined ? undefined : read(asked.file);
  if (first !== undefined && "problems" in first) return { why: "file", ...first };
  if (first !== undefined) tellFindings(first, asked.file!, log);
  const options = first === undefined ? asked : (front.begin?.(first.wanted, asked) ?? asked);
  if (typeof options === "number") return { why: "stopped", exit: options };
  let orders: Orders | undefined;
  let reloads: (() => Reloads) | undefined;
  const file: FileStatus = {
    vrrp: async () => (await configured?.vrrp()) ?? [],
    checks: async () => (await configured?.checks()) ?? [],
    bfd: async () => (await configured?.bfd()) ?? [],
    orders: () => orders,
    async scrape() {
      if (configured === undefined || reloads === undefined) return undefined;
      return { ...(await configured.state()), reloads: reloads() };
    },
    async dump(name, clear) {
      if (configured === undefined) throw new Fault("dump", "ENOENT", "no configuration file is in use");
      return dumpText(name, factsOf(await configured.state(clear)));
    },
  };
  const parent = first?.wanted.parent;
  const places = placesOf();
  let lvsd: Lvsd;
  try {
    preflight(thisMachine(), options);
    const how = { open: front.open, places, log, notify: tell, now: monotonicMs, file };
    lvsd = await startLvsd({ ...options, log: "text" }, { ...how, readyLater: first !== undefined });
  } catch (error) {
    return { why: "failure", failure: failureOrThrow(error) };
  }
  if (parent?.umask !== undefined) process.umask(parent.umask);
  if (parent?.processName !== undefined) nameProcess(parent.processName);
  const starting = askForTime(tell); // the script has up to 1000 s, the checkers two minutes
  void asking.then(() => starting.stop());
  await runParentScript("startup script", parent?.startup, first?.wanted, log);
  const { director } = lvsd;
  let giveUp = (_exit: number): void => {};
  const givenUp = new Promise<Stop>((resolve) => {
    giveUp = (exit) => resolve({ signal: "none", exit });
  });
  let stopReloads = (): void => {};
  if (first === undefined) {
    starting.stop();
    front.ready?.();
  } else {
    const { owned } = places;
    const care: Care = { ...front.care, respawn: options.respawn, giveUp: (exit) => giveUp(exit) };
    const setting = front.setting === undefined ? {} : { setting: front.setting };
    const begun = startConfigured(first.wanted, { director, log, owned, program: programBeside, onDump, care, ...setting });
    configured = begun;
    const desk = { path: options.file!, errors: first.errors, configured, director, log, now: monotonicMs, read };
    const { orders: given, reloads: seen } = counted(openOrders(desk), Date.now);
    orders = given;
    reloads = seen;
    reload = () => void reloaded(given, begun, tell, log).catch((error) => log.error("not reloaded", { reason: explain(error) }));
    stopReloads = followReloadTime({ words: () => begun.wanted().config.globalDefs, reload: () => reload(), log, now: Date.now });
    void begun.begun.then(() => {
      starting.stop();
      tell(readyText(begun));
      front.ready?.();
    });
  }
  const isAlive = async (ms: number): Promise<boolean> => (await configured?.isAlive(ms)) !== false;
  const watchdog = startWatchdog({ notify: tell, isAlive });
  const { signal, exit } = await Promise.race([asking, givenUp]);
  starting.stop();
  log.info("stopping", { signal });
  tell("STOPPING=1");
  stopReloads();
  orders?.close();
  await configured?.stop(options);
  await lvsd.stop();
  const ending = askForTime(tell);
  await runParentScript("shutdown script", parent?.shutdown, first?.wanted, log);
  ending.stop();
  watchdog.stop();
  return { why: "stopped", exit };
}

function failureOrThrow(error: unknown): Failure {
  const failure = failureOf(error);
  if (failure === undefined) throw error;
  return failure;
}

async function reloaded(orders: Orders, configured: Configured, tell: (state: string) => unknown, log: Log): Promise<void> {
  log.info("reloading");
  tell(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  try {
    await orders.reload();
  } finally {
    tell(readyText(configured));
  }
}

/** For the service manager; one that does not listen is no reason to end, and is told of once. */
function managerTeller(log: Log): (state: string) => boolean {
  let isTold = false;
  return (state) => {
    try {
      return notifyManager(state);
    } catch (error) {
      if (!isTold) log.warn("the service manager does not listen", { reason: explain(error) });
      isTold = true;
      return false;
    }
  };
}

function readyText(configured: Configured): string {
  const { vrrp, health } = configured.wanted();
  return `READY=1\nSTATUS=${vrrp.instances.length} routers, ${health.services.length} services`;
}

async function runParentScript(name: string, once: Once | undefined, wanted: Wanted | undefined, log: Log): Promise<void> {
  if (once === undefined) return;
  const [program] = once.script.command;
  const verdict = judgeFile(once.script);
  const isRefused = verdict === "unsafe" ? wanted?.vrrp.scriptSecurity === true : verdict !== "ok";
  if (isRefused) log.error(name, { program, reason: verdict });
  else {
    const result = await runOnce(once);
    log[result === "exit 0" ? "info" : "warn"](name, { program, result });
  }
}

/** The other commands lie beside this one. */
const programBeside = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

interface Stop {
  readonly signal: string;
  readonly exit: number;
}

/** The signal that asks to stop; one that comes during the start is not forgotten. */
function signals(reload: () => void): Promise<Stop> {
  process.on("SIGHUP", reload);
  return new Promise((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => resolve({ signal: name, exit: 0 }));
  });
}

const thisMachine = () => ({
  release: release(),
  status: readFileSync("/proc/self/status", "utf8"),
  netDev: readFileSync("/proc/self/net/dev", "utf8"),
});
