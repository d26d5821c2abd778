import type { Family, Ip } from "../../net/ip.ts";
import type { Candidate, Turn } from "../../sched/index.ts";
import type { Conn, DestSpec, Endpoint, Protocol, Service, ServiceKey } from "../director.ts";
import type { MarkRule } from "../marks.ts";
import type { ServiceRecord } from "../records.ts";
import * as abi from "./abi.gen.ts";
import { readDest } from "./adoption.ts";
import { readConn } from "./conn-reader.ts";
import type { Hop } from "./hops.ts";
import { familyNumber, protocolNumber } from "./keys.ts";
import type { DataPath } from "./loader.ts";
import { i32, setAddr, setPort, setU16, u32, viewOf } from "./memory.ts";
import { readTurn } from "./turns.ts";

/** What an explanation asks the data path. */
export interface ExplainFacts {
  readonly marks: readonly MarkRule[];
  readonly settings: Readonly<Record<string, string>>;
  /** drop_packet's effective rate, 0: off. */
  readonly dropRate: number;
  service(key: ServiceKey): ServiceFacts | undefined;
  hasFtpService(): boolean;
  /** The conn, or template, that a packet of this flow finds. */
  conn(flow: WantedFlow): FoundConn | undefined;
  /** undefined: a conn of cache_bypass. */
  destOf(slot: number): DestFacts | undefined;
  hop(address: Ip): Hop;
  interfaceName(ifindex: number): string;
  isNatDest(protocol: Protocol, place: Endpoint, family: Family): boolean;
}

export interface WantedFlow {
  /** Which of a conn's two flows it is to be: the client's, or the dest's. */
  readonly side: "in" | "out";
  readonly kind: "packet" | "template";
  /** "ip" for templates of fwmark services. */
  readonly protocol: Conn["protocol"];
  readonly source: Endpoint;
  readonly destination: Endpoint;
}

export interface FoundConn {
  readonly slot: number;
  readonly conn: Conn;
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

/** By its bytes, and the newest of several, as in the data path; a walk over a million conns takes a tenth of a second. */
export function findConn(path: DataPath, wanted: WantedFlow): FoundConn | undefined {
  const words = new Uint32Array(flowBytes(wanted).buffer);
  const { bytes, view, at } = regionOf(path);
  const all = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);
  const offset = wanted.side === "in" ? abi.conn.in : abi.conn.out;
  const now = path.now();
  const fresh = u32(path.memory.table_state.view, abi.tableState.fresh);
  let found: (FoundConn & { readonly age: number }) | undefined;
  for (let slot = 0; slot < fresh; slot++) {
    const first = (at(slot) + offset) >>> 2;
    if (!words.every((word, i) => all[first + i] === word)) continue;
    const conn = readConn(path, slot, now);
    const age = (now - u32(view, at(slot) + abi.conn.created)) >>> 0;
    if (conn !== undefined && (found === undefined || age < found.age)) found = { slot, conn, age };
  }
  return found;
}

const regionOf = ({ memory: { conns } }: DataPath) => ({
  ...{ bytes: conns.bytes, view: conns.view },
  at: (slot: number) => conns.at(slot),
});

/** struct flow */
function flowBytes({ kind, protocol, source, destination }: WantedFlow): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(abi.flow.size);
  const view = viewOf(bytes);
  setAddr(bytes, abi.flow.src, source.addr);
  setAddr(bytes, abi.flow.dst, destination.addr);
  setPort(view, abi.flow.sport, source.port);
  setPort(view, abi.flow.dport, destination.port);
  bytes[abi.flow.protocol] = protocol === "ip" ? 0 : protocolNumber[protocol];
  bytes[abi.flow.family] = familyNumber(source.addr);
  setU16(view, abi.flow.kind, abi.flowKind[kind]);
  return bytes;
}

export function destOfConn(path: DataPath, slot: number): DestFacts | undefined {
  const { conns, dests } = path.memory;
  const id = u32(conns.view, conns.at(slot) + abi.conn.dest);
  if (id === 0) return undefined;
  const isAvailable = (u32(dests.view, dests.at(id) + abi.dest.flags) & abi.destFlag.available) !== 0;
  return { spec: readDest(path, id).spec, isAvailable };
}
