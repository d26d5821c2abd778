import type { Operation } from "../director.ts";
import { checkSetting, defaultSettings } from "../settings.ts";
import type { Problem } from "../validate.ts";

/** What this data path cannot do yet, said instead of being accepted and ignored. */

const SCHEDULERS = new Set([
  ...["none", "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sed", "nq", "fo", "ovf", "dh", "sh", "mh", "twos"],
]);

/**
 * Settings whose default is what happens here anyway, and every other value would be read back and change nothing. Scripts
 * that write the default out are right, so that is accepted.
 */
const fixedSettings: Readonly<Record<string, string>> = {
  conntrack: "packets pass before netfilter's connection tracking sees them",
  snat_reroute: "replies are always routed by their new source, the service's address",
  ignore_tunneled: "a packet is looked at where it comes in, and once",
  est_cpulist: "rates are estimated by lvsd itself, not by kernel threads",
  est_nice: "rates are estimated by lvsd itself, not by kernel threads",
  debug_level: "lvsd logs what changes, and no packet",
  ...Object.fromEntries(
    [
      ...["sync_version", "sync_ports", "sync_persist_mode", "sync_qlen_max", "sync_sock_size", "sync_threshold"],
      ...["sync_refresh_period", "sync_retries", "backup_only"],
    ].map((name) => [name, "there is no connection synchronisation"]),
  ),
};

export function refusal(operation: Operation): Problem {
  const cannot = limit(operation);
  return cannot === undefined ? undefined : { code: "EOPNOTSUPP", message: `lvsd's XDP data path cannot do this yet: ${cannot}` };
}

function limit(operation: Operation): string | undefined {
  switch (operation.op) {
    case "add-service":
    case "edit-service": {
      const { scheduler, pe } = operation.service;
      if (!SCHEDULERS.has(scheduler)) return `scheduler ${scheduler}`;
      return pe === "" ? undefined : `persistence engine ${pe}`;
    }
    case "add-dest":
    case "edit-dest": {
      const { dest } = operation;
      return dest.toa && dest.addr.includes(":") ? "TOA over IPv6" : undefined;
    }
    case "start-daemon":
      return "connection synchronisation";
    case "set-setting":
      return settingLimit(operation.name, operation.value);
    default:
      return undefined;
  }
}

function settingLimit(name: string, text: string): string | undefined {
  const why = fixedSettings[name];
  const initial = defaultSettings[name] ?? "";
  const wanted = checkSetting(name, text, initial);
  return why === undefined || !("value" in wanted) || wanted.value === initial ? undefined : `setting ${name}: ${why}`;
}
