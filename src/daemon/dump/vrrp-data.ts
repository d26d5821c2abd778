import type { Facts } from "./facts.ts";
import { globalLines } from "./globals.ts";
import { instanceLines, knownInstances } from "./instance.ts";
import { garpLines, groupLines, interfaceLines, sockpoolLines, staticLines } from "./sections.ts";
import { bfdLines, fileLines, processLines, scriptLines } from "./tracked.ts";
import { title } from "./words.ts";

/** keepalived.data: what the VRRP process is configured to do, and what has become of it (spec 5.2). */
export function vrrpData(facts: Facts): string {
  const lines = [
    ...globalLines(facts, "vrrp"),
    ...garpLines(facts),
    ...staticLines(facts),
    ...topology(facts),
    ...sockpoolLines(facts),
    ...groupLines(facts),
    ...scriptLines(facts),
    ...fileLines(facts),
    ...processLines(facts),
    ...bfdLines(facts),
    ...interfaceLines(facts),
  ];
  return `${lines.join("\n")}\n`;
}

/** keepalived_parent.data. */
export const parentData = (facts: Facts): string => `${globalLines(facts, "parent").join("\n")}\n`;

function topology(facts: Facts): string[] {
  const instances = knownInstances(facts);
  return instances.length === 0 ? [] : [title("VRRP Topology"), ...instances.flatMap((known) => instanceLines(known, facts))];
}
