import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { accountNames, type Facts, tableNames } from "../../config/facts.ts";

/** What a keepalived.conf is held against: this machine, in this network namespace. Scripts are judged when they are to run. */
export function machineFacts(): Facts {
  return {
    interfaces: new Set([...textOf("/proc/self/net/dev").matchAll(/^\s*([^:\s]+):/gm)].map((found) => found[1]!)),
    users: accountNames(textOf("/etc/passwd")),
    groups: accountNames(textOf("/etc/group")),
    cpus: cpus().length,
    names: Object.fromEntries(TABLES.map((table) => [table, tableNames(textOf(`/etc/iproute2/${table}`))])),
  };
}

const TABLES = ["rt_tables", "rt_protos", "rt_scopes", "rt_realms", "group"];
const SEARCH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** Also what would become of scripts, for `-t`. */
export const factsWithScripts = (): Facts => ({ ...machineFacts(), script });

function script(path: string): "ok" | "missing" | "not-executable" {
  const found = (path.startsWith("/") ? [path] : SEARCH.map((folder) => join(folder, path))).find(
    (file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true,
  );
  if (found === undefined) return "missing";
  try {
    accessSync(found, constants.X_OK);
    return "ok";
  } catch {
    return "not-executable";
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
