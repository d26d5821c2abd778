import type { Case } from "./case.ts";
import type { Transcript } from "./transcript.ts";

/** Something that can be put in the director's place. */
export interface Side {
  readonly name: string;
  start(): Promise<void>;
  run(cases: readonly Case[]): Promise<Outcome[]>;
  stop(): Promise<void>;
}

/** A case's transcript, or why there is none. */
export type Outcome = { readonly name: string } & ({ readonly transcript: Transcript } | { readonly failure: string });

/** How one side says what every case needs; all values are lines of the agent's plan (see agent.c). */
export interface Dialect {
  /** Words for how the outer links are opened: "gro" where XDP sends to them. */
  readonly links: readonly string[];
  /** Lines after the namespaces and links are up. */
  readonly ready: readonly string[];
  /** The program run for `ipvsadm`. */
  readonly ipvsadm: string;
  /** Milliseconds of silence after which nothing more is expected to come out. */
  readonly quiet: number;
  /** The same when nothing has come out at all: a daemon that answers for the data path needs a moment. */
  readonly patience?: number;
  /** How often conns are listed for one answer, which is what most listings agree on; 1 when not said. */
  readonly connListings?: number;
  writeSetting(name: string, value: string): string;
  readSetting(name: string): string;
  /** Lines that give packets for a port (any protocol) the firewall mark; `first` on the first call of a case. */
  mark(mark: number, port: number, first: boolean): readonly string[];
}

export const line = (...words: (string | number)[]): string => words.join("\t");

export const COMMAND_TIME = 10_000; // ms
