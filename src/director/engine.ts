import type { Director, Refusal } from "./director.ts";
import type { MarkRule } from "./marks.ts";
import type { Attachment, ExplainQuery, Explanation, TableUse } from "./status.ts";

/** What the daemon and its engine know of each other: a `Director` that can be opened, asked about itself, and stopped. */

export type LogValues = Readonly<Record<string, unknown>>;

/** A word and values, once per change: `log.info("attached", { interface, mode })`. */
export interface Log {
  debug(word: string, values?: LogValues): void;
  info(word: string, values?: LogValues): void;
  warn(word: string, values?: LogValues): void;
  error(word: string, values?: LogValues): void;
}

/** `xdp`: lvsd's own data path. `kernel`: the kernel's IPVS (ip_vs). */
export type EngineName = "xdp" | "kernel";

export interface EngineOptions {
  readonly engine: EngineName;
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

export interface EngineDirector extends Director, Marks {
  readonly engine: EngineName;
  attachments(): readonly Attachment[];
  /** Packets by the reason they left the pipeline, since the maps were made. */
  exits(): Readonly<Record<string, number>>;
  tableUse(): TableUse;
  /** What would become of a packet; changes nothing. */
  explain(query: ExplainQuery): Explanation;
  /**
   * Ends the daemon's part. `leave`: forwarding goes on; otherwise what this engine put in place is taken away. May be called
   * twice.
   */
  stop(how: { readonly leave: boolean }): void;
}

/** Throws a Fault: EPERM, ENOSYS (a kernel without what is needed), and what the engine itself adds. */
export type OpenDirector = (options: EngineOptions) => Promise<EngineDirector>;
