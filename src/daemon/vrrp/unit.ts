import type { Ip } from "../../net/ip.ts";
import { ahKey, type Memory, nothingHeard } from "../../vrrp/accept.ts";
import type { Instance } from "../../vrrp/config.ts";
import { type Diagnosis, healthy } from "../../vrrp/diagnose.ts";
import type { Router, State } from "../../vrrp/machine.ts";
import { AUTH, type Ends, emitVrrp, passwordBytes, type Vrrp } from "../../wire/vrrp.ts";
import { emitVrrpAh, emitVrrpIpv4 } from "../../wire/vrrp-packet.ts";
import type { Link, Receiver, Sender } from "./ports.ts";

/** An instance at work: what it is configured to be, and what has become of it. */

export interface Counters {
  advertsSent: number;
  advertsReceived: number;
  zeroSent: number;
  zeroReceived: number;
  becameMaster: number;
  releasedMaster: number;
  /** By field. */
  readonly refused: Map<string, number>;
}

export interface Unit {
  config: Instance;
  /** The sync group that it belongs to. */
  group: string | undefined;
  state: State;
  /** Effective. */
  priority: number;
  /** Its priority with all that is tracked, before it is kept in 1..254. */
  total: number;
  /** Why it cannot be up by itself. */
  faults: readonly string[];
  /** A tracked script has not answered yet. */
  isPending: boolean;
  memory: Memory;
  diagnosis: Diagnosis;
  /** What it sends by, and from where. */
  wire:
    | undefined
    | {
        readonly sender: Sender;
        /** Those that hear what is for it. */
        readonly receivers: readonly Receiver[];
        readonly source: Ip;
        readonly link: Link | undefined;
      };
  /** It was master until just now, in another process. */
  isResuming: boolean;
  /** The addresses are on the interfaces. */
  isHolding: boolean;
  /** It sends the unicast checksum of old. */
  usesOldSum: boolean;
  /** Its last adverts by destination, and what they were made of. */
  made:
    | undefined
    | {
        readonly config: Instance;
        readonly priority: number;
        readonly src: Ip;
        readonly usesOldSum: boolean;
        readonly messages: Map<Ip, Uint8Array>;
      };
  /** Identification of IPv4 packets. */
  packetId: number;
  /** When it entered its state. */
  since: number;
  /** What could not be sent, said once. */
  sendError: string;
  readonly counters: Counters;
}

/** From now on they count from zero. */
export function clearCounters({ counters }: Unit): void {
  counters.advertsSent = counters.advertsReceived = 0;
  counters.zeroSent = counters.zeroReceived = 0;
  counters.becameMaster = counters.releasedMaster = 0;
  counters.refused.clear();
}

/** The only kind of advert that there is an old checksum of. */
export const hasOldSum = (c: Instance): boolean => c.version === 3 && c.family === "ipv4" && c.peers.length > 0;

export const newUnit = (config: Instance): Unit => ({
  config,
  group: undefined,
  state: { name: "init" },
  priority: config.priority,
  total: config.priority,
  faults: [],
  isPending: false,
  memory: nothingHeard,
  diagnosis: healthy,
  wire: undefined,
  isResuming: false,
  isHolding: false,
  usesOldSum: hasOldSum(config) && config.oldSum === "always",
  made: undefined,
  packetId: 0,
  since: 0,
  sendError: "",
  counters: {
    ...{ advertsSent: 0, advertsReceived: 0, zeroSent: 0, zeroReceived: 0, becameMaster: 0, releasedMaster: 0 },
    refused: new Map(),
  },
});

/** What its machine needs to know. */
export const routerOf = ({ config: c, priority, wire, group, isResuming }: Unit): Router => ({
  version: c.version,
  base: c.priority,
  priority,
  eager: c.eager,
  resumes: isResuming,
  advertInterval: c.advertInterval,
  preempt: c.preempt,
  preemptDelay: c.preemptDelay,
  address: wire?.source,
  downTimerAdverts: c.downTimerAdverts,
  lowerPrioNoAdvert: c.lowerPrioNoAdvert,
  higherPrioSendAdvert: c.higherPrioSendAdvert,
  lateBackup: c.lateBackup,
  grouped: group !== undefined,
  announce: c.announce,
});

/** Where its adverts go. */
export const destinations = (c: Instance): readonly Ip[] => (c.peers.length > 0 ? c.peers.map((p) => p.ip) : [c.group]);

/** Sends an advert to all. Throws a Fault of the first that could not be sent to, after trying the others. */
export function sendAdvert(unit: Unit, priority: number): void {
  const { wire, config, counters } = unit;
  if (wire === undefined) return;
  counters.advertsSent++;
  if (priority === 0) counters.zeroSent++;
  let failure: unknown;
  for (const dst of destinations(config)) {
    try {
      wire.sender.send(packetFor(unit, priority, { src: wire.source, dst }), dst);
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
}

function packetFor(unit: Unit, priority: number, ends: Ends): Uint8Array {
  const { config: c } = unit;
  const message = messageFor(unit, priority, ends);
  if (c.family === "ipv6") return message;
  unit.packetId = (unit.packetId + 1) & 0xffff;
  const envelope = { ...ends, ttl: c.peers.length > 0 ? c.ttl : 255, id: unit.packetId };
  if (c.auth.type !== "ah") return emitVrrpIpv4(envelope, message);
  const sequence = (unit.memory.sequence + 1) >>> 0;
  unit.memory = { ...unit.memory, sequence };
  return emitVrrpAh(envelope, message, ahKey(c), sequence);
}

/** One advert is like another: it is made anew only when something about it has changed. */
function messageFor(unit: Unit, priority: number, ends: Ends): Uint8Array {
  const { made, config, usesOldSum } = unit;
  const isSame = made?.config === config && made.priority === priority && made.src === ends.src && made.usesOldSum === usesOldSum;
  const messages = isSame ? made.messages : new Map<Ip, Uint8Array>();
  if (!isSame) unit.made = { config, priority, src: ends.src, usesOldSum, messages };
  const known = messages.get(ends.dst);
  if (known !== undefined) return known;
  const message = emitVrrp(advertOf(unit, priority), ends);
  messages.set(ends.dst, message);
  return message;
}

function advertOf({ config: c, usesOldSum }: Unit, priority: number): Vrrp {
  const password = passwordBytes(c.auth.type === "pass" ? c.auth.password : "");
  return {
    version: c.version,
    vrid: c.vrid,
    priority,
    interval: Math.round(c.advertInterval / 10),
    addresses: c.addresses.map((a) => a.ip),
    auth: c.version === 2 ? { type: AUTH[c.auth.type], data: password } : undefined,
    sum: c.version === 2 ? "plain" : usesOldSum ? "old" : c.sum,
  };
}
