import { differences, items, seconds, secret, type Tellers, text, untold, value, within } from "../director/differences.ts";
import type { Change, FieldChange, Kind } from "../director/plan.ts";
import {
  type Instance,
  identity,
  type Notify,
  type SyncGroup,
  type TrackBfd,
  type TrackFile,
  type Tracking,
  type TrackProcess,
  type TrackRef,
  type TrackScript,
  type VirtualAddress,
  type VirtualRoute,
  type VirtualRule,
  type VrrpConfig,
  type Weight,
} from "./config.ts";
import type { Announcing } from "./machine.ts";

/** What another configuration would change about VRRP. */

/** What an instance is now. */
export interface Seen {
  readonly name: string;
  readonly state: "INIT" | "BACKUP" | "MASTER" | "FAULT";
  readonly effectivePriority: number;
  readonly master?: { readonly from: string; readonly priority: number } | undefined;
}

export function planVrrp(before: VrrpConfig, after: VrrpConfig, seen: readonly Seen[]): Change[] {
  if (before === after) return [];
  return [
    ...differences(before, after, globals).map(
      (field): Change => ({ what: "change", kind: "global", name: field.field, fields: [field], effects: [] }),
    ),
    ...instanceChanges(before.instances, after.instances, seen),
    ...named("sync group", before.groups, after.groups, groupTellers),
    ...named("track script", before.scripts, after.scripts, scriptTellers, "its last result counts until it has run again"),
    ...named("track file", before.files, after.files, fileTellers),
    ...named("track process", before.processes, after.processes, processTellers),
    ...named("bfd", inBoth(before.bfds, after.bfds), inBoth(after.bfds, before.bfds), { weight: value("weight", weightText) }),
    ...differences(before.statics, after.statics, staticTellers).map(
      (field): Change => ({
        ...{ what: field.to === undefined ? "remove" : field.from === undefined ? "add" : "change" },
        ...{ kind: "static", name: field.field, fields: [field], effects: [] },
      }),
    ),
  ];
}

const globals: Tellers<VrrpConfig> = {
  ...{ instances: untold, groups: untold, scripts: untold, files: untold, processes: untold, bfds: untold, statics: untold },
  scriptSecurity: value("enable_script_security"),
  tuning: (from, to) => differences(from, to, {}).map((change) => ({ ...change, field: `vrrp process ${change.field}` })),
  fifos: items("vrrp_notify_fifo", ({ path, reader }) => (reader === undefined ? path : `${path} ${text(reader)}`)),
  startupDelay: value("vrrp_startup_delay", seconds),
  globals: within({}),
  garpInterval: value("vrrp_garp_interval", seconds),
  gnaInterval: value("vrrp_gna_interval", seconds),
};

const addressText = ({ ip, length, dev }: VirtualAddress): string => `${ip}/${length}${dev === undefined ? "" : ` dev ${dev}`}`;
const routeText = ({ prefix, length, via, dev, table }: VirtualRoute): string =>
  [
    prefix === undefined ? "default" : `${prefix}/${length}`,
    ...[via === undefined ? "" : `via ${via}`, dev === undefined ? "" : `dev ${dev}`, table === 254 ? "" : `table ${table}`],
  ]
    .filter((part) => part !== "")
    .join(" ");
const ruleText = ({ preference, from, to, table }: VirtualRule): string =>
  [...[`${preference}:`, from && `from ${from.ip}/${from.length}`, to && `to ${to.ip}/${to.length}`, `table ${table}`]]
    .filter((part) => part !== undefined)
    .join(" ");
const weightText = ({ weight, reverse }: Weight): string => `${weight}${reverse ? " reverse" : ""}`;
const refText = ({ name, weight }: TrackRef): string => (weight === undefined ? name : `${name} weight ${weightText(weight)}`);

const trackTellers: Tellers<Tracking> = {
  interfaces: items("track_interface", refText),
  scripts: items("track_script", refText),
  files: items("track_file", refText),
  processes: items("track_process", refText),
  bfds: items("track_bfd", refText),
};

const notifyTellers: Tellers<Notify> = {
  master: value("notify_master"),
  backup: value("notify_backup"),
  fault: value("notify_fault"),
  stop: value("notify_stop"),
  masterRxLowerPri: value("notify_master_rx_lower_pri"),
  deleted: value("notify_deleted"),
  tellsDeleted: untold,
  any: value("notify"),
  priorityChanges: value("notify_priority_changes"),
};

const announceTellers: Tellers<Announcing> = {
  delay: value("garp_master_delay", seconds),
  repeat: value("garp_master_repeat"),
  refresh: value("garp_master_refresh", seconds),
  refreshRepeat: value("garp_master_refresh_repeat"),
  lowerDelay: value("garp_lower_prio_delay", seconds),
  lowerRepeat: value("garp_lower_prio_repeat"),
};

const instanceTellers: Tellers<Instance> = {
  vrid: value("virtual_router_id"),
  eager: value("state", (isEager) => (isEager ? "MASTER" : "BACKUP")),
  advertInterval: value("advert_int", seconds),
  preempt: value("nopreempt", (preempt) => (preempt ? "off" : "on")),
  preemptDelay: value("preempt_delay", seconds),
  addresses: items("virtual_ipaddress", addressText),
  excluded: items("virtual_ipaddress_excluded", addressText),
  routes: items("virtual_routes", routeText),
  rules: items("virtual_rules", ruleText),
  auth: within({ type: value("auth_type"), password: secret("auth_pass") }),
  source: value("src_ip"),
  group: value("mcast_dst_ip"),
  peers: items("unicast_peer", ({ ip }) => ip),
  checkPeers: value("check_unicast_src"),
  ttl: value("unicast_ttl"),
  sum: value("v3_checksum_as_v2", (sum) => (sum === "plain" ? "on" : "off")),
  oldSum: value("old_unicast_checksum"),
  faultWithoutPeers: value("unicast_fault_no_peer"),
  receiveRoom: value("kernel_rx_buf_size"),
  promoteSecondaries: value("promote_secondaries"),
  announce: within(announceTellers),
  downTimerAdverts: value("down_timer_adverts"),
  lowerPrioNoAdvert: value("lower_prio_no_advert"),
  higherPrioSendAdvert: value("higher_prio_send_advert"),
  lateBackup: value("timer_expired_backup"),
  ownerIgnoresAdverts: value("owner_ignore_adverts"),
  skipAddressCheck: value("skip_check_adv_addr"),
  trackPrimary: value("dont_track_primary", (isTracked) => (isTracked ? "off" : "on")),
  track: within(trackTellers),
  notify: within(notifyTellers),
  vmac: value("use_vmac"),
  vmacXmitBase: value("vmac_xmit_base"),
};

const groupTellers: Tellers<SyncGroup> = {
  members: items("group", String),
  track: within(trackTellers),
  notify: within(notifyTellers),
};

const scriptTellers: Tellers<TrackScript> = {
  run: value("script"),
  interval: value("interval", seconds),
  timeout: value("timeout", seconds),
  initFail: value("init_fail"),
  weight: value("weight", weightText),
};

const fileTellers: Tellers<TrackFile> = { path: value("file"), weight: value("weight", weightText), init: value("init_file") };

const processTellers: Tellers<TrackProcess> = {
  command: value("process", (words) => words.join(" ")),
  match: value("param_match"),
  fullCommand: value("full_command"),
  quorumMax: value("quorum_max"),
  forkDelay: value("fork_delay", seconds),
  terminateDelay: value("terminate_delay", seconds),
  weight: value("weight", weightText),
};

const staticTellers: Tellers<VrrpConfig["statics"]> = {
  addresses: items("static_ipaddress", addressText),
  routes: items("static_routes", routeText),
  rules: items("static_rules", ruleText),
};

/** BFD sessions that come and go are told by who runs them. */
const inBoth = (bfds: readonly TrackBfd[], others: readonly TrackBfd[]): TrackBfd[] =>
  bfds.filter(({ name }) => others.some((other) => other.name === name));

/** Things that are the same by their name. @param effect of a change of one */
function named<T extends { readonly name: string }>(
  kind: Kind,
  before: readonly T[],
  after: readonly T[],
  tellers: Tellers<T>,
  effect?: string,
): Change[] {
  const effects = effect === undefined ? [] : [effect];
  const nameOnly = { kind, fields: [], effects: [] };
  return [
    ...after.flatMap((thing): Change[] => {
      const twin = before.find(({ name }) => name === thing.name);
      if (twin === undefined) return [{ ...nameOnly, what: "add", name: thing.name }];
      const fields = differences(twin, thing, tellers);
      return fields.length === 0 ? [] : [{ kind, what: "change", name: thing.name, fields, effects }];
    }),
    ...before.flatMap((thing): Change[] =>
      after.some(({ name }) => name === thing.name) ? [] : [{ ...nameOnly, what: "remove", name: thing.name }],
    ),
  ];
}

/** An instance is the same by its identity; one that only has the name of another begins anew in its place. */
function instanceChanges(before: readonly Instance[], after: readonly Instance[], seen: readonly Seen[]): Change[] {
  const old = new Map(before.map((i) => [identity(i), i]));
  const kept = new Set(after.map(identity));
  const gone = before.filter((i) => !kept.has(identity(i)));
  const isReplaced = new Set<string>();
  const come = after.flatMap((i): Change[] => {
    const twin = old.get(identity(i));
    if (twin !== undefined) return instanceChange(twin, i, seenAs(seen, twin));
    const namesake = gone.find(({ name }) => name === i.name);
    if (namesake === undefined) return [instanceAdded(i)];
    isReplaced.add(i.name);
    return [instanceRestarted(namesake, i, seenAs(seen, namesake))];
  });
  const left = gone.filter(({ name }) => !isReplaced.has(name)).map((i) => instanceRemoved(i, seenAs(seen, i)));
  return [...come, ...left];
}

const seenAs = (seen: readonly Seen[], i: Instance): Seen | undefined => seen.find(({ name }) => name === i.name);

const allAddresses = (i: Instance): readonly VirtualAddress[] => [...i.addresses, ...i.excluded];

function instanceAdded(i: Instance): Change {
  const fields = [
    ...(i.interface === undefined ? [] : [{ field: "interface", to: i.interface }]),
    { field: "virtual_router_id", to: String(i.vrid) },
    { field: "priority", to: String(i.priority) },
    ...allAddresses(i).map((address) => ({ field: "virtual_ipaddress", to: addressText(address) })),
  ];
  const begin = i.priority === 255 ? "it owns its addresses: MASTER at once" : "it begins as BACKUP";
  return { what: "add", kind: "instance", name: i.name, fields, effects: [begin] };
}

const LEAVES = "gives up MASTER: it says so with priority 0, and its addresses go";

function instanceRemoved(i: Instance, now: Seen | undefined): Change {
  const fields = allAddresses(i).map((address) => ({ field: "virtual_ipaddress", from: addressText(address) }));
  const effects = now?.state === "MASTER" ? [LEAVES] : now === undefined ? [] : [`it is ${now.state}: nobody notices`];
  return { what: "remove", kind: "instance", name: i.name, fields, effects };
}

function instanceRestarted(before: Instance, after: Instance, now: Seen | undefined): Change {
  const fields = differences(before, after, instanceTellers);
  const leaves = now?.state === "MASTER" ? [LEAVES] : [];
  return {
    ...{ what: "change", kind: "instance", name: after.name, fields },
    effects: [...leaves, `begins anew as another router, as ${after.priority === 255 ? "MASTER" : "BACKUP"}`],
  };
}

function instanceChange(before: Instance, after: Instance, now: Seen | undefined): Change[] {
  const fields = differences(before, after, instanceTellers);
  if (fields.length === 0) return [];
  return [{ what: "change", kind: "instance", name: after.name, fields, effects: effectsOf(before, after, fields, now) }];
}

/** In what routers of one virtual router must agree (RFC 5798 section 5.2, RFC 3768 section 5.3). */
const SHARED = new Set(["version", "advert_int", "auth_type", "auth_pass", "virtual_ipaddress"]);

function effectsOf(before: Instance, after: Instance, fields: readonly FieldChange[], now: Seen | undefined): string[] {
  const shared = [...new Set(fields.map(({ field }) => field).filter((field) => SHARED.has(field)))];
  return [
    ...(now === undefined ? [] : [fate(before, after, now)]),
    ...(shared.length === 0 ? [] : [`its peers need the same ${shared.join(", ")}`]),
  ];
}

/** What becomes of its state. */
function fate(before: Instance, after: Instance, { state, effectivePriority, master }: Seen): string {
  const priority = Math.max(1, Math.min(254, effectivePriority + after.priority - before.priority));
  if (after.priority === 255 && state !== "FAULT") return state === "MASTER" ? "MASTER stays MASTER" : `${state} becomes MASTER`;
  if (state === "MASTER" && priority < effectivePriority)
    return `MASTER stays MASTER unless a peer has more than priority ${priority}`;
  if (state === "BACKUP" && master !== undefined && after.preempt && priority > master.priority)
    return `BACKUP becomes MASTER: ${master.from}, who is it, has priority ${master.priority}`;
  return `${state} stays ${state}`;
}
