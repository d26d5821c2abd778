import { type Family, type Ip, ipBytes } from "../net/ip.ts";
import { type Mac, macBytes, macFromBytes } from "../net/mac.ts";
import { attribute, concat, littleEndian, optional, parseAttributes, readUint32, uint32Bytes, viewOf } from "./netlink.ts";
import { familyFromNumber, familyNumber, readIp } from "./rtnetlink-values.ts";

const NDMSG_BYTES = 12;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_FLAGS_EXT = 15;

export const NUD_NONE = 0x00;
export const NUD_INCOMPLETE = 0x01;
export const NUD_REACHABLE = 0x02;
export const NUD_STALE = 0x04;
export const NUD_DELAY = 0x08;
export const NUD_PROBE = 0x10;
export const NUD_FAILED = 0x20;
export const NUD_NOARP = 0x40;
export const NUD_PERMANENT = 0x80;

/** Not a change, a wish: "I am about to send there". */
export const NTF_USE = 0x01;
/** An address answered for, not a neighbour. */
export const NTF_PROXY = 0x08;
const NTF_EXT_MANAGED = 0x01;

/** Whose Ethernet address an address on a link has. */
export interface Neighbour {
  readonly family: Family;
  readonly ifindex: number;
  readonly address: Ip;
  readonly mac: Mac | undefined;
  /** NUD_*. */
  readonly state: number;
  /** NTF_*. */
  readonly flags: number;
  /** The kernel keeps it resolved by itself (since 5.16). */
  readonly managed: boolean;
}

/** undefined: malformed, without an address, or of another family (a bridge's forwarding table uses the same message). */
export function parseNeighbour(payload: Uint8Array): Neighbour | undefined {
  const family = familyFromNumber(payload[0]);
  if (payload.length < NDMSG_BYTES || family === undefined) return undefined;
  const view = viewOf(payload);
  const attributes = parseAttributes(payload, NDMSG_BYTES);
  const address = readIp(family, attributes.get(NDA_DST));
  if (address === undefined) return undefined;
  const lladdr = attributes.get(NDA_LLADDR);
  return {
    family,
    ifindex: view.getInt32(4, littleEndian),
    address,
    mac: lladdr === undefined ? undefined : macFromBytes(lladdr),
    state: view.getUint16(8, littleEndian),
    flags: view.getUint8(10),
    managed: ((readUint32(attributes.get(NDA_FLAGS_EXT)) ?? 0) & NTF_EXT_MANAGED) !== 0,
  };
}

export function emitNeighbour(n: Neighbour): Uint8Array {
  const header = new Uint8Array(NDMSG_BYTES);
  const view = viewOf(header);
  view.setUint8(0, familyNumber(n.family));
  view.setInt32(4, n.ifindex, littleEndian);
  view.setUint16(8, n.state, littleEndian);
  view.setUint8(10, n.flags);
  return concat([
    header,
    attribute(NDA_DST, ipBytes(n.address)),
    optional(n.mac, (mac) => attribute(NDA_LLADDR, macBytes(mac))),
    optional(n.managed || undefined, () => attribute(NDA_FLAGS_EXT, uint32Bytes(NTF_EXT_MANAGED))),
  ]);
}
