import { isDeepStrictEqual } from "node:util";
import type { FieldChange } from "./plan.ts";

/**
 * What differs between two values of one type, field by field. A field without a word of its own is told under its name, so
 * that nothing which differs is ever left out.
 */

/** How a field that differs is told; `[]`: not at all. */
export type Teller<T> = (before: T, after: T) => readonly FieldChange[];
export type Tellers<T> = { readonly [K in keyof T]?: Teller<T[K]> };

export function differences<T extends object>(before: T, after: T, tellers: Tellers<T>): FieldChange[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof T & string>;
  return [...keys].flatMap((key) => {
    const [from, to] = [before[key], after[key]];
    if (from === to || isDeepStrictEqual(from, to)) return [];
    const teller = tellers[key] ?? value<T[typeof key]>(key);
    return teller(from, to);
  });
}

/** One value under this word. */
export const value =
  <T>(field: string, textOf: (it: T & {}) => string = text): Teller<T> =>
  (before, after) => {
    const from = before === undefined || before === null ? {} : { from: textOf(before) };
    const to = after === undefined || after === null ? {} : { to: textOf(after) };
    return [{ field, ...from, ...to }];
  };

/** A value that is not to be shown. */
export const secret =
  (field: string): Teller<unknown> =>
  () => [{ field }];

/** A list whose items come and go under this word; if only their order differs, that. */
export const items =
  <T>(field: string, textOf: (item: T) => string): Teller<readonly T[]> =>
  (before, after) => {
    const [from, to] = [before.map(textOf), after.map(textOf)];
    const gone = from.filter((item) => !to.includes(item)).map((item) => ({ field, from: item }));
    const come = to.filter((item) => !from.includes(item)).map((item) => ({ field, to: item }));
    return gone.length + come.length > 0 ? [...gone, ...come] : [{ field }];
  };

/** Its fields, each with its own word. */
export const within =
  <T extends object>(tellers: Tellers<T>): Teller<T> =>
  (before, after) =>
    differences(before, after, tellers);

/** Not told: it follows from another, or is told elsewhere. */
export const untold: Teller<unknown> = () => [];

/** Milliseconds, as seconds. */
export const seconds = (ms: number): string => String(ms / 1000);

export function text(it: unknown): string {
  if (typeof it === "string") return it;
  if (typeof it === "boolean") return it ? "on" : "off";
  if (isScript(it)) return it.command.join(" ") + (it.user === undefined ? "" : ` as ${it.user}`);
  return JSON.stringify(it) ?? "none";
}

const isScript = (it: unknown): it is { readonly command: readonly string[]; readonly user?: string } =>
  typeof it === "object" && it !== null && "command" in it && Array.isArray(it.command);
