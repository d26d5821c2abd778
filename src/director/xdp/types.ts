import type { Director, Refusal } from "../director.ts";
import type { MarkRule } from "../marks.ts";
import type { Attachment, ExplainQuery, Explanation, TableUse } from "../status.ts";

/** What the daemon and the XDP director know of each other. */

export type LogValues = Readonly<Record<string, unknown>>;

/** A word and values, once per change: `log.info("attached", { interface, mode })`. */
export interface Log {
  debug(word: string, values?: LogValues): void;
  info(word: string, values?: LogValues): void;
  warn(word: string, values?: LogValues): void;
  error(word: string, values?: LogValues): void;
}

export interface XdpOptions {
  /** Names, in this network namespace. Empty: tables without a data path. */
  readonly interfaces: readonly string[];
  /** `auto`: XDP where the driver has it, tc on the rest. */
  readonly hook: "xdp" | "tc" | "auto";
  readonly xdpMode: "native" | "generic" | "auto";
  /** The greatest number of conns. */
  readonly connTableSize: number;
  readonly log: Log;
}

/** lvsd's own mark rules, which take the place of iptables' and nftables'. */
export interface Marks {
  marks(): readonly MarkRule[];
  /** All of them anew, or none and why not, by the places of the rules. */
  setMarks(rules: readonly MarkRule[]): readonly Refusal[];
}

export interface XdpDirector extends Director, Marks {
  readonly engine: "xdp";
  attachments(): readonly Attachment[];
  /** Packets by the reason they left the pipeline, since the maps were made. */
  exits(): Readonly<Record<string, number>>;
  tableUse(): TableUse;
  /** What would become of a packet; changes nothing. */
  explain(query: ExplainQuery): Explanation;
  /**
   * Ends the daemon's part. `leave`: programs and maps stay pinned and attached, so forwarding goes on; otherwise they are
   * detached and unpinned. May be called twice.
   */
  stop(how: { readonly leave: boolean }): void;
}

/** The code of the Fault for pinned maps or programs of a layout that this lvsd cannot adopt. */
export const LAYOUT_FAULT = "ELAYOUT";

/**
 * Loads or adopts the data path. Throws a Fault: EPERM (no CAP_BPF, CAP_NET_ADMIN), ENOSYS (a kernel without what is needed),
 * ENODEV (no such interface), ELAYOUT.
 */
export type OpenXdpDirector = (options: XdpOptions) => Promise<XdpDirector>;
