import type { Facts } from "./facts.ts";
import { globalLines } from "./globals.ts";

/** keepalived_check.data: virtual servers and their checks (spec 5.2). */
export const checkerData = (facts: Facts): string => `${globalLines(facts, "checker").join("\n")}\n`;
