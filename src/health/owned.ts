import { type DestKey, type Operation, type ServiceKey, sameDest, serviceId } from "../director/director.ts";
import type { Ip } from "../net/ip.ts";
import type { Service } from "./config.ts";
import { destIn, fits, poolChanges } from "./table.ts";

/** What of the director's table is a configuration's own: all that its services may put there. */

export interface Owned {
  readonly key: ServiceKey;
  readonly dests: readonly DestKey[];
  /** FullNAT: addresses of its pool. */
  readonly pool?: readonly Ip[];
}

export const ownedBy = ({ specs, servers, sorry, localAddresses }: Service): Owned[] =>
  specs.map((spec) => ({
    key: spec.key,
    dests: [...servers, ...(sorry === undefined ? [] : [sorry])]
      .filter(({ dest }) => fits(spec, dest))
      .map(({ dest }) => destIn(spec, dest))
      .map(({ addr, port }) => ({ addr, port })),
    ...(localAddresses === undefined ? {} : { pool: localAddresses }),
  }));

/** What an earlier run owned and this one does not name. Whatever else is in the table is somebody else's, and stays. */
export function leftovers(before: readonly Owned[], now: readonly Owned[]): Operation[] {
  const wanted = new Map(now.map((owned) => [serviceId(owned.key), owned]));
  return before.flatMap(({ key, dests, pool = [] }): Operation[] => {
    const same = wanted.get(serviceId(key));
    if (same === undefined) return [{ op: "delete-service", key }];
    const gone = dests.filter((dest) => !same.dests.some((other) => sameDest(dest, other)));
    return [
      ...gone.map((dest): Operation => ({ op: "delete-dest", key, dest })),
      ...poolChanges([{ key }], pool, same.pool),
    ].filter(({ op }) => op !== "add-laddr"); // those that are wanted come with their service
  });
}
