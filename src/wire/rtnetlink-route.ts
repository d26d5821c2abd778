import { type Family, familyOf, type Ip, ipBytes } from "../net/ip.ts";
import {
  type Attributes,
  attribute,
  concat,
  littleEndian,
  nested,
  optional,
  parseAttributes,
  readUint32,
  uint32Bytes,
  viewOf,
} from "./netlink.ts";
import { familyFromNumber, familyNumber, readIp, readPrefix } from "./rtnetlink-values.ts";

const RTMSG_BYTES = 12;
const RTNEXTHOP_BYTES = 8;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTAX_MTU = 2;

export const RT_TABLE_UNSPEC = 0;
export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;

export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_LINK = 253;
export const RT_SCOPE_HOST = 254;

export const RTPROT_BOOT = 3;
export const RTPROT_STATIC = 4;

export const RTN_UNICAST = 1;
export const RTN_LOCAL = 2;
export const RTN_BROADCAST = 3;
export const RTN_ANYCAST = 4;
export const RTN_MULTICAST = 5;
export const RTN_BLACKHOLE = 6;
export const RTN_UNREACHABLE = 7;
export const RTN_PROHIBIT = 8;
export const RTN_THROW = 9;

export const RTNH_F_DEAD = 1;
export const RTNH_F_ONLINK = 4;
export const RTNH_F_LINKDOWN = 16;
/** The RTNH_F_* bits in the flags of a route with a single next hop. */
const HOP_FLAGS = 0xff;
const RTM_F_CLONED = 0x200;

export interface NextHop {
  readonly ifindex: number;
  /** undefined: the destination itself is on the link. May be IPv6 for an IPv4 route (RFC 5549). */
  readonly gateway: Ip | undefined;
  /** RTNH_F_*. */
  readonly flags: number;
  /** 1..256, a share of the flows. */
  readonly weight: number;
}

export interface Route {
  readonly family: Family;
  readonly table: number;
  readonly prefix: Ip;
  readonly prefixLength: number;
  readonly tos: number;
  /** RTPROT_*: who made it. */
  readonly protocol: number;
  readonly scope: number;
  /** RTN_*. */
  readonly type: number;
  /** The lower one wins. */
  readonly metric: number;
  readonly prefSource: Ip | undefined;
  readonly mtu: number | undefined;
  /** Empty for blackholes and the like. */
  readonly nextHops: readonly NextHop[];
}

/** undefined: malformed, of another family, or a cached copy of a route. */
export function parseRoute(payload: Uint8Array): Route | undefined {
  const family = familyFromNumber(payload[0]);
  if (payload.length < RTMSG_BYTES || family === undefined) return undefined;
  const view = viewOf(payload);
  const flags = view.getUint32(8, littleEndian);
  const attributes = parseAttributes(payload, RTMSG_BYTES);
  const prefix = readPrefix(family, attributes.get(RTA_DST));
  const prefixLength = view.getUint8(1);
  if (prefix === undefined || prefixLength > bitsOf(family) || (flags & RTM_F_CLONED) !== 0) return undefined;
  const metrics = attributes.get(RTA_METRICS);
  const multipath = attributes.get(RTA_MULTIPATH);
  return {
    family,
    table: readUint32(attributes.get(RTA_TABLE)) ?? view.getUint8(4),
    prefix,
    prefixLength,
    tos: view.getUint8(3),
    protocol: view.getUint8(5),
    scope: view.getUint8(6),
    type: view.getUint8(7),
    metric: readUint32(attributes.get(RTA_PRIORITY)) ?? 0,
    prefSource: readIp(family, attributes.get(RTA_PREFSRC)),
    mtu: metrics === undefined ? undefined : readUint32(parseAttributes(metrics).get(RTAX_MTU)),
    nextHops: multipath === undefined ? soleHop(family, attributes, flags) : parseHops(family, multipath),
  };
}

const bitsOf = (family: Family): number => (family === "ipv4" ? 32 : 128);

function soleHop(family: Family, attributes: Attributes, flags: number): NextHop[] {
  const ifindex = readUint32(attributes.get(RTA_OIF));
  return ifindex === undefined
    ? []
    : [{ ifindex, gateway: readGateway(family, attributes), flags: flags & HOP_FLAGS, weight: 1 }];
}

function parseHops(family: Family, bytes: Uint8Array): NextHop[] {
  const view = viewOf(bytes);
  const hops: NextHop[] = [];
  for (let at = 0; at + RTNEXTHOP_BYTES <= bytes.length; ) {
    const length = view.getUint16(at, littleEndian);
    if (length < RTNEXTHOP_BYTES || length > bytes.length - at) break;
    hops.push({
      ifindex: view.getInt32(at + 4, littleEndian),
      gateway: readGateway(family, parseAttributes(bytes.subarray(at, at + length), RTNEXTHOP_BYTES)),
      flags: view.getUint8(at + 2),
      weight: view.getUint8(at + 3) + 1,
    });
    at += (length + 3) & ~3;
  }
  return hops;
}

function readGateway(family: Family, attributes: Attributes): Ip | undefined {
  const via = attributes.get(RTA_VIA);
  if (via === undefined || via.length < 2) return readIp(family, attributes.get(RTA_GATEWAY));
  const viaFamily = familyFromNumber(viewOf(via).getUint16(0, littleEndian));
  return viaFamily && readIp(viaFamily, via.subarray(2));
}

export function emitRoute(r: Route): Uint8Array {
  const header = new Uint8Array(RTMSG_BYTES);
  const [hop, ...more] = r.nextHops;
  const sole = more.length === 0 ? hop : undefined;
  // Tables above 255 are named by the attribute alone.
  const table = r.table < 256 ? r.table : RT_TABLE_UNSPEC;
  header.set([familyNumber(r.family), r.prefixLength, 0, r.tos, table, r.protocol, r.scope, r.type]);
  viewOf(header).setUint32(8, sole === undefined ? 0 : sole.flags & HOP_FLAGS, littleEndian);
  return concat([
    header,
    optional(r.prefixLength || undefined, () => attribute(RTA_DST, ipBytes(r.prefix))),
    attribute(RTA_TABLE, uint32Bytes(r.table)),
    optional(r.metric || undefined, (metric) => attribute(RTA_PRIORITY, uint32Bytes(metric))),
    optional(r.prefSource, (source) => attribute(RTA_PREFSRC, ipBytes(source))),
    optional(r.mtu, (mtu) => nested(RTA_METRICS, attribute(RTAX_MTU, uint32Bytes(mtu)))),
    optional(sole, (only) => concat([attribute(RTA_OIF, uint32Bytes(only.ifindex)), emitGateway(r.family, only.gateway)])),
    optional(more.length > 0 ? r.nextHops : undefined, (hops) =>
      attribute(RTA_MULTIPATH, concat(hops.map((each) => emitHop(r.family, each)))),
    ),
  ]);
}

function emitHop(family: Family, hop: NextHop): Uint8Array {
  const bytes = concat([new Uint8Array(RTNEXTHOP_BYTES), emitGateway(family, hop.gateway)]);
  const view = viewOf(bytes);
  view.setUint16(0, bytes.length, littleEndian);
  view.setUint8(2, hop.flags);
  view.setUint8(3, hop.weight - 1);
  view.setInt32(4, hop.ifindex, littleEndian);
  return bytes;
}

function emitGateway(family: Family, gateway: Ip | undefined): Uint8Array {
  return optional(gateway, (address) => {
    if (familyOf(address) === family) return attribute(RTA_GATEWAY, ipBytes(address));
    const via = concat([new Uint8Array(2), ipBytes(address)]);
    viewOf(via).setUint16(0, familyNumber(familyOf(address)), littleEndian);
    return attribute(RTA_VIA, via);
  });
}
