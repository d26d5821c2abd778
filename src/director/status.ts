import type { Dest, Endpoint, Protocol, Service, ServiceKey } from "./director.ts";

/** What a data path can tell about itself beyond its tables: for `lvsctl status`, `lvsctl explain` and the API. */

export type Hook = "xdp" | "tc";
/** `native` runs in the driver, `generic` in the stack; tc has one way only. */
export type HookMode = "native" | "generic" | "tc";

/** Our program on one interface. */
export interface Attachment {
  readonly interface: string;
  readonly ifindex: number;
  readonly hook: Hook;
  readonly mode: HookMode;
  /** The program was there already, left by an earlier lvsd. */
  readonly adopted: boolean;
}

export interface TableUse {
  readonly conns: number;
  /** The greatest number of conns. */
  readonly capacity: number;
  readonly services: number;
  readonly dests: number;
}

/** A packet to be followed in thought: from `client` to `virtual`. */
export interface ExplainQuery {
  readonly protocol: Protocol;
  readonly client: Endpoint;
  readonly virtual: Endpoint;
  /** That it comes in by; without it mark rules that ask for one do not fit. */
  readonly interface?: string;
}

/** What would become of it. `lines` is for people, in the order things happen; the rest is for programs. */
export interface Explanation {
  readonly lines: readonly string[];
  readonly verdict?: string;
  readonly service?: ServiceKey;
  readonly dest?: Endpoint;
}

/** What `GET /v1/status` answers. */
export interface Status {
  readonly pid: number;
  readonly version: string;
  readonly engine: string;
  readonly uptimeSeconds: number;
  readonly attachments: readonly Attachment[];
  readonly table: TableUse;
  /** Packets by the reason they left the pipeline. */
  readonly exits: Readonly<Record<string, number>>;
}

/** One item of what `GET /v1/rates` answers. */
export interface ServiceRates extends Pick<Service, "key" | "rates"> {
  readonly dests: readonly DestRates[];
}

export type DestRates = Pick<Dest, "addr" | "port" | "weight" | "activeConns" | "inactiveConns" | "rates">;
