import type { Family, Ip } from "../net/ip.ts";
import type { Tuning } from "../tuning.ts";
import type { Announcing, Millis } from "./machine.ts";

/** What a VRRP process is to do, as plain values: they travel as JSON. Every default has been filled in. */

export interface VrrpConfig {
  readonly instances: readonly Instance[];
  readonly groups: readonly SyncGroup[];
  readonly scripts: readonly TrackScript[];
  readonly files: readonly TrackFile[];
  readonly processes: readonly TrackProcess[];
  readonly bfds: readonly TrackBfd[];
  /** A script that others may write to is not run as root. */
  readonly scriptSecurity: boolean;
  /** Set from start to stop, on the device that each names. */
  readonly statics: Pick<Instance, "addresses" | "routes" | "rules">;
  /** FIFOs that are told of every change, each with its reader, which is started with the path as last argument. */
  readonly fifos: readonly { readonly path: string; readonly reader: Script | undefined }[];
  /** Nothing is started before. */
  readonly startupDelay: Millis;
  readonly tuning: Tuning;
  readonly globals: VrrpGlobals;
  /** Between gratuitous ARPs, and between neighbour advertisements, on one interface. */
  readonly garpInterval: Millis;
  readonly gnaInterval: Millis;
}

/** The rarer of the global words. */
export interface VrrpGlobals {
  /** Adverts of a VRID that no instance has are told of, once each. */
  readonly logUnknownVrids: boolean;
  /** FIFOs are told all states after a reload. */
  readonly statesOnReload: boolean;
  /** Nothing is started before the machine has been up for so long. */
  readonly delayAfterBoot: Millis;
  /** The kernel tells switches of link-local groups. */
  readonly localIgmp: boolean;
  /** Interfaces that share a pace of their own. */
  readonly garpGroups: readonly GarpGroup[];
  /** How long a change of a link must last to count. */
  readonly linkDelays: readonly { readonly interface: string; readonly down: Millis; readonly up: Millis }[];
  /** Where packets to addresses that are not accepted are dropped. */
  readonly firewall: { readonly table: string; readonly priority: number };
  /** Bytes for what the kernel answers and tells; undefined: enough. */
  readonly netlinkRoom: { readonly commands: number | undefined; readonly events: number | undefined };
}

export interface GarpGroup {
  readonly interfaces: readonly string[];
  readonly garpInterval: Millis;
  readonly gnaInterval: Millis;
}

export const standardGlobals: VrrpGlobals = {
  ...{ logUnknownVrids: false, statesOnReload: false, delayAfterBoot: 0, localIgmp: true, garpGroups: [], linkDelays: [] },
  firewall: { table: "keepalived", priority: -1 },
  netlinkRoom: { commands: undefined, events: undefined },
};

export interface Instance {
  readonly name: string;
  readonly vrid: number;
  readonly family: Family;
  readonly version: 2 | 3;
  /** undefined: unicast, wherever its source address is. */
  readonly interface: string | undefined;
  /** 1..255; 255 owns the addresses. */
  readonly priority: number;
  /** `state MASTER`. */
  readonly eager: boolean;
  readonly advertInterval: Millis;
  readonly preempt: boolean;
  readonly preemptDelay: Millis;
  /** In adverts, in this order. */
  readonly addresses: readonly VirtualAddress[];
  /** Held, but not in adverts. */
  readonly excluded: readonly VirtualAddress[];
  readonly routes: readonly VirtualRoute[];
  readonly rules: readonly VirtualRule[];
  readonly auth: { readonly type: "none" | "pass" | "ah"; readonly password: string };
  /** Of its adverts; undefined: the first address of the interface, or its link-local one. */
  readonly source: Ip | undefined;
  /** Where multicast adverts go. */
  readonly group: Ip;
  /** Not empty: adverts go to these instead. */
  readonly peers: readonly Peer[];
  /** Adverts of others than the peers are refused. */
  readonly checkPeers: boolean;
  /** Of unicast adverts. */
  readonly ttl: number;
  /** What version 3 over IPv4 is sent with; both are understood. */
  readonly sum: "pseudo" | "plain";
  /** By unicast, the sum of keepalived before 1.3.6: sent from the start, as soon as a peer sends it, or never. */
  readonly oldSum: "always" | "auto" | "never";
  /** `unicast_fault_no_peer`: without peers it is in FAULT. */
  readonly faultWithoutPeers: boolean;
  /** Bytes for adverts that wait to be read; undefined: the system's. */
  readonly receiveRoom: number | undefined;
  /** Removing an address keeps the others of its net. */
  readonly promoteSecondaries: boolean;
  /** Send gratuitous ARPs in the form of a reply. */
  readonly garpReplies: boolean;
  readonly announce: Announcing;
  readonly downTimerAdverts: number;
  readonly lowerPrioNoAdvert: boolean;
  readonly higherPrioSendAdvert: boolean;
  readonly lateBackup: number | undefined;
  /** Packets to and from its addresses are let through; an owner's always are. */
  readonly accept: boolean;
  /** An owner does not look at adverts. */
  readonly ownerIgnoresAdverts: boolean;
  /** The address list of a sender is looked at once. */
  readonly skipAddressCheck: boolean;
  /** The instance's own interface must be up. */
  readonly trackPrimary: boolean;
  readonly track: Tracking;
  readonly notify: Notify;
  /** The name of a macvlan with the virtual MAC, which holds the addresses. */
  readonly vmac: string | undefined;
  /** Adverts leave by the interface and not by its VMAC. */
  readonly vmacXmitBase: boolean;
}

export interface Peer {
  readonly ip: Ip;
  readonly minTtl: number;
  readonly maxTtl: number;
}

export interface VirtualAddress {
  readonly ip: Ip;
  readonly length: number;
  /** undefined: the interface of the instance. */
  readonly dev: string | undefined;
  readonly broadcast: Ip | undefined;
  readonly label: string;
  readonly peer: Ip | undefined;
  /** RT_SCOPE_*. */
  readonly scope: number;
  /** Seconds; undefined: without end. */
  readonly preferredLifetime: number | undefined;
  readonly noprefixroute: boolean;
  /** IPv6: a mobile node's own; the kernel makes temporary ones beside it; its groups are joined. */
  readonly home: boolean;
  readonly mngtmpaddr: boolean;
  readonly autojoin: boolean;
  /** Duplicate address detection. */
  readonly dad: boolean;
}

/** A route that the master has. `undefined` prefix: default. */
export interface VirtualRoute {
  readonly family: Family;
  readonly prefix: Ip | undefined;
  readonly length: number;
  readonly via: Ip | undefined;
  readonly dev: string | undefined;
  readonly source: Ip | undefined;
  readonly table: number;
  readonly metric: number;
  readonly scope: number | undefined;
  readonly type: "unicast" | "blackhole" | "unreachable" | "prohibit" | "throw";
  readonly onlink: boolean;
  readonly tos: number;
  readonly mtu: number | undefined;
  /** More than one: flows are shared among these by their weights, and the above via, dev and onlink do not count. */
  readonly hops: readonly RouteHop[];
}

export interface RouteHop {
  readonly via: Ip | undefined;
  readonly dev: string | undefined;
  readonly onlink: boolean;
  /** 1..256. */
  readonly weight: number;
}

/** A rule of policy routing that the master has. */
export interface VirtualRule {
  readonly family: Family;
  readonly preference: number;
  readonly from: { readonly ip: Ip; readonly length: number } | undefined;
  readonly to: { readonly ip: Ip; readonly length: number } | undefined;
  readonly iif: string | undefined;
  readonly oif: string | undefined;
  readonly mark: number | undefined;
  readonly table: number;
}

export interface SyncGroup {
  readonly name: string;
  readonly members: readonly string[];
  /** For all members. */
  readonly track: Tracking;
  readonly notify: Notify;
}

/** A tracked thing with the weight it has here; `undefined`: its own. */
export interface TrackRef {
  readonly name: string;
  readonly weight: Weight | undefined;
}

/** 0: down is FAULT. Positive: added while up; negative: added while down; `reverse`: the sign is flipped. */
export interface Weight {
  readonly weight: number;
  readonly reverse: boolean;
}

export interface Tracking {
  readonly interfaces: readonly TrackRef[];
  readonly scripts: readonly TrackRef[];
  readonly files: readonly TrackRef[];
  readonly processes: readonly TrackRef[];
  readonly bfds: readonly TrackRef[];
}

export interface Script {
  readonly command: readonly string[];
  readonly user: string | undefined;
  readonly group: string | undefined;
}

export interface TrackScript {
  readonly name: string;
  readonly run: Script;
  readonly interval: Millis;
  readonly timeout: Millis;
  readonly rise: number;
  readonly fall: number;
  /** Down until the first success. */
  readonly initFail: boolean;
  readonly weight: Weight;
}

export interface TrackFile {
  readonly name: string;
  readonly path: string;
  readonly weight: Weight;
  /** Written at start; only if it is not there unless `overwrite`. */
  readonly init: undefined | { readonly value: number; readonly overwrite: boolean };
}

export interface TrackProcess {
  readonly name: string;
  /** Name, then parameters. */
  readonly command: readonly string[];
  readonly match: "name" | "exact" | "initial" | "partial";
  /** The name is compared with the whole of argv[0]. */
  readonly fullCommand: boolean;
  readonly quorum: number;
  readonly quorumMax: number | undefined;
  readonly forkDelay: Millis;
  readonly terminateDelay: Millis;
  readonly weight: Weight;
}

/** A BFD session, which somebody else runs. */
export interface TrackBfd {
  readonly name: string;
  readonly weight: Weight;
}

/** Programs that are run on changes. */
export interface Notify {
  readonly master: Script | undefined;
  readonly backup: Script | undefined;
  readonly fault: Script | undefined;
  readonly stop: Script | undefined;
  readonly masterRxLowerPri: Script | undefined;
  readonly deleted: Script | undefined;
  /** `notify_deleted`: one that a reload removes is told as DELETED, not as FAULT. */
  readonly tellsDeleted: boolean;
  /** On every change, with arguments. */
  readonly any: Script | undefined;
  /** FIFOs hear of new priorities too. */
  readonly priorityChanges: boolean;
}

/** An instance is the same across reloads when this is, whatever its name (spec 1.8). */
export function identity(i: Instance): string {
  const kind = i.peers.length > 0 ? `unicast ${i.source ?? ""}` : `multicast ${i.group}`;
  return `${i.vrid} ${i.family} ${i.interface ?? ""} ${i.vmac === undefined ? "" : "vmac "}${kind}`;
}
