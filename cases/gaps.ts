import type { Operation } from "../src/director/director.ts";

/**
 * What the XDP data path does not do yet and the model does. Until it does, the model is told not to, and the generator keeps
 * away from it. Each line that goes makes the fuzzer look at more.
 */

/** Applied to the model alone, at the start of a script. */
export const modelOnly: readonly Operation[] = [
  // A SYN that meets a closed conn is not scheduled anew.
  { op: "set-setting", name: "conn_reuse_mode", value: "0" },
];

/** Later fragments are not followed by the ports of the first. */
export const followsFragments = false;

/** A local address that was moved, because its pool changed, loses count of the conns that speak from it. */
export const countsLocalConns = false;

/**
 * Two conns of one client port to two services that share a real server: its answers belong to the newer one. Here it is the
 * one that comes first in its bucket.
 */
export const newestAnswers = false;
