import type { Ip } from "../net/ip.ts";
import type { Mac } from "../net/mac.ts";
import type { Conn, Dest, Endpoint, Protocol, Service, ServiceKey, TunnelType } from "./director.ts";
import type { InForce } from "./plan.ts";

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
  /** The reason under which it would be counted; "schedule" where the pick cannot be foreseen. */
  readonly verdict?: string;
  /** The mark rule that fits, counted from 1. */
  readonly mark?: { readonly rule: number; readonly mark: number };
  readonly conn?: Conn;
  readonly service?: ServiceKey;
  /** The client's persistence template; `isValid`: new conns follow it. */
  readonly template?: { readonly dest: Endpoint; readonly expiresIn: number; readonly isValid: boolean };
  /** What the scheduler would do, whether it is asked or not (a template may go before). */
  readonly scheduler?: Schedule;
  readonly dest?: Endpoint;
  readonly leaves?: Leaving;
}

export interface Schedule {
  readonly name: string;
  /** What the pick goes by. */
  readonly state: string;
  readonly pick?: Endpoint;
  /** Newest first; the least cost is picked where there is one. */
  readonly dests: readonly { readonly addr: Ip; readonly port: number; readonly why: string; readonly cost?: number }[];
}

/** The packet as it goes on. */
export interface Leaving {
  /** FullNAT: absent where the local address is still to be chosen. */
  readonly source?: Endpoint;
  readonly destination: Endpoint;
  readonly tunnel?: { readonly type: TunnelType; readonly source: Ip; readonly destination: Ip; readonly port: number };
  /** Absent where it goes to the local stack, or no way is known. */
  readonly hop?: {
    readonly interface: string;
    readonly via: Ip;
    readonly sourceMac: Mac;
    readonly destinationMac: Mac;
    readonly mtu: number;
  };
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
  /** Where lvsd carries out a configuration file. */
  readonly file?: InForce;
}

/** One item of what `GET /v1/rates` answers. */
export interface ServiceRates extends Pick<Service, "key" | "rates"> {
  readonly dests: readonly DestRates[];
}

export type DestRates = Pick<Dest, "addr" | "port" | "weight" | "activeConns" | "inactiveConns" | "rates">;
