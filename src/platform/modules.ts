import { execFileSync } from "node:child_process";

const MODPROBE_MS = 10_000;

/** Loads a kernel module by name, with what it needs. Returns why not, in modprobe's words; undefined: it is there. */
export function loadModule(name: string): string | undefined {
  try {
    execFileSync("modprobe", ["--", name], { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8", timeout: MODPROBE_MS });
    return undefined;
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() ?? "";
    return said !== "" ? said : error instanceof Error ? error.message : String(error);
  }
}
