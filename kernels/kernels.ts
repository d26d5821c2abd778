import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { build } from "esbuild";
import { explain } from "../src/fault.ts";
import { writeInitramfs } from "./initramfs.ts";
import { fetchKernel } from "./kernel.ts";
import { boot } from "./machine.ts";
import { type Report, reportOf, reportText } from "./report.ts";

/** `make kernels`: the suite on this kernel, and on Debian's (or on those of the packages named as arguments) in a machine of their own. */

const SUITE = "build/kernels-suite.mjs";
const OBJECTS = ["lvs.bpf.o", "lvs_tc.bpf.o", "realserver.bpf.o"].map((name) => `build/${name}`);
const WORK = "build/kernels";
const LIMITS = { total: 3600, silence: 300 }; // s
const MODULES = ["veth"];

const bundleSuite = () =>
  build({
    ...{ entryPoints: ["kernels/suite.ts"], outfile: SUITE, bundle: true, platform: "node", format: "esm", target: "node20.19" },
    ...{ external: ["koffi"], alias: { vitest: "./kernels/vitest.ts" }, logLevel: "warning" },
  });

function onThisKernel(): Report {
  const events = `${WORK}/this.events`;
  rmSync(events, { force: true });
  const ran = spawnSync(process.execPath, [SUITE, events], {
    stdio: "inherit",
    timeout: LIMITS.total * 1000,
    killSignal: "SIGKILL",
  });
  return reportOf(existsSync(events) ? readFileSync(events, "utf8") : "", `ended with ${ran.signal ?? ran.status}`);
}

async function onKernel(wanted: string | undefined): Promise<Report> {
  const kernel = fetchKernel(wanted);
  const initramfs = `${WORK}/${kernel.name}.cpio`;
  await writeInitramfs(initramfs, MODULES.map(kernel.module), [SUITE, ...OBJECTS, "package.json"]);
  try {
    const { said, ended } = await boot(kernel.image, initramfs, `${WORK}/${kernel.name}`, LIMITS);
    return reportOf(said, ended);
  } finally {
    rmSync(initramfs, { force: true });
  }
}

/** Whatever goes wrong with one kernel, the next has its turn. */
async function tell(run: () => Report | Promise<Report>): Promise<void> {
  const begun = Date.now();
  try {
    const report = await run();
    console.log(reportText(report, Math.round((Date.now() - begun) / 1000)));
    if (report.problems.length > 0) process.exitCode = 1;
  } catch (error) {
    console.error(explain(error));
    process.exitCode = 1;
  }
}

mkdirSync(WORK, { recursive: true });
await bundleSuite();
await tell(onThisKernel);
const packages = process.argv.slice(2);
for (const wanted of packages.length > 0 ? packages : [undefined]) await tell(() => onKernel(wanted));
