import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";

/** The checkers process as a program of its own, for tests. */
export async function bundleChecker(): Promise<{ readonly program: string; remove(): void }> {
  mkdirSync("build", { recursive: true });
  const dir = mkdtempSync(resolve("build", "health-process-")); // where koffi is found
  const program = join(dir, "health.mjs");
  await build({
    stdin: {
      ...{ contents: `import { main } from "./process.ts"; main();`, loader: "ts" },
      resolveDir: join(import.meta.dirname, ".."),
    },
    ...{ bundle: true, platform: "node", format: "esm", external: ["koffi"], logLevel: "error", outfile: program },
    banner: { js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);` },
  });
  return { program, remove: () => rmSync(dir, { recursive: true }) };
}
