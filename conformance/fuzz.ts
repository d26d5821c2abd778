import { seeded } from "./bytes.ts";
import { FIRST_REAL } from "./topology.ts";

/**
 * `fuzz SCHEDULER [name=value...]`: random services and long runs of picks, with random changes between the runs. It stands
 * for ordinary steps (`ipvsadm -R` and `picks`), which is what the transcript shows.
 *
 *   seed=1 rounds=20 picks=1000     how many, and which (each round has a service port of its own)
 *   proto=tcp|udp|tcp6              what flows
 *   flags=sh-port,sh-fallback       scheduler flags
 *   churn=20                        see picks
 *   weights=10                      the greatest ordinary weight
 *   dests=8                         the greatest number of dests
 */
export interface FuzzStep {
  readonly text: string;
  readonly input?: string;
}

interface Pool {
  readonly service: string;
  readonly family: 4 | 6;
  readonly dests: Set<number>;
}

export function fuzzSteps(words: readonly string[]): FuzzStep[] {
  const [scheduler = "", ...rest] = words;
  const options = new Map(rest.map((w) => [w.split("=")[0]!, w.slice(w.indexOf("=") + 1)]));
  const get = (name: string, otherwise: number): number => Number(options.get(name) ?? otherwise);
  const protocol = options.get("proto") ?? "tcp";
  const family = protocol.endsWith("6") ? 6 : 4;
  const random = seeded(get("seed", 1));
  const below = (n: number): number => Math.floor(random() * n);
  const weight = (): number => randomWeight(below, get("weights", 10));
  const steps: FuzzStep[] = [];
  for (let round = 0; round < get("rounds", 20); round++) {
    const port = 2000 + round;
    const vip = family === 6 ? `[fd01::100]:${port}` : `10.1.0.100:${port}`;
    const pool: Pool = { service: `${protocol.startsWith("udp") ? "-u" : "-t"} ${vip}`, family, dests: new Set() };
    const flags = options.has("flags") ? ` -b ${options.get("flags")}` : "";
    const lines = [`-A ${pool.service} -s ${scheduler}${flags}`];
    const count = 1 + below(get("dests", 8));
    while (pool.dests.size < count) lines.push(addDest(pool, below, weight()));
    steps.push({ text: "ipvsadm -R", input: `${lines.join("\n")}\n` });
    const chunk = Math.ceil(get("picks", 1000) / 4);
    for (let part = 0; part < 4; part++) {
      if (part > 0) steps.push({ text: `ipvsadm ${change(pool, below, weight())}` });
      const target = `picks ${chunk} ${protocol.replace("6", "")} ${vip} seed=${1 + below(1e9)}`;
      steps.push({ text: options.has("churn") ? `${target} churn=${options.get("churn")}` : target });
    }
    steps.push({ text: `ipvsadm -D ${pool.service}` });
  }
  return steps;
}

/** Mostly small, sometimes equal, zero or far apart, where schedulers have their corners. */
function randomWeight(below: (n: number) => number, greatest: number): number {
  const kind = below(12);
  if (kind === 0) return 0;
  if (kind === 1) return 1;
  if (kind === 2) return greatest * (1 + below(20));
  return 1 + below(greatest);
}

const real = (pool: Pool, n: number): string => (pool.family === 6 ? `[fd02::${n}]` : `10.2.0.${n}`);

function addDest(pool: Pool, below: (n: number) => number, weight: number): string {
  let n = FIRST_REAL + below(20);
  while (pool.dests.has(n)) n = FIRST_REAL + ((n + 1 - FIRST_REAL) % 26);
  pool.dests.add(n);
  return `-a ${pool.service} -r ${real(pool, n)}:80 -m -w ${weight}`;
}

function change(pool: Pool, below: (n: number) => number, weight: number): string {
  const kind = below(4);
  if (kind === 0 && pool.dests.size > 1) {
    const gone = [...pool.dests][below(pool.dests.size)]!;
    pool.dests.delete(gone);
    return `-d ${pool.service} -r ${real(pool, gone)}:80`;
  }
  if (kind === 1) return addDest(pool, below, weight);
  const which = [...pool.dests][below(pool.dests.size)]!;
  return `-e ${pool.service} -r ${real(pool, which)}:80 -m -w ${weight}`;
}
