import type { Family } from "../../net/ip.ts";
import { fold, hash32 } from "../../sched/hash.ts";
import { sourceWord } from "../../sched/hashed.ts";
import { type Candidate, type Flow, schedulers, type Turn, wrrWeights } from "../../sched/index.ts";
import { mhSlot } from "../../sched/mh.ts";
import { isUsable, overhead } from "../../sched/scheduler.ts";
import { endpointText } from "../director.ts";

/** Whom a scheduler would pick now, and why not the others: asked of the pure schedulers, with the state of the data path. */

export interface SchedulerState {
  readonly scheduler: string;
  readonly family: Family;
  /** Flags 1..3. */
  readonly flags: readonly number[];
  /** Newest first. */
  readonly dests: readonly Candidate[];
  readonly turn: Turn;
}

export interface Forecast {
  /** undefined: none is usable, or the pick is not foreseeable. */
  readonly pick: Candidate | undefined;
  readonly isForeseeable: boolean;
  /** What the pick goes by, in words. */
  readonly state: string;
  readonly dests: readonly Prospect[];
}

export interface Prospect {
  readonly dest: Candidate;
  /** Why it is picked or passed over. */
  readonly why: string;
  /** What the least-connection schedulers compare; the least is picked. */
  readonly cost?: number;
}

/** twos draws lots; what lblc and lblcr remember of a destination is not looked at here. */
const unforeseeable: Readonly<Record<string, string>> = {
  twos: "draws two dests by lot and takes the less loaded",
  lblc: "keeps the destination's dest, if it has one that is not crowded; else by weighted least connection",
  lblcr: "takes the least loaded of the destination's set of dests; a crowded set grows",
};

export function forecast(state: SchedulerState, flow: Flow, now = 0): Forecast {
  const { scheduler, family, flags, dests, turn } = state;
  const kind = schedulers.get(scheduler);
  const lots = unforeseeable[scheduler];
  const isForeseeable = lots === undefined;
  const circumstances = { now, random: () => 0, flags };
  const pick = isForeseeable ? kind?.create(dests, { family, now, turn }).pick(dests, flow, circumstances) : undefined;
  return {
    pick,
    isForeseeable,
    state: lots ?? stateText(state, flow),
    dests: dests.map((dest) => prospectOf(state, dest, pick, isForeseeable)),
  };
}

function prospectOf(state: SchedulerState, dest: Candidate, pick: Candidate | undefined, isForeseeable: boolean): Prospect {
  const cost = isUsable(dest) ? costs[state.scheduler]?.(dest) : undefined;
  const price = cost === undefined ? "" : `: ${costText(state.scheduler, dest)}`;
  const why =
    dest.id === pick?.id
      ? `picked${price}`
      : (obstacle(dest) ?? (isForeseeable ? passedOver(state, dest) + price : "may be picked"));
  return { dest, why, ...(cost !== undefined && { cost }) };
}

function obstacle(dest: Candidate): string | undefined {
  if (dest.weight === 0) return "weight 0: drains";
  return dest.overloaded ? "overloaded: its upper threshold was reached" : undefined;
}

function passedOver({ scheduler, turn }: SchedulerState, dest: Candidate): string {
  switch (scheduler) {
    case "rr":
      return "waits for its turn";
    case "wrr":
      return dest.weight < turn.level ? `waits: its weight is below the level ${turn.level}` : "waits for its turn";
    case "fo":
      return "waits: another has a greater weight, or the same and is newer";
    case "ovf":
      return dest.activeConns > dest.weight
        ? "overflows: more active conns than its weight"
        : "waits: another comes first by weight";
    case "dh":
    case "sh":
    case "mh":
      return "has not this place of the table";
    case "nq":
      return "waits: another idles, or costs less";
    default:
      return "costs more, or the same and is older";
  }
}

/** What is compared, per unit of weight where the scheduler weighs. */
const costs: Readonly<Record<string, (dest: Candidate) => number>> = {
  lc: overhead,
  wlc: (dest) => overhead(dest) / dest.weight,
  sed: (dest) => (dest.activeConns + 1) / dest.weight,
  nq: (dest) => (dest.activeConns + 1) / dest.weight,
};

/** Active conns are in the total too, so an active one costs 257. */
function costText(scheduler: string, { activeConns, totalConns, weight }: Candidate): string {
  const load = `${activeConns} active * 256 + ${totalConns} conns`;
  if (scheduler === "lc") return `cost ${load}`;
  return scheduler === "wlc" ? `cost (${load}) / ${weight}` : `cost (${activeConns} active + 1) / ${weight}`;
}

function stateText(state: SchedulerState, flow: Flow): string {
  const { scheduler, family, flags, dests, turn } = state;
  const last = dests.find(({ id }) => id === turn.last);
  const after = last === undefined ? "from the head of the list" : `after ${endpointText(last)}`;
  switch (scheduler) {
    case "rr":
      return `the turn goes on ${after}`;
    case "wrr":
      return `the turn goes on ${after}, at level ${turn.level} of ${wrrWeights(dests.map(({ weight }) => weight)).mw}`;
    case "dh":
      return `the destination's bucket is ${hash32(fold(flow.destinationAddr, family), 8)} of 256`;
    case "sh":
      return `the client's bucket is ${hash32(sourceWord(flow, family, flags), 8)} of 256${fallback(flags)}`;
    case "mh":
      return `the client's slot is ${mhSlot(sourceWord(flow, family, flags))} of 4093${fallback(flags)}`;
    case "fo":
      return "the greatest weight";
    case "ovf":
      return "the greatest weight that has no more active conns than its weight";
    case "none":
      return "there is no scheduler: every new conn is refused";
    default:
      return scheduler === "nq" ? "an idle dest at once, else the least cost" : "the least cost";
  }
}

const fallback = (flags: readonly number[]): string => (flags.includes(1) ? "; falls back to others" : "; no fallback");
