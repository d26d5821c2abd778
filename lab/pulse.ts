import { fileURLToPath } from "node:url";
import type { Host } from "./host.ts";
import { countEach } from "./traffic.ts";
import { lines } from "./until.ts";

/** A client that makes short connections at a steady pace and writes down what became of each. */

const program = fileURLToPath(new URL("../lab/pulse.mjs", import.meta.url));

const EVERY = 10; // ms between two connections
const PATIENCE = 1000; // ms for one, which is less than a lost SYN takes to be sent again
const LONGEST = 120; // s, then it ends by itself

export interface Try {
  /** Milliseconds as Date.now() has them. */
  readonly begun: number;
  readonly ended: number;
  /** The server's name; undefined when there was none. */
  readonly answer: string | undefined;
  readonly error: string | undefined;
}

export interface Pulse {
  /** Ends it; all its connections in the order in which they were begun. */
  stop(): Promise<readonly Try[]>;
}

export async function startPulse(host: Host, vip: string, every = EVERY): Promise<Pulse> {
  const running = host.spawn([process.execPath, program, vip, "80", ...[every, PATIENCE, LONGEST].map(String)]);
  await running.hear(/ready/);
  return {
    async stop() {
      running.kill("SIGTERM");
      await running.ended;
      return lines(running.stdout)
        .slice(1)
        .map((line) => {
          const [begun, ended, answer, error] = JSON.parse(line) as [number, number, string | null, string | null];
          return { begun, ended, answer: answer ?? undefined, error: error ?? undefined };
        });
    },
  };
}

export interface Breakage {
  readonly tries: number;
  readonly broken: number;
  /** The longest time without an answer, ms. */
  readonly gap: number;
  /** How often each server answered, and each error came. */
  readonly answers: ReadonlyMap<string, number>;
  readonly errors: ReadonlyMap<string, number>;
}

/** What became of those that were begun between two moments. */
export function breakage(tries: readonly Try[], from = 0, to = Number.POSITIVE_INFINITY): Breakage {
  const some = tries.filter(({ begun }) => begun >= from && begun < to);
  const good = some.flatMap(({ answer, ended }) => (answer === undefined ? [] : [ended])).toSorted((a, b) => a - b);
  const edges = [some[0]?.begun ?? 0, ...good, some.at(-1)?.ended ?? 0];
  return {
    tries: some.length,
    broken: some.length - good.length,
    gap: Math.max(0, ...edges.slice(1).map((at, i) => at - edges[i]!)),
    answers: countEach(some.flatMap(({ answer }) => answer ?? [])),
    errors: countEach(some.flatMap(({ error }) => error ?? [])),
  };
}

/** "412 connections, 3 broken (timeout 3), longest gap 240 ms" */
export function breakageText({ tries, broken, gap, errors }: Breakage): string {
  const why = [...errors].map(([error, count]) => `${error} ${count}`).join(", ");
  return `${tries} connections, ${broken} broken${why === "" ? "" : ` (${why})`}, longest gap ${gap.toFixed(0)} ms`;
}
