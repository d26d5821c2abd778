import type { Family, Ip } from "../../net/ip.ts";
import type { Candidate, Turn } from "../../sched/index.ts";
import type { Conn, DestSpec, Endpoint, Protocol, Service, ServiceKey } from "../director.ts";
import type { MarkRule } from "../marks.ts";
import type { ServiceRecord } from "../records.ts";
import * as abi from "./abi.gen.ts";
import { readDest } from "./adoption.ts";
import { readConn } from "./conn-reader.ts";
import type { Hop } from "./hops.ts";
import type { DataPath } from "./loader.ts";
import { i32, u32 } from "./memory.ts";
import { readTurn } from "./turns.ts";

/** What an explanation asks the data path. */
export interface ExplainFacts {
  readonly marks: readonly MarkRule[];
  readonly settings: Readonly<Record<string, string>>;
  /** drop_packet's effective rate, 0: off. */
  readonly dropRate: number;
  service(key: ServiceKey): ServiceFacts | undefined;
  hasFtpService(): boolean;
  /** All of them, templates too, each with its slot. */
  conns(): Iterable<readonly [slot: number, conn: Conn]>;
  /** undefined: a conn of cache_bypass. */
  destOf(slot: number): DestFacts | undefined;
  hop(address: Ip): Hop;
  interfaceName(ifindex: number): string;
  isNatDest(protocol: Protocol, place: Endpoint, family: Family): boolean;
}

export interface ServiceFacts {
  readonly service: Service;
  /** Newest first. */
  readonly candidates: readonly Candidate[];
  readonly turn: Turn;
}

export interface DestFacts {
  readonly spec: DestSpec;
  /** In a service, not in the trash. */
  readonly isAvailable: boolean;
}

/** @param record the table's, `service` what is shown of it */
export function serviceFacts(path: DataPath, record: ServiceRecord, service: Service): ServiceFacts {
  const candidates = record.dests.map(({ id, spec, lastWeight }): Candidate => {
    const { view } = path.memory.dests;
    const at = path.memory.dests.at(id);
    const { addr, port, weight } = spec;
    return {
      ...{ id, addr, port, weight, lastWeight, family: addr.includes(":") ? "ipv6" : "ipv4" },
      overloaded: (u32(view, at + abi.dest.flags) & abi.destFlag.overload) !== 0,
      available: true,
      activeConns: i32(view, at + abi.dest.active),
      totalConns: i32(view, at + abi.dest.total),
    };
  });
  return { service, candidates, turn: readTurn(path, record.id, record.spec.scheduler) };
}

export function* connsBySlot(path: DataPath): Generator<readonly [slot: number, conn: Conn]> {
  const now = path.now();
  const fresh = u32(path.memory.table_state.view, abi.tableState.fresh);
  for (let slot = 0; slot < fresh; slot++) {
    const conn = readConn(path, slot, now);
    if (conn !== undefined) yield [slot, conn];
  }
}

export function destOfConn(path: DataPath, slot: number): DestFacts | undefined {
  const { conns, dests } = path.memory;
  const id = u32(conns.view, conns.at(slot) + abi.conn.dest);
  if (id === 0) return undefined;
  const isAvailable = (u32(dests.view, dests.at(id) + abi.dest.flags) & abi.destFlag.available) !== 0;
  return { spec: readDest(path, id).spec, isAvailable };
}
