import type { EngineName } from "../director/engine.ts";
import { Fault } from "../fault.ts";

/** What can be said before anything is touched: is this machine able, are we allowed, are the interfaces there? */

export interface Machine {
  /** uname -r */
  readonly release: string;
  /** The text of /proc/self/status. */
  readonly status: string;
  /** The text of /proc/self/net/dev. */
  readonly netDev: string;
}

const OLDEST = [5, 15] as const;
const CAP_NET_ADMIN = 12;
const CAP_SYS_ADMIN = 21;
const CAP_PERFMON = 38;
const CAP_BPF = 39;

/** Throws the first Fault: EPERM, ENOSYS (a kernel too old), ENODEV. */
export function preflight(machine: Machine, { engine, interfaces }: { engine: EngineName; interfaces: readonly string[] }): void {
  const lacking = missingCapabilities(machine.status, engine);
  if (lacking.length > 0) throw new Fault("start", "EPERM", `not permitted (no ${lacking.join(", ")})`);
  if (engine === "xdp" && isOlder(machine.release))
    throw new Fault("start", "ENOSYS", `kernel ${machine.release} is too old, 5.15 is the first that will do`);
  const present = interfaceNames(machine.netDev);
  const missing = interfaces.find((name) => !present.includes(name));
  if (missing !== undefined) throw new Fault("start", "ENODEV", missingInterface(missing, present));
}

function missingCapabilities(status: string, engine: EngineName): string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  const has = (bit: number) => ((effective >> BigInt(bit)) & 1n) === 1n;
  const lacking = has(CAP_NET_ADMIN) ? [] : ["CAP_NET_ADMIN"];
  if (engine === "kernel" || has(CAP_SYS_ADMIN)) return lacking;
  if (!has(CAP_BPF)) lacking.push("CAP_BPF");
  if (!has(CAP_PERFMON)) lacking.push("CAP_PERFMON");
  return lacking;
}

function isOlder(release: string): boolean {
  const [major = 0, minor = 0] = release.split(/[.-]/, 2).map(Number);
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
}

/** Of this network namespace; /sys may show another's. */
const interfaceNames = (netDev: string): string[] => [...netDev.matchAll(/^\s*([^\s:|]+):/gm)].map((found) => found[1]!);

function missingInterface(name: string, present: readonly string[]): string {
  const near = present
    .map((other) => ({ other, steps: editDistance(name, other) }))
    .filter(({ steps }) => steps <= 3)
    .sort((a, b) => a.steps - b.steps)
    .slice(0, 3)
    .map(({ other }) => other);
  if (near.length > 0) return `no interface ${name}; did you mean ${near.join(" or ")}?`;
  return `no interface ${name}; there are ${present.join(", ")}`;
}

/** How many letters to add, drop or change to make one word the other (Levenshtein). */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const change = row[j]! + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(change, row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
