import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { addTallies, type JsonReport, noTests, problems, tally, tallyText } from "./tally.ts";

/**
 * `make test` after the build: every runner, whatever the one before said, then what they counted. Those that mostly wait for
 * others (labs, and the original programs) run side by side with the rest. With CI in the environment a skipped test is a failure, so
 * that nothing is proved by leaving it out.
 */

const FOLDER = "build/tests";

const vitest = (project: string) => ({
  name: `${project} tests`,
  command: [
    "vitest",
    "run",
    "--project",
    project,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${reportOf(project)}`,
  ],
  report: reportOf(project),
});

interface Step {
  readonly name: string;
  readonly command: readonly string[];
  readonly report?: string;
}

/** Those of one row run at once. */
const rows: readonly (readonly Step[])[] = [
  [{ name: "types", command: ["tsc"] }],
  [{ name: "lint", command: ["biome", "check"] }],
  [vitest("unit")],
  [vitest("root"), vitest("lab"), vitest("peers")],
  [vitest("alone")],
];

function reportOf(project: string): string {
  return `${FOLDER}/${project}.json`;
}

rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER, { recursive: true });

const lines: string[] = [];
let total = noTests;
let failed = false;
for (const row of rows) {
  const statuses = await Promise.all(row.map(run));
  row.forEach((step, i) => {
    note(step, statuses[i] !== 0);
  });
}

/** The first of a row speaks as it goes, the others when they have ended. */
async function run(step: Step, place: number): Promise<number> {
  const [program = "", ...args] = step.command;
  const log = `${FOLDER}/${step.name.replace(" ", "-")}.log`;
  const out = place === 0 ? undefined : openSync(log, "w");
  if (out === undefined) console.log(`\n== ${step.name}`);
  const child = spawn(`node_modules/.bin/${program}`, args, { stdio: ["ignore", out ?? "inherit", out ?? "inherit"] });
  const status = await new Promise<number>((resolve) => {
    child.on("error", () => resolve(1));
    child.on("exit", (code) => resolve(code ?? 1));
  });
  if (out !== undefined) {
    closeSync(out);
    console.log(`\n== ${step.name}\n${readFileSync(log, "utf8")}`);
  }
  return status;
}

function note(step: Step, isBad: boolean): void {
  const report =
    step.report !== undefined && existsSync(step.report)
      ? (JSON.parse(readFileSync(step.report, "utf8")) as JsonReport)
      : undefined;
  const counted = report === undefined ? noTests : tally(report);
  const bad = isBad || (step.report !== undefined && report === undefined);
  total = addTallies(total, counted);
  failed ||= bad;
  lines.push(`${step.name}: ${bad ? "FAILED" : "ok"}${report === undefined ? "" : ` (${tallyText(counted)})`}`);
  if (report !== undefined) lines.push(...problems(report).map((line) => `  ${line}`));
}

const strict = (process.env.CI ?? "") !== "";
if (strict && total.skipped > 0) lines.push("skipped tests count as failures here");
console.log(`\n== summary\n${lines.join("\n")}\n${tallyText(total)}`);
writeFileSync(`${FOLDER}/summary.txt`, `${tallyText(total)}\n`);
process.exitCode = failed || total.failed > 0 || (strict && total.skipped > 0) ? 1 : 0;
