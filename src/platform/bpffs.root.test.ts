import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type Bpffs, ensureBpffs, isBpffs } from "./bpffs.ts";
import { addNetns, run, type Scratch, scratch } from "./testing.ts";

/**
 * Each step is a process of its own in a fresh `ip netns exec`, so in a mount namespace of its own:
 *
 *   this process                    sees the mount, or not
 *     ├ ip netns exec A: pin 42     and everything of A ends
 *     └ ip netns exec B: get        42?
 */
const STEP = `
import { mapType } from "./bpf.ts";
import { BpfMap } from "./bpf-map.ts";
import { ensureBpffs } from "./bpffs.ts";
const [, , step, path] = process.argv;
const bpffs = ensureBpffs(path);
const key = new Uint8Array(4), value = new Uint8Array(4);
if (step === "pin") {
  const map = BpfMap.create({ type: mapType.array, keySize: 4, valueSize: 4, maxEntries: 1 });
  map.update(key, value.fill(42));
  map.pin(bpffs.path + "/answer");
} else {
  BpfMap.pinned(bpffs.path + "/answer").lookup(key, value);
}
console.log(JSON.stringify({ ...bpffs, value: value[0], again: ensureBpffs(path).path === bpffs.path }));
`;

let dir: Scratch;
let script: string;
let path: string;
let tests = 0;
beforeAll(async () => {
  dir = scratch();
  script = join(dir.path, "step.cjs");
  const stdin = { contents: STEP, resolveDir: import.meta.dirname, loader: "ts" } as const;
  await build({ stdin, bundle: true, platform: "node", format: "cjs", external: ["koffi"], outfile: script, logLevel: "error" });
  symlinkSync(join(import.meta.dirname, "../../node_modules"), join(dir.path, "node_modules"));
});
afterAll(() => dir.remove());
beforeEach(() => {
  path = `/run/lvsd-test-${process.pid}-${++tests}/bpf`;
});
afterEach(() => {
  if (isBpffs(path)) run("umount", path);
  rmSync(join(path, ".."), { recursive: true, force: true });
});

/** Runs a step inside a network namespace that exists for it alone. */
function inFreshNetns(step: "pin" | "get", env: string[] = []): Bpffs & { value: number; again: boolean } {
  const netns = addNetns();
  try {
    return JSON.parse(run("ip", "netns", "exec", netns.name, "env", ...env, process.execPath, script, step, path));
  } finally {
    netns.remove();
  }
}

test("a pin made inside ip netns exec is found from another one when all of the first has ended", () => {
  const pinned = inFreshNetns("pin");
  expect(pinned).toMatchObject({ shared: true, again: true });
  expect(isBpffs(path)).toBe(true); // here, outside
  expect(inFreshNetns("get")).toMatchObject({ value: 42, shared: true, path });
});

test("a mount that was there before is seen inside as it is", () => {
  expect(ensureBpffs(path)).toEqual({ path, shared: true });
  expect(isBpffs(path)).toBe(true);
  expect(inFreshNetns("pin")).toMatchObject({ path, shared: true });
  expect(inFreshNetns("get")).toMatchObject({ value: 42 });
});

test("where mounts spread to the inside, as under systemd, the plain path is used; where not, a descriptor", () => {
  expect(inFreshNetns("pin").path).toMatch(/^\/proc\/self\/fd\/\d+$/);
  run("umount", path);
  const parent = join(path, "..");
  run("mount", "-t", "tmpfs", "tmpfs", parent);
  try {
    run("mount", "--make-shared", parent);
    expect(inFreshNetns("pin").path).toBe(path);
    expect(inFreshNetns("get").value).toBe(42);
    run("umount", path);
  } finally {
    run("umount", parent);
  }
});

test("when the outside cannot be changed the mount is private, which is said, and gone afterwards", () => {
  const bin = join(dir.path, "bin");
  mkdirSync(bin, { recursive: true });
  symlinkSync("/usr/bin/mount", join(bin, "mount"));
  const pinned = inFreshNetns("pin", [`PATH=${bin}`]); // no nsenter there
  expect(pinned).toMatchObject({ path, shared: false, value: 42 });
  expect(pinned.reason).toMatch(/nsenter.*ENOENT/);
  expect(isBpffs(path)).toBe(false);
  writeFileSync(join(path, "answer"), ""); // an ordinary directory again
});

test("a directory that is not there is not a bpffs, nor is an ordinary one", () => {
  expect(isBpffs("/nonexistent")).toBe(false);
  expect(isBpffs("/tmp")).toBe(false);
});
