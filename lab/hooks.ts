import type { LvsdOptions } from "./lvsd.ts";
import { type Topology, withOffloads } from "./topology.ts";

/** A place where lvsd can take packets, and the cables that go with it: a lab test runs once for each. */
export interface Hook {
  /** As `lvsctl status` names it. */
  readonly name: "tc" | "xdp";
  readonly lvsd: LvsdOptions;
  prepare<H extends string>(topology: Topology<H>): Topology<H>;
}

/** What lvsd chooses by itself on veth: cables as they come, so packets are GSO super-packets with partial checksums. */
const tc: Hook = { name: "tc", lvsd: { hook: "auto" }, prepare: withOffloads };

/** In the driver, which sees frames as they are on a wire. */
const xdp: Hook = { name: "xdp", lvsd: { hook: "xdp", xdpMode: "native" }, prepare: (topology) => topology };

export const hooks: readonly Hook[] = [tc, xdp];
