import { execFileSync } from "node:child_process";
import { readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { netnsPath } from "./host.ts";

/** What a lab leaves on the machine (namespaces, processes in them, a directory, what lvsd keeps of them), and how it goes. */

const PREFIX = /^lvsd-(\d+)-\d+/;
/** Where lvsd keeps sockets, pids and pins, each named for a network namespace's inode. */
const RUN = "/run/lvsd";

/** End every process in the lab's namespaces, then remove those and the directory. Synchronous: for exit handlers too. */
export function sweep(prefix: string): void {
  const namespaces = listNamespaces().filter((name) => name.startsWith(`${prefix}-`));
  const pids = pidsIn(namespaces);
  signal(pids, "SIGTERM"); // lvsd takes its programs and maps along when asked politely
  for (let waited = 0; waited < 1500 && pidsIn(namespaces).length > 0; waited += 50) sleep(50);
  signal(pidsIn(namespaces), "SIGKILL");
  namespaces.forEach(forget);
  if (namespaces.length > 0) {
    const input = namespaces.map((name) => `netns delete ${name}\n`).join("");
    execFileSync("ip", ["-force", "-batch", "-"], { input, stdio: ["pipe", "ignore", "ignore"], timeout: 30_000 });
  }
  rmSync(join(tmpdir(), prefix), { recursive: true, force: true });
}

/** A killed lvsd leaves its pins and notes, and a real server its note of what to undo; the next namespace may have the same inode. */
export function forget(namespace: string): void {
  const inode = inodeOf(netnsPath(namespace));
  if (inode === undefined) return;
  const files = ["pid", "sock", "owned", "totals"].map((kind) => `${inode}.${kind}`);
  const names = [...files, `realserver-${inode}.json`, `bpf/${inode}`, `bpf/realserver-${inode}`];
  for (const name of names) rmSync(join(RUN, name), { recursive: true, force: true });
}

/** Sweep what labs left whose process is gone: it was killed, or the machine's power was. */
export function sweepLeftovers(): readonly string[] {
  const names = [...listNamespaces(), ...readdirSync(tmpdir()).filter((name) => PREFIX.exec(name)?.[0] === name)];
  const prefixes = new Set(names.flatMap((name) => (isLeftover(name) ? [PREFIX.exec(name)?.[0] ?? ""] : [])));
  for (const prefix of prefixes) trySweep(prefix);
  return [...prefixes];
}

function isLeftover(name: string): boolean {
  const owner = PREFIX.exec(name)?.[1];
  return owner !== undefined && !isAlive(Number(owner));
}

/** Another lab may be sweeping the same one. */
function trySweep(prefix: string): void {
  try {
    sweep(prefix);
  } catch {
    // Then the other finishes it, or the next run does.
  }
}

export function listNamespaces(): readonly string[] {
  try {
    return readdirSync("/run/netns");
  } catch {
    return []; // no namespace was ever made
  }
}

/** The processes whose network namespace is one of these. */
export function pidsIn(namespaces: readonly string[]): readonly number[] {
  const inodes = new Set(namespaces.map((name) => inodeOf(netnsPath(name))));
  inodes.delete(undefined);
  if (inodes.size === 0) return [];
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => inodes.has(inodeOf(`/proc/${pid}/ns/net`))).map(Number);
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    return undefined; // it has just gone
  }
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    if (pid === process.pid) continue; // a test may have entered its own lab
    try {
      process.kill(pid, name);
    } catch {
      // It ended by itself.
    }
  }
}

function isAlive(pid: number): boolean {
  return inodeOf(`/proc/${pid}`) !== undefined;
}

const sleep = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
