import type { TrackScript, Weight } from "./config.ts";

/** What is tracked, and what it does to priorities (spec 3.12). */

/** A tracked thing as an instance sees it. */
export interface Tracked {
  readonly kind: "interface" | "script" | "file" | "process" | "bfd";
  readonly name: string;
  readonly weight: Weight;
  /** undefined: not known yet. For files: the number in it. */
  readonly value: boolean | number | undefined;
}

export interface Outcome {
  /** Effective, 1..254; an owner's stays 255. */
  readonly priority: number;
  /** The same before it is kept in that range. */
  readonly total: number;
  /** Why it cannot be up, in keepalived's words after "entering FAULT state"; empty: it can. */
  readonly faults: readonly string[];
  /** A script that holds it down has not answered yet. */
  readonly isPending: boolean;
}

const OWNER = 255;
const LOWEST = 1;
const HIGHEST = 254;
/** Of a file: at and below this it is FAULT, above the other it is cut. */
const FILE_FAULT = -254;
const FILE_MOST = 253;

export function outcome(base: number, tracked: readonly Tracked[]): Outcome {
  const faults: string[] = [];
  let sum = 0;
  let isPending = false;
  for (const t of tracked) {
    const fault = faultOf(t);
    if (fault !== undefined) faults.push(fault);
    else if (t.value === undefined && t.weight.weight === 0) isPending = true;
    else sum += contribution(t);
  }
  const priority = base === OWNER ? OWNER : Math.min(HIGHEST, Math.max(LOWEST, base + sum));
  return { priority, total: base + sum, faults, isPending };
}

const isDown = ({ value, weight }: Tracked): boolean => (weight.reverse ? value === true : value === false);

function faultOf(t: Tracked): string | undefined {
  if (t.kind === "file") {
    if (typeof t.value !== "number") return undefined;
    const isFault = t.weight.weight === 0 ? t.value !== 0 : fileSum(t.value, t.weight) <= FILE_FAULT;
    return isFault ? ` (tracked file ${t.name} has status ${t.value})` : undefined;
  }
  if (t.weight.weight !== 0 || !isDown(t)) return undefined;
  switch (t.kind) {
    case "interface":
      return ` (interface ${t.name} ${t.weight.reverse ? "up" : "down"})`;
    case "script":
      return ` due to script ${t.name}`;
    case "process":
      return ` (tracked process ${t.name} quorum not achieved)`;
    case "bfd":
      return ` (tracked BFD instance ${t.name} ${t.weight.reverse ? "up" : "down"})`;
  }
}

/** What is added to the priority. */
export function contribution(t: Tracked): number {
  const { weight } = t.weight;
  if (t.value === undefined) return 0;
  if (typeof t.value === "number") return Math.min(FILE_MOST, fileSum(t.value, t.weight));
  const signed = t.weight.reverse ? -weight : weight;
  // A positive weight counts while the thing is up, a negative one while it is down.
  return weight > 0 === t.value ? signed : 0;
}

const fileSum = (value: number, { weight, reverse }: Weight): number => value * (reverse ? -weight : weight);

/** The number in a tracked file: 0 when there is none. */
export function fileValue(text: string | undefined): number {
  const match = /^\s*([+-]?\d+)/.exec(text ?? "");
  return match === null ? 0 : Math.max(-0x8000_0000, Math.min(0x7fff_ffff, Number(match[1])));
}

/** A tracked script: a counter from 0 to rise+fall-1; at `rise` and above it is up. */
export interface ScriptState {
  readonly result: number;
  /** Has it ended once? */
  readonly isKnown: boolean;
  /** Its last exit, for the log. */
  readonly exit: string | undefined;
}

/** How a run ended: an exit code, a signal, or its time was over. */
export type RunEnd = { readonly code: number } | { readonly signal: string } | "timeout";

export const newScript = (s: Pick<TrackScript, "rise" | "initFail">): ScriptState => ({
  result: s.initFail ? 0 : s.rise - 1,
  isKnown: false,
  exit: undefined,
});

export const isUp = (s: Pick<TrackScript, "rise">, state: ScriptState): boolean => state.result >= s.rise;

/** The next state and what the log is to say. */
export function ran(s: TrackScript, state: ScriptState, end: RunEnd): { state: ScriptState; lines: readonly string[] } {
  const succeeded = end !== "timeout" && "code" in end && end.code === 0;
  const wasUp = isUp(s, state);
  const result = succeeded ? rise(s, state.result) : fall(s, state.result);
  const exit = end === "timeout" ? "timed_out" : "code" in end ? `exited with status ${end.code}` : `due to signal ${end.signal}`;
  const next: ScriptState = { result, isKnown: true, exit };
  const lines: string[] = [];
  if (end !== "timeout" && "code" in end && exit !== state.exit && state.exit !== undefined)
    lines.push(`Script \`${s.name}\` now returning ${end.code}`);
  const isNowUp = isUp(s, next);
  if (isNowUp !== wasUp || !state.isKnown)
    lines.push(
      isNowUp ? `VRRP_Script(${s.name}) succeeded` : `VRRP_Script(${s.name}) ${end === "timeout" ? exit : `failed (${exit})`}`,
    );
  return { state: next, lines };
}

function rise({ rise: up, fall: down }: TrackScript, result: number): number {
  const top = up + down - 1;
  if (result >= top) return top;
  return result + 1 === up ? top : result + 1;
}

function fall({ rise: up }: TrackScript, result: number): number {
  if (result <= 0) return 0;
  return result - 1 < up && result >= up ? 0 : result - 1;
}
