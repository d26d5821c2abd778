import { type DestSpec, familyOfService, type Operation, type ServiceSpec } from "../director/director.ts";
import { familyOf, type Ip } from "../net/ip.ts";
import type { Millis, Server, Service } from "./config.ts";
import { isAlive, type ServerState, weightNow } from "./server.ts";

/** The dests a service is to have, and the operations from one such table to another (spec 4.3, 4.4). */

export type Table = ReadonlyMap<string, DestSpec>;

const idOf = (dest: DestSpec): string => `${dest.addr} ${dest.port}`;

/** @param hasQuorum without it the sorry server, if there is one, stands in for all */
export function tableOf(c: Service, servers: readonly ServerState[], hasQuorum: boolean, now: Millis): Table {
  const table = new Map<string, DestSpec>();
  const isSorry = c.sorry !== undefined && !hasQuorum;
  if (c.sorry?.inhibit) table.set(idOf(c.sorry.dest), { ...c.sorry.dest, weight: 0 });
  c.servers.forEach((server, i) => {
    const state = servers[i]!;
    const isOn = isAlive(state) && !isSorry;
    if (isOn || server.inhibit)
      table.set(idOf(server.dest), { ...server.dest, weight: isOn ? weightNow(server, state, now) : 0 });
  });
  if (isSorry && c.sorry) table.set(idOf(c.sorry.dest), c.sorry.dest); // it may be one of the servers too
  return table;
}

/**
 * The dests that are not to be in it. An alpha server of which nothing is known yet is not among them, unless the sorry server
 * stands in: it may be in the table from an earlier life of this process, and goes on to serve until its first verdict.
 * @param before those that were so far
 */
export function absentOf(c: Service, servers: readonly ServerState[], hasQuorum: boolean, table: Table, before: Table): Table {
  const isSorry = c.sorry !== undefined && !hasQuorum;
  const isMeant = ({ dest }: Server, i: number): boolean => isSorry || servers[i]!.isKnown || before.has(idOf(dest));
  const all = [...c.servers.filter(isMeant), ...(c.sorry === undefined ? [] : [c.sorry])];
  return new Map(all.flatMap(({ dest }) => (table.has(idOf(dest)) ? [] : [[idOf(dest), dest] as const])));
}

/** What to do in every one of these services of the director. Dests come before others go, so that there is one at any time. */
export function difference(specs: readonly ServiceSpec[], actual: Table, wanted: Table): Operation[] {
  return specs.flatMap((spec) => {
    const { key } = spec;
    const operations: Operation[] = [];
    for (const [id, dest] of wanted) {
      if (!fits(spec, dest)) continue;
      const before = actual.get(id);
      if (before === undefined) operations.push({ op: "add-dest", key, dest: destIn(spec, dest) });
      else if (!isSame(before, dest)) operations.push({ op: "edit-dest", key, dest: destIn(spec, dest) });
    }
    return [...operations, ...removals(spec, actual, wanted)];
  });
}

/** Dests that the service is to have no more. Two of a configuration may be one in the table: by their ports (see destIn). */
export function removals(spec: ServiceSpec, actual: Table, wanted: Table): Operation[] {
  const gone = [...actual].filter(([id, dest]) => !wanted.has(id) && fits(spec, dest));
  if (gone.length === 0) return [];
  const staying = new Set([...wanted.values()].map((dest) => idOf(destIn(spec, dest))));
  return gone
    .map(([, dest]) => destIn(spec, dest))
    .filter((dest) => !staying.has(idOf(dest)))
    .map(({ addr, port }) => ({ op: "delete-dest", key: spec.key, dest: { addr, port } }));
}

/** The pool of a FullNAT service: what comes, then what goes. */
export function poolChanges(
  specs: readonly Pick<ServiceSpec, "key">[],
  actual: readonly Ip[] = [],
  wanted: readonly Ip[] = [],
): Operation[] {
  return specs.flatMap(({ key }): Operation[] => {
    const isOurs = (addr: Ip): boolean => familyOf(addr) === familyOfService(key);
    const come = wanted.filter((addr) => isOurs(addr) && !actual.includes(addr));
    const gone = actual.filter((addr) => isOurs(addr) && !wanted.includes(addr));
    return [
      ...come.map((addr): Operation => ({ op: "add-laddr", key, addr })),
      ...gone.map((addr): Operation => ({ op: "delete-laddr", key, addr })),
    ];
  });
}

/** Has the service of the director a place for this dest? */
export const fits = (spec: ServiceSpec, dest: DestSpec): boolean =>
  dest.method === "tunnel" || familyOfService(spec.key) === familyOf(dest.addr);

/** The dest as one service has it: only a translated packet can go to another port; 0 stands for the service's own (spec 2.16). */
export function destIn({ key }: ServiceSpec, dest: DestSpec): DestSpec {
  const isTranslated = dest.method === "nat" || dest.method === "fullnat";
  const own = key.fwmark === undefined ? key.port : 0;
  return { ...dest, port: isTranslated ? dest.port || own : own };
}

const isSame = (a: DestSpec, b: DestSpec): boolean =>
  a.method === b.method &&
  a.weight === b.weight &&
  a.upper === b.upper &&
  a.lower === b.lower &&
  a.toa === b.toa &&
  a.tunnel.type === b.tunnel.type &&
  a.tunnel.port === b.tunnel.port &&
  a.tunnel.checksum === b.tunnel.checksum;
