/** What another configuration would change, as values for people and for programs. */

export const KINDS = [
  ...(["service", "server", "instance", "sync group", "track script", "track file", "track process", "bfd"] as const),
  ...(["static", "global"] as const),
] as const;
export type Kind = (typeof KINDS)[number];

/** One thing that comes, goes or is altered. */
export interface Change {
  readonly what: "add" | "change" | "remove";
  readonly kind: Kind;
  readonly name: string;
  /** The service of a server. */
  readonly of?: string;
  /** More things of which the same is to be said; their names. */
  readonly and?: readonly string[];
  /** Of what is added: what it is to be. */
  readonly fields: readonly FieldChange[];
  /** Those that are there now. */
  readonly conns?: LiveConns;
  /** What follows, in words. */
  readonly effects: readonly string[];
}

/** Values as the file would write them. One of the two: it comes or goes. None: it differs in what is not shown. */
export interface FieldChange {
  /** A word of the file. */
  readonly field: string;
  readonly from?: string;
  readonly to?: string;
}

export interface LiveConns {
  readonly active: number;
  readonly inactive: number;
  readonly persistent: number;
}

/** An apply that is taken back unless it is confirmed. */
export interface Waiting {
  readonly file: string;
  /** Until it is taken back. */
  readonly seconds: number;
}

/** What a file would do. */
export interface Plan {
  readonly file: string;
  /** Not empty: the file has errors, and nothing of it is carried out. */
  readonly problems: readonly string[];
  /** Warnings about the file. */
  readonly notes: readonly string[];
  readonly changes: readonly Change[];
  readonly waiting?: Waiting;
}

/** What came of an order. */
export interface Outcome extends Plan {
  /** It is carried out, but for the troubles; without, everything is as it was. */
  readonly isDone: boolean;
  /** What a process could not do of it. */
  readonly troubles: readonly string[];
  /** Why it was refused, or what is worth knowing about what was done. */
  readonly remarks: readonly string[];
  /** Asked of the director. */
  readonly operations: number;
  /** From the order until all was done, ms. */
  readonly took: number;
}

/** The configuration that is carried out, for `lvsctl status`. */
export interface InForce {
  readonly file: string;
  /** Since it was carried out. */
  readonly seconds: number;
  readonly waiting?: Waiting;
}
