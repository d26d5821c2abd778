import type { Counters, Service } from "../../director/director.ts";
import type { Status } from "../../director/status.ts";
import type { State } from "../dump/facts.ts";
import type { Reloads } from "./reloads.ts";

/** What is known at the time of a scrape. */
export interface Scrape {
  readonly status: Status;
  /** Seconds since 1970. */
  readonly startTime: number;
  readonly services: readonly Service[];
  /** Of all services that were ever there. */
  readonly totals: Counters;
  /** Absent: lvsd has no configuration file. */
  readonly file?: FileScrape;
}

export interface FileScrape extends State {
  readonly reloads: Reloads;
}
