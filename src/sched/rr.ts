import { isUsable, type SchedulerKind } from "./scheduler.ts";

/** Round robin (spec 3.1): the turn goes from the dest that had it last to the next usable one. */
export const rr: SchedulerKind = {
  name: "rr",
  create(_list, { turn }) {
    let last = turn?.last; // dest id; undefined: the head of the list
    return {
      pick(list) {
        const from = list.findIndex((dest) => dest.id === last);
        for (let step = 1; step <= list.length; step++) {
          const dest = list[(from + step) % list.length]!;
          if (!isUsable(dest)) continue;
          last = dest.id;
          return dest;
        }
        return undefined;
      },
      deleted(list, id, at) {
        if (id === last) last = list[at - 1]?.id;
      },
    };
  },
};
