import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { linkInfo, openPinned } from "../../platform/bpf.ts";
import { closeFd } from "../../platform/process.ts";
import { unpinAll } from "./loader.ts";

/**
 * Pins of network namespaces that are gone hold their maps, hundreds of megabytes each. A directory of pins is named by the
 * namespace's inode; it is removed when no process and no name stands for that inode and none of its links holds an interface.
 * @param bpffs the directory of all
 */
export function removeRemains(bpffs: string, log: { info(word: string, values: { namespace: string }): void }): void {
  const names = readdirSync(bpffs); // before it is asked who lives: one that comes between the two is not here yet
  const alive = liveNamespaces();
  for (const name of names) {
    if (!/^\d+$/.test(name) || alive.has(Number(name)) || holdsInterface(join(bpffs, name))) continue;
    unpinAll(join(bpffs, name));
    log.info("removed pins of a namespace that is gone", { namespace: name });
  }
}

function liveNamespaces(): ReadonlySet<number> {
  const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const named = ["/run/netns", "/run/docker/netns"].flatMap((directory) =>
    existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [],
  );
  const inodes = [...processes.map((pid) => `/proc/${pid}/ns/net`), ...named].map(inode);
  return new Set(inodes.filter((each) => each !== undefined));
}

function inode(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    return undefined; // a process that has ended meanwhile
  }
}

function holdsInterface(directory: string): boolean {
  return readdirSync(directory)
    .filter((name) => name.startsWith("link-"))
    .some((name) => {
      const fd = openPinned(join(directory, name));
      try {
        return linkInfo(fd).ifindex !== 0;
      } finally {
        closeFd(fd);
      }
    });
}
