import type { Result } from "../../health/checker.ts";
import type { Probe } from "../../health/config.ts";
import { bad, good } from "../../health/dialogue.ts";
import { type ScriptProcess, spawnScript } from "../vrrp/scripts.ts";
import type { Cancel, Done } from "./probe.ts";
import { troubleOf } from "./trouble.ts";

/** MISC_CHECK: a script says how a server is (spec 4.8). */

type Misc = Extract<Probe, { type: "MISC_CHECK" }>;
/** Between SIGTERM and SIGKILL, ms. */
const GRACE = 2000;

/** The result comes when the script has ended, so that there are never two of them. */
export function runMisc(probe: Misc, done: Done): Cancel {
  let isOver = false;
  let isLate = false;
  let timer: NodeJS.Timeout | undefined;
  const end = (result: Result | undefined): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    if (result !== undefined) done(result);
  };
  const child = spawnScript(probe.script);
  const kill = (signal: "SIGTERM" | "SIGKILL"): void => killGroup(child, signal);
  timer = setTimeout(() => {
    isLate = true;
    kill("SIGTERM");
    timer = setTimeout(() => kill("SIGKILL"), GRACE);
  }, probe.timeout);
  child.once("error", (error) => end(troubleOf(error)));
  child.once("exit", (code, signal) => {
    if (isLate) kill("SIGKILL"); // what it has left behind
    end(isLate ? bad("timed out") : miscResult(probe, code, signal));
  });
  return () => {
    if (!isOver) kill("SIGKILL");
    end(undefined);
  };
}

/** Dynamic: 2-255 is good and makes the weight what it says less 2 (as if no other check added to it). */
export function miscResult(
  { dynamic, weight }: Pick<Misc, "dynamic" | "weight">,
  code: number | null,
  signal: string | null,
): Result {
  if (code === 0) return good;
  if (code === null) return bad(`due to signal ${signal}`);
  return dynamic && code > 1 ? { type: "ok", weight: code - 2 - weight } : bad(`exited with status ${code}`);
}

/** It has a process group of its own, with what it has started. */
function killGroup(child: ScriptProcess, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // ESRCH: all gone
  }
}
