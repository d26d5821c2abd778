import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { explain } from "../src/fault.ts";
import { HERE } from "./agent.ts";
import { type Case, parseCase } from "./case.ts";
import { DIFFERENCES, type Difference } from "./differences.ts";
import { type Hook, LvsdSide, SIDE_BY_SIDE } from "./lvsd.ts";
import { ModelSide } from "./model.ts";
import { printResults, type Result, resultOf, unmetExpectations, unneeded } from "./report.ts";
import type { Outcome, Side } from "./side.ts";
import { formatTranscript, parseTranscript } from "./transcript.ts";
import { KernelSide } from "./uml.ts";

/**
 *   node build/conformance.mjs [--side kernel|lvsd|model|both] [--hook xdp|tc|both] [--at-once N]
 *                              [--record] [--list] [FILTER...]
 *
 * `kernel` runs the cases on the real IPVS and holds the answers against the recorded ones (--record stores them);
 * `lvsd` and `model` run them on lvsd, or on its model, against the recorded answers; `both` (the default) runs kernel
 * and lvsd and compares them, on both hooks unless one is named. FILTER: part of a name, or with "!" before it of those to leave out.
 */
const CASES = join(HERE, "cases");
const recordingPath = (name: string): string => join(CASES, `${name}.kernel.txt`);

/** Parts of names: with "!" of those to leave out, the others of those to take (all when there are none). */
function isWanted(filters: readonly string[]): (name: string) => boolean {
  const out = filters.filter((part) => part.startsWith("!")).map((part) => part.slice(1));
  const take = filters.filter((part) => !part.startsWith("!"));
  return (name) => !out.some((part) => name.includes(part)) && (take.length === 0 || take.some((part) => name.includes(part)));
}

function readCases(filters: readonly string[]): Case[] {
  return readdirSync(CASES, { recursive: true, encoding: "utf8" })
    .filter((f) => f.endsWith(".case"))
    .map((f) => f.slice(0, -".case".length))
    .filter(isWanted(filters))
    .sort()
    .map((name) => parseCase(name, readFileSync(join(CASES, `${name}.case`), "utf8")));
}

async function runOn(side: Side, cases: readonly Case[]): Promise<Outcome[]> {
  try {
    await side.start();
    return await side.run(cases);
  } finally {
    await side.stop();
  }
}

function recorded(cases: readonly Case[]): Outcome[] {
  return cases.map((c) => {
    const path = recordingPath(c.name);
    if (!existsSync(path)) return { name: c.name, failure: "no recording: run with --side kernel --record" };
    return { name: c.name, transcript: parseTranscript(c.name, readFileSync(path, "utf8")) };
  });
}

function record(outcomes: readonly Outcome[]): number {
  let failures = 0;
  for (const o of outcomes) {
    if ("transcript" in o) writeFileSync(recordingPath(o.name), formatTranscript(o.transcript));
    else {
      failures++;
      console.log(`${o.name}: ${o.failure}`);
    }
  }
  console.log(`${outcomes.length - failures} recorded, ${failures} failed`);
  return failures;
}

interface Options {
  readonly side: string;
  readonly hooks: readonly Hook[];
  readonly atOnce: number;
  readonly record: boolean;
  /** No filter was given. */
  readonly all: boolean;
}

/** Who is held against the kernel's answers. */
const subjects = ({ side, hooks, atOnce }: Options): readonly Side[] =>
  side === "model" ? [new ModelSide()] : hooks.map((hook) => new LvsdSide(hook, atOnce));

async function runCases(options: Options, cases: readonly Case[]): Promise<number> {
  const isFresh = options.side === "kernel" || options.side === "both";
  const kernel = isFresh ? await runOn(new KernelSide(), cases) : recorded(cases);
  for (const text of unmetExpectations(kernel)) console.log(text);
  if (options.record) return record(kernel) === 0 ? 0 : 1;
  const compared = (theirs: readonly Outcome[], ours: readonly Outcome[], list: readonly Difference[]): Result[] =>
    cases.map((c, i) => resultOf(c, theirs[i]!, ours[i]!, list));
  if (options.side === "kernel") return printResults(compared(recorded(cases), kernel, []), console.log) ? 0 : 1;

  const results: Result[] = [];
  let agreed = true;
  for (const side of subjects(options)) {
    const outcomes = await runOn(side, cases);
    const its = await onceMore(side, cases, kernel, compared(kernel, outcomes, DIFFERENCES), outcomes);
    console.log(`${side.name} and the kernel's IPVS`);
    agreed = printResults(its, console.log) && agreed;
    results.push(...its);
  }
  const stale = options.all && options.side !== "model" ? unneeded(DIFFERENCES, results) : [];
  for (const d of stale) console.log(`a wanted difference is no more: ${d.cases}: ${d.reason}`);
  return agreed && stale.length === 0 ? 0 : 1;
}

const TOO_LATE = 1.5; // seconds

/** Cases that differ and were late: conns may have expired meanwhile, so they are run again, one at a time. */
async function onceMore(
  side: Side,
  cases: readonly Case[],
  kernel: readonly Outcome[],
  results: readonly Result[],
  outcomes: readonly Outcome[],
): Promise<Result[]> {
  const wasLate = (o: Outcome): boolean => "failure" in o || (o.transcript.steps.at(-1)?.late ?? 0) > TOO_LATE;
  const isAgreed = (r: Result): boolean => r.failure === undefined && r.mismatches.length === 0;
  const better = [...results];
  for (const [i, c] of cases.entries()) {
    if (isAgreed(results[i]!) || !wasLate(outcomes[i]!)) continue;
    const [outcome] = await runOn(side, [c]);
    better[i] = resultOf(c, kernel[i]!, outcome!, DIFFERENCES);
  }
  return better;
}

const HOOKS: Readonly<Record<string, readonly Hook[]>> = { xdp: ["xdp"], tc: ["tc"], both: ["xdp", "tc"] };

/** Returns the exit code: 0 agreed, 1 different, 2 could not be run. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        side: { type: "string", default: "both" },
        hook: { type: "string", default: "both" },
        "at-once": { type: "string", default: String(SIDE_BY_SIDE) },
        record: { type: "boolean", default: false },
        list: { type: "boolean", default: false },
      },
    });
    if (!["kernel", "lvsd", "model", "both"].includes(values.side))
      throw new Error(`--side ${values.side}: expected kernel, lvsd, model or both`);
    const hooks = HOOKS[values.hook];
    if (hooks === undefined) throw new Error(`--hook ${values.hook}: expected xdp, tc or both`);
    const cases = readCases(positionals);
    if (!values.list)
      return await runCases(
        {
          side: values.side,
          hooks,
          atOnce: Number(values["at-once"]) || SIDE_BY_SIDE,
          record: values.record,
          all: positionals.length === 0,
        },
        cases,
      );
    for (const c of cases) console.log(`${c.name}: ${c.about}`);
    return 0;
  } catch (error) {
    console.error(explain(error));
    return 2;
  }
}
