import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { missing, ROOT } from "./needs.ts";
import { listNamespaces, sweepLeftovers } from "./remains.ts";
import { until } from "./until.ts";

describe.skipIf(missing() !== undefined)(`a held lab (${missing() ?? "here"})`, () => {
  const directory = mkdtempSync(join(tmpdir(), "hold-test-"));
  const program = join(directory, "hold.mjs");
  beforeAll(() =>
    build({ entryPoints: [`${ROOT}lab/hold.ts`], outfile: program, bundle: true, platform: "node", format: "esm", banner }),
  );
  afterAll(() => rmSync(directory, { recursive: true }));

  test("says how to enter each host", async () => {
    const held = await hold();
    held.child.kill("SIGTERM");
    for (const host of ["client", "director", "rs1", "rs2", "rs3"]) {
      expect(held.output()).toMatch(new RegExp(`^${host} +nsenter --net=/run/netns/lvsd-${held.child.pid}-1-${host} bash$`, "m"));
    }
  });

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    test(`is gone after ${signal}`, async () => {
      const { child, namespaces } = await hold();
      expect(namespaces()).not.toEqual([]);
      child.kill(signal);
      await until("its end", () => child.exitCode !== null);
      expect(child.exitCode).toBe(code);
      expect(namespaces()).toEqual([]);
    });
  }

  test("that was killed -9 is gone after the next run", async () => {
    const { child, namespaces } = await hold();
    child.kill("SIGKILL");
    await until("its end", () => child.signalCode !== null);
    expect(namespaces()).not.toEqual([]);
    sweepLeftovers(); // which is how every lab starts
    expect(namespaces()).toEqual([]);
  });

  async function hold() {
    const child = spawn(process.execPath, [program, "nat"], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    await until("the lab", () => output.includes("Ctrl-C"));
    return {
      child,
      output: () => output,
      namespaces: () => listNamespaces().filter((name) => name.startsWith(`lvsd-${child.pid}-`)),
    };
  }
});

/** What esbuild's bundles of CommonJS modules need. */
const banner = {
  js: `import { createRequire as lvsdRequire } from "node:module"; const require = lvsdRequire(import.meta.url);`,
};
