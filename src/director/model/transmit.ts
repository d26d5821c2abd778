import type { Conn } from "./conns.ts";
import { refuse } from "./errors.ts";
import { destinationOf, type Flow, sourceOf } from "./flow.ts";
import { drop, type Outcome, pass, type Reason } from "./outcome.ts";
import type { Packet } from "./packet.ts";
import type { Plane } from "./plane.ts";
import { insertToa, noteServerIsn, wantsToa } from "./toa.ts";
import { encapsulate, tunnelOverhead } from "./tunnel.ts";
import type { Hop } from "./world.ts";

/** The ways out: to the dest by the conn's method, to the client (spec 5.4, 5.5). */

export type Resolved = Hop & { readonly state: "resolved" };

/** Where a conn's requests go: its dest, or the packet's own destination. */
const hopOf = (plane: Plane, packet: Packet, conn: Conn): Hop => plane.world.hop(conn.dest?.addr ?? destinationOf(packet.flow()));

/** TTL, next hop and path MTU, then by the conn's method. */
export function forward(plane: Plane, packet: Packet, conn: Conn): Outcome {
  const hop = hopOf(plane, packet, conn);
  if (hop.state === "local") return deliver(packet, conn);
  if (packet.ttl <= 1) return refuse(plane, packet, "time-exceeded", "ttl", "ttl");
  if (hop.state === "unreachable") return refuse(plane, packet, "host-unreachable", "unreachable", "unreachable");
  if (hop.state === "unresolved") return drop("hop-unresolved");
  packet.decrementTtl();
  const mtu = roomTo(hop, conn);
  if (packet.length > mtu) return refuse(plane, packet, "too-big", "too-big", "too-big-quiet", mtu);
  return forwardVia(plane, packet, conn, hop);
}

/** Of the greatest packet that goes to the dest, bytes. */
function roomTo({ mtu }: Resolved, { method, dest }: Conn): number {
  if (dest === undefined) return mtu;
  return Math.min(mtu, dest.learnedMtu) - (method === "tunnel" ? tunnelOverhead(dest.spec) : 0);
}

function forwardVia(plane: Plane, packet: Packet, conn: Conn, hop: Resolved): Outcome {
  switch (conn.method) {
    case "nat":
    case "fullnat":
      translate(packet, conn, hop.mtu);
      return sendTo(packet, hop, conn.method);
    case "route":
    case "bypass":
      return sendTo(packet, hop, conn.method);
    case "tunnel":
      if (conn.dest) encapsulate(packet, conn.dest.spec, hop.source, plane.knobs.pmtuDisc, plane.random);
      return sendTo(packet, hop, "tunnel");
    case "local":
      return pass("local");
  }
}

/** The dest is the director itself: NAT still translates. */
function deliver(packet: Packet, conn: Conn): Outcome {
  if (conn.method !== "nat") return pass("local");
  translate(packet, conn, 0);
  return { verdict: "pass", reason: "local", frame: packet.frame };
}

/** The packet becomes one that the dest will answer with conn.out. */
function translate(packet: Packet, conn: Conn, mtu: number): void {
  if (conn.toDest === undefined) return;
  const hasToa = conn.method === "fullnat" && wantsToa(packet, conn, mtu);
  packet.setFlow(conn.toDest);
  if (hasToa) insertToa(packet, conn);
}

/** Is a dest's answer too long for the way to the client? The dest is told as by any router, about the packet as it sent it. */
export function refuseLong(plane: Plane, packet: Packet, conn: Conn): Outcome | undefined {
  const way = plane.world.hop(sourceOf(conn.in));
  if (way.state !== "resolved" || packet.length <= way.mtu) return undefined;
  const back = conn.dest && plane.world.hop(conn.dest.addr);
  const source = back?.state === "resolved" || back?.state === "unresolved" ? back.source : undefined;
  return refuse(plane, packet, "too-big", "too-big", "too-big-quiet", way.mtu, source);
}

/** A dest's answer: its source becomes the service's address again. */
export function answer(plane: Plane, packet: Packet, conn: Conn): Outcome {
  noteServerIsn(packet, conn);
  packet.setFlow(conn.toClient);
  return sendToClient(plane, packet, conn.in, conn.method === "fullnat" ? "fullnat-reply" : "nat-reply");
}

/** @param request a flow of the client's */
export function sendToClient(plane: Plane, packet: Packet, request: Flow, reason: Reason): Outcome {
  const hop = plane.world.hop(sourceOf(request));
  if (hop.state !== "resolved") return { verdict: "pass", reason: "reply-slow", frame: packet.frame };
  packet.decrementTtl();
  return sendTo(packet, hop, reason);
}

export function sendTo(packet: Packet, hop: Resolved, reason: Reason): Outcome {
  packet.own();
  packet.frame.set(hop.macs);
  if (hop.ifindex === packet.ifindex) return { verdict: "tx", reason, frame: packet.frame };
  return { verdict: "redirect", reason, frame: packet.frame, ifindex: hop.ifindex };
}
