import type { Ip } from "../net/ip.ts";
import { type Bfd, type BfdProblem, parseBfd } from "../wire/bfd.ts";
import type { SessionConfig } from "./config.ts";
import type { Session } from "./session.ts";

/** Which session a packet is for, and whether it may be let in (RFC 5880 section 6.8.6, RFC 5881 sections 3 and 5). */

export interface Heard {
  readonly from: Ip;
  readonly to: Ip;
  /** TTL or hop limit; undefined: the system did not say. */
  readonly ttl: number | undefined;
  readonly multihop: boolean;
  readonly bytes: Uint8Array;
}

export type BfdRefusal =
  | BfdProblem
  /** It names a session that is not ours. */
  | "your-discriminator"
  /** It names none, and yet has heard of us. */
  | "state"
  /** Nobody here has this neighbour. */
  | "neighbour"
  /** It has come too far. */
  | "ttl"
  /** It is authenticated, and nothing here is. */
  | "authentication"
  /** The session is shut. */
  | "admin-down";

/** A session as reception sees it. */
export interface Listener {
  readonly config: SessionConfig;
  readonly session: Session;
}

/** Finds sessions. */
export interface Listeners<L extends Listener> {
  byDiscriminator(discriminator: number): L | undefined;
  /** @param own the address that the packet came to */
  byNeighbour(neighbour: Ip, own: Ip): L | undefined;
}

export type Examined<L> =
  | { readonly listener: L; readonly packet: Bfd }
  | { readonly refusal: BfdRefusal; readonly listener?: L };

export function examine<L extends Listener>(heard: Heard, listeners: Listeners<L>): Examined<L> {
  const packet = parseBfd(heard.bytes);
  if (typeof packet === "string") return { refusal: packet };
  const found = find(packet, heard, listeners);
  if (typeof found === "string") return { refusal: found };
  const refusal = objection(found, packet, heard);
  return refusal === undefined ? { listener: found, packet } : { refusal, listener: found };
}

/** The discriminator alone selects where there is one; the address of the neighbour may change. */
function find<L extends Listener>(packet: Bfd, { from, to, multihop }: Heard, listeners: Listeners<L>): L | BfdRefusal {
  if (packet.yourDiscriminator !== 0) return listeners.byDiscriminator(packet.yourDiscriminator) ?? "your-discriminator";
  if (packet.state !== "Down" && packet.state !== "AdminDown") return "state";
  const found = listeners.byNeighbour(from, to);
  return found === undefined || found.config.multihop !== multihop ? "neighbour" : found;
}

function objection({ config, session }: Listener, packet: Bfd, { ttl }: Heard): BfdRefusal | undefined {
  const { maxHops } = config;
  const isLimited = maxHops < Math.min(255, config.ttl);
  if (isLimited && (ttl === undefined || ttl + maxHops < config.ttl)) return "ttl";
  if (packet.authenticated) return "authentication";
  return session.state === "AdminDown" ? "admin-down" : undefined;
}
