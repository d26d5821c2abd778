import type { Check, Millis } from "../../health/config.ts";

/** What is known of the checks at the moment, for the parent, the API and lvsctl. Times are ages, since clocks differ: ms. */

export interface CheckStatus {
  readonly type: Check["type"];
  readonly isUp: boolean;
  readonly hasRun: boolean;
  /** Time in this state. */
  readonly age: Millis;
  /** What it adds to the weight of its server. */
  readonly weight: number;
  /** Failures that would be forgiven from now on. */
  readonly retriesLeft: number;
  /** It went down too often and has to be good for a while. */
  readonly isHeld: boolean;
  /** Of the last try: "ok", or why not. */
  readonly last?: string;
  /** It is good, but not for long. */
  readonly warning?: string;
  readonly failure?: { readonly reason: string; readonly age: Millis };
  /** By result, since the check is in the file. */
  readonly tries: { readonly ok: number; readonly failed: number; readonly unknown: number };
  /** How long the last try took. */
  readonly took?: Millis;
  /** Until the next try; nothing while one is under way or the checks rest. */
  readonly nextIn?: Millis;
}

export interface ServerStatus {
  readonly name: string;
  readonly isAlive: boolean;
  /** Time alive or not. */
  readonly age: Millis;
  /** What it should be. */
  readonly weight: number;
  /** What it is: less during a slow start. */
  readonly weightNow: number;
  readonly checks: readonly CheckStatus[];
}

export interface ServiceStatus {
  readonly name: string;
  readonly hasQuorum: boolean;
  readonly quorum: number;
  /** Of the servers that are alive. */
  readonly weight: number;
  readonly isSuspended: boolean;
  readonly servers: readonly ServerStatus[];
}
