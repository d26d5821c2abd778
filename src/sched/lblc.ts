import { Cache, isCrowded } from "./cache.ts";
import { leastLoaded, overhead, type SchedulerKind } from "./scheduler.ts";

const DAY = 86_400;

/** Locality-based least connection (spec 3.7): a destination address stays with its dest until that one is crowded. */
export const lblc: SchedulerKind = {
  name: "lblc",
  create(_list, { family, now, expirationSeconds = () => DAY }) {
    const cache = new Cache<number>(family, now, expirationSeconds);
    return {
      pick(list, { destinationAddr }, { now }) {
        const known = cache.find(destinationAddr, now);
        const dest = list.find(({ id }) => id === known);
        if (dest?.available && dest.weight > 0 && !isCrowded(dest, list)) return dest;
        const best = leastLoaded(list, overhead);
        if (best !== undefined && best !== dest) cache.put(destinationAddr, best.id, now);
        return best;
      },
      tick: (now) => cache.tick(now),
      refersTo: (id) => [...cache.values()].includes(id),
    };
  },
};
