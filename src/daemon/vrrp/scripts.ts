import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import type { Script } from "../../vrrp/config.ts";

/** Runs programs as the user they are to be run as. */

export type ScriptProcess = Pick<ChildProcess, "pid" | "kill" | "unref" | "on" | "once">;

/**
 * In its own process group, unless the options say otherwise. A program that cannot be run is always an `error` event: spawn()
 * itself throws where it is being written (ETXTBSY), or its folder has become a file.
 */
export function spawnScript(script: Script, options: SpawnOptions = { detached: true }): ScriptProcess {
  const [program = "", ...args] = script.command;
  try {
    return spawn(program, args, { stdio: "ignore", ...options, ...identityOf(script) });
  } catch (error) {
    const stillborn = Object.assign(new EventEmitter(), { pid: undefined, kill: () => false, unref() {} });
    setImmediate(() => stillborn.emit("error", error));
    return stillborn as unknown as ScriptProcess;
  }
}

/** uid and gid for spawn(); nothing: as we are. */
export function identityOf({ user, group }: Script): { uid?: number; gid?: number } {
  if (user === undefined) return {};
  const entry = lineOf("/etc/passwd", user);
  const uid = Number(entry?.[2] ?? user);
  const gid = Number(group === undefined ? entry?.[3] : (lineOf("/etc/group", group)?.[2] ?? group));
  if (Number.isNaN(uid)) return {};
  return Number.isNaN(gid) ? { uid } : { uid, gid };
}

function lineOf(path: string, name: string): string[] | undefined {
  return readFileSync(path, "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .find(([first]) => first === name);
}

/**
 * One queue: a script begins when the one before has ended, or has had its time. So the last one that runs is the one of
 * the last change, which cannot be said of scripts that are started all at once.
 */
export class ScriptQueue {
  readonly #waiting: Script[] = [];
  readonly #log: (text: string) => void;
  #isBusy = false;
  readonly #drained: (() => void)[] = [];
  /** How long one may hold up the next, ms. */
  readonly #patience: number;

  constructor(log: (text: string) => void, patience = 10_000) {
    this.#log = log;
    this.#patience = patience;
  }

  add(script: Script): void {
    this.#waiting.push(script);
    this.#next();
  }

  /** When none waits any more; the last one may still be running. */
  drained(): Promise<void> {
    return this.#waiting.length === 0 ? Promise.resolve() : new Promise((resolve) => this.#drained.push(resolve));
  }

  #next(): void {
    if (this.#isBusy) return;
    const script = this.#waiting.shift();
    if (script === undefined) return;
    this.#isBusy = true;
    let isDone = false;
    const done = (): void => {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      this.#isBusy = false;
      this.#next();
    };
    const timer = setTimeout(() => {
      this.#log(`script ${script.command[0]} takes longer than ${this.#patience / 1000} s, the next one does not wait for it`);
      done();
    }, this.#patience);
    timer.unref();
    const child = spawnScript(script);
    child.unref();
    child.once("error", (error) => {
      this.#log(`script ${script.command[0]} cannot be run: ${error.message}`);
      done();
    });
    child.once("exit", done);
    if (this.#waiting.length === 0) for (const resolve of this.#drained.splice(0)) resolve();
  }
}
