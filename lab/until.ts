import { setTimeout as delay } from "node:timers/promises";
import { Fault } from "../src/fault.ts";

/**
 * Look every few milliseconds until it is so, and give back what was found.
 * @throws Fault ETIMEDOUT when it is still false (or undefined) after `timeout` ms
 */
export async function until<T>(what: string, look: () => T | Promise<T>, timeout = 10_000): Promise<NonNullable<T>> {
  for (const deadline = Date.now() + timeout; ; await delay(20)) {
    const found = await look();
    if (found !== false && found !== undefined && found !== null) return found;
    if (Date.now() > deadline) throw new Fault(`wait for ${what}`, "ETIMEDOUT", `not so after ${timeout} ms`);
  }
}

/** The lines of a text, without the empty ones. */
export const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");
