import { rmSync, writeFileSync } from "node:fs";
import type { KeepalivedConfig } from "../../config/keywords.ts";
import type { Log } from "../../director/engine.ts";
import { explain } from "../../fault.ts";

/** What a file says about its own reloads (spec 1.8). The words of the configuration that runs count, not those of the next. */

/** What cannot be changed while it runs, in keepalived's words. */
export function unchangeable(before: KeepalivedConfig, after: KeepalivedConfig): string[] {
  const [b, a] = [before.globalDefs, after.globalDefs];
  const pairs: readonly [what: string, from: unknown, to: unknown][] = [
    ["network namespace", before.netNamespace, after.netNamespace],
    ["IPVS network namespace", before.netNamespaceIpvs, after.netNamespaceIpvs],
    ["instance name", before.instance, after.instance],
    ["nftables table name", b?.nftables, a?.nftables],
    ["IPVS nftables table name", b?.nftablesIpvs, a?.nftablesIpvs],
    ["config_directory", b?.tmpConfigDirectory, a?.tmpConfigDirectory],
    ["disable_local_igmp", b?.disableLocalIgmp ?? false, a?.disableLocalIgmp ?? false],
  ];
  return pairs.flatMap(([what, from, to]) => (from === to ? [] : [`Cannot change ${what} at a reload - please restart lvsd`]));
}

/** `reload_file` is there, and empty, while `read` reads. */
export function whileReading<T>({ globalDefs, usePidDir }: KeepalivedConfig, log: Log, read: () => T): T {
  const word = globalDefs?.reloadFile;
  if (word === undefined) return read();
  const path = word === "" ? `/run/${usePidDir ? "keepalived/" : ""}keepalived.reload` : word;
  try {
    writeFileSync(path, "");
  } catch (error) {
    log.warn("reload file", { file: path, reason: explain(error) });
  }
  try {
    return read();
  } finally {
    rmSync(path, { force: true });
  }
}

/** Writes down for `reload_check_config` why a file is refused. @returns what to say; undefined without that word */
export function tellFailedCheck({ globalDefs }: KeepalivedConfig, problems: readonly string[], log: Log): string | undefined {
  const path = globalDefs?.reloadCheckConfig;
  if (path === undefined || path === "") return undefined;
  try {
    writeFileSync(path, problems.map((problem) => `${problem}\n`).join(""), { mode: 0o600 });
  } catch (error) {
    log.warn("reload_check_config", { file: path, reason: explain(error) });
  }
  return `New config failed validation, see ${path} for details`;
}
