import type { Ip } from "../../net/ip.ts";
import { rivals } from "../../vrrp/diagnose.ts";
import { deadline, masterDown } from "../../vrrp/machine.ts";
import type { TrackerStatus } from "./trackers.ts";
import { type Counters, routerOf, type Unit } from "./unit.ts";

/** All that a VRRP process tells of itself. */
export interface VrrpStatus {
  readonly instances: readonly InstanceStatus[];
  /** Sync groups by name, with the state that was told last. */
  readonly groups: Readonly<Record<string, string>>;
  readonly trackers: TrackerStatus;
}

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
  /** When it entered this state, ms since 1970 as the clock was then. */
  readonly lastTransition: number;
  /** ms until it next does something by itself. */
  readonly dueIn: number | undefined;
  /** ms between the adverts of the master that it follows, else its own; and the silence after which it takes over. */
  readonly masterInterval: number;
  readonly masterDown: number;
  readonly priority: number;
  readonly effectivePriority: number;
  /** The same before it is kept in 1..254. */
  readonly totalPriority: number;
  readonly source: Ip | undefined;
  /** Of a backup: whom it follows. */
  readonly master: { readonly from: Ip; readonly priority: number } | undefined;
  readonly addresses: readonly Ip[];
  readonly isHolding: boolean;
  readonly faults: readonly string[];
  /** A tracked script has not answered yet. */
  readonly isPending: boolean;
  /** Descriptors that it hears and speaks by. */
  readonly sockets: { readonly in: number; readonly out: number } | undefined;
  /** Of the link that it sends by. */
  readonly ifindex: number | undefined;
  /** What is wrong with the adverts of peers. */
  readonly troubles: readonly {
    readonly peer: Ip;
    readonly field: string;
    readonly got: string;
    readonly expected: string;
    /** Adverts so far; ms since the first, and since the last. */
    readonly count: number;
    readonly age: number;
    readonly lastAge: number;
  }[];
  /** Who leads although this one does. */
  readonly rivals: readonly Ip[];
  readonly counters: Readonly<Omit<Counters, "refused">> & { readonly refused: Readonly<Record<string, number>> };
}

const WORDS = { init: "INIT", backup: "BACKUP", master: "MASTER", fault: "FAULT" } as const;

export function statusOf(unit: Unit, now: number): InstanceStatus {
  const { config: c, state, counters } = unit;
  const { refused, ...counts } = counters;
  const masterInterval = state.name === "backup" ? state.masterInterval : c.advertInterval;
  const due = deadline(state);
  return {
    ...{ name: c.name, vrid: c.vrid, family: c.family, version: c.version, interface: c.interface },
    state: WORDS[state.name],
    age: now - unit.since,
    lastTransition: wallOf(unit, now),
    dueIn: due === undefined ? undefined : due - now,
    ...{ masterInterval, masterDown: masterDown(routerOf(unit), masterInterval) },
    priority: c.priority,
    effectivePriority: unit.priority,
    totalPriority: unit.total,
    source: unit.wire?.source,
    master: state.name === "backup" ? state.master : undefined,
    addresses: [...c.addresses, ...c.excluded].map((a) => a.ip),
    isHolding: unit.isHolding,
    faults: unit.faults.map((fault) => fault.trim()),
    isPending: unit.isPending,
    sockets: socketsOf(unit),
    ifindex: unit.wire?.link?.ifindex,
    troubles: [...unit.diagnosis.troubles.values()].map(({ since, last, ...t }) => ({
      ...t,
      age: now - since,
      lastAge: now - last,
    })),
    rivals: state.name === "master" ? rivals(unit.diagnosis, now - 4 * c.advertInterval) : [],
    counters: { ...counts, refused: Object.fromEntries(refused) },
  };
}

const walls = new WeakMap<Unit, { readonly since: number; readonly wall: number }>();

/** Taken once per transition: it must not move when the clock is set. */
function wallOf(unit: Unit, now: number): number {
  const known = walls.get(unit);
  if (known?.since === unit.since) return known.wall;
  const wall = Date.now() - (now - unit.since);
  walls.set(unit, { since: unit.since, wall });
  return wall;
}

/** Version 2 over IPv4 hears plain adverts and those with an authentication header; the one that is wanted is told. */
function socketsOf({ config, wire }: Unit): InstanceStatus["sockets"] {
  const receiver = config.auth.type === "ah" ? wire?.receivers.at(-1) : wire?.receivers[0];
  if (receiver?.fd === undefined || wire?.sender.fd === undefined) return undefined;
  return { in: receiver.fd, out: wire.sender.fd };
}
