import type { Conn, Operation, Service } from "../src/director/director.ts";
import type { Outcome } from "../src/director/model/outcome.ts";
import type { Side } from "./network.ts";

/** Something that forwards packets, as the cases and the fuzzer see it: the compiled data path, or the model. */
export interface Plane {
  readonly name: "xdp" | "model";
  /** The greatest number of conns. */
  readonly capacity: number;
  /** Throws when an operation is refused. */
  apply(operations: readonly Operation[]): void;
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
  /** As after its making: no service, no conn, no deleted dest that could come back. */
  reset(): void;
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

/** The frame without what each plane chooses freely: padding behind the packet, the IP id of an error it makes. */
export function withoutChoice({ verdict, reason, frame }: Seen): Seen {
  if (frame === undefined) return { verdict, reason, frame };
  const packet = withoutPadding(frame);
  if (verdict !== "tx" || !ownErrors.has(reason)) return { verdict, reason, frame: packet };
  const same = packet.slice();
  same.fill(0, 18, 20);
  same.fill(0, 24, 26); // the checksum goes with the id
  return { verdict, reason, frame: same };
}

function withoutPadding(frame: Uint8Array): Uint8Array {
  const isIpv4 = frame[12] === 8 && frame[13] === 0 && frame.length >= 34;
  return isIpv4 ? frame.subarray(0, Math.max(14 + frame[16]! * 256 + frame[17]!, 34)) : frame;
}
