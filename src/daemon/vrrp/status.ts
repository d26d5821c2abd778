import type { Ip } from "../../net/ip.ts";
import type { Counters, Unit } from "./unit.ts";

/** What an instance is at the moment, for the parent, the API and tests. */
export interface InstanceStatus {
  readonly name: string;
  readonly vrid: number;
  readonly family: "ipv4" | "ipv6";
  readonly version: 2 | 3;
  readonly interface: string | undefined;
  readonly state: "INIT" | "BACKUP" | "MASTER" | "FAULT";
  /** ms in this state. */
  readonly age: number;
  readonly priority: number;
  readonly effectivePriority: number;
  readonly source: Ip | undefined;
  /** Of a backup: whom it follows. */
  readonly master: { readonly from: Ip; readonly priority: number } | undefined;
  readonly addresses: readonly Ip[];
  readonly isHolding: boolean;
  readonly faults: readonly string[];
  /** What is wrong with the adverts of peers. */
  readonly troubles: readonly { peer: Ip; field: string; got: string; expected: string; count: number; age: number }[];
  readonly counters: Readonly<Omit<Counters, "refused">> & { readonly refused: Readonly<Record<string, number>> };
}

const WORDS = { init: "INIT", backup: "BACKUP", master: "MASTER", fault: "FAULT" } as const;

export function statusOf(unit: Unit, now: number): InstanceStatus {
  const { config: c, state, counters } = unit;
  const { refused, ...counts } = counters;
  return {
    ...{ name: c.name, vrid: c.vrid, family: c.family, version: c.version, interface: c.interface },
    state: WORDS[state.name],
    age: now - unit.since,
    priority: c.priority,
    effectivePriority: unit.priority,
    source: unit.wire?.source,
    master: state.name === "backup" ? state.master : undefined,
    addresses: [...c.addresses, ...c.excluded].map((a) => a.ip),
    isHolding: unit.isHolding,
    faults: unit.faults.map((fault) => fault.trim()),
    troubles: [...unit.diagnosis.troubles.values()].map(({ since, ...t }) => ({ ...t, age: now - since })),
    counters: { ...counts, refused: Object.fromEntries(refused) },
  };
}
