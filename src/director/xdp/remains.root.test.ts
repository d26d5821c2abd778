import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pin } from "../../platform/bpf.ts";
import { BpfMap } from "../../platform/bpf-map.ts";
import { netnsInode, netnsPath } from "../../platform/namespace.ts";
import { addNetns, mountBpffs, scratch } from "../../platform/testing.ts";
import { removeRemains } from "./remains.ts";

test("pins of a namespace that is gone are removed, those of a living one and other things stay", () => {
  const directory = scratch();
  const bpffs = mountBpffs(directory.path);
  const named = addNetns();
  const map = BpfMap.create({ type: 2, name: "remains", keySize: 4, valueSize: 4, maxEntries: 1 });
  const removed: string[] = [];
  try {
    const gone = "1"; // no namespace has this inode
    const living = [String(netnsInode()), String(netnsInode(netnsPath(named.name))), "not-a-namespace"];
    for (const name of [gone, ...living]) {
      mkdirSync(join(bpffs.path, name));
      pin(map.fd, join(bpffs.path, name, "conns"));
    }
    removeRemains(bpffs.path, { info: (_, { namespace }) => removed.push(namespace) });
    expect(removed).toEqual([gone]);
    expect(existsSync(join(bpffs.path, gone))).toBe(false);
    for (const name of living) expect(existsSync(join(bpffs.path, name, "conns"))).toBe(true);
  } finally {
    map.close();
    named.remove();
    bpffs.remove();
    directory.remove();
  }
});
