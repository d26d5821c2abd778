import { isDeepStrictEqual } from "node:util";
import type { Probe } from "./config.ts";

/** Does a check that did the one know what the other would find? The weight that it starts from is not its own. */
export const isSameProbe = (a: Probe, b: Probe): boolean =>
  a === b ||
  isDeepStrictEqual(a.type === "MISC_CHECK" ? { ...a, weight: 0 } : a, b.type === "MISC_CHECK" ? { ...b, weight: 0 } : b);
