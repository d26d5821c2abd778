import { Cache, isCrowded } from "./cache.ts";
import { type Candidate, type DestList, isGreater, leastLoaded, overhead, type SchedulerKind } from "./scheduler.ts";

const DAY = 86_400;

/** The dests that serve one destination address. */
interface Replicas {
  /** Newest first. */
  ids: readonly number[];
  /** ms */
  changedAt: number;
}

/** Locality-based least connection with replication (spec 3.8): as lblc, but a crowded dest gets help. */
export const lblcr: SchedulerKind = {
  name: "lblcr",
  create(_list, { family, now, expirationSeconds = () => DAY }) {
    const cache = new Cache<Replicas>(family, now, expirationSeconds);
    return {
      pick(list, { destinationAddr }, { now }) {
        const replicas = cache.find(destinationAddr, now);
        const best =
          replicas &&
          leastLoaded(
            members(replicas, list).filter((dest) => dest.available),
            overhead,
          );
        if (replicas !== undefined && replicas.ids.length > 1 && now > replicas.changedAt + expirationSeconds() * 1000) {
          removeMostLoaded(replicas, list, now);
        }
        if (best !== undefined && !isCrowded(best, list)) return best;
        const helper = leastLoaded(list, overhead);
        if (helper === undefined) return undefined;
        if (replicas === undefined) cache.put(destinationAddr, { ids: [helper.id], changedAt: now }, now);
        else if (!replicas.ids.includes(helper.id))
          Object.assign(replicas, { ids: [helper.id, ...replicas.ids], changedAt: now });
        return helper;
      },
      tick: (now) => cache.tick(now),
      refersTo: (id) => [...cache.values()].some((replicas) => replicas.ids.includes(id)),
    };
  },
};

function members(replicas: Replicas, list: DestList): Candidate[] {
  return replicas.ids.map((id) => list.find((dest) => dest.id === id)).filter((dest) => dest !== undefined);
}

function removeMostLoaded(replicas: Replicas, list: DestList, now: number): void {
  let most: Candidate | undefined;
  for (const dest of members(replicas, list)) {
    if (dest.weight === 0) continue;
    if (most === undefined || isGreater(overhead(dest), most.weight, overhead(most), dest.weight)) most = dest;
  }
  if (most === undefined) return;
  const { id } = most;
  Object.assign(replicas, { ids: replicas.ids.filter((other) => other !== id), changedAt: now });
}
