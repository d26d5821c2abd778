import type { Candidate, DestList, SchedulerKind } from "./scheduler.ts";

/** What the weights of a list come to. */
export interface WrrWeights {
  /** Greatest common divisor of all weights above 0: the step by which the level falls. */
  readonly di: number;
  /** The level at which a round begins; 0: no weight is above 0. */
  readonly mw: number;
}

export function wrrWeights(weights: readonly number[]): WrrWeights {
  const di = weights.reduce((divisor, weight) => gcd(divisor, weight), 0) || 1;
  return { di, mw: Math.max(0, ...weights) - (di - 1) };
}

/** The level after a dest was added, deleted or edited; the turn goes back to the head of the list then. */
export function wrrLevel(level: number, { di, mw }: WrrWeights): number {
  if (level > mw || level === 0) return mw;
  return di > 1 ? Math.floor(level / di) * di + 1 : level;
}

/**
 * Weighted round robin (spec 3.2). The turn goes round the list while a level falls from the greatest weight by the
 * weights' common divisor; a dest takes its turn when its weight reaches the level.
 */
export const wrr: SchedulerKind = {
  name: "wrr",
  create(list, setting) {
    let weights = wrrWeights(weightsOf(list));
    let level = setting.turn?.level ?? weights.mw;
    let turn = setting.turn?.last; // dest id; undefined: the head of the list

    function changed(list: DestList): void {
      turn = undefined;
      weights = wrrWeights(weightsOf(list));
      level = wrrLevel(level, weights);
    }

    /** The next dest that takes its turn, from the one after place `from` (-1: head) on; -1: all are overloaded. */
    function walk(list: DestList, from: number): number {
      let stop = -1;
      let isRestarted = false;
      let isLastPass = false;
      for (let at = from; ; at = -1) {
        for (at++; at < list.length; at++) {
          if (mayTake(list[at]!, level)) return at;
          if (at === stop) {
            turn = list[at]!.id;
            return -1;
          }
        }
        level -= weights.di;
        if (level <= 0) {
          level = weights.mw;
          if (isLastPass || from === -1) {
            turn = undefined;
            return -1;
          }
          isRestarted = true;
        }
        isLastPass = level <= weights.di;
        if (isLastPass && isRestarted && from !== -1) stop = from;
      }
    }

    return {
      pick(list) {
        if (weights.mw === 0) return undefined;
        const dest =
          list[
            walk(
              list,
              list.findIndex(({ id }) => id === turn),
            )
          ];
        if (dest !== undefined) turn = dest.id;
        return dest;
      },
      added: changed,
      deleted: changed,
      edited: changed,
    };
  },
};

const weightsOf = (list: DestList): number[] => list.map((dest) => dest.weight);
const mayTake = (dest: Candidate, level: number): boolean => !dest.overloaded && dest.weight >= level;
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
