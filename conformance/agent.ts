import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** The repository's root: the harness is started from there (`make conformance`). */
export const ROOT = process.cwd();
export const HERE = join(ROOT, "conformance");

/** Builds the agent when its source is newer; returns its path. */
export function buildAgent(): string {
  const source = join(HERE, "agent.c");
  const program = join(ROOT, "build", "conformance", "agent");
  mkdirSync(join(ROOT, "build", "conformance"), { recursive: true });
  if (!existsSync(program) || statSync(program).mtimeMs < statSync(source).mtimeMs) {
    execFileSync("cc", ["-O2", "-Wall", "-Wextra", "-o", program, source], { stdio: "inherit" });
  }
  return program;
}

/** A case whose waits are longer than this runs beside others. */
export const SLOW_MS = 300;
