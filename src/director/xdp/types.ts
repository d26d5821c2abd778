import type { EngineDirector, EngineOptions } from "../engine.ts";

/** What the daemon and the XDP director know of each other, beyond what all engines have. */

export type { Log } from "../engine.ts";

export type XdpOptions = Omit<EngineOptions, "engine">;

export interface XdpDirector extends EngineDirector {
  readonly engine: "xdp";
  /** `leave`: programs and maps stay pinned and attached; otherwise they are detached and unpinned. */
  stop(how: { readonly leave: boolean }): void;
}

/** The code of the Fault for pinned maps or programs of a layout that this lvsd cannot adopt. */
export const LAYOUT_FAULT = "ELAYOUT";

/**
 * Loads or adopts the data path. Throws a Fault: EPERM (no CAP_BPF, CAP_NET_ADMIN), ENOSYS (a kernel without what is needed),
 * ENODEV (no such interface), ELAYOUT.
 */
export type OpenXdpDirector = (options: XdpOptions) => Promise<XdpDirector>;
