import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { lead, work } from "./fuzz-workers.ts";
import type { Hooks } from "./fuzzing.ts";

/** `make fuzz`: the model and the compiled data path under the same random scripts, on every CPU. Exit code 1 when they part. */

const HELP = `fuzz [--seconds N] [--packets N] [--hook xdp|tc|both] [--workers N] [--seed N]
Random configurations, packets, edits and steps of time; ends at the first disagreement.
--seed S --workers 1 repeats the script of a seed.`;
const HOOKS: Readonly<Record<string, Hooks>> = { xdp: ["xdp"], tc: ["tc"], both: ["xdp", "tc"] };
const ENDLESS = String(Number.MAX_SAFE_INTEGER);
/** Between the first scripts of two workers: more than one gets through. */
const SEEDS_APART = 10_000_000;

const { values } = parseArgs({
  options: {
    seconds: { type: "string" },
    packets: { type: "string", default: ENDLESS },
    hook: { type: "string", default: "both" },
    workers: { type: "string", default: String(availableParallelism()) },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    /** One of those that the leader started. */
    worker: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const numbers = {
  /** Without any limit: a minute. */
  seconds: Number(values.seconds ?? (values.packets === ENDLESS ? 60 : ENDLESS)),
  packets: Number(values.packets),
  workers: Number(values.workers),
  seed: Number(values.seed),
};
const hooks = HOOKS[values.hook];
const isWrong = hooks === undefined || Object.values(numbers).some((number) => !(number >= 0)) || numbers.workers < 1;

if (values.help || isWrong) {
  console.log(HELP);
  process.exitCode = values.help ? 0 : 2;
} else if (values.worker) {
  await work(hooks, numbers.seed, { ms: numbers.seconds * 1000, packets: numbers.packets });
} else {
  const { workers, seed } = numbers;
  console.log(`fuzz: seed ${seed}, ${workers} workers, ${hooks.join(" and ")}`);
  const share = { seconds: numbers.seconds, packets: Math.ceil(numbers.packets / workers), hook: values.hook };
  const shares = Array.from({ length: workers }, (_, i) => ({ ...share, seed: seed + i * SEEDS_APART }));
  process.exitCode = await lead(shares.map((each) => ["--worker", ...Object.entries(each).flatMap(optionOf)]));
}

function optionOf([name, value]: [string, string | number]): string[] {
  return [`--${name}`, String(value)];
}
