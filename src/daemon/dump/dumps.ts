import { join } from "node:path";
import type { KeepalivedConfig } from "../../config/keywords.ts";
import { bfdData } from "./bfd-data.ts";
import { checkerData } from "./checker-data.ts";
import type { Facts } from "./facts.ts";
import { globalsOf } from "./globals.ts";
import { vrrpJson } from "./json.ts";
import type { DumpName } from "./names.ts";
import { vrrpStats } from "./stats.ts";
import { parentData, vrrpData } from "./vrrp-data.ts";

/** The dumps of keepalived, by name: their text, and where they go (spec 5.1). */

const TEXTS: Readonly<Record<DumpName, (facts: Facts) => string>> = {
  data: vrrpData,
  stats: ({ status }) => vrrpStats(status.instances),
  json: vrrpJson,
  checks: checkerData,
  bfd: bfdData,
  parent: parentData,
};

export const dumpText = (name: DumpName, facts: Facts): string => TEXTS[name](facts);

/** @param folder where it goes unless the file says otherwise */
export function dumpPath(name: DumpName, config: KeepalivedConfig, folder: string): string {
  const g = globalsOf({ config });
  // As keepalived 2.2.7: only the names of .data files tell the instance.
  const parts = g.dataUseInstance ? [config.netNamespace, config.instance].filter((part) => part !== undefined) : [];
  const infix = parts.length === 0 ? "" : `.${parts.join("_")}`;
  switch (name) {
    case "data":
      return g.stateDumpFile ?? join(folder, `keepalived${infix}.data`);
    case "stats":
      return g.statsDumpFile ?? join(folder, "keepalived.stats");
    case "json":
      return g.jsonDumpFile ?? join(folder, "keepalived.json");
    case "checks":
      return join(folder, `keepalived_check${infix}.data`);
    case "bfd":
      return join(folder, `keepalived_bfd${infix}.data`);
    case "parent":
      return join(folder, `keepalived_parent${infix}.data`);
  }
}

/** Of the files: what the umask of the configuration leaves. */
export const dumpMode = (config: KeepalivedConfig): number => 0o666 & ~globalsOf({ config }).umask;
