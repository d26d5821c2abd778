import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";

/** In a process of its own: the main thread of a test runner is not ours. */

test("realtime signals are heard again and again, and the process neither dies of them nor lives for them", async () => {
  mkdirSync("build", { recursive: true });
  const folder = mkdtempSync(resolve("build/test-signals-")); // inside the repository, where koffi is found
  try {
    const outfile = join(folder, "listen.mjs");
    const contents = `
      import { onSignal } from "./src/platform/signals.ts";
      for (const n of [36, 63]) onSignal(n, () => console.log("heard", n));
      process.stdin.on("data", () => {}).on("end", () => console.log("over"));
      console.log("ready");`;
    await build({
      stdin: { contents, resolveDir: ".", loader: "ts" },
      ...{ outfile, bundle: true, platform: "node", format: "esm", external: ["koffi"], logLevel: "error" },
    });
    const child = spawn(process.execPath, [outfile], { stdio: ["pipe", "pipe", "inherit"] });
    const ended = new Promise((done) => child.once("exit", (code, signal) => done(signal ?? code)));
    let text = "";
    child.stdout.on("data", (part) => (text += String(part)));
    const says = (words: string): Promise<void> =>
      expect
        .poll(() => text, { timeout: 10_000 })
        .toBe(words)
        .then(() => {});
    await says("ready\n");
    let expected = "ready\n";
    for (const n of [36, 63, 36, 63]) {
      process.kill(child.pid!, n);
      expected += `heard ${n}\n`;
      await says(expected);
    }
    child.stdin.end();
    expect(await ended).toBe(0);
    expect(text).toBe(`${expected}over\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
