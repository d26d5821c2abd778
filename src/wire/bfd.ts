/** BFD control packets (RFC 5880 section 4.1). Authentication sections are seen, not read. */

/** UDP, one hop (RFC 5881 section 4). */
export const BFD_PORT = 3784;
/** UDP, several hops (RFC 5883 section 5). */
export const BFD_MULTIHOP_PORT = 4784;
/** Where its packets are sent from: 49152 to 65535 (RFC 5881 section 4). */
export const BFD_SOURCE_PORTS = { first: 49152, last: 65535 } as const;

const VERSION = 1;
const HEADER = 24; // bytes
/** With the type and the length of an authentication section. */
const HEADER_AUTHENTICATED = 26;

/** In the order of their numbers. */
export const BFD_STATES = ["AdminDown", "Down", "Init", "Up"] as const;
export type BfdState = (typeof BFD_STATES)[number];

export type Micros = number;

export interface Bfd {
  /** Why the sender's state changed last, 0..31; see src/bfd/words.ts. */
  readonly diagnostic: number;
  readonly state: BfdState;
  readonly poll: boolean;
  readonly final: boolean;
  readonly controlPlaneIndependent: boolean;
  /** There is an authentication section. */
  readonly authenticated: boolean;
  readonly demand: boolean;
  /** 1..255. */
  readonly multiplier: number;
  /** 1..2^32-1. */
  readonly myDiscriminator: number;
  /** 0: not known yet. */
  readonly yourDiscriminator: number;
  readonly desiredMinTx: Micros;
  /** 0: it wants none sent periodically. */
  readonly requiredMinRx: Micros;
  readonly requiredMinEchoRx: Micros;
}

export type BfdProblem = "version" | "length" | "multiplier" | "multipoint" | "my-discriminator" | "poll-and-final";

/** Reads a UDP payload. Never throws. The checks are those of RFC 5880 section 6.8.6 that need no session, in its order. */
export function parseBfd(bytes: Uint8Array): Bfd | BfdProblem {
  if (bytes.length === 0) return "length";
  if (bytes[0]! >>> 5 !== VERSION) return "version";
  if (bytes.length < HEADER) return "length";
  const flags = bytes[1]!;
  const authenticated = (flags & FLAG.authenticated) !== 0;
  const length = bytes[3]!;
  if (length < (authenticated ? HEADER_AUTHENTICATED : HEADER) || length > bytes.length) return "length";
  if (bytes[2] === 0) return "multiplier";
  if ((flags & FLAG.multipoint) !== 0) return "multipoint";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const myDiscriminator = view.getUint32(4);
  if (myDiscriminator === 0) return "my-discriminator";
  const [poll, final] = [(flags & FLAG.poll) !== 0, (flags & FLAG.final) !== 0];
  if (poll && final) return "poll-and-final"; // section 6.5: never both
  return {
    diagnostic: bytes[0]! & 31,
    state: BFD_STATES[flags >>> 6]!,
    ...{ poll, final, authenticated, myDiscriminator },
    controlPlaneIndependent: (flags & FLAG.controlPlaneIndependent) !== 0,
    demand: (flags & FLAG.demand) !== 0,
    multiplier: bytes[2]!,
    yourDiscriminator: view.getUint32(8),
    desiredMinTx: view.getUint32(12),
    requiredMinRx: view.getUint32(16),
    requiredMinEchoRx: view.getUint32(20),
  };
}

const FLAG = { poll: 32, final: 16, controlPlaneIndependent: 8, authenticated: 4, demand: 2, multipoint: 1 } as const;

/** Throws a RangeError for a value that no packet of ours can hold: it is a defect of the caller. */
export function emitBfd(p: Bfd): Uint8Array {
  if (p.authenticated) throw new RangeError("authentication is not known here");
  if (p.poll && p.final) throw new RangeError("poll and final in one packet");
  const bytes = new Uint8Array(HEADER);
  const view = new DataView(bytes.buffer);
  bytes[0] = (VERSION << 5) | within(p.diagnostic, 0, 31);
  bytes[1] =
    (BFD_STATES.indexOf(p.state) << 6) |
    (p.poll ? FLAG.poll : 0) |
    (p.final ? FLAG.final : 0) |
    (p.controlPlaneIndependent ? FLAG.controlPlaneIndependent : 0) |
    (p.demand ? FLAG.demand : 0);
  bytes[2] = within(p.multiplier, 1, 255);
  bytes[3] = HEADER;
  view.setUint32(4, within(p.myDiscriminator, 1, MOST));
  view.setUint32(8, within(p.yourDiscriminator, 0, MOST));
  view.setUint32(12, within(p.desiredMinTx, 0, MOST));
  view.setUint32(16, within(p.requiredMinRx, 0, MOST));
  view.setUint32(20, within(p.requiredMinEchoRx, 0, MOST));
  return bytes;
}

const MOST = 0xffff_ffff;

function within(value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`${value} is not a whole number from ${least} to ${most}`);
}
