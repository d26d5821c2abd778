import { closeSync, openSync } from "node:fs";
import type { Log } from "../../director/engine.ts";
import { Fault } from "../../fault.ts";
import { enterNamespace, netnsPath } from "../../platform/namespace.ts";

/** `net_namespace` and `-s` (spec 2.7): this thread goes there, and so will all that it starts. */
export function enterNamed(name: string | undefined, log: Log): void {
  if (name === undefined || name === "") return;
  const fd = openNamed(name);
  try {
    enterNamespace(fd);
  } finally {
    closeSync(fd);
  }
  log.info("network namespace", { name });
}

function openNamed(name: string): number {
  try {
    return openSync(netnsPath(name), "r");
  } catch (cause) {
    throw new Fault("start", (cause as NodeJS.ErrnoException).code ?? "EIO", `there is no network namespace ${name}`);
  }
}
