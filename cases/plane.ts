import type { Conn, Operation, Service } from "../src/director/director.ts";
import type { Outcome } from "../src/director/model/outcome.ts";
import type { Side } from "./network.ts";

/** Something that forwards packets, as the cases and the fuzzer see it: the compiled data path, or the model. */
export interface Plane {
  readonly name: "xdp" | "tc" | "model";
  /** The greatest number of conns. */
  readonly capacity: number;
  /** Throws when an operation is refused. */
  apply(operations: readonly Operation[]): void;
  /** Whether such a frame can come in at all. */
  takes(frame: Uint8Array): boolean;
  /** A frame comes in by an interface. */
  send(frame: Uint8Array, by: Side): Seen;
  /** Time passes, and whatever is due happens. @param ms a multiple of 20, so that all planes count it alike */
  wait(ms: number): void;
  services(): readonly Service[];
  /** In no particular order. */
  conns(): readonly Conn[];
  /** Conns that hold a place in the table. */
  size(): number;
  /** What does not fit together inside, as sentences. To be asked right after wait(). */
  complaints(): readonly string[];
  /** As after its making: no service, no conn, no deleted dest that could come back. Whatever is left all the same is told. */
  reset(): readonly string[];
  close(): void;
}

/** What became of a frame. */
export interface Seen {
  readonly verdict: Outcome["verdict"];
  readonly reason: string;
  /** As it goes on: undefined when it was dropped. */
  readonly frame: Uint8Array | undefined;
}

/** Reasons whose frame is an ICMP error of the director's own, with an IP id of its own choice. */
const ownErrors: ReadonlySet<string> = new Set(["no-dest", "ttl", "too-big", "unreachable", "nat-icmp-send"]);

/**
 * The frame without what each plane chooses freely: padding behind the packet, the IP id of an error it makes or of a tunnel
 * around IPv6, the source port of a GUE tunnel, and the checksums that go with them.
 */
export function withoutChoice({ verdict, reason, frame }: Seen): Seen {
  if (frame === undefined) return { verdict, reason, frame };
  const same = withoutPadding(frame).slice();
  const isIpv4 = same[12] === 8;
  if (verdict === "tx" && ownErrors.has(reason) && isIpv4) blank(same, ID, IP_CHECKSUM);
  if (reason === "tunnel" || reason === "icmp-related") blankTunnel(same, isIpv4);
  return { verdict, reason, frame: same };
}

const [ID, IP_CHECKSUM] = [18, 24];

function blank(frame: Uint8Array, ...fields: number[]): void {
  for (const at of fields) frame.fill(0, at, at + 2);
}

/** Outer headers have no options. */
function blankTunnel(frame: Uint8Array, isIpv4: boolean): void {
  const protocol = frame[isIpv4 ? 23 : 20];
  const inside = isIpv4 ? 34 : 54;
  const isGue = protocol === 17 && frame[inside + 2] === 6080 >>> 8 && frame[inside + 3] === (6080 & 255);
  if (isGue) blank(frame, inside, inside + 6);
  const isAroundIpv6 = protocol === 41 || (protocol === 47 && frame[inside + 2] === 0x86) || (isGue && frame[inside + 9] === 41);
  if (isIpv4 && isAroundIpv6) blank(frame, ID, IP_CHECKSUM);
}

function withoutPadding(frame: Uint8Array): Uint8Array {
  const type = frame[12]! * 256 + frame[13]!;
  if (type === 0x0800 && frame.length >= 34) return frame.subarray(0, Math.max(14 + frame[16]! * 256 + frame[17]!, 34));
  return type === 0x86dd && frame.length >= 54 ? frame.subarray(0, 54 + frame[18]! * 256 + frame[19]!) : frame;
}
