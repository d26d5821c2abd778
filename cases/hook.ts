import type { Side } from "./network.ts";
import type { Seen } from "./plane.ts";

/** Where a compiled program sits and how a frame is given to it by BPF_PROG_TEST_RUN. */
export interface Hook {
  readonly name: "xdp" | "tc";
  /** Not every frame can come this way. */
  takes(frame: Uint8Array): boolean;
  run(frame: Uint8Array, by: Side): Seen["verdict"];
  /** A copy of the frame as the last run left it. */
  frame(): Uint8Array;
}

export const FRAME_MAX = 3400;
/** Bytes that a packet may grow by: an outer header, an ICMP error's headers. */
const GROWTH_MAX = 128;
export const OUT_MAX = FRAME_MAX + GROWTH_MAX;
