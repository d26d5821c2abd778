import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";

/** Programs made of this folder's sources, for tests that need them as processes of their own. */
export interface Bundle {
  readonly program: string;
  remove(): void;
}

/** @param contents TypeScript, as if it stood in src/daemon/health */
export async function bundle(contents: string): Promise<Bundle> {
  mkdirSync("build", { recursive: true });
  const dir = mkdtempSync(resolve("build", "health-process-")); // where koffi is found
  const program = join(dir, "health.mjs");
  await build({
    stdin: { contents, loader: "ts", resolveDir: join(import.meta.dirname, "..") },
    ...{ bundle: true, platform: "node", format: "esm", external: ["koffi"], logLevel: "error", outfile: program },
    banner: { js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);` },
  });
  return { program, remove: () => rmSync(dir, { recursive: true }) };
}

export const bundleChecker = (): Promise<Bundle> => bundle(`import { main } from "./process.ts"; main();`);
