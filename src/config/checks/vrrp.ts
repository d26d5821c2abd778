import { familyOf } from "../../net/ip.ts";
import { isLinkLocal, type Weight } from "../args.ts";
import type { Report } from "../checks.ts";
import type { Tracked } from "../entries/track.ts";
import type { KeepalivedConfig, VrrpInstance, VrrpSyncGroup } from "../keywords.ts";
import { type Entry, isMissing, toldOf } from "../table.ts";

/** Instances and sync groups as a whole (spec 2.12, 2.13). */

const DEFAULT_PRIORITY = 100;
const OWNER = 255;

/** What an instance is after its defaults. */
interface Facts {
  readonly family: "ipv4" | "ipv6";
  readonly version: number;
  readonly strict: boolean;
  readonly priority: number;
  readonly unicast: boolean;
}

export const priorityOf = (i: VrrpInstance): number => i.priority ?? (i.state === "MASTER" ? OWNER : DEFAULT_PRIORITY);

export function familyOfInstance(i: VrrpInstance): "ipv4" | "ipv6" {
  const ip = i.virtualIpaddress[0]?.value.ip ?? i.mcastSrcIp ?? i.unicastSrcIp ?? i.unicastPeer[0]?.value.ip;
  return ip === undefined ? "ipv4" : familyOf(ip);
}

export function versionOf(config: KeepalivedConfig, i: VrrpInstance): number {
  return familyOfInstance(i) === "ipv6" ? 3 : (i.version ?? config.globalDefs?.vrrpVersion ?? 2);
}

export function checkInstances(config: KeepalivedConfig, report: Report): void {
  const names = new Set<string>();
  for (const instance of config.vrrpInstance) {
    const name = instance.header ?? "";
    if (instance.header === undefined) continue;
    if (names.has(name)) report.error(instance.origin, `vrrp_instance '${name}' is defined twice`);
    names.add(name);
    checkInstance(config, instance, report);
  }
  checkDuplicates(config, report);
}

function checkInstance(config: KeepalivedConfig, i: VrrpInstance, report: Report): void {
  const name = i.header;
  needs(i, "virtualRouterId", "virtual_router_id", report);
  const unicast = i.unicastPeer.length > 0;
  const withoutInterface = report.dialect === undefined && unicast && i.unicastSrcIp !== undefined;
  if (!withoutInterface) needs(i, "interface", "interface", report);
  if (isMissing(i, "virtualIpaddress") && !i.noVirtualIpaddress)
    report.error(i.origin, `vrrp_instance '${name}' has no virtual_ipaddress`);
  const facts: Facts = {
    family: familyOfInstance(i),
    version: versionOf(config, i),
    strict: i.strictMode ?? config.globalDefs?.vrrpStrict ?? false,
    priority: priorityOf(i),
    unicast,
  };
  checkPreemption(i, facts, report);
  checkAdvertInterval(i, facts, report);
  checkAuthentication(i, facts, report);
  checkUnicast(i, facts, report);
  checkDevices(i, facts, report);
  checkTracking(i, report);
  if (facts.priority === OWNER) checkWeights(config, i, "a priority of 255 cannot be changed by a weight", report);
  if (facts.strict) checkStrict(config, i, facts, report);
}

/** What keepalived does not run without. */
function needs(i: VrrpInstance, field: "virtualRouterId" | "interface", word: string, report: Report): void {
  const told = toldOf(i, field);
  if (i[field] !== undefined) return;
  if (told === undefined) report.error(i.origin, `vrrp_instance '${i.header}' has no ${word}`, "instance");
  else report.worsen(told, "instance");
}

function checkPreemption(i: VrrpInstance, f: Facts, report: Report): void {
  if (i.nopreempt && f.priority === OWNER) report.error(i.origins.nopreempt!, "nopreempt does not go with priority 255");
  else if (i.nopreempt && i.state === "MASTER") report.error(i.origins.nopreempt!, "nopreempt needs state BACKUP");
  const delay = i.origins.preemptDelay;
  if (i.preemptDelay === 0 || delay === undefined) return;
  if (i.state === "MASTER" || f.priority === OWNER)
    report.error(delay, "preempt_delay needs state BACKUP and a priority below 255");
  else if (i.nopreempt) report.error(delay, "preempt_delay does not go with nopreempt");
}

function checkAdvertInterval(i: VrrpInstance, f: Facts, report: Report): void {
  const origin = i.origins.advertInt;
  if (origin === undefined) return;
  if (f.version === 2 && !Number.isInteger(i.advertInt)) report.error(origin, "VRRP version 2 counts whole seconds");
  if (f.version !== 3) return;
  if (i.advertInt > 40.955) report.error(origin, "VRRP version 3 counts up to 40.95 seconds");
  else if (Math.abs(i.advertInt * 100 - Math.round(i.advertInt * 100)) > 1e-6)
    report.error(origin, "VRRP version 3 counts hundredths of a second");
}

function checkAuthentication(i: VrrpInstance, f: Facts, report: Report): void {
  const version = i.origins.version;
  if (
    f.family === "ipv6" &&
    i.version === 2 &&
    version !== undefined &&
    (f.strict || isAfter(version, i.origins.virtualIpaddress))
  ) {
    report.error(version, "IPv6 needs version 3");
  }
  const auth = i.authentication;
  if (auth?.authType === undefined) return;
  const origin = auth.origins.authType ?? auth.origin;
  if (f.strict) report.error(origin, "strict mode has no authentication");
  else if (f.version === 3) report.error(origin, "VRRP version 3 has no authentication");
  else if (auth.authPass === "" || isMissing(auth, "authPass")) report.error(origin, "authentication without auth_pass");
  else if (auth.authType === "AH" && i.state === "MASTER" && f.priority !== OWNER) {
    report.error(i.origins.state ?? origin, "state MASTER does not go with AH authentication");
  }
}

/** Within one file; across files nothing is said. */
function isAfter(a: { file: string; line: number }, b: { file: string; line: number } | undefined): boolean {
  return b !== undefined && a.file === b.file && a.line > b.line;
}

function checkUnicast(i: VrrpInstance, f: Facts, report: Report): void {
  if (f.unicast) {
    if (i.mcastDstIp !== undefined) report.error(i.origins.mcastDstIp!, "mcast_dst_ip does not go with unicast_peer");
    return;
  }
  if (i.unicastTtl !== undefined) report.error(i.origins.unicastTtl!, "unicast_ttl needs unicast_peer");
  const { unicastSrcIp, checkUnicastSrc, oldUnicastChecksum, unicastPeer } = i.origins;
  const word = unicastPeer ?? unicastSrcIp ?? checkUnicastSrc ?? oldUnicastChecksum;
  if (word !== undefined && !i.unicastFaultNoPeer)
    report.error(word, "a unicast keyword without unicast_peer: adverts are multicast");
}

function checkDevices(i: VrrpInstance, f: Facts, report: Report): void {
  if (i.vmacXmitBase && i.useVmac === undefined) report.error(i.origins.vmacXmitBase!, "vmac_xmit_base needs use_vmac");
  if (i.useVmac !== undefined && f.unicast && !i.vmacXmitBase)
    report.error(i.origins.useVmac!, "use_vmac with unicast_peer needs vmac_xmit_base");
  if (i.useVmac !== undefined && i.promoteSecondaries)
    report.error(i.origins.promoteSecondaries!, "use_vmac promotes secondaries anyway");
  if (i.useIpvlan !== undefined && f.family === "ipv4" && i.useIpvlan.ip === undefined)
    report.error(i.origins.useIpvlan!, "an IPv4 ipvlan needs an address");
  if (i.useIpvlan?.ip !== undefined && familyOf(i.useIpvlan.ip) !== f.family)
    report.error(i.origins.useIpvlan!, "the ipvlan's address is of the other family");
  if (i.vrf !== undefined && i.interface !== undefined) report.error(i.origins.vrf!, "vrf is for instances without interface");
  if (i.nativeIpv6 && f.family === "ipv4" && i.virtualIpaddress.length > 0)
    report.error(i.origins.nativeIpv6!, "native_ipv6 with IPv4 addresses");
}

const TRACKING = ["trackInterface", "trackScript", "trackProcess", "trackFile", "trackBfd"] as const;

function checkTracking(i: VrrpInstance, report: Report): void {
  for (const field of TRACKING) checkNames(i[field], report);
  for (const { value, origin } of i.trackInterface) {
    if (value.name === i.interface) report.error(origin, `${value.name} is the instance's own interface, it is tracked anyway`);
  }
}

function checkNames(tracked: readonly Entry<Tracked>[], report: Report): void {
  const names = new Set<string>();
  for (const { value, origin } of tracked) {
    if (names.has(value.name)) report.error(origin, `${value.name} is tracked twice`);
    names.add(value.name);
  }
}

/** spec 3.9: what strict mode forbids. */
function checkStrict(config: KeepalivedConfig, i: VrrpInstance, f: Facts, report: Report): void {
  const g = config.globalDefs;
  const say = (field: string, message: string): void => report.error(i.origins[field] ?? i.origin, `strict mode: ${message}`);
  if (i.state !== undefined && (i.state === "MASTER") !== (f.priority === OWNER))
    say("state", "state MASTER and priority 255 belong together");
  if (i.preemptDelay > 0 && !i.nopreempt) say("preemptDelay", "preempt_delay is not allowed");
  if (i.accept && f.version === 2) say("accept", "version 2 has no accept mode");
  if (i.garpLowerPrioRepeat ?? g?.vrrpGarpLowerPrioRepeat) say("garpLowerPrioRepeat", "no repeated gratuitous ARPs");
  if ((i.lowerPrioNoAdvert ?? g?.vrrpLowerPrioNoAdvert) === false) say("lowerPrioNoAdvert", "lower_prio_no_advert must be on");
  if (i.higherPrioSendAdvert ?? g?.vrrpHigherPrioSendAdvert) say("higherPrioSendAdvert", "higher_prio_send_advert must be off");
  if (i.vmacXmitBase && i.useVmac !== undefined) say("vmacXmitBase", "vmac_xmit_base is not allowed");
  if ((i.downTimerAdverts ?? g?.vrrpDownTimerAdverts ?? 3) !== 3) say("downTimerAdverts", "down_timer_adverts must be 3");
  const first = i.virtualIpaddress[0];
  if (f.family === "ipv6" && first !== undefined && !isLinkLocal(first.value.ip)) {
    report.error(first.origin, "strict mode: the first IPv6 address must be link-local");
  }
}

/** Two routers of one number, family and interface would hear each other (spec 2.13). */
function checkDuplicates(config: KeepalivedConfig, report: Report): void {
  const seen = new Map<string, VrrpInstance>();
  const names = new Set<string>();
  for (const i of config.vrrpInstance) {
    if (names.has(i.header)) continue; // the second of a name is left out
    names.add(i.header);
    if (i.virtualRouterId === undefined || i.interface === undefined) continue;
    const family = familyOfInstance(i);
    const keys = i.unicastPeer.length > 0 ? i.unicastPeer.map((p) => p.value.ip) : [i.mcastDstIp ?? "multicast"];
    for (const key of keys.map((k) => `${i.virtualRouterId} ${family} ${i.interface} ${k}`)) {
      const other = seen.get(key);
      if (other !== undefined && other !== i) {
        report.error(
          i.origins.virtualRouterId ?? i.origin,
          `'${other.header}' has virtual_router_id ${i.virtualRouterId} on ${i.interface} too`,
          "instance",
        );
        break;
      }
      seen.set(key, i);
    }
  }
}

export function checkGroups(config: KeepalivedConfig, report: Report): void {
  const instances = new Map(config.vrrpInstance.map((i) => [i.header, i]));
  const taken = new Set<string>();
  const names = new Set<string>();
  for (const group of config.vrrpSyncGroup) {
    if (group.header === undefined) continue;
    if (names.has(group.header)) report.error(group.origin, `vrrp_sync_group '${group.header}' is defined twice`);
    names.add(group.header);
    checkMembers(config, group, instances, taken, report);
    for (const field of TRACKING) checkNames(group[field], report);
  }
  const trackGroups = new Set<string>();
  for (const group of config.trackGroup) {
    if (trackGroups.has(group.header)) report.error(group.origin, `track_group '${group.header}' is defined twice`);
    trackGroups.add(group.header);
  }
}

function checkMembers(
  config: KeepalivedConfig,
  group: VrrpSyncGroup,
  instances: ReadonlyMap<string, VrrpInstance>,
  taken: Set<string>,
  report: Report,
): void {
  const members = group.group.flatMap(({ value, origin }) => value.map((name) => ({ name, origin })));
  let good = 0;
  for (const { name, origin } of members) {
    const instance = instances.get(name);
    if (instance === undefined) report.error(origin, `there is no vrrp_instance '${name}'`);
    else if (taken.has(name)) report.error(origin, `'${name}' is in a vrrp_sync_group already`);
    else {
      good++;
      checkTrackedTwice(group, instance, report);
      if (!group.syncGroupTrackingWeight)
        checkWeights(config, instance, "a weight does not count in a sync group without sync_group_tracking_weight", report);
    }
    taken.add(name);
  }
  if (good < 2)
    report.error(group.origin, `vrrp_sync_group '${group.header}' has ${good === 0 ? "no member" : "only one member"}`);
}

/** What a group tracks its members need not: a member's own interface, and what it tracks itself. */
function checkTrackedTwice(group: VrrpSyncGroup, i: VrrpInstance, report: Report): void {
  for (const { value, origin } of group.trackInterface) {
    const isOwn = value.name === i.interface || i.trackInterface.some((own) => own.value.name === value.name);
    if (isOwn) report.error(origin, `'${i.header}' of this group has or tracks ${value.name} itself`);
  }
}

/** Weights that cannot count: of an owner, and of members of a sync group without sync_group_tracking_weight (issue 2105). */
function checkWeights(config: KeepalivedConfig, i: VrrpInstance, why: string, report: Report): void {
  const own = (blocks: readonly { readonly header: string; readonly weight: Weight }[], name: string): Weight | undefined =>
    blocks.find((b) => b.header === name)?.weight;
  for (const { value, origin } of i.trackInterface) if (value.weight?.weight) report.error(origin, why);
  for (const { value, origin } of i.trackScript)
    if ((value.weight ?? own(config.vrrpScript, value.name))?.weight) report.error(origin, why);
  for (const { value, origin } of i.trackFile)
    if ((value.weight ?? own(config.trackFile, value.name))?.weight) report.error(origin, why);
  for (const { value, origin } of i.trackBfd)
    if ((value.weight ?? own(config.bfdInstance as never, value.name))?.weight) report.error(origin, why);
}
