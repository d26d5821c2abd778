import { existsSync, type FSWatcher, readFileSync, watch, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { TrackFile, TrackScript, VrrpConfig, Weight } from "../../vrrp/config.ts";
import type { Millis } from "../../vrrp/machine.ts";
import { fileValue, isUp, newScript, type RunEnd, ran, type ScriptState } from "../../vrrp/track.ts";
import { countProcesses, QuorumWatch } from "./processes.ts";
import { type ScriptProcess, spawnScript } from "./scripts.ts";

/** Runs what is tracked: scripts, files and processes (spec 2.11, 3.12). */

export interface Trackers {
  look(
    kind: "script" | "file" | "process" | "bfd",
    name: string,
  ): { readonly weight: Weight; readonly value: boolean | number | undefined };
  status?(): TrackerStatus;
  close(): void;
}

/** What is tracked as it is now, by name. */
export interface TrackerStatus {
  readonly scripts: Readonly<Record<string, ScriptStatus>>;
  /** The numbers in the files. */
  readonly files: Readonly<Record<string, number>>;
  readonly processes: Readonly<Record<string, { readonly count: number; readonly hasQuorum: boolean }>>;
}

export interface ScriptStatus {
  /** 0 to rise+fall-1. */
  readonly result: number;
  readonly isUp: boolean;
  /** Has it ended once? */
  readonly isKnown: boolean;
  readonly state: "idle" | "running" | "requested termination";
}

export const nothingTracked: TrackerStatus = { scripts: {}, files: {}, processes: {} };

export interface TrackerSurroundings {
  /** Is the BFD session up? undefined: not known yet. */
  isBfdUp?(name: string): boolean | undefined;
  onChange(): void;
  log(text: string): void;
}

const KILL_AFTER = 2000; // ms after TERM
/** Files whose directory cannot be watched, and processes, are looked at this often. */
const POLL = 1000; // ms
const NO_WEIGHT: Weight = { weight: 0, reverse: false };

export function startTrackers(
  config: Pick<VrrpConfig, "scripts" | "files" | "processes" | "bfds">,
  out: TrackerSurroundings,
  before?: Trackers,
): Trackers {
  const scripts = new Map(config.scripts.map((s) => [s.name, runScript(s, out, knownScript(s, before))]));
  const files = new Map(config.files.map((f) => [f.name, watchFile(f, out)]));
  const processes = new Map(config.processes.map((p) => [p.name, new QuorumWatch(p, out)]));
  let counts: ReadonlyMap<string, number> = new Map();
  const look = (): void => {
    counts = countProcesses(config.processes);
    for (const [name, quorum] of processes) quorum.count(counts.get(name) ?? 0);
  };
  const bfds = new Map(config.bfds.map(({ name, weight }) => [name, weight]));
  if (processes.size > 0) look();
  const timer = processes.size > 0 ? setInterval(look, POLL) : undefined;
  return {
    look(kind, name) {
      if (kind === "bfd") return { weight: bfds.get(name) ?? NO_WEIGHT, value: out.isBfdUp?.(name) };
      const thing = kind === "script" ? scripts.get(name) : kind === "file" ? files.get(name) : processes.get(name);
      return thing === undefined ? { weight: NO_WEIGHT, value: undefined } : { weight: thing.weight, value: thing.value };
    },
    status: () => ({
      scripts: Object.fromEntries([...scripts].map(([name, script]) => [name, script.status()])),
      files: Object.fromEntries([...files].map(([name, { value }]) => [name, Number(value ?? 0)])),
      processes: Object.fromEntries(
        [...processes].map(([name, quorum]) => [name, { count: counts.get(name) ?? 0, hasQuorum: quorum.value === true }]),
      ),
    }),
    close() {
      clearInterval(timer);
      for (const thing of [...scripts.values(), ...files.values(), ...processes.values()]) thing.close();
    },
  };
}

/** A script that was known before a reload keeps its result. */
function knownScript(s: TrackScript, before: Trackers | undefined): boolean | undefined {
  const value = before?.look("script", s.name).value;
  return typeof value === "boolean" ? value : undefined;
}

interface Running {
  readonly weight: Weight;
  readonly value: boolean | number | undefined;
  close(): void;
}

interface RunningScript extends Running {
  status(): ScriptStatus;
}

function runScript(s: TrackScript, { onChange, log }: TrackerSurroundings, known: boolean | undefined): RunningScript {
  let state: ScriptState = newScript(s);
  if (known !== undefined) state = { result: known ? s.rise + s.fall - 1 : 0, isKnown: true, exit: undefined };
  let child: OneRun | undefined;
  let isClosed = false;
  const ended = (end: RunEnd): void => {
    child = undefined;
    if (isClosed) return;
    const was = state.isKnown ? isUp(s, state) : undefined;
    const next = ran(s, state, end);
    state = next.state;
    for (const line of next.lines) log(line);
    if (isUp(s, state) !== was) onChange();
  };
  const run = (): void => {
    if (child === undefined) child = runOnce(s, ended);
    else log(`Track script ${s.name} is already running, expect idle - skipping run`);
  };
  run();
  const timer = setInterval(run, s.interval);
  return {
    weight: s.weight,
    get value() {
      return state.isKnown ? isUp(s, state) : undefined;
    },
    status: () => ({
      ...{ result: state.result, isUp: isUp(s, state), isKnown: state.isKnown },
      state: child === undefined ? "idle" : child.isLate() ? "requested termination" : "running",
    }),
    close() {
      isClosed = true;
      clearInterval(timer);
      if (child?.process.pid !== undefined) killGroup(child.process.pid, "SIGTERM");
    },
  };
}

interface OneRun {
  readonly process: ScriptProcess;
  /** Its time is over. */
  isLate(): boolean;
}

/** In its own process group; TERM when its time is over, KILL later. */
function runOnce(s: TrackScript, ended: (end: RunEnd) => void): OneRun {
  const child = spawnScript(s.run);
  let isLate = false;
  let killer: NodeJS.Timeout | undefined;
  const timer = setTimeout(() => {
    isLate = true;
    if (child.pid === undefined) return;
    const { pid } = child;
    killGroup(pid, "SIGTERM");
    killer = setTimeout(() => killGroup(pid, "SIGKILL"), KILL_AFTER);
  }, s.timeout);
  let isOver = false;
  const over = (end: RunEnd): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    clearTimeout(killer);
    ended(isLate ? "timeout" : end);
  };
  child.once("error", () => over({ code: 127 }));
  child.once("exit", (code, signal) => over(signal === null ? { code: code ?? 1 } : { signal }));
  return { process: child, isLate: () => isLate };
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // has ended
  }
}

function watchFile(f: TrackFile, { onChange, log }: TrackerSurroundings): Running {
  if (f.init !== undefined && (f.init.overwrite || !existsSync(f.path))) {
    try {
      writeFileSync(f.path, `${f.init.value}\n`);
    } catch (error) {
      log(`Unable to initialise tracked file ${f.path}: ${(error as Error).message}`);
    }
  }
  let value = readValue(f.path);
  const look = (): void => {
    const now = readValue(f.path);
    if (now === value) return;
    value = now;
    onChange();
  };
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(dirname(f.path), { persistent: false }, (_, name) => {
      if (name === null || name === basename(f.path)) look();
    });
    watcher.on("error", () => {});
  } catch {
    // the directory is not there: polled only
  }
  const timer: NodeJS.Timeout = setInterval(look, POLL);
  return {
    weight: f.weight,
    get value() {
      return value;
    },
    close() {
      clearInterval(timer);
      watcher?.close();
    },
  };
}

function readValue(path: string): Millis {
  try {
    return fileValue(readFileSync(path, "utf8"));
  } catch {
    return 0;
  }
}
