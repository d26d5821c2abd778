import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** How late the machine lets even an idle real-time program be: what is to be taken off before a router is blamed. */
export interface Beat {
  /** Ends it. How late it was, ms, each time that it was late by a millisecond or more. */
  end(): Promise<readonly number[]>;
}

/** @param folder for the program */
export function startBeat(folder: string, intervalMs: number): Beat {
  const program = join(folder, "beat");
  execFileSync("clang", ["-O2", "-Wall", "-o", program, fileURLToPath(new URL("beat.c", import.meta.url))]);
  const child = spawn(program, [String(intervalMs)], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (part) => {
    text += String(part);
  });
  const ended = new Promise((done) => child.once("close", done));
  return {
    async end() {
      child.kill("SIGTERM");
      await ended;
      return text
        .split("\n")
        .slice(0, -1)
        .map((line) => Number(line.split(" ")[1]));
    },
  };
}
