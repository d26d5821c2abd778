import { type Failures, type ServiceSpec, serviceId } from "../director/director.ts";
import type { Ip } from "../net/ip.ts";
import type { Server, Service } from "./config.ts";
import { destIn } from "./table.ts";

/**
 * Passive detection: connections that fail in the data path make a server suspect, which has it checked at once. It never
 * takes a server out by itself. Pure: the counters of the moment and those of before in, suspects out.
 */

export interface Counted {
  readonly addr: Ip;
  readonly port: number;
  readonly failures?: Failures;
}

/** By service and dest: failures when they were last looked at. */
export type Counts = ReadonlyMap<string, number>;

/** A server by the names that its service and it have in logs. */
export interface Suspect {
  readonly service: string;
  readonly server: string;
}

/**
 * To be asked once a second. Who is seen for the first time has no history.
 * @param destsOf the dests of one of the director's services
 */
export function findSuspects(
  services: readonly Service[],
  destsOf: (spec: ServiceSpec) => readonly Counted[],
  before: Counts,
): { readonly counts: Counts; readonly suspects: readonly Suspect[] } {
  const counts = new Map<string, number>();
  const suspects: Suspect[] = [];
  for (const service of services) {
    if (service.passive === undefined) continue;
    const fresh = new Map<Server, number>();
    for (const spec of service.specs) {
      for (const dest of destsOf(spec)) {
        const server = service.servers.find((s) => isOf(s, spec, dest));
        if (server === undefined || dest.failures === undefined) continue;
        const id = `${serviceId(spec.key)} ${dest.addr} ${dest.port}`;
        const total = dest.failures.resets + dest.failures.unanswered;
        const known = before.get(id) ?? total;
        counts.set(id, total);
        // Fewer than before: the dest was taken out and put back.
        fresh.set(server, (fresh.get(server) ?? 0) + (total < known ? total : total - known));
      }
    }
    for (const [server, n] of fresh) if (n >= service.passive) suspects.push({ service: service.name, server: server.name });
  }
  return { counts, suspects };
}

function isOf(server: Server, spec: ServiceSpec, { addr, port }: Counted): boolean {
  const dest = destIn(spec, server.dest);
  return dest.addr === addr && dest.port === port;
}
