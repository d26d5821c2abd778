import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { addTallies, type JsonReport, noTests, problems, tally, tallyText } from "./tally.ts";

/**
 * `make test` after the build: every runner in turn, whatever the one before said, then what they counted. With CI in the
 * environment a skipped test is a failure, so that nothing is proved by leaving it out.
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

const steps: readonly { name: string; command: readonly string[]; report?: string }[] = [
  { name: "types", command: ["tsc"] },
  { name: "lint", command: ["biome", "check"] },
  vitest("unit"),
  vitest("root"),
];

function reportOf(project: string): string {
  return `${FOLDER}/${project}.json`;
}

rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER, { recursive: true });

const lines: string[] = [];
let total = noTests;
let failed = false;
for (const step of steps) {
  console.log(`\n== ${step.name}`);
  const [program = "", ...args] = step.command;
  const ran = spawnSync(`node_modules/.bin/${program}`, args, { stdio: "inherit" });
  const report =
    step.report !== undefined && existsSync(step.report)
      ? (JSON.parse(readFileSync(step.report, "utf8")) as JsonReport)
      : undefined;
  const counted = report === undefined ? noTests : tally(report);
  const bad = ran.status !== 0 || (step.report !== undefined && report === undefined);
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
