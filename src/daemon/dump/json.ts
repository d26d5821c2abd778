import type { Tracked } from "../../config/entries/track.ts";
import type { Entry } from "../../config/table.ts";
import type { Facts } from "./facts.ts";
import { addressesOf, excludedOf, type Known, knownInstances, routesOf, rulesOf, scriptsOf } from "./instance.ts";
import { type Stats, statsOf } from "./stats.ts";
import { commandText, mayMail } from "./words.ts";

/** keepalived.json (spec 5.4): keepalived's names and numbers, in its order. */

const STATES = { INIT: 0, BACKUP: 1, MASTER: 2, FAULT: 3 } as const;
const AUTH = { none: 0, pass: 1, ah: 2 } as const;

export function vrrpJson(facts: Facts): string {
  const instances = knownInstances(facts).map((known) => ({ data: dataOf(known, facts), stats: namesOf(statsOf(known.status)) }));
  const whole = facts.config.globalDefs?.jsonVersion === 2 ? { vrrp: instances, track_process: processes(facts) } : instances;
  return JSON.stringify(whole).replaceAll("/", "\\/"); // as keepalived's writer has it
}

function dataOf(known: Known, facts: Facts): object {
  const { block, config: c, status: s } = known;
  const bit = Number;
  return {
    iname: c.name,
    dont_track_primary: bit(!c.trackPrimary),
    skip_check_adv_addr: bit(c.skipAddressCheck),
    strict_mode: bit(block.strictMode ?? facts.config.globalDefs?.vrrpStrict ?? false),
    vmac_ifname: c.vmac ?? "",
    ifp_ifname: c.vmac ?? c.interface ?? "",
    master_priority: s.master?.priority ?? 0,
    last_transition: Math.floor(s.lastTransition * 1000) / 1e6,
    garp_delay: c.announce.delay / 1000,
    garp_refresh: c.announce.refresh / 1000,
    garp_rep: c.announce.repeat,
    garp_refresh_rep: c.announce.refreshRepeat,
    garp_lower_prio_delay: block.strictMode ? 0 : c.announce.lowerDelay / 1000,
    garp_lower_prio_rep: c.announce.lowerRepeat,
    lower_prio_no_advert: bit(c.lowerPrioNoAdvert),
    higher_prio_send_advert: bit(c.higherPrioSendAdvert),
    vrid: c.vrid,
    base_priority: c.priority,
    effective_priority: s.effectivePriority,
    vipset: s.isHolding,
    promote_secondaries: block.promoteSecondaries,
    adver_int: c.advertInterval / 1000,
    master_adver_int: s.masterInterval / 1000,
    accept: bit(c.accept),
    nopreempt: !c.preempt,
    preempt_delay: c.preemptDelay / 1000,
    state: STATES[s.state],
    wantstate: STATES[s.state],
    version: c.version,
    smtp_alert: mayMail(block.smtpAlert, facts.config.globalDefs),
    notify_deleted: block.notifyDeleted !== undefined,
    ...scripts(known, facts),
    ...list("vips", addressesOf(known)),
    ...list("evips", excludedOf(known)),
    ...list("vroutes", routesOf(known)),
    ...list("vrules", rulesOf(known)),
    ...tracked(known, facts),
    auth_type: AUTH[c.auth.type],
    ...(c.auth.type === "none" ? {} : { auth_data: c.auth.password }),
  };
}

const KEYS: Readonly<Record<ReturnType<typeof scriptsOf>[number][0], string>> = {
  Backup: "script_backup",
  Master: "script_master",
  Fault: "script_fault",
  Stop: "script_stop",
  Deleted: "script_deleted",
  Generic: "script",
  "Master rx lower pri": "script_master_rx_lower_pri",
};

function scripts({ block }: Known, facts: Facts): object {
  const there = scriptsOf(block).flatMap(([label, script]) =>
    script === undefined || script.command.length === 0 ? [] : [[KEYS[label], commandText(script.command, facts)]],
  );
  return Object.fromEntries(there);
}

function tracked({ block, config: c }: Known, facts: Facts): object {
  const names = (refs: readonly Entry<Tracked>[]): string[] => [...new Set(refs.map(({ value }) => value.name))];
  const command = (name: string): string =>
    commandText(facts.config.vrrpScript.find((script) => script.header === name)?.script ?? [], facts);
  return {
    ...list(
      "track_ifp",
      names(block.trackInterface).filter((name) => name !== c.interface),
    ),
    ...list("track_script", names(block.trackScript).map(command)),
  };
}

const list = (key: string, items: readonly string[]): object => (items.length === 0 ? {} : { [key]: items });

const processes = ({ config, status }: Facts): object[] =>
  config.vrrpTrackProcess.map(({ header }) => {
    const { count = 0, hasQuorum = false } = status.trackers.processes[header] ?? {};
    return { name: header, current_processes: count, have_quorum: hasQuorum };
  });

/** "advertRcvd" is "advert_rcvd" there. */
const namesOf = (stats: Stats): object =>
  Object.fromEntries(Object.entries(stats).map(([name, n]) => [name.replaceAll(/[A-Z]/g, (c) => `_${c.toLowerCase()}`), n]));
