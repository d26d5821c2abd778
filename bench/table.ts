import pc from "picocolors";
import type { Result } from "./measure.ts";

/** Results as a table for people. */

export const isLate = ({ ns, target }: Result): boolean => target !== undefined && ns > target;

const columns = (name: string, ...numbers: readonly string[]): string =>
  name.padEnd(30) + numbers.map((text) => text.padStart(10)).join("");

export const heading = (): string => pc.bold(columns("ns a packet", "flows", "median", "min", "max", "target"));

export function line(result: Result): string {
  const { name, flows, target } = result;
  const ns = (n: number) => n.toFixed(0);
  const text = columns(
    name,
    String(flows),
    ns(result.ns),
    ns(result.min),
    ns(result.max),
    target === undefined ? "" : `<= ${target}`,
  );
  return isLate(result) ? `${text}  ${pc.yellow("beyond")}` : text;
}
