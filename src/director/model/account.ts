import { PROTOCOL } from "../../wire/ipv4.ts";
import type { Conn, Direction } from "./conns.ts";
import type { Packet } from "./packet.ts";
import type { Plane } from "./plane.ts";
import { isEstablished, nextSctpState, nextTcpState, type Side, stateTimeout } from "./states.ts";

/** What a packet leaves behind in counters, state and timer of its conn (spec 4.5 to 4.8, 6.1). */

const ASSURED = 1;

export function countIn(plane: Plane, packet: Packet, conn: Conn): void {
  if (!conn.dest?.available) return;
  conn.dest.tally.countIn(packet.length);
  conn.dest.service.tally.countIn(packet.length);
  plane.total.countIn(packet.length);
}

export function countOut(plane: Plane, packet: Packet, conn: Conn): void {
  if (!conn.dest?.available) return;
  conn.dest.tally.countOut(packet.length);
  conn.dest.service.tally.countOut(packet.length);
  plane.total.countOut(packet.length);
}

/** The state moves, and the timer starts anew with the state's timeout. */
export function track(plane: Plane, packet: Packet, conn: Conn, direction: Direction): void {
  if (direction === "out") conn.isInputOnly = false;
  const state = packet.fragment === "later" ? conn.state : nextState(plane, packet, conn, direction);
  if (state !== conn.state) plane.conns.setState(conn, state);
  if (conn.control?.isTemplate && isAssuring(packet, conn, direction)) conn.control.state = ASSURED;
  if (!conn.isOnePacket) plane.conns.restart(conn, stateTimeout(packet.protocol, state, plane.timeouts), plane.now);
}

function nextState(plane: Plane, packet: Packet, conn: Conn, direction: Direction): number {
  const side: Side = direction === "out" ? "output" : conn.isInputOnly ? "input-only" : "input";
  if (packet.protocol === PROTOCOL.tcp) return nextTcpState(conn.state, side, packet.tcpFlags, plane.knobs.secureTcp);
  return packet.protocol === PROTOCOL.sctp ? nextSctpState(conn.state, side, packet.chunks()) : 0;
}

/** A conn that is established, or a datagram that was answered, makes its template a lasting one. */
const isAssuring = (packet: Packet, conn: Conn, direction: Direction): boolean =>
  packet.protocol === PROTOCOL.udp ? direction === "out" : isEstablished(packet.protocol, conn.state);
