import { readdirSync, readFileSync } from "node:fs";
import type { TrackProcess, Weight } from "../../vrrp/config.ts";

/** Counts processes by reading /proc. The kernel's process connector would be faster than a look every second. */

/** How many processes of each tracker there are. */
export function countProcesses(wanted: readonly TrackProcess[]): ReadonlyMap<string, number> {
  const counts = new Map(wanted.map((p) => [p.name, 0]));
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const argv = argumentsOf(pid);
    for (const p of wanted) if (isMatch(p, argv)) counts.set(p.name, counts.get(p.name)! + 1);
  }
  return counts;
}

interface Argv {
  readonly comm: string;
  readonly args: readonly string[];
}

function argumentsOf(pid: string): Argv {
  try {
    const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    return { comm: readFileSync(`/proc/${pid}/comm`, "utf8").trimEnd(), args };
  } catch {
    return { comm: "", args: [] }; // has ended meanwhile
  }
}

/** Does a process count for a tracker? */
export function isMatch({ command: [name = "", ...params], match, fullCommand }: TrackProcess, { comm, args }: Argv): boolean {
  if (fullCommand) return args[0] !== undefined && [name, ...params].every((word, i) => args[i] === word);
  const isNamed = comm === name.slice(0, 15) || args[0]?.split("/").at(-1) === name;
  const rest = args.slice(1);
  if (!isNamed || match === "name") return isNamed;
  if (match === "exact" && rest.length !== params.length) return false;
  return params.every((word, i) => (match === "partial" ? rest[i]?.startsWith(word) === true : rest[i] === word));
}

/** A quorum that is gained or lost after a delay. */
export class QuorumWatch {
  readonly weight: Weight;
  readonly #process: TrackProcess;
  readonly #out: { onChange(): void; log(text: string): void };
  #value: boolean | undefined;
  #pending: NodeJS.Timeout | undefined;
  #goal: boolean | undefined;

  constructor(process: TrackProcess, out: { onChange(): void; log(text: string): void }) {
    this.weight = process.weight;
    this.#process = process;
    this.#out = out;
  }

  get value(): boolean | undefined {
    return this.#value;
  }

  count(n: number): void {
    const { quorum, quorumMax, forkDelay, terminateDelay } = this.#process;
    const isMet = n >= quorum && n <= (quorumMax ?? Number.POSITIVE_INFINITY);
    if (this.#value === undefined) this.#value = isMet;
    if (isMet === this.#goal) return;
    this.#goal = isMet;
    clearTimeout(this.#pending);
    this.#pending = undefined;
    if (isMet === this.#value) return;
    this.#pending = setTimeout(() => this.#settle(isMet), isMet ? forkDelay : terminateDelay);
  }

  #settle(isMet: boolean): void {
    this.#value = isMet;
    this.#out.log(`Quorum ${isMet ? "gained" : "lost"} for tracked process ${this.#process.name}`);
    this.#out.onChange();
  }

  close(): void {
    clearTimeout(this.#pending);
  }
}
