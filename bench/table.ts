import pc from "picocolors";
import type { Result } from "./measure.ts";
import type { Memory } from "./memory.ts";
import type { Throughput } from "./throughput.ts";

/** Results as a table for people. */

export const isLate = ({ ns, target }: Result): boolean => target !== undefined && ns > target;

const columns = (hook: string, name: string, ...numbers: readonly string[]): string =>
  hook.padEnd(5) + name.padEnd(28) + numbers.map((text) => text.padStart(9)).join("");

export const heading = (): string => pc.bold(columns("hook", "ns a packet", "flows", "median", "min", "max", "target"));

export function line(result: Result): string {
  const { hook, name, flows, ns, min, max, target } = result;
  const numbers = [flows, ns, min, max].map((n) => n.toFixed(0));
  const text = columns(hook, name, ...numbers, target === undefined ? "" : `<= ${target}`);
  return isLate(result) ? `${text}  ${pc.yellow("beyond")}` : text;
}

export const memoryLine = ({ bytesPerConn, conns, index, freeSlots }: Memory): string =>
  `${bytesPerConn} bytes a conn (${conns} conn, ${index} index, ${freeSlots} free slots)`;

export const throughputLine = ({ hook, routed, balanced, ratio }: Throughput): string =>
  `${hook.padEnd(5)}NAT ${balanced.toFixed(1)} Gbit/s, plain routing ${routed.toFixed(1)} Gbit/s: ${ratio.toFixed(2)} times`;
