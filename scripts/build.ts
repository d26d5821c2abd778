import { chmodSync, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { type BuildOptions, build } from "esbuild";

/**
 * Bundles the commands into bin/ and the programs behind make's words into build/. koffi stays outside, because it finds its
 * compiled part beside itself; all else goes into one file per command, so that it starts at once.
 */

/** Sources under src/ in a folder called `entry` are commands: src/cli/entry/ipvsadm.ts becomes bin/ipvsadm. */
const commands = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((path) => /(^|\/)entry\/[^/]+\.ts$/.test(path) && !path.endsWith(".test.ts"))
  .map((path) => ({ source: join("src", path), out: join("bin", basename(path, ".ts")) }));

/** make's own words; a part that has no such program has no such file. */
const programs = [
  "lab/demo.ts",
  "lab/hold.ts",
  "bench/bench.ts",
  "conformance/conformance.ts",
  "cases/fuzz.ts",
  "kernels/kernels.ts",
  "scripts/test.ts",
  "scripts/abi.ts",
]
  .filter((source) => existsSync(source))
  .map((source) => ({ source, out: join("build", `${basename(source, ".ts")}.mjs`) }));

/** Bundled CommonJS modules ask for `require`, which an ES module has to make. */
const require = `import { createRequire as lvsdCreateRequire } from "node:module"; const require = lvsdCreateRequire(import.meta.url);`;

const options = (source: string, outfile: string): BuildOptions => ({
  entryPoints: [source],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  external: ["koffi", "esbuild"],
  banner: { js: `#!/usr/bin/env node\n${require}` },
  legalComments: "none",
  logLevel: "warning",
});

mkdirSync("bin", { recursive: true });
await Promise.all([...commands, ...programs].map(({ source, out }) => build(options(source, out))));
for (const { out } of commands) chmodSync(out, 0o755);
for (const { out } of [...commands, ...programs]) console.log(`  ${out}  ${(statSync(out).size / 1024).toFixed(0)} kB`);
