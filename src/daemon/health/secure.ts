import type { HealthConfig, Script, Server, Service } from "../../health/config.ts";
import type { Judge } from "../vrrp/security.ts";

/** Scripts that are not to be run, with keepalived's words about them (spec 3.13). They are taken out of the configuration. */

/** A MISC_CHECK whose script may not be run goes too: its server counts as if it had no such check. */
export function withoutBadScripts(config: HealthConfig, judge: Judge): { config: HealthConfig; lines: readonly string[] } {
  const lines = new Set<string>();
  const known = new Map<string, boolean>();
  const isGood = (script: Script): boolean => {
    const key = `${script.command[0]} ${script.user} ${script.group}`;
    const good = known.get(key) ?? isAllowed(script, judge, config.scriptSecurity, lines);
    known.set(key, good);
    return good;
  };
  const keep = (script: Script | undefined): Script | undefined => (script !== undefined && isGood(script) ? script : undefined);
  const server = (s: Server): Server => ({
    ...s,
    notifyUp: keep(s.notifyUp),
    notifyDown: keep(s.notifyDown),
    checks: s.checks.filter(({ probe }) => probe.type !== "MISC_CHECK" || isGood(probe.script)),
  });
  const service = (s: Service): Service => {
    const isWhole = scriptsOf(s).map(isGood).every(Boolean); // as it is, it need not be compared with itself later
    return isWhole ? s : { ...s, quorumUp: keep(s.quorumUp), quorumDown: keep(s.quorumDown), servers: s.servers.map(server) };
  };
  return { config: { ...config, services: config.services.map(service) }, lines: [...lines] };
}

function scriptsOf({ quorumUp, quorumDown, servers }: Service): Script[] {
  const all: (Script | undefined)[] = [quorumUp, quorumDown];
  for (const { notifyUp, notifyDown, checks } of servers) {
    all.push(notifyUp, notifyDown);
    for (const { probe } of checks) if (probe.type === "MISC_CHECK") all.push(probe.script);
  }
  return all.filter((script) => script !== undefined);
}

function isAllowed(script: Script, judge: Judge, isStrict: boolean, lines: Set<string>): boolean {
  const verdict = judge(script);
  const path = script.command[0] ?? "";
  const isRefused = verdict === "unsafe" && isStrict;
  if (isRefused) lines.add(`Unsafe permissions found for script '${path}' - disabling.`);
  else if (verdict === "unsafe") lines.add("SECURITY VIOLATION - scripts are being executed but script_security not enabled.");
  else if (verdict === "missing") lines.add(`Script '${path}' not found/accessible - disabling.`);
  else if (verdict === "not-executable") lines.add(`WARNING - script '${path}' is not executable - disabling.`);
  return verdict === "ok" || (verdict === "unsafe" && !isRefused);
}
