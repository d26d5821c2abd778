import { spawnScript } from "../vrrp/scripts.ts";
import type { Once } from "./parent-words.ts";

/** Runs a script and waits for it (spec 1.5): after its time TERM, 2 s later KILL to all that it started. */

const GRACE = 2000;

/** What came of it, in words: "exit 0", "SIGTERM", "timed out", "ENOENT". */
export function runOnce({ script, timeout }: Once, grace = GRACE): Promise<string> {
  return new Promise((resolve) => {
    const child = spawnScript(script);
    let isLate = false;
    const signal = (name: NodeJS.Signals): void => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, name);
      } catch {
        // it has ended meanwhile
      }
    };
    let timer = setTimeout(() => {
      isLate = true;
      signal("SIGTERM");
      timer = setTimeout(() => signal("SIGKILL"), grace);
    }, timeout);
    const over = (result: string): void => {
      clearTimeout(timer);
      resolve(isLate ? "timed out" : result);
    };
    child.once("error", (error: NodeJS.ErrnoException) => over(error.code ?? error.message));
    child.once("exit", (code, name) => over(name ?? `exit ${code}`));
  });
}
