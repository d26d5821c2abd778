import { dh, sh } from "./hashed.ts";
import { lblc } from "./lblc.ts";
import { lblcr } from "./lblcr.ts";
import { fo, lc, nq, ovf, sed, twos, wlc } from "./least.ts";
import { mh } from "./mh.ts";
import { rr } from "./rr.ts";
import type { SchedulerKind } from "./scheduler.ts";
import { wrr } from "./wrr.ts";

export { dhTable, shTable } from "./hashed.ts";
export { MH_SIZE, mhTable } from "./mh.ts";
export type { Candidate, Circumstances, Flow, Scheduler, SchedulerKind, Setting, Turn } from "./scheduler.ts";
export { type WrrWeights, wrrLevel, wrrWeights } from "./wrr.ts";

/** Every scheduler by its name (spec chapter 3). */
export const schedulers: ReadonlyMap<string, SchedulerKind> = new Map(
  [rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, fo, ovf, mh, twos].map((kind) => [kind.name, kind]),
);
