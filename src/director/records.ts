import type { Ip } from "../net/ip.ts";
import type { DestSpec, ServiceKey, ServiceSpec, SyncDaemon, Timeouts } from "./director.ts";

/** What a director's table holds, and what happened to it: the words between the table and the data paths. */

/** Live: the table changes it in place. */
export interface ServiceRecord {
  /** 1..maxServices; free for another service once this one is deleted. */
  readonly id: number;
  readonly spec: ServiceSpec;
  /** Newest first (spec 2.3). */
  readonly dests: readonly DestRecord[];
  readonly localAddresses: readonly Ip[];
}

/** Live: the table changes it in place. */
export interface DestRecord {
  /** 1..maxDests; kept through the trash, so that conns and counters stay with it. */
  readonly id: number;
  /** Of a dest in the trash: the id its service had, which may be another service's by now. */
  readonly serviceId: number;
  readonly spec: DestSpec;
  /** Weight at add, then the last non-zero weight set by an edit (spec 2.1, used by mh). */
  readonly lastWeight: number;
  /** In a service, not in the trash. */
  readonly available: boolean;
}

/**
 * What one operation did. Specs in a change are values as of that change, records are live: a reader that replays
 * changes over a list of its own sees every step (wrr needs that), one that publishes records sees the outcome.
 */
export type Change =
  | { readonly kind: "service-added"; readonly service: ServiceRecord; readonly spec: ServiceSpec }
  | {
      readonly kind: "service-edited";
      readonly service: ServiceRecord;
      readonly before: ServiceSpec;
      readonly after: ServiceSpec;
    }
  /** After a dest-deleted for each of its dests. */
  | { readonly kind: "service-deleted"; readonly service: ServiceRecord }
  | {
      readonly kind: "dest-added";
      readonly service: ServiceRecord;
      readonly dest: DestRecord;
      readonly spec: DestSpec;
      /** Came back from the trash: its conn counts continue. */
      readonly resurrected: boolean;
      /** Its statistics begin at zero: a new dest, or one of an earlier service with this key. */
      readonly statsReset: boolean;
    }
  | {
      readonly kind: "dest-edited";
      readonly service: ServiceRecord;
      readonly dest: DestRecord;
      readonly before: DestSpec;
      readonly after: DestSpec;
    }
  /** Gone to the trash. */
  | { readonly kind: "dest-deleted"; readonly service: ServiceRecord; readonly dest: DestRecord }
  /** Gone from the trash: its id may be used again. */
  | { readonly kind: "dest-freed"; readonly dest: DestRecord }
  | {
      readonly kind: "laddrs-changed";
      readonly service: ServiceRecord;
      readonly before: readonly Ip[];
      readonly after: readonly Ip[];
    }
  /** Without a service: all of them and the total. */
  | { readonly kind: "zero"; readonly service?: ServiceRecord }
  | { readonly kind: "timeouts"; readonly timeouts: Timeouts }
  | { readonly kind: "setting"; readonly name: string; readonly value: string }
  | { readonly kind: "daemons"; readonly daemons: readonly SyncDaemon[] };

/** All of a table as values: what a data path's maps tell the next lvsd about the former one. */
export interface Snapshot {
  readonly services: readonly {
    readonly id: number;
    readonly spec: ServiceSpec;
    /** Newest first. */
    readonly dests: readonly { readonly id: number; readonly spec: DestSpec; readonly lastWeight: number }[];
    readonly localAddresses: readonly Ip[];
  }[];
  readonly trash: readonly {
    readonly id: number;
    readonly serviceId: number;
    readonly key: ServiceKey;
    readonly spec: DestSpec;
    readonly lastWeight: number;
  }[];
  readonly timeouts: Timeouts;
  readonly settings: Readonly<Record<string, string>>;
  readonly daemons: readonly SyncDaemon[];
}
