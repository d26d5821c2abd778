import { type ChildProcess, fork } from "node:child_process";
import { setImmediate } from "node:timers/promises";
import { DataPathPlane } from "./data-path-plane.ts";
import { type Fuzzed, fuzz, type Hooks, type Limits, shrunk } from "./fuzzing.ts";
import { printScript } from "./print.ts";

/** Conns: more than a script opens. Here a slot comes back a round after its conn has ended, in the model at once; a full table has tests of its own. */
const CAPACITY = 256;

/** Fuzzing in several processes, each with its seeds, its namespace and its tables. */

type Count = Omit<Fuzzed, "failure">;

/** What a worker tells; the count is of all since it began. */
interface Told {
  readonly count: Count;
  /** Where they part, as a script. */
  readonly failure?: string;
}

const SLICE = 1000; // ms of work between two looks at what the leader says
const TELL_EVERY = 10_000; // ms
const NOTHING: Count = { packets: 0, scripts: 0, passing: 0 };

const sum = (a: Count, b: Count): Count => ({
  packets: a.packets + b.packets,
  scripts: a.scripts + b.scripts,
  passing: a.passing + b.passing,
});

/** A worker's life. It ends early when the leader says so or is gone. */
export async function work(hooks: Hooks, seed: number, { ms, packets }: Limits): Promise<void> {
  let isStopped = false;
  const stop = (): void => {
    isStopped = true;
  };
  process.on("message", stop).on("disconnect", stop).on("SIGINT", stop).on("SIGTERM", stop);
  const plane = new DataPathPlane(CAPACITY, hooks[0]);
  const until = performance.now() + ms;
  let count = NOTHING;
  try {
    while (!isStopped && performance.now() < until && count.packets < packets) {
      const limits = { ms: Math.min(SLICE, until - performance.now()), packets: packets - count.packets };
      const { failure, ...more } = fuzz(plane, hooks, seed + count.scripts, limits);
      count = sum(count, more);
      if (failure !== undefined) {
        const { script, disagreement } = shrunk(plane, failure);
        tell({ count, failure: `${failure.hook}, seed ${failure.seed}:\n${printScript(script, disagreement, failure.seed)}` });
        break;
      }
      tell({ count });
      await setImmediate();
    }
  } finally {
    plane.close();
    if (process.connected) process.disconnect();
  }
}

const tell = (told: Told): void => void process.send?.(told);

/**
 * Starts a worker for each list of arguments and waits for all of them; after the first disagreement the others stop as well.
 * @returns the exit code: 0, or 1 for a disagreement or a worker that failed
 */
export async function lead(shares: readonly (readonly string[])[]): Promise<number> {
  const startedAt = performance.now();
  const counts = shares.map(() => NOTHING);
  const failures: string[] = [];
  const workers = shares.map((share) => fork(process.argv[1]!, share));
  const stop = (): void => {
    for (const worker of workers) if (worker.connected) worker.send("stop");
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  workers.forEach((worker, i) => {
    worker.on("message", ({ count, failure }: Told) => {
      counts[i] = count;
      if (failure === undefined) return;
      failures.push(failure);
      stop();
    });
  });
  const status = (): string => text(counts.reduce(sum), performance.now() - startedAt);
  const telling = setInterval(() => console.log(status()), TELL_EVERY);
  const codes = await Promise.all(workers.map(ended));
  clearInterval(telling);
  console.log(`${status()}, ${failures.length} disagreements`);
  for (const failure of failures) console.log(failure);
  const broken = codes.filter((code) => code !== 0).length;
  if (broken > 0) console.log(`fuzz: ${broken} workers failed`);
  return failures.length + broken > 0 ? 1 : 0;
}

const ended = (worker: ChildProcess): Promise<number> =>
  new Promise((resolve) => {
    worker.on("close", (code) => resolve(code ?? 1));
  });

function text({ packets, scripts, passing }: Count, ms: number): string {
  const again = passing > 0 ? `, ${passing} disagreements that did not come again` : "";
  return `fuzz: ${packets} packets in ${scripts} scripts, ${Math.round((packets * 1000) / ms)} packets/s${again}`;
}
