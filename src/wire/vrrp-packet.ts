import { createHmac, timingSafeEqual } from "node:crypto";
import { type Ip, ipBytes, uint32FromIp } from "../net/ip.ts";
import { checksumOf, sumOf } from "./checksum.ts";
import { IPV4_HEADER, Ipv4View, PROTOCOL } from "./ipv4.ts";
import { IPPROTO_VRRP } from "./vrrp.ts";

/** IPv4 packets that carry VRRP, with and without the authentication header of RFC 2402 as keepalived writes it (spec 3.1, 3.4). */

/** Internetwork control, RFC 791. */
const TOS = 0xc0;
const AH_HEADER = 24; // bytes, with 96 bits of HMAC
const ICV_AT = 12;
const ICV_BYTES = 12;
/** The length of the header in words, less two. */
const AH_LENGTH = 4;

export interface Ipv4Envelope {
  readonly src: Ip;
  readonly dst: Ip;
  readonly ttl: number;
  /** Identification, 16 bits. */
  readonly id: number;
}

/** A whole IPv4 packet around a VRRP message. */
export function emitVrrpIpv4(envelope: Ipv4Envelope, message: Uint8Array, protocol: number = IPPROTO_VRRP): Uint8Array {
  const packet = new Uint8Array(IPV4_HEADER + message.length);
  const view = viewOf(packet);
  view.setUint8(0, 0x45);
  view.setUint8(1, TOS);
  view.setUint16(2, packet.length);
  view.setUint16(4, envelope.id & 0xffff);
  view.setUint8(8, envelope.ttl);
  view.setUint8(9, protocol);
  packet.set(ipBytes(envelope.src), 12);
  packet.set(ipBytes(envelope.dst), 16);
  view.setUint16(10, checksumOf(sumOf(view, 0, IPV4_HEADER)));
  packet.set(message, IPV4_HEADER);
  return packet;
}

export interface AhKey {
  /** Eight bytes: the password. */
  readonly key: Uint8Array;
  /** The TTL of unicast packets changes on the way, so it is not covered. */
  readonly unicast: boolean;
}

/** The same behind an authentication header. @param sequence grows with every packet, 32 bits */
export function emitVrrpAh(envelope: Ipv4Envelope, message: Uint8Array, key: AhKey, sequence: number): Uint8Array {
  const inner = new Uint8Array(AH_HEADER + message.length);
  const view = viewOf(inner);
  view.setUint8(0, IPPROTO_VRRP);
  view.setUint8(1, AH_LENGTH);
  view.setUint32(4, uint32FromIp(envelope.src));
  view.setUint32(8, sequence >>> 0);
  inner.set(message, AH_HEADER);
  const packet = emitVrrpIpv4(envelope, inner, PROTOCOL.ah);
  packet.set(icvOf(packet, IPV4_HEADER, key), IPV4_HEADER + ICV_AT);
  return packet;
}

/** A VRRP message as it was carried. */
export interface Carried {
  readonly src: Ip;
  readonly dst: Ip;
  readonly ttl: number;
  readonly message: Uint8Array;
  readonly ah: undefined | { readonly spi: number; readonly sequence: number; readonly at: number };
}

export type CarriedProblem = "length" | "protocol";

/** Takes an IPv4 packet apart; what is behind its end (padding of Ethernet) is left out. Never throws. */
export function openVrrpIpv4(packet: Uint8Array): Carried | CarriedProblem {
  const view = viewOf(packet);
  const header = new Ipv4View(view, 0);
  if (header.problem() !== undefined) return "length";
  const { src, dst, ttl } = header;
  const body = packet.subarray(header.payloadAt, header.totalLength);
  if (header.protocol === IPPROTO_VRRP) return { src, dst, ttl, message: body, ah: undefined };
  if (header.protocol !== PROTOCOL.ah) return "protocol";
  if (body.length < AH_HEADER || body[1] !== AH_LENGTH) return "length";
  if (body[0] !== IPPROTO_VRRP) return "protocol";
  const inside = viewOf(body);
  const ah = { spi: inside.getUint32(4), sequence: inside.getUint32(8), at: header.payloadAt };
  return { src, dst, ttl, message: body.subarray(AH_HEADER), ah };
}

/** Was the packet made with this key, and is it as it was made? */
export function isIcvRight(packet: Uint8Array, ahAt: number, key: AhKey): boolean {
  const end = viewOf(packet).getUint16(2);
  const whole = packet.subarray(0, end);
  return timingSafeEqual(icvOf(whole, ahAt, key), whole.subarray(ahAt + ICV_AT, ahAt + ICV_AT + ICV_BYTES));
}

/** HMAC-MD5-96 (RFC 2403) over the packet with zeros for what may change on the way and for the value itself. */
function icvOf(packet: Uint8Array, ahAt: number, { key, unicast }: AhKey): Uint8Array {
  const covered = new Uint8Array(packet); // a copy
  covered[1] = 0; // TOS
  covered.fill(0, 6, 8); // flags and fragment offset
  if (unicast) covered[8] = 0; // TTL
  covered.fill(0, 10, 12); // checksum
  covered.fill(0, ahAt + ICV_AT, ahAt + ICV_AT + ICV_BYTES);
  return createHmac("md5", key).update(covered).digest().subarray(0, ICV_BYTES);
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
