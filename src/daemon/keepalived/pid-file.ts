import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, rmdirSync, unlinkSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { lockFile } from "../../platform/process.ts";

/** keepalived's pid files (spec 1.4): held with a lock while their process lives, removed when it stops. */

export interface PidFile {
  /** May be called twice. */
  release(): void;
}

/** Writes `pid` there; undefined when a process that lives has it: one of ours by its lock, a keepalived by its pid. */
export function takePidFile(path: string, pid: number): PidFile | undefined {
  mkdirSync(dirname(path), { recursive: true });
  const fd = openSync(path, "a+", 0o644);
  if (!lockFile(fd) || isKeepalived(Number(readFileSync(path, "utf8")))) {
    closeSync(fd);
    return undefined;
  }
  ftruncateSync(fd);
  writeSync(fd, `${pid}\n`);
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      try {
        unlinkSync(path);
      } catch {
        // somebody removed it
      }
      closeSync(fd);
      if (isOwnFolder(dirname(path))) removeEmpty(dirname(path));
    },
  };
}

/** /run/keepalived and what is in it is there for pid files only. */
const isOwnFolder = (folder: string): boolean => /^\/run\/keepalived(\/|$)/.test(folder);

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
    if (isOwnFolder(dirname(folder))) removeEmpty(dirname(folder));
  } catch {
    // others have files there
  }
}

/** It does not lock its file. A pid that another program has by now is no matter. */
function isKeepalived(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("keepalived");
  } catch {
    return false;
  }
}

export type PidName = "parent" | "vrrp" | "checkers" | "bfd";

const NAMES: Readonly<Record<PidName, string>> = { parent: "keepalived", vrrp: "vrrp", checkers: "checkers", bfd: "bfd" };

/** Where each process has its file unless an option says so. */
export function pidPath(
  name: PidName,
  { namespace, instance, usePidDir }: { namespace?: string | undefined; instance?: string | undefined; usePidDir?: boolean },
  run = "/run",
): string {
  const file = `${NAMES[name]}${instance === undefined ? "" : `_${instance}`}.pid`;
  if (namespace) return `${run}/keepalived/${namespace}/${file}`;
  return usePidDir || instance !== undefined ? `${run}/keepalived/${file}` : `${run}/${file}`;
}
