import { readFileSync } from "node:fs";
import { Fault } from "../fault.ts";

/** The memory of the host, as far as the defences against floods look at it. */

const KB_PER_PAGE = 4;

/** Pages that are free or hold buffers: the host's, whatever network namespace asks. */
export const availablePages = (): number => pagesIn(readFileSync("/proc/meminfo", "utf8"));

/** @param meminfo the text of /proc/meminfo (proc_meminfo(5)) */
export function pagesIn(meminfo: string): number {
  return Math.floor((kilobytes(meminfo, "MemFree") + kilobytes(meminfo, "Buffers")) / KB_PER_PAGE);
}

function kilobytes(meminfo: string, name: string): number {
  const [, digits] = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(meminfo) ?? [];
  if (digits === undefined) throw new Fault("read memory", "EIO", `no ${name} in /proc/meminfo`);
  return Number(digits);
}
