import { spawn } from "node:child_process";

/** keepalived without `-n`: a process of its own session does the work, and the one that was called returns when it is ready. */

/** Set in the process that does the work. */
const WORKER = "LVSD_BACKGROUND";

/** Whether this process does the work. Said once: a keepalived that a script of this one calls is not to believe it of itself. */
export function takeWork(env = process.env): boolean {
  const isWorker = env[WORKER] !== undefined;
  delete env[WORKER];
  return isWorker;
}

/** @returns the exit code for the caller: 0 when it is ready, else its own */
export function goToBackground(argv: readonly string[], stay: string): Promise<number> {
  const child = spawn(process.execPath, [process.argv[1]!, ...argv, stay], {
    detached: true,
    cwd: process.cwd(),
    env: { ...process.env, [WORKER]: "1" },
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  return new Promise((resolve) => {
    child.once("message", () => {
      child.disconnect();
      child.unref();
      resolve(0);
    });
    child.once("exit", (code) => {
      if (code !== 0) process.stderr.write("keepalived: it did not start; the log says why, as does keepalived -n -l\n");
      resolve(code ?? 1);
    });
    child.once("error", () => resolve(1));
  });
}

/** In the process that does the work: the one that waits may go. */
export function tellReady(): void {
  if (!process.connected) return;
  process.once("disconnect", () => {});
  process.send?.("ready");
}
