import { type Ip, ipBytes, ipFromBytes, ip as ipOf } from "../net/ip.ts";
import { type Mac, mac, macBytes, macFromBytes } from "../net/mac.ts";
import { checksumOf, fold, pseudoSum, sumOf } from "./checksum.ts";
import { ETH_HEADER, ETHERTYPE_IPV6 } from "./eth.ts";
import { PROTOCOL } from "./ipv4.ts";
import { IPV6_HEADER, Ipv6View } from "./ipv6.ts";

/** Neighbour advertisements (RFC 4861 sections 4.4 and 7.2.6), as a new master sends them unasked. */

const NEIGHBOUR_ADVERTISEMENT = 136;
const TARGET_LINK_ADDRESS = 2;
/** Flags, target and the option with the link-layer address. */
const NA_BYTES = 32;
const ROUTER = 0x80;
const SOLICITED = 0x40;
const OVERRIDE = 0x20;
const ALL_NODES = ipOf("ff02::1");
const ALL_NODES_MAC = mac("33:33:00:00:00:01");
/** RFC 4861 section 7.1.2: less has been routed and is not to be believed. */
const HOP_LIMIT = 255;

export interface NeighbourAdvert {
  readonly srcMac: Mac;
  readonly dstMac: Mac;
  readonly src: Ip;
  readonly dst: Ip;
  readonly router: boolean;
  readonly solicited: boolean;
  readonly override: boolean;
  readonly target: Ip;
  readonly targetMac: Mac;
}

export type NdpProblem = "length" | "type" | "hop-limit" | "checksum";

/** "ADDRESS is at MAC", to all. @param router the machine forwards on this link */
export const unsolicitedAdvert = (at: Mac, address: Ip, router: boolean): NeighbourAdvert => ({
  srcMac: at,
  dstMac: ALL_NODES_MAC,
  src: address,
  dst: ALL_NODES,
  router,
  solicited: false,
  override: true,
  target: address,
  targetMac: at,
});

/** A frame. */
export function emitNeighbourAdvert(na: NeighbourAdvert): Uint8Array {
  const bytes = new Uint8Array(ETH_HEADER + IPV6_HEADER + NA_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(macBytes(na.dstMac), 0);
  bytes.set(macBytes(na.srcMac), 6);
  view.setUint16(12, ETHERTYPE_IPV6);
  view.setUint32(14, 0x60000000);
  view.setUint16(18, NA_BYTES);
  bytes.set([PROTOCOL.icmpv6, HOP_LIMIT], 20);
  bytes.set(ipBytes(na.src), 22);
  bytes.set(ipBytes(na.dst), 38);
  const at = ETH_HEADER + IPV6_HEADER;
  view.setUint8(at, NEIGHBOUR_ADVERTISEMENT);
  view.setUint8(at + 4, (na.router ? ROUTER : 0) | (na.solicited ? SOLICITED : 0) | (na.override ? OVERRIDE : 0));
  bytes.set(ipBytes(na.target), at + 8);
  bytes.set([TARGET_LINK_ADDRESS, 1], at + 24);
  bytes.set(macBytes(na.targetMac), at + 26);
  view.setUint16(at + 2, checksumOf(pseudoSum(na.src, na.dst, PROTOCOL.icmpv6, NA_BYTES) + sumOf(view, at, NA_BYTES)));
  return bytes;
}

/** From a frame that carries the link-layer address as its only option. Never throws. */
export function parseNeighbourAdvert(frame: Uint8Array): NeighbourAdvert | NdpProblem {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const at = ETH_HEADER + IPV6_HEADER;
  if (frame.length < at + NA_BYTES) return "length";
  if (view.getUint16(12) !== ETHERTYPE_IPV6) return "type";
  const ip = new Ipv6View(view, ETH_HEADER);
  if (ip.problem() !== undefined || ip.payloadLength !== NA_BYTES) return "length";
  const isAdvert = ip.nextHeader === PROTOCOL.icmpv6 && view.getUint16(at) === NEIGHBOUR_ADVERTISEMENT << 8;
  if (!isAdvert || view.getUint16(at + 24) !== (TARGET_LINK_ADDRESS << 8) + 1) return "type";
  if (ip.hopLimit !== HOP_LIMIT) return "hop-limit";
  const { src, dst } = ip;
  if (fold(pseudoSum(src, dst, PROTOCOL.icmpv6, NA_BYTES) + sumOf(view, at, NA_BYTES)) !== 0xffff) return "checksum";
  const flags = view.getUint8(at + 4);
  return {
    srcMac: macAt(frame, 6),
    dstMac: macAt(frame, 0),
    ...{ src, dst },
    router: (flags & ROUTER) !== 0,
    solicited: (flags & SOLICITED) !== 0,
    override: (flags & OVERRIDE) !== 0,
    target: ipFromBytes(frame.subarray(at + 8, at + 24)),
    targetMac: macAt(frame, at + 26),
  };
}

const macAt = (frame: Uint8Array, at: number): Mac => macFromBytes(frame.subarray(at, at + 6))!;
