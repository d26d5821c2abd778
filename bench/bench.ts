import { Bench, type Effort, type Result } from "./measure.ts";
import { memoryOf } from "./memory.ts";
import { ALL_ROWS, onTc, QUICK_ROWS, type Row } from "./rows.ts";
import { Scene } from "./scene.ts";
import { heading, isLate, line, memoryLine, throughputLine } from "./table.ts";
import { measureThroughput, type Throughput } from "./throughput.ts";
import { type Hook, Wrapper } from "./wrapper.ts";

/**
 * `make bench`: nanoseconds a packet of the data path, bytes a conn.
 * node build/bench.mjs [--quick] [--hook xdp|tc] [--only NAME] [--json] [--strict] [--lab]
 *
 * Rows named scattered jump from flow to flow, with no help from any cache; the others take the flows in the order in which
 * they were opened. --strict: exit code 1 when a row is beyond its target. --lab: instead, bulk TCP through a
 * director in network namespaces.
 */

const FULL: Effort = { rounds: 5, packets: { min: 300_000, max: 300_000 } };
const QUICK: Effort = { rounds: 3, packets: { min: 100_000, max: 100_000 } };
const CAPACITY = { full: 1 << 21, quick: 1 << 16 }; // conns

const LAB_ROUNDS = 2;

const given = (flag: string): boolean => process.argv.includes(flag);
const option = (flag: string): string | undefined => {
  const at = process.argv.indexOf(flag);
  return at < 0 ? undefined : process.argv[at + 1];
};

const quick = given("--quick");
const json = given("--json");
const only = option("--only");
const hooks: readonly Hook[] = (["xdp", "tc"] as const).filter((hook) => (option("--hook") ?? (quick ? "xdp" : hook)) === hook);

function rowsOf(hook: Hook): readonly Row[] {
  const rows = quick ? QUICK_ROWS : ALL_ROWS;
  return (hook === "tc" ? onTc(rows) : rows).filter(({ name }) => only === undefined || name.includes(only));
}

function* measure(scene: Scene, hook: Hook): Generator<Result> {
  const wrapper = new Wrapper(hook, hook === "tc" ? scene.path.tcProgram("ingress") : scene.path.program("lvs_xdp"));
  try {
    yield* new Bench(scene, wrapper, quick ? QUICK : FULL).run(rowsOf(hook));
  } finally {
    wrapper.close();
  }
}

function runRows(): void {
  const results: Result[] = [];
  const scene = new Scene(quick ? CAPACITY.quick : CAPACITY.full);
  try {
    if (!json) console.log(heading());
    for (const hook of hooks) {
      for (const result of measure(scene, hook)) {
        results.push(result);
        if (!json) console.log(line(result));
      }
    }
    const memory = memoryOf(scene.path);
    console.log(json ? JSON.stringify({ rows: results, memory }) : `\n${memoryLine(memory)}`);
  } finally {
    scene.close();
  }
  if (given("--strict") && results.some(isLate)) process.exitCode = 1;
}

async function runLab(): Promise<void> {
  const results: Throughput[] = [];
  for (const hook of hooks) {
    const result = await measureThroughput(hook, LAB_ROUNDS);
    results.push(result);
    if (!json) console.log(throughputLine(result));
  }
  if (json) console.log(JSON.stringify({ throughput: results }));
}

const nothing = hooks.length === 0 || (!given("--lab") && hooks.every((hook) => rowsOf(hook).length === 0));
if (nothing) {
  console.error("bench: no such row or hook");
  process.exitCode = 1;
} else if (given("--lab")) await runLab();
else runRows();
