import { type Family, familyOf, type Ip, ipBytes } from "../../net/ip.ts";
import { hash32 } from "../../sched/hash.ts";
import { checksumOf, pseudoSum, sumOf } from "../../wire/checksum.ts";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../../wire/eth.ts";
import { IPV4_HEADER, PROTOCOL } from "../../wire/ipv4.ts";
import { IPV6_HEADER } from "../../wire/ipv6.ts";
import { GRE_HEADER, GUE_HEADER } from "../../wire/tunnel.ts";
import { UDP_HEADER } from "../../wire/udp.ts";
import type { DestSpec } from "../director.ts";
import type { Packet } from "./packet.ts";

/** TUN: outer headers in front of a packet whose TTL has been decremented already (spec 5.5). */

type Tunnel = DestSpec["tunnel"];

/** Bytes that the tunnel to a dest adds to a packet. */
export function tunnelOverhead({ addr, tunnel }: DestSpec): number {
  return (familyOf(addr) === "ipv4" ? IPV4_HEADER : IPV6_HEADER) + middleLength(tunnel);
}

function middleLength({ type, checksum }: Tunnel): number {
  if (type === "ipip") return 0;
  return type === "gue" ? UDP_HEADER + GUE_HEADER : GRE_HEADER + (checksum === "none" ? 0 : 4);
}

const outerProtocol = ({ type }: Tunnel, inner: Family): number => {
  if (type === "gue") return PROTOCOL.udp;
  return type === "gre" ? PROTOCOL.gre : innerProtocol(inner);
};
const innerProtocol = (inner: Family): number => (inner === "ipv4" ? PROTOCOL.ipip : PROTOCOL.ipv6);

/**
 * @param df copy a don't-fragment of the inner packet
 * @param random for the id of an IPv4 packet around an IPv6 one, which has none to give
 */
export function encapsulate(packet: Packet, dest: DestSpec, source: Ip, df: boolean, random: () => number): void {
  const { tunnel, addr } = dest;
  const outer = familyOf(addr);
  const inner = packet.ipBytes();
  const front = tunnelOverhead(dest);
  const bytes = new Uint8Array(front + inner.length);
  bytes.set(inner, front);
  const view = new DataView(bytes.buffer);
  const header = outer === "ipv4" ? IPV4_HEADER : IPV6_HEADER;
  if (tunnel.type === "gre") writeGre(view, header, tunnel, packet.family);
  if (tunnel.type === "gue") writeGue(view, header, dest, source, packet);
  const protocol = outerProtocol(tunnel, packet.family);
  if (outer === "ipv4") writeIpv4(view, packet, protocol, source, addr, df, random);
  else writeIpv6(view, packet, protocol, source, addr);
  packet.prepend(outer === "ipv4" ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6, bytes.subarray(0, front));
}

/** RFC 6040: an inner CE must not be copied outward. */
const outerTos = (inner: number): number => ((inner & 3) === 3 ? (inner & 0xfc) | 2 : inner);

const innerTos = (packet: Packet): number =>
  packet.family === "ipv4" ? packet.view.getUint8(15) : (packet.view.getUint16(14) >>> 4) & 255;

/** RFC 2003, RFC 4213. */
function writeIpv4(
  view: DataView,
  packet: Packet,
  protocol: number,
  source: Ip,
  to: Ip,
  df: boolean,
  random: () => number,
): void {
  view.setUint16(0, 0x4500 | outerTos(innerTos(packet)));
  view.setUint16(2, view.byteLength);
  view.setUint16(4, packet.family === "ipv4" ? packet.view.getUint16(18) : Math.floor(random() * 65536));
  view.setUint16(6, df && packet.family === "ipv4" && packet.df ? 0x4000 : 0);
  view.setUint8(8, packet.ttl);
  view.setUint8(9, protocol);
  setBytes(view, 12, bytesOf(source));
  setBytes(view, 16, bytesOf(to));
  view.setUint16(10, checksumOf(sumOf(view, 0, IPV4_HEADER)));
}

/** RFC 2473, without its options. */
function writeIpv6(view: DataView, packet: Packet, protocol: number, source: Ip, to: Ip): void {
  view.setUint32(0, ((6 << 28) | (outerTos(innerTos(packet)) << 20)) >>> 0);
  view.setUint16(4, view.byteLength - IPV6_HEADER);
  view.setUint8(6, protocol);
  view.setUint8(7, packet.ttl);
  setBytes(view, 8, bytesOf(source));
  setBytes(view, 24, bytesOf(to));
}

function writeGre(view: DataView, at: number, { checksum }: Tunnel, inner: Family): void {
  view.setUint16(at, checksum === "none" ? 0 : 0x8000);
  view.setUint16(at + 2, inner === "ipv4" ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
  if (checksum !== "none") view.setUint16(at + 4, checksumOf(sumOf(view, at, view.byteLength - at)));
}

function writeGue(view: DataView, at: number, { addr, tunnel }: DestSpec, source: Ip, packet: Packet): void {
  const length = view.byteLength - at;
  view.setUint16(at, gueSourcePort(packet));
  view.setUint16(at + 2, tunnel.port);
  view.setUint16(at + 4, length);
  view.setUint8(at + UDP_HEADER + 1, innerProtocol(packet.family));
  if (tunnel.checksum === "none") return;
  const sum = checksumOf(pseudoSum(source, addr, PROTOCOL.udp, length) + sumOf(view, at, length));
  view.setUint16(at + 6, sum === 0 ? 0xffff : sum);
}

const PORT_MIN = 32768;
const PORTS = 28_232; // up to 60999: net.ipv4.ip_local_port_range

/** One port for all packets of a flow, so that the way to the dest can be shared out by it. */
export function gueSourcePort(packet: Packet): number {
  const { addresses, sourcePort, destinationPort, protocol } = packet.flow();
  let word = ((sourcePort << 16) | destinationPort) ^ protocol;
  for (let i = 0; i < addresses.length; i += 4) {
    word ^= (addresses[i]! << 24) | (addresses[i + 1]! << 16) | (addresses[i + 2]! << 8) | addresses[i + 3]!;
  }
  return PORT_MIN + (hash32(word, 16) % PORTS);
}

/** Of the few addresses that tunnels begin and end at. */
const knownBytes = new Map<Ip, Uint8Array>();

function bytesOf(address: Ip): Uint8Array {
  const known = knownBytes.get(address);
  if (known !== undefined) return known;
  if (knownBytes.size > 10_000) knownBytes.clear();
  const bytes = ipBytes(address);
  knownBytes.set(address, bytes);
  return bytes;
}

function setBytes(view: DataView, at: number, bytes: Uint8Array): void {
  new Uint8Array(view.buffer, view.byteOffset).set(bytes, at);
}
