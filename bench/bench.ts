import { Bench, type Effort, type Result } from "./measure.ts";
import { memoryOf } from "./memory.ts";
import { ALL_ROWS, QUICK_ROWS, type Row } from "./rows.ts";
import { Scene } from "./scene.ts";
import { heading, isLate, line } from "./table.ts";
import { Wrapper } from "./wrapper.ts";

/**
 * `make bench`: nanoseconds a packet of the data path, bytes a conn.
 * node build/bench.mjs [--quick] [--json] [--only NAME] [--strict]
 *
 * Rows named scattered jump from flow to flow, with no help from any cache; the others take the flows in the order in which
 * they were opened. --strict: exit code 1 when a row is beyond its target.
 */

const FULL: Effort = { rounds: 5, packets: { min: 300_000, max: 300_000 } };
const QUICK: Effort = { rounds: 3, packets: { min: 100_000, max: 100_000 } };
const CAPACITY = { full: 1 << 21, quick: 1 << 16 }; // conns

const given = (flag: string): boolean => process.argv.includes(flag);
const option = (flag: string): string | undefined => {
  const at = process.argv.indexOf(flag);
  return at < 0 ? undefined : process.argv[at + 1];
};

const quick = given("--quick");
const json = given("--json");
const only = option("--only");
const rows: readonly Row[] = (quick ? QUICK_ROWS : ALL_ROWS).filter(({ name }) => only === undefined || name.includes(only));

const results: Result[] = [];
const scene = new Scene(quick ? CAPACITY.quick : CAPACITY.full);
const wrapper = new Wrapper("xdp", scene.path.program("lvs_xdp"));
try {
  const bench = new Bench(scene, wrapper, quick ? QUICK : FULL);
  if (!json) console.log(heading());
  for (const result of bench.run(rows)) {
    results.push(result);
    if (!json) console.log(line(result));
  }
  const memory = memoryOf(scene.path);
  if (json) console.log(JSON.stringify({ rows: results, memory }));
  else
    console.log(
      `\n${memory.bytesPerConn} bytes a conn (${memory.conns} conns, ${memory.index} index, ${memory.freeSlots} free slots)`,
    );
} finally {
  wrapper.close();
  scene.close();
}
if (given("--strict") && results.some(isLate)) process.exitCode = 1;
