import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { VrrpConfig } from "../../vrrp/config.ts";
import { runOnce } from "../keepalived/once.ts";
import { openFifo } from "./notifier.ts";
import { ScriptQueue } from "./scripts.ts";
import { startTrackers } from "./trackers.ts";

/** spawn() throws for some reasons, and has an event for others: that the folder of a program has become a file is of the first kind. */

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lvsd-scripts-"));
  writeFileSync(join(folder, "file"), "");
});
afterEach(() => rmSync(folder, { recursive: true }));

const thrown = () => ({ command: [join(folder, "file/program")], user: undefined, group: undefined });

test("a notify script that spawn() throws for is told, and the next one runs", async () => {
  const lines: string[] = [];
  const queue = new ScriptQueue((text) => lines.push(text));
  queue.add(thrown());
  queue.add(thrown());
  await vi.waitFor(() => expect(lines).toHaveLength(2));
  expect(lines[0]).toContain("cannot be run: spawn ENOTDIR");
});

test("a reader of a FIFO that spawn() throws for is told", async () => {
  const lines: string[] = [];
  const fifo = openFifo({ path: join(folder, "fifo"), reader: thrown() }, (text) => lines.push(text));
  await vi.waitFor(() => expect(lines).toHaveLength(1));
  expect(lines[0]).toContain("cannot be run: spawn ENOTDIR");
  fifo.close();
});

test("a tracked script that spawn() throws for is down", async () => {
  const script = { name: "s", run: thrown(), interval: 10_000, timeout: 1000, rise: 1, fall: 1, initFail: false };
  const scripts = [{ ...script, weight: { weight: 0, reverse: false } }];
  const config: Pick<VrrpConfig, "scripts" | "files" | "processes" | "bfds"> = { scripts, files: [], processes: [], bfds: [] };
  const trackers = startTrackers(config, { onChange() {}, log() {} });
  await vi.waitFor(() => expect(trackers.look("script", "s").value).toBe(false));
  trackers.close();
});

test("a script of the parent that spawn() throws for has failed", async () => {
  expect(await runOnce({ script: thrown(), timeout: 1000 })).toBe("ENOTDIR");
});
