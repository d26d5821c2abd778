import type { Director, Service as DirectorService } from "../../director/director.ts";
import type { Service } from "../../health/config.ts";
import { type Counted, type Counts, findSuspects, type Suspect } from "../../health/passive.ts";

/** `passive_check`: the failures that the data path counts, and whom they make suspect. */

/** What the director says of a dest, with the failures that a data path may count. */
type Dests = DirectorService["dests"] extends readonly (infer Dest)[] ? readonly (Dest & Pick<Counted, "failures">)[] : never;

/** To be called once a second with the services of the configuration. Nothing is asked of the director where none wants it. */
export function failureWatch(director: Pick<Director, "service">): (services: readonly Service[]) => readonly Suspect[] {
  let before: Counts = new Map();
  return (services) => {
    const destsOf = ({ key }: Service["specs"][number]): Dests => director.service(key)?.dests ?? [];
    const { counts, suspects } = findSuspects(services, destsOf, before);
    before = counts;
    return suspects;
  };
}
