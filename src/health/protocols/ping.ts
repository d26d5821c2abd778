import type { Family } from "../../net/ip.ts";
import { checksumOf, sumOf } from "../../wire/checksum.ts";
import { ICMP, ICMP_HEADER, ICMPV6 } from "../../wire/icmp.ts";

/** PING_CHECK: an echo request and its reply (RFC 792, RFC 4443). */

const PAYLOAD = 20; // bytes

/** @param id, sequence 0..65535. On datagram sockets the kernel puts in an id and checksum of its own; for ICMPv6 always. */
export function echoRequest(family: Family, id: number, sequence: number): Uint8Array {
  const bytes = new Uint8Array(ICMP_HEADER + PAYLOAD);
  const view = new DataView(bytes.buffer);
  bytes[0] = family === "ipv4" ? ICMP.echo : ICMPV6.echo;
  view.setUint16(4, id);
  view.setUint16(6, sequence);
  bytes.fill(0x6c, ICMP_HEADER);
  if (family === "ipv4") view.setUint16(2, checksumOf(sumOf(view, 0, bytes.length)));
  return bytes;
}

/** Is it the reply to this request? Begins with the ICMP header. @param id undefined: the kernel has sorted by id */
export function isEchoReply(bytes: Uint8Array, family: Family, id: number | undefined, sequence: number): boolean {
  if (bytes.length < ICMP_HEADER) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const type = family === "ipv4" ? ICMP.echoReply : ICMPV6.echoReply;
  return bytes[0] === type && (id === undefined || view.getUint16(4) === id) && view.getUint16(6) === sequence;
}
