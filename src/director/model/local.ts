import { PROTOCOL } from "../../wire/ipv4.ts";
import { countOut, track } from "./account.ts";
import type { Outcome } from "./outcome.ts";
import type { Packet } from "./packet.ts";
import type { Plane } from "./plane.ts";

/**
 * The director as its own real server under NAT, as in bpf/local.h: its answers never come in, so they are met on their way
 * out and leave as the service's. undefined: the packet is no such answer, and not the data path's.
 */
export function answerLocally(plane: Plane, packet: Packet): Outcome | undefined {
  if (packet.parseIp() !== undefined || packet.fragment === "later") return undefined;
  if (packet.protocol !== PROTOCOL.tcp && packet.protocol !== PROTOCOL.udp) return undefined;
  if (packet.parseTransport() !== undefined) return undefined;
  const conn = plane.conns.findOut(packet.key);
  if (conn?.dest === undefined || !plane.world.isLocal(conn.dest.addr)) return undefined;
  countOut(plane, packet, conn);
  track(plane, packet, conn, "out");
  packet.setFlow(conn.toClient);
  return { verdict: "pass", reason: "local-reply", frame: packet.frame };
}
