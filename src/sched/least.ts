import { type Candidate, isUsable, leastLoaded, overhead, type SchedulerKind } from "./scheduler.ts";

/** The schedulers that look for the least load. They have no state. */

const stateless = (name: string, pick: ReturnType<SchedulerKind["create"]>["pick"]): SchedulerKind => ({
  name,
  create: () => ({ pick }),
});

/** Connections in progress and the one to come. */
const expectedActive = (dest: Candidate): number => dest.activeConns + 1;

/** Least connection (spec 3.3): weights only tell whether a dest takes part. */
export const lc = stateless("lc", (list) => {
  let best: Candidate | undefined;
  for (const dest of list) if (isUsable(dest) && (best === undefined || overhead(dest) < overhead(best))) best = dest;
  return best;
});

/** Weighted least connection, the default (spec 3.4). */
export const wlc = stateless("wlc", (list) => leastLoaded(list, overhead));

/** Shortest expected delay (spec 3.5). */
export const sed = stateless("sed", (list) => leastLoaded(list, expectedActive));

/** Never queue (spec 3.6): an idle dest at once, otherwise the shortest expected delay. */
export const nq = stateless("nq", (list) => {
  return list.find((dest) => isUsable(dest) && dest.activeConns === 0) ?? leastLoaded(list, expectedActive);
});

/** Weighted failover (spec 3.11): the highest weight. */
export const fo = stateless("fo", (list) => highestWeight(list, isUsable));

/** Weighted overflow (spec 3.12): the highest weight that has no more active connections than its weight. */
export const ovf = stateless("ovf", (list) => highestWeight(list, (dest) => isUsable(dest) && dest.activeConns <= dest.weight));

function highestWeight(list: readonly Candidate[], isEligible: (dest: Candidate) => boolean): Candidate | undefined {
  let best: Candidate | undefined;
  for (const dest of list) if (isEligible(dest) && (best === undefined || dest.weight > best.weight)) best = dest;
  return best;
}

/**
 * Power of two choices (spec 3.14): of two draws by weight the less loaded dest. A draw may also be the total itself,
 * which favours the first of the list a little.
 */
export const twos = stateless("twos", (list, _flow, { random }) => {
  const usable = list.filter(isUsable);
  const total = usable.reduce((sum, dest) => sum + dest.weight, 0);
  const draw = () => drawn(usable, Math.floor(random() * (total + 1)));
  const first = draw();
  const second = draw();
  if (first === undefined || second === undefined) return undefined;
  return Math.imul(second.weight, overhead(first)) > Math.imul(first.weight, overhead(second)) ? second : first;
});

function drawn(list: readonly Candidate[], left: number): Candidate | undefined {
  for (const dest of list) {
    left -= dest.weight;
    if (left <= 0) return dest;
  }
  return undefined;
}
