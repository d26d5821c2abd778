import type { Director } from "../../director/director.ts";
import type { Service } from "../../health/config.ts";
import { type Counts, findSuspects, type Suspect } from "../../health/passive.ts";

/** `passive_check`: the failures that the data path counts, and whom they make suspect. */

/** To be called once a second with the services of the configuration. Nothing is asked of the director where none wants it. */
export function failureWatch(director: Pick<Director, "service">): (services: readonly Service[]) => readonly Suspect[] {
  let before: Counts = new Map();
  return (services) => {
    const { counts, suspects } = findSuspects(services, ({ key }) => director.service(key)?.dests ?? [], before);
    before = counts;
    return suspects;
  };
}
