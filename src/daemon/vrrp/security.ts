import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Notify, Script, SyncGroup, Tracking, VrrpConfig } from "../../vrrp/config.ts";
import { identityOf } from "./scripts.ts";

/** Scripts that are not to be run, with keepalived's words about them (spec 3.13). They are taken out of the configuration. */

/** "unsafe": to be run as root though others may change it. */
export type Verdict = "ok" | "missing" | "not-executable" | "unsafe";
export type Judge = (script: Script) => Verdict;

export interface Secured {
  readonly config: VrrpConfig;
  readonly lines: readonly string[];
}

export function withoutBadScripts(config: VrrpConfig, judge: Judge): Secured {
  const lines = new Set<string>();
  const isGood = (script: Script): boolean => {
    const verdict = judge(script);
    const path = script.command[0] ?? "";
    const isRefused = verdict === "unsafe" && config.scriptSecurity;
    if (isRefused) lines.add(`Unsafe permissions found for script '${path}' - disabling.`);
    else if (verdict === "unsafe") lines.add("SECURITY VIOLATION - scripts are being executed but script_security not enabled.");
    else if (verdict === "missing") lines.add(`Script '${path}' not found/accessible - disabling.`);
    else if (verdict === "not-executable") lines.add(`WARNING - script '${path}' is not executable - disabling.`);
    return verdict === "ok" || (verdict === "unsafe" && !isRefused);
  };
  const scripts = config.scripts.filter((s) => isGood(s.run));
  for (const s of config.scripts) if (!scripts.includes(s)) lines.add(`Disabling track script ${s.name}`);
  const known = new Set(scripts.map((s) => s.name));
  const track = (t: Tracking): Tracking => ({ ...t, scripts: t.scripts.filter((ref) => known.has(ref.name)) });
  const keep = (script: Script | undefined): Script | undefined => (script !== undefined && isGood(script) ? script : undefined);
  const notify = (n: Notify): Notify => ({
    ...{ master: keep(n.master), backup: keep(n.backup), fault: keep(n.fault), stop: keep(n.stop) },
    ...{ masterRxLowerPri: keep(n.masterRxLowerPri), any: keep(n.any), priorityChanges: n.priorityChanges },
    ...{ deleted: keep(n.deleted), tellsDeleted: n.tellsDeleted },
  });
  const clean = <T extends Pick<SyncGroup, "track" | "notify">>(thing: T): T => ({
    ...thing,
    ...{ track: track(thing.track), notify: notify(thing.notify) },
  });
  const fifos = config.fifos.map(({ path, reader }) => ({ path, reader: keep(reader) }));
  return {
    config: { ...config, scripts, fifos, instances: config.instances.map(clean), groups: config.groups.map(clean) },
    lines: [...lines],
  };
}

/** Looks at the files. A name without a slash is looked for in PATH. */
export function judgeFile(script: Script): Verdict {
  const name = script.command[0] ?? "";
  const path = name.includes("/")
    ? name
    : (process.env.PATH ?? "")
        .split(":")
        .map((dir) => join(dir, name))
        .find(isFile);
  if (path === undefined || !isFile(path)) return "missing";
  const real = realpathSync(path);
  try {
    accessSync(real, constants.X_OK);
  } catch {
    return "not-executable";
  }
  const runsAsRoot = (identityOf(script).uid ?? process.getuid?.()) === 0;
  return runsAsRoot && parts(real).some(mayOthersWrite) ? "unsafe" : "ok";
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/** The file and all folders above it. */
function parts(path: string): string[] {
  return path === "/" ? ["/"] : [path, ...parts(dirname(path))];
}

function mayOthersWrite(path: string): boolean {
  const { mode, uid, gid } = statSync(path);
  return uid !== 0 || (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== 0);
}
