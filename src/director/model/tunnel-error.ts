import { ETHERTYPE_IPV4 } from "../../wire/eth.ts";
import { ICMP, ICMP_HEADER } from "../../wire/icmp.ts";
import { IPV4_HEADER, Ipv4View, PROTOCOL } from "../../wire/ipv4.ts";
import { GreView, GueView } from "../../wire/tunnel.ts";
import { UDP_HEADER } from "../../wire/udp.ts";
import { countOut } from "./account.ts";
import type { Conn } from "./conns.ts";
import type { DestState } from "./dest-state.ts";
import { errorPacket } from "./errors.ts";
import { flowOf } from "./flow.ts";
import { drop, type Outcome } from "./outcome.ts";
import type { Packet } from "./packet.ts";
import type { Plane } from "./plane.ts";
import { hasRightChecksum } from "./related.ts";
import { sendTo } from "./transmit.ts";
import { tunnelOverhead } from "./tunnel.ts";

/**
 * ICMP errors about our own tunnels (spec 5.7, IPv4 only). What they quote is an outer packet of ours; the client hears of
 * the packet inside, as if the trouble were with the service. undefined: the error is about no tunnel of a conn.
 */
export function tunnelError(plane: Plane, packet: Packet): Outcome | undefined {
  const at = packet.family === "ipv4" ? innerAt(packet) : undefined;
  if (at === undefined || at + IPV4_HEADER + 8 > packet.end) return undefined;
  const inner = new Ipv4View(packet.view, at);
  if (inner.version !== 4 || inner.payloadAt + 8 > packet.end || inner.fragmentOffset > 0) return undefined;
  const conn = plane.conns.findIn(keyOf(packet, inner));
  if (conn?.dest === undefined || conn.method !== "tunnel" || conn.dest.addr !== outerOf(packet).dst) return undefined;
  return hasRightChecksum(packet) ? relay(plane, packet, inner, conn, conn.dest) : drop("icmp-checksum");
}

const outerOf = ({ view, l4 }: Packet): Ipv4View => new Ipv4View(view, l4 + ICMP_HEADER);

/** Where the packet inside the quoted one begins. */
function innerAt(packet: Packet): number | undefined {
  const { view } = packet;
  const outer = outerOf(packet);
  if (outer.at + IPV4_HEADER > packet.end || outer.version !== 4 || outer.fragmentOffset > 0) return undefined;
  const at = outer.payloadAt;
  if (outer.protocol === PROTOCOL.ipip) return at;
  if (outer.protocol === PROTOCOL.gre) {
    const gre = new GreView(view, at);
    return gre.problem() === undefined && gre.protocol === ETHERTYPE_IPV4 && (gre.flags & 0x7fff) === 0
      ? gre.payloadAt
      : undefined;
  }
  if (outer.protocol !== PROTOCOL.udp) return undefined;
  const gue = new GueView(view, at + UDP_HEADER);
  return gue.problem() === undefined && gue.protocol === PROTOCOL.ipip ? gue.payloadAt : undefined;
}

function keyOf(packet: Packet, inner: Ipv4View): string {
  const ports = packet.view.getUint32(inner.payloadAt);
  return flowOf("ipv4", inner.protocol, packet.frame.slice(inner.at + 12, inner.at + 20), ports >>> 16, ports & 0xffff).key;
}

/** Type and code as they came. A path MTU is remembered for the dest, and told less what the tunnel takes. */
function relay(plane: Plane, packet: Packet, inner: Ipv4View, conn: Conn, dest: DestState): Outcome {
  const type = packet.view.getUint8(packet.l4);
  const code = packet.view.getUint8(packet.l4 + 1);
  const isTooBig = type === ICMP.unreachable && code === 4;
  if (isTooBig) learnMtu(plane, dest, packet.view.getUint16(packet.l4 + 6));
  if (isTooBig && !inner.dontFragment) return drop("icmp-swallowed");
  const mtu = isTooBig ? mtuOf(plane, dest) - tunnelOverhead(dest.spec) : 0;
  countOut(plane, packet, conn);
  const about = packet.frame.slice(inner.at, packet.end);
  const hop = plane.world.hop(inner.src);
  packet.setIp(ETHERTYPE_IPV4, errorPacket("ipv4", type, code, mtu, about, plane.random));
  if (hop.state !== "resolved") return { verdict: "pass", reason: "reply-slow", frame: packet.frame };
  return sendTo(packet, hop, "icmp-related");
}

/** The least path MTU that IPv4 must carry inside (RFC 791). */
const LEAST_MTU = 68;

/** A path does not widen, and one too narrow for IPv4 is not believed. */
function learnMtu(plane: Plane, dest: DestState, reported: number): void {
  if (reported >= LEAST_MTU + tunnelOverhead(dest.spec) && reported < mtuOf(plane, dest)) dest.learnedMtu = reported;
}

function mtuOf(plane: Plane, dest: DestState): number {
  const hop = plane.world.hop(dest.addr);
  return Math.min(hop.state === "resolved" ? hop.mtu : 0, dest.learnedMtu);
}
