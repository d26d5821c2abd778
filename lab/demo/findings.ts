import type { Breakage } from "../pulse.ts";
import type { Load } from "../traffic.ts";

/** What the demo saw, for the report. */
export interface Findings {
  readonly picture: string;
  /** "tc", "xdp native" */
  readonly hook: string;
  readonly methods: readonly MethodFinding[];
  readonly listing: string;
  readonly statistics: string;
  readonly survival: Survival;
  readonly pair: PairFinding;
  readonly bench: readonly BenchRow[];
  readonly seconds: number;
}

export interface MethodFinding {
  readonly name: string;
  /** "rr", "wrr 3:1" */
  readonly scheduler: string;
  /** Names in the order in which the dests were added. */
  readonly servers: readonly string[];
  /** Who answered, connection after connection. */
  readonly answers: readonly string[];
  readonly load: Load;
  readonly wayBack: WayBack;
  /** The client's address as the server saw it. */
  readonly source: string;
  /** tcpdump's words for a request as it reached the server, where a header went around it. */
  readonly captured: readonly string[];
}

/** One download; bytes as the interfaces counted them. */
export interface WayBack {
  readonly client: number;
  readonly director: number;
  /** Packets from the VIP that a capture on the director saw; undefined where they have to pass it. */
  readonly replies: number | undefined;
}

/** kill -9 in the middle of a download. Seconds count from the download's start. */
export interface Survival {
  readonly method: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly killed: Moment;
  readonly back: Moment;
  readonly end: number;
  /** Interfaces that the new lvsd found its programs on. */
  readonly adopted: readonly string[];
}

export interface Moment {
  readonly at: number;
  readonly pid: number;
  /** Bytes that the client had received. */
  readonly received: number;
}

/** A pair of directors of which one dies under load. */
export interface PairFinding {
  readonly picture: string;
  readonly vips: readonly string[];
  readonly moments: readonly PairMoment[];
  /** Silence after which the other takes over, and what is between two advertisements, ms. */
  readonly patience: number;
  readonly advert: number;
  /** Keep-alive connections all the time; errors are connections that were cut. */
  readonly wrk: Pick<Load, "requests" | "errors">;
}

/** From one event to the next; holders and what short connections saw, by VIP. */
export interface PairMoment {
  readonly what: string;
  readonly holders: readonly string[];
  readonly seen: readonly Pick<Breakage, "tries" | "broken" | "gap">[];
}

/** A row of `bench --json`. */
export interface BenchRow {
  readonly name: string;
  readonly hook: string;
  readonly flows: number;
  readonly ns: number;
}
