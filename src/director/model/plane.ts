import type { Timeouts } from "../director.ts";
import type { Conns } from "./conns.ts";
import type { Knobs } from "./knobs.ts";
import type { Packet } from "./packet.ts";
import type { Services } from "./services.ts";
import type { Tally } from "./tally.ts";
import type { World } from "./world.ts";

/** All that the stages of the pipeline share. */
export interface Plane {
  readonly world: World;
  readonly services: Services;
  readonly conns: Conns;
  readonly total: Tally;
  /** Uniform in 0 <= r < 1. */
  readonly random: () => number;
  /** ms */
  now: number;
  knobs: Knobs;
  timeouts: Timeouts;
  /** Later fragments carry no ports: those of the first, and until when (ms) they hold. */
  readonly fragments: Map<string, { readonly sourcePort: number; readonly destinationPort: number; readonly until: number }>;
  /** For ICMP errors of our own: how many may be sent at once now, as of when. */
  readonly icmpPerSecond: number;
  icmpTokens: number;
  icmpTokensAt: number;
  /** drop_packet: counts down to the next packet to be dropped. */
  dropCounter: number;
}

const ICMP_BURST = 50;

/** A token bucket as of net.ipv4.icmp_msgs_per_sec and icmp_msgs_burst. */
export function maySendIcmp(plane: Plane): boolean {
  if (plane.icmpPerSecond === Number.POSITIVE_INFINITY) return true;
  const passed = Math.min(plane.now - plane.icmpTokensAt, 1000); // ms
  const tokens = Math.min(Math.floor(plane.icmpTokens + (passed * plane.icmpPerSecond) / 1000), ICMP_BURST);
  if (tokens === 0) return false;
  plane.icmpTokens = tokens - 1;
  plane.icmpTokensAt = plane.now;
  return true;
}

const FRAGMENT_LIFE = 30_000; // ms, as net.ipv4.ipfrag_time

/** Gives a later fragment the ports of the first, or remembers the first. False: it was never seen. */
export function followFragment(plane: Plane, packet: Packet): boolean {
  if (packet.fragment === "first") {
    const { sourcePort, destinationPort } = packet;
    plane.fragments.set(packet.fragmentKey, { sourcePort, destinationPort, until: plane.now + FRAGMENT_LIFE });
  }
  if (packet.fragment !== "later") return true;
  const first = plane.fragments.get(packet.fragmentKey);
  if (first === undefined || first.until <= plane.now) return false;
  packet.sourcePort = first.sourcePort;
  packet.destinationPort = first.destinationPort;
  return true;
}
