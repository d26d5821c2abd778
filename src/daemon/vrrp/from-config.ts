import type { Script as FileScript, Weight as FileWeight } from "../../config/args.ts";
import { familyOfInstance, priorityOf, versionOf } from "../../config/checks/vrrp.ts";
import type { Address } from "../../config/entries/address.ts";
import type { Rule } from "../../config/entries/rule.ts";
import type { Tracked } from "../../config/entries/track.ts";
import type { GlobalDefs, KeepalivedConfig, VrrpInstance, VrrpSyncGroup } from "../../config/keywords.ts";
import type { Entry } from "../../config/table.ts";
import type { Ip } from "../../net/ip.ts";
import type {
  Instance,
  Notify,
  Script,
  SyncGroup,
  TrackBfd,
  TrackFile,
  Tracking,
  TrackProcess,
  TrackRef,
  TrackScript,
  VirtualAddress,
  VrrpConfig,
} from "../../vrrp/config.ts";
import type { Announcing } from "../../vrrp/machine.ts";
import { FOREVER } from "../../wire/rtnetlink-address.ts";
import { VRRP_GROUP4, VRRP_GROUP6 } from "../../wire/vrrp.ts";
import { tuningOf } from "../tuner.ts";
import { globalsOf, rxRoom, vmacNames } from "./from-globals.ts";
import { broadcastOf, preferencesOf, routesOf, rulesOf, scopeNumber } from "./from-routes.ts";

/** What a keepalived.conf says about VRRP (spec 2.8 to 2.13), as values with every default filled in. */

const ms = (seconds: number): number => Math.round(seconds * 1000);
const values = <T>(list: readonly Entry<T>[]): T[] => list.map((entry) => entry.value);

export function fromConfig(config: KeepalivedConfig): VrrpConfig {
  const g = config.globalDefs;
  const preferences = preferencesOf([...config.staticRules, ...config.vrrpInstance.flatMap((i) => i.virtualRules)]);
  const vmacs = vmacNames(config);
  return {
    instances: config.vrrpInstance.flatMap((i) =>
      i.virtualRouterId === undefined ? [] : [{ ...instanceOf(config, i, preferences), vmac: vmacs.get(i) }],
    ),
    groups: config.vrrpSyncGroup.map((group) => groupOf(config, group)),
    scripts: config.vrrpScript.flatMap((s) => scriptOf(g, s) ?? []),
    files: config.trackFile.flatMap((f) => fileOf(f) ?? []),
    processes: config.vrrpTrackProcess.flatMap((p) => processOf(p) ?? []),
    bfds: bfdsOf(config),
    scriptSecurity: g?.enableScriptSecurity ?? false,
    statics: {
      addresses: values(config.staticIpaddress).map((a) => ({ ...addressOf(a), dev: a.dev ?? g?.defaultInterface ?? "eth0" })),
      routes: routesOf(values(config.staticRoutes)),
      rules: rulesOf(values(config.staticRules), preferences),
    },
    fifos: [
      ...(g?.notifyFifo === undefined ? [] : [{ path: g.notifyFifo, reader: script(g, g.notifyFifoScript) }]),
      ...(g?.vrrpNotifyFifo === undefined ? [] : [{ path: g.vrrpNotifyFifo, reader: script(g, g.vrrpNotifyFifoScript) }]),
    ],
    startupDelay: ms(g?.vrrpStartupDelay ?? 0),
    garpInterval: ms(g?.vrrpGarpInterval ?? 0),
    gnaInterval: ms(g?.vrrpGnaInterval ?? 0),
    tuning: tuningOf(g, "vrrp"),
    globals: globalsOf(config),
  };
}

function instanceOf(config: KeepalivedConfig, i: VrrpInstance, preferences: ReadonlyMap<Rule, number>): Omit<Instance, "vmac"> {
  const g = config.globalDefs;
  const family = familyOfInstance(i);
  const version = versionOf(config, i) === 3 ? 3 : 2;
  const priority = priorityOf(i);
  const strict = i.strictMode ?? g?.vrrpStrict ?? false;
  const auth = version === 2 && !strict ? i.authentication : undefined;
  const isOwner = priority === 255;
  const addresses = values(i.virtualIpaddress).map(addressOf);
  const preempt = !i.nopreempt || i.state === "MASTER" || isOwner;
  return {
    name: i.header,
    vrid: i.virtualRouterId!,
    ...{ family, version, priority, preempt },
    interface: i.interface,
    eager: strict ? isOwner : i.state === "MASTER",
    advertInterval: intervalOf(i.advertInt, version),
    preemptDelay: preempt && !strict && i.state !== "MASTER" && !isOwner ? ms(i.preemptDelay) : 0,
    addresses: addresses.slice(0, FITTING[family]),
    excluded: [...addresses.slice(FITTING[family]), ...values(i.virtualIpaddressExcluded).map(addressOf)],
    routes: routesOf(values(i.virtualRoutes)),
    rules: rulesOf(values(i.virtualRules), preferences),
    auth: { type: auth?.authType === "PASS" ? "pass" : auth?.authType === "AH" ? "ah" : "none", password: auth?.authPass ?? "" },
    source: i.unicastPeer.length > 0 ? i.unicastSrcIp : i.mcastSrcIp,
    group: i.mcastDstIp ?? defaultGroup(g, family),
    peers: values(i.unicastPeer).map((p) => ({ ip: p.ip, minTtl: p.minTtl ?? 0, maxTtl: p.maxTtl ?? 255 })),
    checkPeers: i.checkUnicastSrc ?? (g?.vrrpCheckUnicastSrc || values(i.unicastPeer).some(hasTtl)),
    ttl: i.unicastTtl ?? 255,
    sum: (i.v3ChecksumAsV2 ?? g?.v3ChecksumAsV2) === true ? "plain" : "pseudo",
    oldSum: i.oldUnicastChecksum === undefined ? "auto" : i.oldUnicastChecksum === "never" ? "never" : "always",
    faultWithoutPeers: i.unicastFaultNoPeer,
    receiveRoom: i.kernelRxBufSize ?? rxRoom(g, family),
    promoteSecondaries: i.promoteSecondaries,
    garpReplies: false,
    announce: announcing(g, i, strict),
    downTimerAdverts: strict ? 3 : (i.downTimerAdverts ?? g?.vrrpDownTimerAdverts ?? 3),
    lowerPrioNoAdvert: strict || (i.lowerPrioNoAdvert ?? g?.vrrpLowerPrioNoAdvert ?? false),
    higherPrioSendAdvert: !strict && (i.higherPrioSendAdvert ?? g?.vrrpHigherPrioSendAdvert ?? false),
    lateBackup: i.timerExpiredBackup === undefined ? undefined : Number(i.timerExpiredBackup) || 254,
    accept: isOwner || (strict ? i.accept && version === 3 : !i.noAccept),
    ownerIgnoresAdverts: i.ownerIgnoreAdverts ?? g?.vrrpOwnerIgnoreAdverts ?? strict,
    skipAddressCheck: i.skipCheckAdvAddr ?? g?.vrrpSkipCheckAdvAddr ?? false,
    trackPrimary: !i.dontTrackPrimary,
    track: withAddressLinks(counting(config, trackingOf(config, i), groupWith(config, i.header)), i),
    notify: notifyOf(g, i),
    vmacXmitBase: (i.vmacXmitBase && !strict) || (i.useVmac !== undefined && i.unicastPeer.length > 0),
  };
}

/** A limit for one peer has keepalived look at all senders. */
const hasTtl = (p: { readonly minTtl?: number; readonly maxTtl?: number }): boolean =>
  p.minTtl !== undefined || p.maxTtl !== undefined;

/** Addresses that an advert has room for; the others are held all the same (spec 2.13). */
const FITTING = { ipv4: 255, ipv6: 90 } as const;

/** Whole seconds in version 2, in version 3 hundredths up to the most that 12 bits say. */
function intervalOf(seconds: number, version: 2 | 3): number {
  if (version === 2) return 1000 * Math.min(255, Math.max(1, Math.round(seconds)));
  return 10 * Math.min(4095, Math.max(1, Math.round(seconds * 100)));
}

const defaultGroup = (g: GlobalDefs | undefined, family: "ipv4" | "ipv6"): Ip =>
  family === "ipv4" ? (g?.vrrpMcastGroup4 ?? VRRP_GROUP4) : (g?.vrrpMcastGroup6 ?? VRRP_GROUP6);

/** `vrrp_min_garp`: one block of one. */
function announcing(g: GlobalDefs | undefined, i: VrrpInstance, strict: boolean): Announcing {
  const least = g?.vrrpMinGarp === true;
  const delay = ms(i.garpMasterDelay ?? (least ? 0 : (g?.vrrpGarpMasterDelay ?? 5)));
  const repeat = i.garpMasterRepeat ?? (least ? 1 : (g?.vrrpGarpMasterRepeat ?? 5));
  const lowerDelay = i.garpLowerPrioDelay ?? g?.vrrpGarpLowerPrioDelay;
  return {
    ...{ delay, repeat },
    refresh: ms(i.garpMasterRefresh ?? g?.vrrpGarpMasterRefresh ?? 0),
    refreshRepeat: i.garpMasterRefreshRepeat ?? g?.vrrpGarpMasterRefreshRepeat ?? 1,
    lowerDelay: lowerDelay === undefined ? delay : ms(lowerDelay),
    lowerRepeat: strict ? 0 : (i.garpLowerPrioRepeat ?? g?.vrrpGarpLowerPrioRepeat ?? repeat),
  };
}

function addressOf(a: Address): VirtualAddress {
  return {
    ip: a.ip,
    length: a.length,
    dev: a.dev,
    broadcast: broadcastOf(a),
    label: a.label ?? "",
    peer: a.peer,
    scope: scopeNumber(a.scope) ?? 0,
    preferredLifetime: a.preferredLifetime === "forever" ? FOREVER : a.preferredLifetime,
    noprefixroute: a.noprefixroute ?? false,
    dad: a.dad ?? false,
    ...{ home: a.home ?? false, mngtmpaddr: a.mngtmpaddr ?? false, autojoin: a.autojoin ?? false },
  };
}

type Blocks = Pick<VrrpInstance | VrrpSyncGroup, "trackInterface" | "trackScript" | "trackFile" | "trackProcess" | "trackBfd">;

const trackingOf = (config: KeepalivedConfig, block: Blocks): Tracking => ({
  interfaces: refs(block.trackInterface, []),
  scripts: refs(block.trackScript, config.vrrpScript),
  files: refs(block.trackFile, config.trackFile),
  processes: refs(block.trackProcess, config.vrrpTrackProcess),
  bfds: refs(block.trackBfd, config.bfdInstance),
});

type Own = readonly { readonly header: string; readonly weight: FileWeight }[];

/** Another weight does not take the tracker's own `reverse` away (keepalived 2.2.7). */
const refs = (list: readonly Entry<Tracked>[], own: Own): TrackRef[] =>
  list.map(({ value: { name, weight } }) => {
    const isReverse = weight?.reverse || own.some((thing) => thing.header === name && thing.weight.reverse);
    return { name, weight: weight && { weight: weight.weight, reverse: isReverse } };
  });

const groupWith = (config: KeepalivedConfig, name: string): VrrpSyncGroup | undefined =>
  config.vrrpSyncGroup.find((group) => values(group.group).flat().includes(name));

/** What a member of a sync group tracks with a weight does not count, unless the group says that it does (spec 2.12). */
function counting(config: KeepalivedConfig, all: Tracking, group: VrrpSyncGroup | undefined): Tracking {
  const told = new Set(bfdsOf(config).map(({ name }) => name));
  const t = { ...all, bfds: all.bfds.filter(({ name }) => told.has(name)) };
  if (group === undefined || group.syncGroupTrackingWeight) return t;
  const without = (list: readonly TrackRef[], own: (name: string) => number): TrackRef[] =>
    list.filter(({ name, weight }) => (weight?.weight ?? own(name)) === 0);
  const weightIn = (blocks: readonly { readonly header: string; readonly weight: FileWeight }[]) => (name: string) =>
    blocks.find((block) => block.header === name)?.weight.weight ?? 0;
  return {
    interfaces: without(t.interfaces, () => 0),
    scripts: without(t.scripts, weightIn(config.vrrpScript)),
    files: without(t.files, weightIn(config.trackFile)),
    processes: without(t.processes, weightIn(config.vrrpTrackProcess)),
    bfds: without(t.bfds, weightIn(config.bfdInstance)),
  };
}

/** Interfaces of its addresses are tracked too, unless `no_track` (spec 3.12). */
function withAddressLinks(t: Tracking, i: VrrpInstance): Tracking {
  const tracked = new Set([i.interface, ...t.interfaces.map((r) => r.name)]);
  const links = values(i.virtualIpaddress).flatMap((a) =>
    a.dev === undefined || a.noTrack || tracked.has(a.dev) ? [] : [a.dev],
  );
  return { ...t, interfaces: [...t.interfaces, ...[...new Set(links)].map((name) => ({ name, weight: undefined }))] };
}

/** `global_tracking`: what one member tracks counts for all. */
function globalTracking(config: KeepalivedConfig, group: VrrpSyncGroup): Tracking {
  const names = values(group.group).flat();
  const all = [group, ...config.vrrpInstance.filter(({ header }) => names.includes(header))].map((block) =>
    trackingOf(config, block),
  );
  const unique = (lists: (readonly TrackRef[])[]): TrackRef[] => [...new Map(lists.flat().map((r) => [r.name, r])).values()];
  return {
    interfaces: unique(all.map((t) => t.interfaces)),
    scripts: unique(all.map((t) => t.scripts)),
    files: unique(all.map((t) => t.files)),
    processes: unique(all.map((t) => t.processes)),
    bfds: unique(all.map((t) => t.bfds)),
  };
}

function groupOf(config: KeepalivedConfig, group: VrrpSyncGroup): SyncGroup {
  return {
    name: group.header,
    members: values(group.group).flat(),
    track: counting(config, group.globalTracking ? globalTracking(config, group) : trackingOf(config, group), undefined), // what the group itself tracks always counts: keepalived 2.2.7
    notify: notifyOf(config.globalDefs, group),
  };
}

function notifyOf(g: GlobalDefs | undefined, block: VrrpInstance | VrrpSyncGroup): Notify {
  return {
    master: script(g, block.notifyMaster),
    backup: script(g, block.notifyBackup),
    fault: script(g, block.notifyFault),
    stop: script(g, block.notifyStop),
    masterRxLowerPri: "notifyMasterRxLowerPri" in block ? script(g, block.notifyMasterRxLowerPri) : undefined,
    any: script(g, block.notify),
    deleted: "notifyDeleted" in block ? script(g, block.notifyDeleted) : undefined,
    tellsDeleted: "notifyDeleted" in block && block.notifyDeleted !== undefined,
    priorityChanges: block.notifyPriorityChanges ?? g?.vrrpNotifyPriorityChanges ?? false,
  };
}

function script(g: GlobalDefs | undefined, s: FileScript | undefined): Script | undefined {
  if (s === undefined || s.command.length === 0) return undefined;
  return {
    command: s.command,
    user: s.user ?? g?.scriptUser?.user,
    group: s.user === undefined ? g?.scriptUser?.group : s.group,
  };
}

function scriptOf(g: GlobalDefs | undefined, s: KeepalivedConfig["vrrpScript"][number]): TrackScript | undefined {
  const run = script(g, s.script === undefined ? undefined : { command: s.script, ...s.user });
  if (run === undefined) return undefined;
  return {
    ...{ name: s.header, run, rise: s.rise, fall: s.fall, initFail: s.initFail },
    interval: ms(s.interval),
    timeout: ms(s.timeout ?? s.interval),
    weight: weightOf(s.weight),
  };
}

const weightOf = ({ weight, reverse }: FileWeight): FileWeight => ({ weight, reverse });

function fileOf(f: KeepalivedConfig["trackFile"][number]): TrackFile | undefined {
  return f.file === undefined ? undefined : { name: f.header, path: f.file, weight: weightOf(f.weight), init: f.initFile };
}

/** Sessions that VRRP is told of: those that name a hearer name this one. */
const bfdsOf = (config: KeepalivedConfig): TrackBfd[] =>
  config.bfdInstance.filter((b) => b.vrrp || !b.checker).map((b) => ({ name: b.header, weight: weightOf(b.weight) }));

function processOf(p: KeepalivedConfig["vrrpTrackProcess"][number]): TrackProcess | undefined {
  if (p.process === undefined) return undefined;
  const hasParameters = p.process.length > 1 || p.origins.paramMatch !== undefined;
  return {
    name: p.header,
    command: p.process,
    match: hasParameters ? p.paramMatch : "name",
    fullCommand: p.fullCommand,
    quorum: p.quorum,
    quorumMax: p.quorumMax,
    forkDelay: ms(p.forkDelay ?? p.delay ?? 0),
    terminateDelay: ms(p.terminateDelay ?? p.delay ?? 0),
    weight: weightOf(p.weight),
  };
}
