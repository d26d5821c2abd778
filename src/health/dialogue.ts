import type { Result } from "./checker.ts";

/** A conversation over a stream of bytes, from the moment it is connected. Pure; one object for one connection. */
export interface Dialogue {
  /** What is sent at once, may be empty. */
  readonly opening: Uint8Array;
  /** Bytes came. */
  read(bytes: Uint8Array): Turn;
  /** The other side is done. */
  ended(): Result;
}

/** Neither: more is to come. Both: the last words. */
export interface Turn {
  readonly send?: Uint8Array;
  readonly result?: Result;
}

export const good: Result = { type: "ok" };
export const bad = (reason: string): Result => ({ type: "failed", reason });
export const latin1 = (text: string): Uint8Array => Buffer.from(text, "latin1");
