import type { Script } from "../args.ts";
import type { Report } from "../checks.ts";
import type { KeepalivedConfig } from "../keywords.ts";
import type { Origin } from "../source.ts";
import { checksOf } from "../values.ts";

/** Who runs which program, and whether that is safe (spec 3.13). */

interface Use {
  readonly command: readonly string[];
  readonly origin: Origin;
  readonly user: boolean;
  /** A tracking script that cannot run is a problem, a notify script is left out with a log line. */
  readonly tracked: boolean;
  /** The process that runs it; the parent is root. */
  readonly by: "parent" | "vrrp" | "checks";
}

/** The problem for which `keepalived -t` has an exit code of its own. */
export const NO_SCRIPT_SECURITY = "scripts are run, but enable_script_security is not set";

/** `keepalived_script` runs scripts when nobody else is named. */
const DEFAULT_USER = "keepalived_script";

export function checkScripts(config: KeepalivedConfig, report: Report): void {
  const secure = config.globalDefs?.enableScriptSecurity ?? false;
  if (!secure && report.facts.script === undefined) return; // nothing to be said, and a large file has many
  const uses = usesOf(config).filter((use) => use.command.length > 0);
  const named = config.globalDefs?.scriptUser !== undefined || report.facts.users?.has(DEFAULT_USER) !== false;
  for (const use of uses)
    if (secure && !named && !use.user && use.by !== "parent")
      report.error(use.origin, `there is no user '${DEFAULT_USER}' to run the script; set script_user`);
  const { script } = report.facts;
  if (script === undefined) return;
  const running: Use[] = [];
  for (const use of uses) {
    const state = script(use.command[0]!);
    if (state === "missing")
      report[use.tracked ? "error" : "warn"](use.origin, `'${use.command[0]}' is not found, the script is disabled`);
    else if (secure && state === "unsafe")
      report[use.tracked ? "error" : "warn"](
        use.origin,
        `'${use.command[0]}' can be changed by others than root, the script is disabled`,
      );
    else running.push(use);
  }
  const first = running.find(({ by }) => by === "vrrp") ?? running[0];
  const kind = running.every(({ by }) => by === "vrrp") ? "security" : "check-security";
  if (first !== undefined && !secure) report.error(first.origin, NO_SCRIPT_SECURITY, kind);
}

function usesOf(config: KeepalivedConfig): Use[] {
  return [...globalUses(config), ...vrrpUses(config), ...trackedUses(config), ...serverUses(config)];
}

function useOf(
  block: { readonly origins: Readonly<Record<string, Origin>> },
  field: string,
  script: Script | undefined,
  by: Use["by"] = "vrrp",
): Use[] {
  const origin = block.origins[field];
  return script === undefined || origin === undefined
    ? []
    : [{ command: script.command, origin, user: script.user !== undefined, tracked: false, by }];
}

function globalUses(config: KeepalivedConfig): Use[] {
  const g = config.globalDefs;
  if (g === undefined) return [];
  return [...useOf(g, "startupScript", g.startupScript, "parent"), ...useOf(g, "shutdownScript", g.shutdownScript, "parent")];
}

function vrrpUses(config: KeepalivedConfig): Use[] {
  const groups = config.vrrpSyncGroup.flatMap((g) => [
    ...useOf(g, "notifyMaster", g.notifyMaster),
    ...useOf(g, "notifyBackup", g.notifyBackup),
    ...useOf(g, "notifyFault", g.notifyFault),
    ...useOf(g, "notifyStop", g.notifyStop),
    ...useOf(g, "notify", g.notify),
  ]);
  const instances = config.vrrpInstance.flatMap((i) => [
    ...useOf(i, "notifyMaster", i.notifyMaster),
    ...useOf(i, "notifyBackup", i.notifyBackup),
    ...useOf(i, "notifyFault", i.notifyFault),
    ...useOf(i, "notifyStop", i.notifyStop),
    ...useOf(i, "notify", i.notify),
    ...useOf(i, "notifyDeleted", i.notifyDeleted),
    ...useOf(i, "notifyMasterRxLowerPri", i.notifyMasterRxLowerPri),
  ]);
  return [...groups, ...instances];
}

/** keepalived looks at every tracking script once there is an instance, tracked or not. */
function trackedUses(config: KeepalivedConfig): Use[] {
  if (config.vrrpInstance.length === 0) return [];
  return config.vrrpScript.flatMap((s) => {
    const origin = s.origins.script;
    if (s.script === undefined || origin === undefined || s.failed?.user !== undefined) return [];
    return [{ command: s.script, origin, user: s.user !== undefined, tracked: true, by: "vrrp" }];
  });
}

function serverUses(config: KeepalivedConfig): Use[] {
  return config.virtualServer.flatMap((vs) => [
    ...useOf(vs, "quorumUp", vs.quorumUp, "checks"),
    ...useOf(vs, "quorumDown", vs.quorumDown, "checks"),
    ...vs.realServer.flatMap((rs) => [
      ...useOf(rs, "notifyUp", rs.notifyUp, "checks"),
      ...useOf(rs, "notifyDown", rs.notifyDown, "checks"),
      ...checksOf(rs).flatMap((check): Use[] => {
        const origin = check.value.origins.miscPath;
        if (check.type !== "MISC_CHECK" || check.value.miscPath === undefined || origin === undefined) return [];
        return [{ command: check.value.miscPath, origin, user: check.value.user !== undefined, tracked: false, by: "checks" }];
      }),
    ]),
  ]);
}
