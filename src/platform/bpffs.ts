import { execFileSync } from "node:child_process";
import { constants, mkdirSync, openSync, readdirSync, readlinkSync, statfsSync, statSync } from "node:fs";
import { Fault } from "../fault.ts";

/**
 * Where pins live. A pin should outlive the process and the network namespace it was made in, but a process that was
 * started by `ip netns exec` has a mount namespace of its own, and a mount made there goes when it goes:
 *
 *   first process        mount namespace A    /run/lvsd/bpf   <- the mount must be here
 *     └ ip netns exec    mount namespace B    a copy of A as it was; later mounts of A come only if A's / is "shared"
 *         └ lvsd
 *
 * So it is mounted in A (by nsenter) and, when B does not show it, reached through a descriptor opened by way of
 * /proc/PID/root.
 */

export const BPFFS_PATH = "/run/lvsd/bpf";
const BPFFS_MAGIC = 0xcafe4a11;
const O_PATH = 0o10000000;

export interface Bpffs {
  /** A directory on a bpffs, for this process: BPFFS_PATH or /proc/self/fd/N. */
  readonly path: string;
  /** False: private to this mount namespace, so pins go when its last process goes. `reason` says why. */
  readonly shared: boolean;
  readonly reason?: string;
}

let reached: Map<string, Bpffs> | undefined;

/** Sees to it that there is a bpffs at a path, as far outside as can be reached, mounting one where there is none. */
export function ensureBpffs(path: string = BPFFS_PATH): Bpffs {
  reached ??= new Map(); // once a process: each time over would cost a descriptor
  const known = reached.get(path);
  if (known !== undefined && isBpffs(known.path)) return known;
  const found = reachBpffs(path);
  reached.set(path, found);
  return found;
}

function reachBpffs(path: string): Bpffs {
  const outermost = firstProcess();
  if (mountNamespace(outermost) === mountNamespace("self")) {
    mountHere(path);
    return { path, shared: true };
  }
  try {
    return reachOutside(outermost, path);
  } catch (error) {
    mountHere(path);
    return { path, shared: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

function reachOutside(pid: string, path: string): Bpffs {
  const outside = `/proc/${pid}/root${path}`;
  if (!isBpffs(outside)) {
    run("nsenter", `--mount=/proc/${pid}/ns/mnt`, "--", "mkdir", "-p", path);
    run("nsenter", `--mount=/proc/${pid}/ns/mnt`, "--", "mount", "-t", "bpf", "bpf", path);
  }
  if (isBpffs(path) && statSync(path).dev === statSync(outside).dev) return { path, shared: true };
  return { path: `/proc/self/fd/${openSync(outside, O_PATH | constants.O_DIRECTORY)}`, shared: true };
}

function mountHere(path: string): void {
  if (isBpffs(path)) return;
  mkdirSync(path, { recursive: true });
  run("mount", "-t", "bpf", "bpf", path);
}

/** Whether a directory is on a bpffs; false when there is no such directory. */
export function isBpffs(path: string): boolean {
  try {
    return statfsSync(path).type === BPFFS_MAGIC;
  } catch {
    return false;
  }
}

/**
 * The first process of the machine (or container) whose mount namespace we may look into. Ancestors would do while they
 * live, but a daemon in the background has lost them.
 */
function firstProcess(): string {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  pids.sort((a, b) => Number(a) - Number(b));
  return pids.find((pid) => mountNamespace(pid) !== undefined) ?? "self";
}

function mountNamespace(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined; // gone, or not ours to look into
  }
}

function run(command: string, ...args: string[]): void {
  try {
    execFileSync(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  } catch (cause) {
    const { stderr, code } = cause as { stderr?: Buffer; code?: string };
    const said = stderr?.toString().trim() ?? "";
    throw new Fault(
      [command, ...args].join(" "),
      code ?? "EPERM",
      said === "" ? `failed (${code ?? "no word why"})` : said,
      cause,
    );
  }
}
