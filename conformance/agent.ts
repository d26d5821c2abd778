import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../src/fault.ts";

/** The repository's root: the harness is started from there (`make conformance`). */
export const ROOT = process.cwd();
export const HERE = join(ROOT, "conformance");

/** Builds the agent when its source is newer; returns its path. */
export function buildAgent(): string {
  const source = join(HERE, "agent.c");
  const program = join(ROOT, "build", "conformance", "agent");
  mkdirSync(join(ROOT, "build", "conformance"), { recursive: true });
  if (!existsSync(program) || statSync(program).mtimeMs < statSync(source).mtimeMs) {
    compile(source, program);
  }
  return program;
}

function compile(source: string, program: string): void {
  const isThere = (cc: string): boolean => spawnSync(cc, ["--version"], { stdio: "ignore" }).status === 0;
  const cc = ["cc", "gcc", "clang"].find(isThere);
  if (cc === undefined) throw new Fault("conformance", "ENOENT", "no C compiler for the agent: install gcc or clang");
  execFileSync(cc, ["-O2", "-Wall", "-Wextra", "-o", program, source], { stdio: "inherit" });
}

/** A case whose waits are longer than this runs beside others. */
export const SLOW_MS = 300;
