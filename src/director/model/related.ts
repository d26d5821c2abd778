import { type Ip, ipBytes } from "../../net/ip.ts";
import { change16, fold, sumOf, updated } from "../../wire/checksum.ts";
import { ICMP, ICMP_HEADER } from "../../wire/icmp.ts";
import { Ipv4View, PROTOCOL } from "../../wire/ipv4.ts";
import { IPV6_HEADER, Ipv6View, upperOf } from "../../wire/ipv6.ts";
import { countIn, countOut } from "./account.ts";
import { Conn } from "./conns.ts";
import { type Flow, flowOf, reversed } from "./flow.ts";
import { drop, type Outcome, pass } from "./outcome.ts";
import type { Packet } from "./packet.ts";
import type { Plane } from "./plane.ts";
import { findService, openFor } from "./schedule.ts";
import { sendTo, sendToClient } from "./transmit.ts";
import { encapsulate } from "./tunnel.ts";
import { tunnelError } from "./tunnel-error.ts";

/**
 * ICMP errors about a conn (spec 5.7). The quoted packet is the one that somebody could not deliver; reversed, it is a
 * packet of the conn's other side, and so finds it. The error goes on to the host whose packet is quoted, with the quote
 * changed back to what that host had sent.
 */
export function related(plane: Plane, packet: Packet): Outcome {
  if (packet.fragment !== "whole" || packet.l4 + ICMP_HEADER > packet.end || !isError(packet)) return pass("icmp");
  const relayed = tunnelError(plane, packet);
  if (relayed !== undefined) return relayed;
  const quote = quoteOf(packet);
  if (quote === undefined) return pass("icmp");
  const asked = reversed(quote.flow);
  const answered = plane.conns.findOut(asked.key);
  if (answered !== undefined) return errorToClient(plane, packet, quote, answered);
  const conn = plane.conns.findIn(asked.key) ?? openForError(plane, packet, asked);
  if (conn === undefined) return pass("icmp");
  return conn instanceof Conn ? errorToDest(plane, packet, quote, conn) : conn;
}

const errors4: ReadonlySet<number> = new Set([ICMP.unreachable, ICMP.sourceQuench, ICMP.timeExceeded]);

function isError(packet: Packet): boolean {
  const type = packet.view.getUint8(packet.l4);
  return packet.family === "ipv4" ? errors4.has(type) : type < 128;
}

interface Quote {
  /** Offsets in the frame. */
  readonly ip: number;
  readonly l4: number;
  readonly flow: Flow;
}

/** The quoted packet with eight bytes of its transport header, unless it is a later fragment or of another protocol. */
function quoteOf(packet: Packet): Quote | undefined {
  const ip = packet.l4 + ICMP_HEADER;
  const place = packet.family === "ipv4" ? place4(packet.view, ip) : place6(packet, ip);
  if (place === undefined || place.l4 + 8 > packet.end) return undefined;
  if (place.protocol !== PROTOCOL.tcp && place.protocol !== PROTOCOL.udp && place.protocol !== PROTOCOL.sctp) return undefined;
  const at = ip + (packet.family === "ipv4" ? 12 : 8);
  const addresses = packet.frame.slice(at, at + packet.addressBytes);
  const ports = packet.view.getUint32(place.l4);
  return { ip, l4: place.l4, flow: flowOf(packet.family, place.protocol, addresses, ports >>> 16, ports & 0xffff) };
}

function place4(view: DataView, at: number): { protocol: number; l4: number } | undefined {
  const ip = new Ipv4View(view, at);
  const problem = ip.problem();
  if (problem !== undefined && problem !== "total-length") return undefined; // the quote is cut short as a rule
  return ip.fragmentOffset > 0 ? undefined : { protocol: ip.protocol, l4: ip.payloadAt };
}

function place6(packet: Packet, at: number): { protocol: number; l4: number } | undefined {
  const ip = new Ipv6View(packet.view, at);
  if (at + IPV6_HEADER > packet.end || ip.version !== 6) return undefined;
  const upper = upperOf({ at, view: packet.view, nextHeader: ip.nextHeader, totalLength: packet.end - at });
  if (upper === "truncated" || (upper.fragment?.offset ?? 0) > 0) return undefined;
  return { protocol: upper.protocol, l4: upper.at };
}

/** schedule_icmp: the error opens a conn for the request that its quote would have answered. */
function openForError(plane: Plane, packet: Packet, asked: Flow): Conn | Outcome | undefined {
  if (!plane.knobs.scheduleIcmp) return undefined;
  const service = findService(plane, packet.mark, asked);
  return service && openFor(plane, service, packet, asked);
}

/** From the dest's side, about a request: on to the client. */
function errorToClient(plane: Plane, packet: Packet, quote: Quote, conn: Conn): Outcome {
  if (!hasRightChecksum(packet)) return drop("icmp-checksum");
  if (packet.ttl <= 1) return pass("ttl");
  countOut(plane, packet, conn);
  translate(packet, quote, conn.in, conn.toClient.addresses);
  return sendToClient(plane, packet, conn.in, "icmp-related");
}

/** From the client's side, about a reply: on to the dest, the way its requests go. */
function errorToDest(plane: Plane, packet: Packet, quote: Quote, conn: Conn): Outcome {
  const { dest } = conn;
  if (dest === undefined) return pass("icmp");
  if (conn.out !== undefined && !hasRightChecksum(packet)) return drop("icmp-checksum");
  countIn(plane, packet, conn);
  conn.inPackets++;
  const hop = plane.world.hop(dest.addr);
  if (hop.state === "local") return pass("local");
  if (hop.state !== "resolved") return drop("hop-unresolved");
  if (packet.ttl <= 1) return drop("ttl");
  packet.decrementTtl();
  if (conn.out !== undefined) translate(packet, quote, conn.out, toDest(packet, dest.addr));
  else if (conn.method === "tunnel") encapsulate(packet, dest.spec, hop.source, plane.knobs.pmtuDisc, plane.random);
  return sendTo(packet, hop, "icmp-related");
}

/** What is about to be translated must be what was sent. */
export function hasRightChecksum(packet: Packet): boolean {
  const length = packet.end - packet.l4;
  const { addresses } = packet.flow();
  const sum = sumOf(packet.view, packet.l4, length);
  if (packet.family === "ipv4") return fold(sum) === 0xffff;
  return fold(sum + sumOf(new DataView(addresses.buffer), 0, addresses.length) + PROTOCOL.icmpv6 + length) === 0xffff;
}

/** The packet's own source, and a dest. */
const toDest = (packet: Packet, dest: Ip): Uint8Array => {
  const { addresses } = packet.flow();
  return Uint8Array.from([...addresses.subarray(0, addresses.length / 2), ...ipBytes(dest)]);
};

/**
 * The quoted flow becomes `to`, the outer addresses become `addresses`. Checksums: quoted IP header, ICMP (whose sum
 * covers the quote, and in IPv6 the addresses), outer IP header. The quoted transport checksum is left alone, as the
 * kernel does.
 */
function translate(packet: Packet, quote: Quote, to: Flow, addresses: Uint8Array): void {
  const outer = packet.setAddresses(addresses);
  const { view } = packet;
  let changes = packet.family === "ipv6" ? outer : 0;
  const at = quote.ip + (packet.family === "ipv4" ? 12 : 8);
  let inner = 0;
  for (let i = 0; i < to.addresses.length; i += 2) inner += setWord(view, at + i, (to.addresses[i]! << 8) | to.addresses[i + 1]!);
  changes += inner;
  if (packet.family === "ipv4") {
    const check = view.getUint16(quote.ip + 10);
    changes += setWord(view, quote.ip + 10, updated(check, inner));
  }
  changes += setWord(view, quote.l4, to.sourcePort) + setWord(view, quote.l4 + 2, to.destinationPort);
  view.setUint16(packet.l4 + 2, updated(view.getUint16(packet.l4 + 2), changes));
}

/** What the change adds to a checksum's sum. */
function setWord(view: DataView, at: number, after: number): number {
  const before = view.getUint16(at);
  view.setUint16(at, after);
  return change16(before, after);
}
