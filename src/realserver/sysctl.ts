import { readFileSync, writeFileSync } from "node:fs";
import { Fault } from "../fault.ts";

/**
 * Sysctls by their path below /proc/sys. What is below /proc/sys/net belongs to the network namespace of the thread that opens
 * the file, whichever mount of /proc it is found by, so that `ip netns exec` and `nsenter --net` need no more.
 */

const ROOT = "/proc/sys";

/** undefined: there is none of that name. */
export function readSysctl(key: string, root: string = ROOT): string | undefined {
  try {
    return readFileSync(`${root}/${key}`, "utf8").trim();
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new Fault(`read sysctl ${key}`, codeOf(cause), whyNot(codeOf(cause), root), cause);
  }
}

export function writeSysctl(key: string, value: string, root: string = ROOT): void {
  try {
    writeFileSync(`${root}/${key}`, `${value}\n`, { flag: "r+" });
  } catch (cause) {
    throw new Fault(`set sysctl ${key} to ${value}`, codeOf(cause), whyNot(codeOf(cause), root), cause);
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "EIO";

function whyNot(code: string, root: string): string {
  if (code === "EROFS") return `${root} is read-only here (a container?): set it outside, or let this write to ${root}`;
  if (code === "ENOENT") return `${root} does not have it: is /proc mounted, and is the interface there?`;
  if (code === "EACCES" || code === "EPERM") return "not permitted: root of the network namespace may";
  return code;
}
