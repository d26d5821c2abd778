import { readFileSync } from "node:fs";
import type { Result } from "../../health/checker.ts";
import type { Probe } from "../../health/config.ts";
import { bad, good } from "../../health/dialogue.ts";
import { fileValue } from "../../vrrp/track.ts";

/** FILE_CHECK (spec 4.8): the number in a file is the state, or with a weight adds to the server's. */

type File = Pick<Extract<Probe, { type: "FILE_CHECK" }>, "path" | "weight" | "reverse">;
const LEAST = -(2 ** 31);

export function fileResult({ path, weight, reverse }: File): Result {
  const value = numberIn(path);
  if (weight === 0) return (value === 0) !== reverse ? good : bad(`${path} has ${value}`);
  const added = value * weight * (reverse ? -1 : 1);
  return added <= LEAST ? bad(`${path} has ${value}`) : { type: "ok", weight: added };
}

/** A file that is not there counts as 0. */
function numberIn(path: string): number {
  try {
    return fileValue(readFileSync(path, "utf8"));
  } catch {
    return 0;
  }
}
