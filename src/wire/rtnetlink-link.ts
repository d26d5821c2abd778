import { type Mac, macBytes, macFromBytes } from "../net/mac.ts";
import {
  attribute,
  concat,
  littleEndian,
  nested,
  optional,
  parseAttributes,
  readText,
  readUint32,
  textBytes,
  uint32Bytes,
  viewOf,
} from "./netlink.ts";

const IFINFOMSG_BYTES = 16;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;

export const IFF_UP = 0x1;
export const IFF_LOOPBACK = 0x8;
export const IFF_NOARP = 0x80;
/** The carrier is there. */
export const IFF_LOWER_UP = 0x10000;

/** A network interface. */
export interface Link {
  readonly ifindex: number;
  readonly name: string;
  /** IFF_*. */
  readonly flags: number;
  /** ARPHRD_*: 1 Ethernet, 772 loopback, 65534 none (tun). */
  readonly hardware: number;
  /** Its Ethernet address, undefined for links that have none. */
  readonly mac: Mac | undefined;
  /** Bytes of the largest IP packet. */
  readonly mtu: number;
  /** The bridge, bond or VRF it belongs to; 0: none. */
  readonly master: number;
  /** The link below a VLAN or macvlan, the peer of a veth (maybe in another namespace); 0: none. */
  readonly lower: number;
  /** "veth", "bridge", …; "" for hardware. */
  readonly kind: string;
}

/** undefined: malformed, or not about the link itself (a bridge speaks of its ports in the same messages). */
export function parseLink(payload: Uint8Array): Link | undefined {
  if (payload.length < IFINFOMSG_BYTES || payload[0] !== 0) return undefined;
  const view = viewOf(payload);
  const attributes = parseAttributes(payload, IFINFOMSG_BYTES);
  const info = attributes.get(IFLA_LINKINFO);
  const address = attributes.get(IFLA_ADDRESS);
  const hardware = view.getUint16(2, littleEndian);
  return {
    ifindex: view.getInt32(4, littleEndian),
    name: readText(attributes.get(IFLA_IFNAME)),
    flags: view.getUint32(8, littleEndian),
    hardware,
    mac: address === undefined || hardware !== ARPHRD_ETHER ? undefined : macFromBytes(address),
    mtu: readUint32(attributes.get(IFLA_MTU)) ?? 0,
    master: readUint32(attributes.get(IFLA_MASTER)) ?? 0,
    lower: readUint32(attributes.get(IFLA_LINK)) ?? 0,
    kind: info === undefined ? "" : readText(parseAttributes(info).get(IFLA_INFO_KIND)),
  };
}

export const ARPHRD_ETHER = 1;

export function emitLink(link: Link): Uint8Array {
  return concat([
    linkHeader(link.ifindex, link.flags, 0, link.hardware),
    attribute(IFLA_IFNAME, textBytes(link.name)),
    attribute(IFLA_MTU, uint32Bytes(link.mtu)),
    optional(link.mac, (mac) => attribute(IFLA_ADDRESS, macBytes(mac))),
    optional(link.master || undefined, (master) => attribute(IFLA_MASTER, uint32Bytes(master))),
    optional(link.lower || undefined, (lower) => attribute(IFLA_LINK, uint32Bytes(lower))),
    optional(link.kind || undefined, (kind) => nested(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, textBytes(kind)))),
  ]);
}

/** What to change of a link; the rest stays. */
export interface LinkChange {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly mac?: Mac;
}

/** The payload of RTM_NEWLINK (or RTM_SETLINK) that changes a link. */
export function emitLinkChange(ifindex: number, { up, mtu, mac }: LinkChange): Uint8Array {
  return concat([
    linkHeader(ifindex, up === true ? IFF_UP : 0, up === undefined ? 0 : IFF_UP, 0),
    optional(mtu, (n) => attribute(IFLA_MTU, uint32Bytes(n))),
    optional(mac, (address) => attribute(IFLA_ADDRESS, macBytes(address))),
  ]);
}

/** @param mask which of the flags are meant */
export function linkHeader(ifindex: number, flags: number, mask: number, hardware: number): Uint8Array {
  const bytes = new Uint8Array(IFINFOMSG_BYTES);
  const view = viewOf(bytes);
  view.setUint16(2, hardware, littleEndian);
  view.setInt32(4, ifindex, littleEndian);
  view.setUint32(8, flags, littleEndian);
  view.setUint32(12, mask, littleEndian);
  return bytes;
}
