import { type Family, type Ip, ipBytes, ipFromBytes } from "../../net/ip.ts";
import { checksumOf, pseudoSum, sumOf } from "../../wire/checksum.ts";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../../wire/eth.ts";
import { ICMP, ICMP_HEADER, ICMPV6 } from "../../wire/icmp.ts";
import { IPV4_HEADER, PROTOCOL } from "../../wire/ipv4.ts";
import { IPV6_HEADER } from "../../wire/ipv6.ts";
import { drop, type Outcome, type Reason } from "./outcome.ts";
import type { Packet } from "./packet.ts";
import { maySendIcmp, type Plane } from "./plane.ts";

/**
 * ICMP errors of our own making (RFC 792, RFC 4443, spec 5.5 and 5.6): the frame becomes an error about itself and goes
 * back to the MAC it came from. Its source is the address the packet was for, as in the kernel.
 */
export type Complaint = "port-unreachable" | "host-unreachable" | "time-exceeded" | "too-big";

const kinds: Readonly<Record<Complaint, { readonly ipv4: readonly [number, number]; readonly ipv6: readonly [number, number] }>> =
  {
    "port-unreachable": { ipv4: [ICMP.unreachable, 3], ipv6: [ICMPV6.unreachable, 4] },
    "host-unreachable": { ipv4: [ICMP.unreachable, 1], ipv6: [ICMPV6.unreachable, 3] },
    "time-exceeded": { ipv4: [ICMP.timeExceeded, 0], ipv6: [ICMPV6.timeExceeded, 0] },
    "too-big": { ipv4: [ICMP.unreachable, 4], ipv6: [ICMPV6.tooBig, 0] },
  };

/** The greatest error: RFC 1812 section 4.3.2.3, RFC 4443 section 2.4. */
const ERROR_MAX = { ipv4: 576, ipv6: 1280 };

/** Tell the sender, unless the rate limit or the packet itself forbids it. */
export function refuse(
  plane: Plane,
  packet: Packet,
  complaint: Complaint,
  told: Reason,
  quiet: Reason,
  mtu = 0,
  from?: Ip,
): Outcome {
  if (packet.fragment === "later" || (complaint !== "too-big" && !maySendIcmp(plane))) return drop(quiet);
  return { verdict: "tx", reason: told, frame: errorAbout(packet, complaint, mtu, plane.random, from) };
}

function errorAbout(packet: Packet, complaint: Complaint, mtu: number, random: () => number, from?: Ip): Uint8Array {
  const { family } = packet;
  const [type, code] = kinds[complaint][family];
  packet.setIp(
    family === "ipv4" ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6,
    errorPacket(family, type, code, mtu, packet.ipBytes(), random, from),
  );
  swapMacs(packet.frame);
  return packet.frame;
}

/** An IP packet with an ICMP error about `about`, for whom that came from. @param from else from whom that was for */
export function errorPacket(
  family: Family,
  type: number,
  code: number,
  mtu: number,
  about: Uint8Array,
  random: () => number,
  from?: Ip,
): Uint8Array {
  const header = family === "ipv4" ? IPV4_HEADER : IPV6_HEADER;
  const quote = about.subarray(0, ERROR_MAX[family] - header - ICMP_HEADER);
  const [at, size] = family === "ipv4" ? [12, 4] : [8, 16];
  const client = quote.slice(at, at + size);
  const service = from === undefined ? quote.slice(at + size, at + 2 * size) : ipBytes(from);
  const bytes = new Uint8Array(header + ICMP_HEADER + quote.length);
  const view = new DataView(bytes.buffer);
  bytes.set(quote, header + ICMP_HEADER);
  view.setUint8(header, type);
  view.setUint8(header + 1, code);
  view.setUint32(header + 4, family === "ipv4" ? mtu & 0xffff : mtu);
  bytes.set(service, at);
  bytes.set(client, at + size);
  const length = bytes.length - header;
  if (family === "ipv4") {
    view.setUint16(header + 2, checksumOf(sumOf(view, header, length)));
    writeIpv4(view, (quote[1]! & 0x1e) | 0xc0, Math.floor(random() * 65536));
    view.setUint16(10, checksumOf(sumOf(view, 0, IPV4_HEADER)));
  } else {
    const pseudo = pseudoSum(ipFromBytes(service), ipFromBytes(client), PROTOCOL.icmpv6, length);
    view.setUint16(header + 2, checksumOf(sumOf(view, header, length) + pseudo));
    writeIpv6(view, length);
  }
  return bytes;
}

/** All but addresses and checksum. */
function writeIpv4(view: DataView, tos: number, id: number): void {
  view.setUint16(0, 0x4500 | tos); // internet control
  view.setUint16(2, view.byteLength);
  view.setUint16(4, id);
  view.setUint8(8, 64);
  view.setUint8(9, PROTOCOL.icmp);
}

function writeIpv6(view: DataView, length: number): void {
  view.setUint8(0, 0x60);
  view.setUint16(4, length);
  view.setUint8(6, PROTOCOL.icmpv6);
  view.setUint8(7, 64);
}

function swapMacs(frame: Uint8Array): void {
  const dst = frame.slice(0, 6);
  frame.copyWithin(0, 6, 12);
  frame.set(dst, 6);
}
