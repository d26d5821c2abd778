import { type Family, type Ip, ipBytes } from "../net/ip.ts";
import {
  attribute,
  concat,
  littleEndian,
  optional,
  parseAttributes,
  readText,
  readUint32,
  textBytes,
  uint32Bytes,
  viewOf,
} from "./netlink.ts";
import { familyFromNumber, familyNumber, readIp } from "./rtnetlink-values.ts";

const IFADDRMSG_BYTES = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_BROADCAST = 4;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;

/** IPv4: not the first of its network. (IPv6: temporary.) */
export const IFA_F_SECONDARY = 0x01;
export const IFA_F_NODAD = 0x02;
export const IFA_F_OPTIMISTIC = 0x04;
export const IFA_F_DADFAILED = 0x08;
export const IFA_F_DEPRECATED = 0x20;
export const IFA_F_TENTATIVE = 0x40;
export const IFA_F_PERMANENT = 0x80;
/** No route to the address's network is made for it. */
export const IFA_F_NOPREFIXROUTE = 0x200;

/** A lifetime that does not end. */
export const FOREVER = 0xffffffff;

/** An address of the machine's own, on an interface. */
export interface InterfaceAddress {
  readonly family: Family;
  readonly ifindex: number;
  readonly address: Ip;
  readonly prefixLength: number;
  /** The other end of a point-to-point link. */
  readonly peer: Ip | undefined;
  readonly broadcast: Ip | undefined;
  /** RT_SCOPE_*: 0 anywhere, 253 this link, 254 this machine. */
  readonly scope: number;
  /** IFA_F_*. */
  readonly flags: number;
  /** IPv4 only: "eth0:1"; "" otherwise. */
  readonly label: string;
  /** Seconds, FOREVER: no end. 0 preferred: deprecated, not chosen as a source. */
  readonly preferredSeconds: number;
  readonly validSeconds: number;
}

/** undefined: malformed, or of another address family. */
export function parseAddress(payload: Uint8Array): InterfaceAddress | undefined {
  const family = familyFromNumber(payload[0]);
  if (payload.length < IFADDRMSG_BYTES || family === undefined) return undefined;
  const view = viewOf(payload);
  const attributes = parseAttributes(payload, IFADDRMSG_BYTES);
  // With a peer IFA_ADDRESS is the peer's; without one IPv4 says its own twice and IPv6 says it in IFA_ADDRESS only.
  const far = readIp(family, attributes.get(IFA_ADDRESS));
  const address = readIp(family, attributes.get(IFA_LOCAL)) ?? far;
  if (address === undefined) return undefined;
  const cache = attributes.get(IFA_CACHEINFO);
  return {
    family,
    ifindex: view.getInt32(4, littleEndian),
    address,
    prefixLength: view.getUint8(1),
    peer: far === address ? undefined : far,
    broadcast: readIp(family, attributes.get(IFA_BROADCAST)),
    scope: view.getUint8(3),
    flags: readUint32(attributes.get(IFA_FLAGS)) ?? view.getUint8(2),
    label: readText(attributes.get(IFA_LABEL)),
    preferredSeconds: readUint32(cache) ?? FOREVER,
    validSeconds: readUint32(cache?.subarray(4)) ?? FOREVER,
  };
}

export function emitAddress(a: InterfaceAddress): Uint8Array {
  const header = new Uint8Array(IFADDRMSG_BYTES);
  header.set([familyNumber(a.family), a.prefixLength, a.flags & 0xff, a.scope]);
  viewOf(header).setInt32(4, a.ifindex, littleEndian);
  const lifetimes = a.preferredSeconds === FOREVER && a.validSeconds === FOREVER ? undefined : a;
  return concat([
    header,
    attribute(IFA_LOCAL, ipBytes(a.address)),
    attribute(IFA_ADDRESS, ipBytes(a.peer ?? a.address)),
    optional(a.broadcast, (broadcast) => attribute(IFA_BROADCAST, ipBytes(broadcast))),
    optional(a.label || undefined, (label) => attribute(IFA_LABEL, textBytes(label))),
    attribute(IFA_FLAGS, uint32Bytes(a.flags)),
    optional(lifetimes, ({ preferredSeconds, validSeconds }) =>
      attribute(IFA_CACHEINFO, concat([preferredSeconds, validSeconds, 0, 0].map(uint32Bytes))),
    ),
  ]);
}
