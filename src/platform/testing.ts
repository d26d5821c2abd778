import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What the tests of this folder share: throw-away directories, BPF objects, network namespaces. */

export interface Scratch {
  readonly path: string;
  remove(): void;
}

export function scratch(): Scratch {
  const path = mkdtempSync(join(tmpdir(), "lvsd-test-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** Compiles C to a BPF object in the directory. */
export function compileBpf(directory: string, name: string, source: string): string {
  const from = join(directory, `${name}.bpf.c`);
  const to = join(directory, `${name}.bpf.o`);
  writeFileSync(from, source);
  const headers = `-I/usr/include/${run("uname", "-m").trim()}-linux-gnu`;
  run("clang", "-O2", "-g", "-target", "bpf", headers, "-c", from, "-o", to);
  return to;
}

/** Mounts a bpffs on a new directory inside the given one. */
export function mountBpffs(directory: string): Scratch {
  const path = join(directory, "bpffs");
  run("mkdir", path);
  run("mount", "-t", "bpf", "bpf", path);
  return { path, remove: () => run("umount", path) };
}

let namespaces = 0;

/** A network namespace of its own name. */
export function addNetns(): { readonly name: string; remove(): void } {
  const name = `lvsd-plat-${process.pid}-${++namespaces}`;
  run("ip", "netns", "add", name);
  return { name, remove: () => run("ip", "netns", "del", name) };
}

/** Waits until `done` answers true; an error after `limitMs`. */
export async function until(done: () => boolean, limitMs = 2000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!done()) {
    if (Date.now() > end) throw new Error(`not within ${limitMs} ms: ${done}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
