import { type Family, familyOf, type Ip, ipBytes, ipFromBytes } from "../net/ip.ts";
import { emitStats64, type IpvsStats, parseStats } from "./ipvs-stats.ts";
import {
  type Attributes,
  attribute,
  concat,
  nested,
  optional,
  parseAttributes,
  readText,
  readUint32,
  textBytes,
  uint32Bytes,
} from "./netlink.ts";
import { be16Bytes, be32Bytes, readBe16, readBe32, readUint8, readUint16, uint8Bytes, uint16Bytes } from "./netlink-numbers.ts";

/**
 * The kernel's IPVS in generic netlink (spec 9.1). Parsers are not strict: attributes they do not know and NLA_F_NESTED do not
 * matter; emitters write attributes in the order of ipvsadm.
 */

export const IPVS_FAMILY = "IPVS";
export const IPVS_VERSION = 1;

export const ipvsCommand = {
  ...{ newService: 1, setService: 2, delService: 3, getService: 4 },
  ...{ newDest: 5, setDest: 6, delDest: 7, getDest: 8 },
  ...{ newDaemon: 9, delDaemon: 10, getDaemon: 11 },
  ...{ setConfig: 12, getConfig: 13, setInfo: 14, getInfo: 15, zero: 16, flush: 17 },
} as const;

const AF_INET = 2;
const AF_INET6 = 10;
const familyNumber = { ipv4: AF_INET, ipv6: AF_INET6 } as const;
const ADDRESS_BYTES = 16;

/** What a command is about: the first level of attributes. */
const SERVICE = 1;
const DEST = 2;
const DAEMON = 3;
const TIMEOUT_TCP = 4;
const TIMEOUT_TCP_FIN = 5;
const TIMEOUT_UDP = 6;
/** The answer to GET_INFO numbers its own. */
const INFO_VERSION = 1;
const INFO_CONN_TABLE_SIZE = 2;

function readFamily(bytes: Uint8Array | undefined): Family | undefined {
  const number = readUint16(bytes);
  return number === AF_INET ? "ipv4" : number === AF_INET6 ? "ipv6" : undefined;
}

/** IPv4 in the first four of 16 bytes; four are enough. */
function readAddress(family: Family, bytes: Uint8Array | undefined): Ip | undefined {
  const length = family === "ipv4" ? 4 : 16;
  return bytes === undefined || bytes.length < length ? undefined : ipFromBytes(bytes.subarray(0, length));
}

function addressBytes(address: Ip): Uint8Array {
  const bytes = new Uint8Array(ADDRESS_BYTES);
  bytes.set(ipBytes(address));
  return bytes;
}

// ---- SERVICE

export type IpvsServiceKey =
  | { readonly family: Family; readonly protocol: number; readonly addr: Ip; readonly port: number; readonly fwmark?: undefined }
  | { readonly family: Family; readonly fwmark: number };

/** IP_VS_SVC_F_* (spec 1.2). */
export const serviceFlag = { persistent: 1, hashed: 2, onePacket: 4, sched1: 8, sched2: 0x10, sched3: 0x20 } as const;

export interface IpvsServiceSettings {
  /** "none": without one. */
  readonly scheduler: string;
  /** "" for none. */
  readonly pe: string;
  /** serviceFlag, ored. */
  readonly flags: number;
  /** Seconds of persistence. */
  readonly timeout: number;
  /** IPv4: a mask as a number in host order; IPv6: a prefix length. */
  readonly netmask: number;
}

export interface IpvsService extends IpvsServiceSettings {
  readonly key: IpvsServiceKey;
  readonly stats: IpvsStats;
}

const svc = {
  ...{ af: 1, protocol: 2, addr: 3, port: 4, fwmark: 5, scheduler: 6, flags: 7, timeout: 8, netmask: 9 },
  ...{ stats: 10, pe: 11, stats64: 12 },
} as const;
/** All flags are given: none is left as it was. */
const FLAGS_MASK = 0xffff_ffff;

/** The SERVICE attribute: with the key alone, to name a service; with settings, to add or edit one; with stats, as in answers. */
export function emitService(key: IpvsServiceKey, settings?: IpvsServiceSettings, stats?: IpvsStats): Uint8Array {
  return nested(
    SERVICE,
    attribute(svc.af, uint16Bytes(familyNumber[key.family])),
    ...keyAttributes(key),
    optional(settings, (given) => concat(settingAttributes(key.family, given))),
    optional(stats, (given) => emitStats64(svc.stats64, given)),
  );
}

function keyAttributes(key: IpvsServiceKey): Uint8Array[] {
  if (key.fwmark !== undefined) return [attribute(svc.fwmark, uint32Bytes(key.fwmark))];
  return [
    attribute(svc.protocol, uint16Bytes(key.protocol)),
    attribute(svc.addr, addressBytes(key.addr)),
    attribute(svc.port, be16Bytes(key.port)),
  ];
}

const settingAttributes = (family: Family, { scheduler, pe, flags, timeout, netmask }: IpvsServiceSettings): Uint8Array[] => [
  attribute(svc.scheduler, textBytes(scheduler)),
  optional(pe === "" ? undefined : pe, (name) => attribute(svc.pe, textBytes(name))),
  attribute(svc.flags, concat([uint32Bytes(flags), uint32Bytes(FLAGS_MASK)])),
  attribute(svc.timeout, uint32Bytes(timeout)),
  attribute(svc.netmask, family === "ipv4" ? be32Bytes(netmask) : uint32Bytes(netmask)),
];

/** From the attributes of a command; undefined where there is no service, or none that has a key. */
export function parseService(command: Attributes): IpvsService | undefined {
  const bytes = command.get(SERVICE);
  if (bytes === undefined) return undefined;
  const attributes = parseAttributes(bytes);
  const key = parseServiceKey(attributes);
  if (key === undefined) return undefined;
  const netmask = attributes.get(svc.netmask);
  return {
    key,
    scheduler: readText(attributes.get(svc.scheduler)),
    pe: readText(attributes.get(svc.pe)),
    flags: readUint32(attributes.get(svc.flags)) ?? 0,
    timeout: readUint32(attributes.get(svc.timeout)) ?? 0,
    netmask: (key.family === "ipv4" ? readBe32(netmask) : readUint32(netmask)) ?? 0,
    stats: parseStats(attributes.get(svc.stats64) ?? attributes.get(svc.stats)),
  };
}

function parseServiceKey(attributes: Attributes): IpvsServiceKey | undefined {
  const family = readFamily(attributes.get(svc.af));
  if (family === undefined) return undefined;
  const fwmark = readUint32(attributes.get(svc.fwmark));
  if (fwmark !== undefined) return { family, fwmark };
  const protocol = readUint16(attributes.get(svc.protocol));
  const addr = readAddress(family, attributes.get(svc.addr));
  const port = readBe16(attributes.get(svc.port));
  return protocol === undefined || addr === undefined || port === undefined ? undefined : { family, protocol, addr, port };
}

// ---- DEST

export interface IpvsDestKey {
  readonly addr: Ip;
  readonly port: number;
}

/** IP_VS_CONN_F_*, the low three bits (spec 2.2). */
export const forwardMethod = { masq: 0, localNode: 1, tunnel: 2, route: 3 } as const;

export interface IpvsDestSettings {
  /** forwardMethod. */
  readonly method: number;
  readonly weight: number;
  /** 0 ipip, 1 gue, 2 gre. */
  readonly tunnelType: number;
  readonly tunnelPort: number;
  /** 0 none, 1 checksum, 2 remote checksum offload. */
  readonly tunnelFlags: number;
  readonly upper: number;
  readonly lower: number;
}

/** What only the kernel knows. */
export interface IpvsDestState {
  readonly activeConns: number;
  readonly inactiveConns: number;
  readonly persistConns: number;
  readonly stats: IpvsStats;
}

export interface IpvsDest extends IpvsDestKey, IpvsDestSettings, IpvsDestState {}

const dst = {
  ...{ addr: 1, port: 2, method: 3, weight: 4, upper: 5, lower: 6, active: 7, inactive: 8, persist: 9 },
  ...{ stats: 10, family: 11, stats64: 12, tunnelType: 13, tunnelPort: 14, tunnelFlags: 15 },
} as const;
const METHOD_MASK = 7;

/** The DEST attribute: with the key alone, to name a dest; with settings, to add or edit one; with its state, as in answers. */
export function emitDest({ addr, port }: IpvsDestKey, settings?: IpvsDestSettings, state?: IpvsDestState): Uint8Array {
  return nested(
    DEST,
    attribute(dst.family, uint16Bytes(familyNumber[familyOf(addr)])),
    attribute(dst.addr, addressBytes(addr)),
    attribute(dst.port, be16Bytes(port)),
    optional(settings, (given) => concat(destAttributes(given))),
    optional(state, (given) => concat(stateAttributes(given))),
  );
}

const destAttributes = (dest: IpvsDestSettings): Uint8Array[] => [
  attribute(dst.method, uint32Bytes(dest.method)),
  attribute(dst.weight, uint32Bytes(dest.weight)),
  attribute(dst.tunnelType, uint8Bytes(dest.tunnelType)),
  attribute(dst.tunnelPort, be16Bytes(dest.tunnelPort)),
  attribute(dst.tunnelFlags, uint16Bytes(dest.tunnelFlags)),
  attribute(dst.upper, uint32Bytes(dest.upper)),
  attribute(dst.lower, uint32Bytes(dest.lower)),
];

const stateAttributes = (state: IpvsDestState): Uint8Array[] => [
  attribute(dst.active, uint32Bytes(state.activeConns)),
  attribute(dst.inactive, uint32Bytes(state.inactiveConns)),
  attribute(dst.persist, uint32Bytes(state.persistConns)),
  emitStats64(dst.stats64, state.stats),
];

/**
 * From the attributes of a command; undefined where there is no dest, or none that has a key.
 * @param serviceFamily the dest's too, unless it says otherwise
 */
export function parseDest(command: Attributes, serviceFamily: Family): IpvsDest | undefined {
  const bytes = command.get(DEST);
  if (bytes === undefined) return undefined;
  const attributes = parseAttributes(bytes);
  const addr = readAddress(readFamily(attributes.get(dst.family)) ?? serviceFamily, attributes.get(dst.addr));
  const port = readBe16(attributes.get(dst.port));
  if (addr === undefined || port === undefined) return undefined;
  const number = (type: number) => readUint32(attributes.get(type)) ?? 0;
  return {
    addr,
    port,
    method: number(dst.method) & METHOD_MASK,
    weight: number(dst.weight) | 0, // signed in the kernel, which refuses negative ones
    tunnelType: readUint8(attributes.get(dst.tunnelType)) ?? 0,
    tunnelPort: readBe16(attributes.get(dst.tunnelPort)) ?? 0,
    tunnelFlags: readUint16(attributes.get(dst.tunnelFlags)) ?? 0,
    upper: number(dst.upper),
    lower: number(dst.lower),
    activeConns: number(dst.active),
    inactiveConns: number(dst.inactive),
    persistConns: number(dst.persist),
    stats: parseStats(attributes.get(dst.stats64) ?? attributes.get(dst.stats)),
  };
}

// ---- DAEMON

export interface IpvsDaemon {
  readonly state: "master" | "backup";
  readonly interface: string;
  readonly syncId: number;
  readonly maxLen?: number;
  readonly group?: Ip;
  readonly port?: number;
  readonly ttl?: number;
}

const daemonState = { master: 1, backup: 2 } as const;
const dmn = { state: 1, interface: 2, syncId: 3, maxLen: 4, group: 5, group6: 6, port: 7, ttl: 8 } as const;

/** The DAEMON attribute: the state alone, to name a daemon; all of it, to start one. The port is in host order. */
export function emitDaemon(daemon: IpvsDaemon | Pick<IpvsDaemon, "state">): Uint8Array {
  const state = attribute(dmn.state, uint32Bytes(daemonState[daemon.state]));
  if (!("interface" in daemon)) return nested(DAEMON, state);
  return nested(
    DAEMON,
    state,
    attribute(dmn.interface, textBytes(daemon.interface)),
    attribute(dmn.syncId, uint32Bytes(daemon.syncId)),
    optional(daemon.maxLen, (n) => attribute(dmn.maxLen, uint16Bytes(n))),
    optional(daemon.port, (n) => attribute(dmn.port, uint16Bytes(n))),
    optional(daemon.ttl, (n) => attribute(dmn.ttl, uint8Bytes(n))),
    optional(daemon.group, (group) => attribute(familyOf(group) === "ipv4" ? dmn.group : dmn.group6, ipBytes(group))),
  );
}

/** From the attributes of a command; undefined where there is no daemon in either state. */
export function parseDaemon(command: Attributes): IpvsDaemon | undefined {
  const bytes = command.get(DAEMON);
  if (bytes === undefined) return undefined;
  const attributes = parseAttributes(bytes);
  const number = readUint32(attributes.get(dmn.state));
  if (number !== daemonState.master && number !== daemonState.backup) return undefined;
  const group = readAddress("ipv4", attributes.get(dmn.group)) ?? readAddress("ipv6", attributes.get(dmn.group6));
  return {
    state: number === daemonState.master ? "master" : "backup",
    interface: readText(attributes.get(dmn.interface)),
    syncId: readUint32(attributes.get(dmn.syncId)) ?? 0,
    ...given("maxLen", readUint16(attributes.get(dmn.maxLen))),
    ...given("group", group),
    ...given("port", readUint16(attributes.get(dmn.port))),
    ...given("ttl", readUint8(attributes.get(dmn.ttl))),
  };
}

const given = <Name extends string, T>(name: Name, value: T | undefined): { [N in Name]?: T } =>
  (value === undefined ? {} : { [name]: value }) as { [N in Name]?: T };

// ---- CONFIG and INFO

/** Seconds. In a request 0 or absent: as before. */
export interface IpvsConfig {
  readonly tcp?: number | undefined;
  readonly tcpFin?: number | undefined;
  readonly udp?: number | undefined;
}

export const emitConfig = ({ tcp, tcpFin, udp }: IpvsConfig): Uint8Array =>
  concat([
    optional(tcp, (n) => attribute(TIMEOUT_TCP, uint32Bytes(n))),
    optional(tcpFin, (n) => attribute(TIMEOUT_TCP_FIN, uint32Bytes(n))),
    optional(udp, (n) => attribute(TIMEOUT_UDP, uint32Bytes(n))),
  ]);

export const parseConfig = (command: Attributes): { tcp: number; tcpFin: number; udp: number } => ({
  tcp: readUint32(command.get(TIMEOUT_TCP)) ?? 0,
  tcpFin: readUint32(command.get(TIMEOUT_TCP_FIN)) ?? 0,
  udp: readUint32(command.get(TIMEOUT_UDP)) ?? 0,
});

export interface IpvsInfo {
  /** 0x00010201: 1.2.1 */
  readonly version: number;
  readonly connTableSize: number;
}

export const emitInfo = ({ version, connTableSize }: IpvsInfo): Uint8Array =>
  concat([attribute(INFO_VERSION, uint32Bytes(version)), attribute(INFO_CONN_TABLE_SIZE, uint32Bytes(connTableSize))]);

export const parseInfo = (command: Attributes): IpvsInfo => ({
  version: readUint32(command.get(INFO_VERSION)) ?? 0,
  connTableSize: readUint32(command.get(INFO_CONN_TABLE_SIZE)) ?? 0,
});
