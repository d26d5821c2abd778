import { PROTOCOL } from "../../wire/ipv4.ts";
import { CHUNK } from "../../wire/sctp.ts";
import { TCP_FLAG } from "../../wire/tcp.ts";
import { countIn, countOut, track } from "./account.ts";
import { Conn } from "./conns.ts";
import { refuse } from "./errors.ts";
import { sourceOf } from "./flow.ts";
import { drop, type Outcome, pass } from "./outcome.ts";
import type { Packet } from "./packet.ts";
import { followFragment, type Plane } from "./plane.ts";
import { related } from "./related.ts";
import { open } from "./schedule.ts";
import { SCTP, TCP } from "./states.ts";
import { answer, forward, refuseLong } from "./transmit.ts";

/**
 * The way of a packet, as in bpf/lvs.h (spec 5.2 to 5.4):
 *
 *   frame - parse - find conn -+- hit ------------------------------- account - track - forward - out
 *                              +- miss - service - may open? - schedule - new conn -+
 *           ICMP errors: parse the packet inside, find its conn, rewrite both
 */
export function run(plane: Plane, packet: Packet): Outcome {
  if (!isForHost(plane, packet)) return pass("not-host");
  const problem = packet.parseIp();
  if (problem !== undefined) return pass(problem);
  if (packet.protocol === (packet.family === "ipv4" ? PROTOCOL.icmp : PROTOCOL.icmpv6)) return related(plane, packet);
  if (packet.protocol === PROTOCOL.esp || packet.protocol === PROTOCOL.ah) {
    packet.followKeyExchange();
    return forConn(plane, packet);
  }
  if (packet.protocol !== PROTOCOL.tcp && packet.protocol !== PROTOCOL.udp && packet.protocol !== PROTOCOL.sctp)
    return pass("protocol");
  if (packet.fragment !== "later" && packet.parseTransport() !== undefined) return drop("truncated");
  if (!followFragment(plane, packet)) return pass("fragment-unknown");
  return forConn(plane, packet);
}

/** Of a conn or not: its flow is known. */
function forConn(plane: Plane, packet: Packet): Outcome {
  const key = packet.key;
  const answered = plane.conns.findOut(key);
  return answered === undefined ? request(plane, packet, plane.conns.findIn(key)) : reply(plane, packet, answered);
}

/** Not a frame for somebody else's MAC, or multicast. */
function isForHost(plane: Plane, packet: Packet): boolean {
  const { frame } = packet;
  if (frame.length < 14) return true; // malformed
  if (frame[0]! & 1) return false;
  const ours = plane.world.mac(packet.ifindex);
  return ours === undefined || ours.every((byte, i) => byte === frame[i]);
}

/** A dest's answer. */
function reply(plane: Plane, packet: Packet, conn: Conn): Outcome {
  if (packet.ttl <= 1) return pass("ttl"); // untouched: the stack tells the dest
  const refused = refuseLong(plane, packet, conn);
  if (refused !== undefined) return refused;
  countOut(plane, packet, conn);
  track(plane, packet, conn, "out");
  return answer(plane, packet, conn);
}

/** A client's packet: of a conn, or one that may open a conn. */
function request(plane: Plane, packet: Packet, known: Conn | undefined): Outcome {
  if (plane.knobs.isBackup) return pass("not-scheduled");
  let conn = known;
  if (conn !== undefined && isToBeRescheduled(plane, packet, conn)) {
    plane.conns.remove(conn);
    conn = undefined;
  }
  if (conn !== undefined && !conn.hasDest) {
    if (!plane.knobs.expireNodestConn) return drop("dest-gone");
    plane.conns.remove(conn);
    conn = undefined;
  }
  if (conn !== undefined) return accept(plane, packet, conn);
  if (!packet.isOpening) return pass("not-scheduled");
  if (isStray(plane, packet)) return refuseStray(plane, packet);
  const opened = open(plane, packet);
  return opened instanceof Conn ? accept(plane, packet, opened) : opened;
}

function accept(plane: Plane, packet: Packet, conn: Conn): Outcome {
  countIn(plane, packet, conn);
  track(plane, packet, conn, "in");
  if (conn.isOnePacket) {
    if (conn.control) conn.control.inPackets++;
    plane.conns.leave(conn);
  } else conn.inPackets++;
  return forward(plane, packet, conn);
}

/** A new SYN or INIT on a conn that is over, or whose dest is drained (spec 5.2 step 8). */
function isToBeRescheduled(plane: Plane, packet: Packet, conn: Conn): boolean {
  if (packet.fragment === "later" || !isOpening(packet)) return false;
  if (plane.knobs.expireNodestConn && conn.dest?.weight === 0) return true;
  const mode = plane.knobs.connReuseMode;
  if (mode === 0 || conn.control !== undefined) return false;
  if (packet.protocol === PROTOCOL.sctp) return conn.state === SCTP.closed;
  if (conn.state === TCP.timeWait || conn.state === TCP.close) return true;
  return (mode & 2) !== 0 && conn.state === TCP.finWait && conn.isInputOnly;
}

function isOpening(packet: Packet): boolean {
  if (packet.protocol === PROTOCOL.tcp) return (packet.tcpFlags & TCP_FLAG.syn) !== 0;
  return packet.protocol === PROTOCOL.sctp && packet.chunks()[0] === CHUNK.init;
}

/** The error comes from the director's own address: the packet was only passing through, one hop further by now. */
function refuseStray(plane: Plane, packet: Packet): Outcome {
  const hop = plane.world.hop(sourceOf(packet.flow()));
  if ((hop.state !== "resolved" && hop.state !== "unresolved") || packet.ttl <= 1) return drop("nat-icmp-send");
  packet.decrementTtl();
  return refuse(plane, packet, "port-unreachable", "nat-icmp-send", "nat-icmp-send", 0, hop.source);
}

/** From a real server, of a conn that nobody knows (nat_icmp_send, spec 5.4). */
function isStray(plane: Plane, packet: Packet): boolean {
  if (!plane.knobs.natIcmpSend) return false;
  if (packet.protocol === PROTOCOL.tcp && packet.tcpFlags & TCP_FLAG.rst) return false;
  if (packet.protocol === PROTOCOL.sctp && packet.chunks()[0] === CHUNK.abort) return false;
  return plane.services.isNatDest(packet.protocol, sourceOf(packet.flow()), packet.sourcePort);
}
