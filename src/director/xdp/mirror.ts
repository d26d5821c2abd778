import { familyOf, type Ip } from "../../net/ip.ts";
import { macBytes } from "../../net/mac.ts";
import { type Candidate, dhTable, mhTable, shTable, wrrLevel, wrrWeights } from "../../sched/index.ts";
import { type DestSpec, familyOfService, type LocalAddress, type ServiceKey, type ServiceSpec } from "../director.ts";
import { Ids } from "../ids.ts";
import type { Change, DestRecord, ServiceRecord } from "../records.ts";
import * as abi from "./abi.gen.ts";
import type { Counting } from "./counting.ts";
import type { Hop } from "./hops.ts";
import {
  familyNumber,
  methodNumber,
  netmaskNumber,
  schedulerNumber,
  serviceFlags,
  tunnelChecksums,
  tunnelTypes,
  writeKey,
} from "./keys.ts";
import { type DataPath, memberPlaces } from "./loader.ts";
import { count64, i32, addr as readAddr, setAddr, setPort, setU16, setU32, u32, viewOf } from "./memory.ts";
import { NatDests } from "./nat-dests.ts";
import { Ranges } from "./ranges.ts";

/** What the data path holds of one service besides the table's record. */
interface Published {
  list: number;
  listLength: number;
  table: number;
  tableLength: number;
  laddrs: number;
  laddrLength: number;
}

/** Dests as the schedulers' rules need them, in list order, followed change by change. */
interface Shadow {
  readonly id: number;
  weight: number;
}

const LADDR_RECORDS = 4096;

/**
 * Writes the table's changes into the data path's maps. Dests are changed in place; a service is published by one update
 * of its value, which names a list written beforehand, so a packet sees the old list or the new one.
 */
export class Mirror {
  readonly #path: DataPath;
  readonly #counting: Counting;
  readonly #resolve: (address: Ip) => Hop;
  readonly #members: Ranges;
  readonly #locals: Ids;
  readonly natDests: NatDests;
  readonly #laddrRecords = new Map<number, ReadonlyMap<Ip, number>>();
  #retiredLocals: number[] = [];
  /** By dest id, as last written. */
  readonly #routeMtus = new Map<number, number>();
  readonly #published = new Map<number, Published>();
  readonly #shadows = new Map<number, Shadow[]>();
  readonly #serviceKey = new Uint8Array(abi.serviceKey.size);
  readonly #serviceValue = new Uint8Array(abi.service.size);

  constructor(path: DataPath, counting: Counting, resolve: (address: Ip) => Hop) {
    this.#path = path;
    this.#counting = counting;
    this.#resolve = resolve;
    this.#members = new Ranges(memberPlaces(path.sizes.maxDests));
    this.#locals = new Ids(LADDR_RECORDS - 1, path.adopted ? usedLocals(path) : []);
    this.natDests = new NatDests(path.natDests);
  }

  apply(changes: readonly Change[]): void {
    this.#members.settle();
    const touched = new Map<number, ServiceRecord>();
    for (const change of changes) {
      this.natDests.follow(change);
      const service = this.#follow(change);
      if (service !== undefined) touched.set(service.id, service);
      if (change.kind === "service-deleted") touched.delete(change.service.id);
    }
    for (const service of touched.values()) this.#publish(service);
  }

  /** What was there before this daemon: lists are written anew, dests and scheduler states stay as they are. */
  adopt(services: readonly ServiceRecord[], locals: (serviceId: number) => ReadonlyMap<Ip, number>): void {
    this.natDests.rebuild(services);
    for (const service of services) {
      this.#shadows.set(
        service.id,
        service.dests.map(({ id, spec }) => ({ id, weight: spec.weight })),
      );
      this.#counting.watchService(service.id);
      for (const dest of service.dests) this.#counting.watchDest(dest.id);
      this.#laddrRecords.set(service.id, locals(service.id));
      this.#publish(service);
    }
  }

  /** The way to a dest may have changed. */
  writeHop(id: number, address: Ip): void {
    const { view, bytes } = this.#path.memory.dests;
    const at = this.#path.memory.dests.at(id);
    const hop = this.#resolve(address);
    const state = abi.hopState[hop.state];
    if (hop.state === "resolved" || hop.state === "unresolved") {
      // A narrower path that the data path has heard of is kept until the route's own MTU changes.
      if (this.#routeMtus.get(id) !== hop.mtu) setU32(view, at + abi.dest.mtu, hop.mtu);
      this.#routeMtus.set(id, hop.mtu);
      setAddr(bytes, at + abi.dest.source, hop.source);
    }
    if (hop.state !== "resolved") {
      setU32(view, at + abi.dest.hopGeneration, state);
      return;
    }
    const from = macBytes(hop.sourceMac);
    const to = macBytes(hop.destinationMac);
    const isNew =
      u32(view, at + abi.dest.hopGeneration) !== state ||
      u32(view, at + abi.dest.hopIfindex) !== hop.ifindex ||
      [...to, ...from].some((byte, i) => bytes[at + abi.dest.hopDmac + i] !== byte);
    if (!isNew) return;
    // Nobody uses it while it is written.
    setU32(view, at + abi.dest.hopGeneration, abi.hopState.unresolved);
    setU32(view, at + abi.dest.hopIfindex, hop.ifindex);
    bytes.set(to, at + abi.dest.hopDmac);
    bytes.set(from, at + abi.dest.hopSmac);
    setU32(view, at + abi.dest.hopGeneration, state);
  }

  /** The service whose value has to be published anew. */
  #follow(change: Change): ServiceRecord | undefined {
    switch (change.kind) {
      case "service-added":
        this.#shadows.set(change.service.id, []);
        this.#counting.clearService(change.service.id);
        this.#counting.watchService(change.service.id);
        this.#path.memory.service_states.clear(change.service.id);
        this.#resetScheduler(change.service, change.spec);
        return change.service;
      case "service-edited":
        if (change.before.scheduler !== change.after.scheduler) this.#resetScheduler(change.service, change.after);
        return change.service;
      case "service-deleted":
        this.#withdraw(change.service);
        return undefined;
      case "dest-added":
        this.#addDest(change.service, change.dest, change.spec, change.resurrected, change.statsReset);
        return change.service;
      case "dest-edited":
        this.#editDest(change.service, change.dest, change.after);
        return change.service;
      case "dest-deleted":
        this.#removeDest(change.service, change.dest);
        return change.service;
      case "dest-freed":
        this.#counting.clearDest(change.dest.id);
        this.#path.memory.dests.clear(change.dest.id);
        this.#routeMtus.delete(change.dest.id);
        return undefined;
      case "laddrs-changed":
        return change.service;
      case "zero":
        if (change.service !== undefined) this.zero(change.service);
        return undefined;
      default:
        return undefined;
    }
  }

  zero(service: ServiceRecord): void {
    this.#counting.clearService(service.id);
    this.#counting.watchService(service.id);
    for (const dest of service.dests) {
      this.#counting.clearDest(dest.id);
      this.#counting.watchDest(dest.id);
    }
  }

  // ---- dests

  #addDest(service: ServiceRecord, dest: DestRecord, spec: DestSpec, resurrected: boolean, statsReset: boolean): void {
    const region = this.#path.memory.dests;
    const at = region.at(dest.id);
    if (!resurrected) region.clear(dest.id);
    if (statsReset) this.#counting.clearDest(dest.id);
    else this.#counting.resume(service.id, dest.id);
    this.#counting.watchDest(dest.id);
    setAddr(region.bytes, at + abi.dest.addr, spec.addr);
    setPort(region.view, at + abi.dest.port, spec.port);
    region.bytes[at + abi.dest.family] = familyNumber(spec.addr);
    setU32(region.view, at + abi.dest.service, service.id);
    setU16(region.view, at + abi.dest.life, abi.destLife["in-service"]);
    writeKey(region.bytes, region.view, at + abi.dest.of, service.spec.key);
    this.#writeSpec(at, dest, spec);
    this.#writeOverload(at, spec, resurrected);
    setU32(region.view, at + abi.dest.flags, u32(region.view, at + abi.dest.flags) | abi.destFlag.available);
    this.writeHop(dest.id, spec.addr);
    this.#shadow(service).unshift({ id: dest.id, weight: spec.weight });
    this.#turnWrr(service);
  }

  #editDest(service: ServiceRecord, dest: DestRecord, spec: DestSpec): void {
    const at = this.#path.memory.dests.at(dest.id);
    this.#writeSpec(at, dest, spec);
    this.#writeOverload(at, spec, true);
    const shadow = this.#shadow(service).find(({ id }) => id === dest.id);
    if (shadow !== undefined) shadow.weight = spec.weight;
    this.#turnWrr(service);
  }

  #removeDest(service: ServiceRecord, dest: DestRecord): void {
    const { view } = this.#path.memory.dests;
    const at = this.#path.memory.dests.at(dest.id);
    setU32(view, at + abi.dest.flags, u32(view, at + abi.dest.flags) & ~abi.destFlag.available);
    setU16(view, at + abi.dest.life, abi.destLife["in-trash"]);
    this.#counting.retire(service.id, dest.id);
    const shadow = this.#shadow(service);
    const place = shadow.findIndex(({ id }) => id === dest.id);
    this.#stepBackRr(service, dest.id, shadow[place - 1]?.id ?? 0);
    shadow.splice(place, 1);
    this.#turnWrr(service);
  }

  #writeSpec(at: number, dest: DestRecord, spec: DestSpec): void {
    const { view, bytes } = this.#path.memory.dests;
    bytes[at + abi.dest.method] = methodNumber[spec.method];
    setU32(view, at + abi.dest.weight, spec.weight);
    setU32(view, at + abi.dest.lastWeight, dest.lastWeight);
    setU32(view, at + abi.dest.upper, spec.upper);
    setU32(view, at + abi.dest.lower, spec.lower);
    setPort(view, at + abi.dest.tunPort, spec.tunnel.port);
    bytes[at + abi.dest.tunType] = tunnelTypes.indexOf(spec.tunnel.type);
    bytes[at + abi.dest.tunFlags] = tunnelChecksums.indexOf(spec.tunnel.checksum);
    const answersPass = spec.method === "nat" || spec.method === "fullnat";
    setU16(
      view,
      at + abi.dest.connFlags,
      (answersPass ? 0 : abi.connFlag.nooutput) | (spec.toa && spec.method === "fullnat" ? abi.connFlag.toa : 0),
    );
  }

  /** Spec 2.4: between the thresholds, an edit leaves things as they are. */
  #writeOverload(at: number, spec: DestSpec, isEdit: boolean): void {
    const { view } = this.#path.memory.dests;
    const total = i32(view, at + abi.dest.total);
    const relief = spec.lower || spec.upper - (spec.upper >> 2);
    const flags = u32(view, at + abi.dest.flags);
    if (spec.upper > 0 && total >= spec.upper) setU32(view, at + abi.dest.flags, flags | abi.destFlag.overload);
    else if (!isEdit || spec.upper === 0 || total < relief) setU32(view, at + abi.dest.flags, flags & ~abi.destFlag.overload);
  }

  // ---- schedulers

  #shadow(service: ServiceRecord): Shadow[] {
    const shadow = this.#shadows.get(service.id) ?? [];
    this.#shadows.set(service.id, shadow);
    return shadow;
  }

  #stateAt(service: ServiceRecord): number {
    return this.#path.memory.service_states.at(service.id) + abi.serviceState.cursor;
  }

  #resetScheduler(service: ServiceRecord, spec: ServiceSpec): void {
    const level = spec.scheduler === "wrr" ? wrrWeights(this.#shadow(service).map(({ weight }) => weight)).mw : 0;
    this.#setCursor(service, 0, level);
  }

  /** @param high rr's and wrr's last pick go by different halves of the word; see struct service_state */
  #setCursor(service: ServiceRecord, high: number, low: number): void {
    const { view } = this.#path.memory.service_states;
    setU32(view, this.#stateAt(service), low);
    setU32(view, this.#stateAt(service) + 4, high);
  }

  /** The list has changed: the turn goes back to its head, the level is fitted to the weights (spec 3.2). */
  #turnWrr(service: ServiceRecord): void {
    if (service.spec.scheduler !== "wrr") return;
    const { view } = this.#path.memory.service_states;
    const weights = wrrWeights(this.#shadow(service).map(({ weight }) => weight));
    this.#setCursor(service, 0, wrrLevel(u32(view, this.#stateAt(service)), weights));
  }

  /** rr: when the last one picked goes, its predecessor takes its place (spec 3.1). */
  #stepBackRr(service: ServiceRecord, gone: number, predecessor: number): void {
    const { view } = this.#path.memory.service_states;
    if (service.spec.scheduler !== "rr" || count64(view, this.#stateAt(service)) !== gone + 1) return;
    this.#setCursor(service, 0, predecessor === 0 ? 0 : predecessor + 1);
  }

  #hashTable(service: ServiceRecord): Int32Array {
    const family = familyOfService(service.spec.key);
    switch (service.spec.scheduler) {
      case "sh":
        return service.dests.length > 0 ? shTable(candidates(service)) : new Int32Array();
      case "dh":
        return service.dests.length > 0 ? dhTable(candidates(service)) : new Int32Array();
      case "mh":
        return mhTable(candidates(service), family) ?? new Int32Array();
      default:
        return new Int32Array();
    }
  }

  // ---- services

  #publish(service: ServiceRecord): void {
    const before = this.#published.get(service.id);
    const { dests } = service;
    const { members, dests: destRegion } = this.#path.memory;
    const table = this.#hashTable(service);
    const list = this.#take(this.#members, dests.length, "dest lists");
    const tableAt = table.length > 0 ? this.#take(this.#members, table.length, "hash tables") : 0;
    const locals = this.#localRecords(service);
    const laddrAt = this.#take(this.#members, locals.length, "local addresses");
    dests.forEach((dest, place) => {
      setU32(members.view, members.at(list + place), dest.id);
      setU32(destRegion.view, destRegion.at(dest.id) + abi.dest.position, place);
    });
    table.forEach((id, place) => {
      setU32(members.view, members.at(tableAt + place), id);
    });
    locals.forEach((record, place) => {
      setU32(members.view, members.at(laddrAt + place), record);
    });
    this.#update(service, { list, table: tableAt, tableLength: table.length, laddrs: laddrAt });
    if (before !== undefined) {
      this.#members.give(before.list, before.listLength);
      this.#members.give(before.table, before.tableLength);
      this.#members.give(before.laddrs, before.laddrLength);
    }
    this.#published.set(service.id, {
      list,
      listLength: Math.max(dests.length, 1),
      table: tableAt,
      tableLength: table.length,
      laddrs: laddrAt,
      laddrLength: Math.max(locals.length, 1),
    });
  }

  #take(ranges: Ranges, count: number, what: string): number {
    const at = ranges.take(Math.max(count, 1));
    if (at === undefined) throw new RangeError(`the data path has no room for more ${what}`);
    return at;
  }

  #update(service: ServiceRecord, at: { list: number; table: number; tableLength: number; laddrs: number }): void {
    const { spec, dests } = service;
    const value = this.#serviceValue;
    const view = viewOf(value);
    const { di, mw } = wrrWeights(dests.map((dest) => dest.spec.weight));
    value.fill(0);
    setU32(view, abi.service.id, service.id);
    setU32(view, abi.service.flags, serviceFlags(spec));
    setU32(view, abi.service.scheduler, schedulerNumber(spec.scheduler));
    setU32(view, abi.service.list, at.list);
    setU32(view, abi.service.count, dests.length);
    setU32(view, abi.service.persist, Math.min(spec.persistSeconds * this.#path.hz, 0x7fffffff));
    setU32(view, abi.service.persistSeconds, spec.persistSeconds);
    setU32(view, abi.service.netmask, netmaskNumber(spec));
    setU32(view, abi.service.laddrs, at.laddrs);
    setU32(view, abi.service.laddrCount, service.localAddresses.length);
    setU32(view, abi.service.wrrStep, di);
    setU32(view, abi.service.wrrTop, mw);
    setU32(view, abi.service.table, at.table);
    setU32(view, abi.service.tableSize, at.tableLength);
    setU32(view, abi.service.fwmark, spec.key.fwmark ?? 0);
    setU32(view, abi.service.port, spec.key.fwmark === undefined ? spec.key.port : 0);
    this.#path.services.update(this.#key(spec.key), value);
  }

  #withdraw(service: ServiceRecord): void {
    this.#path.services.delete(this.#key(service.spec.key));
    const before = this.#published.get(service.id);
    if (before !== undefined) {
      this.#members.give(before.list, before.listLength);
      this.#members.give(before.table, before.tableLength);
      this.#members.give(before.laddrs, before.laddrLength);
    }
    this.#retiredLocals.push(...(this.#laddrRecords.get(service.id)?.values() ?? []));
    this.#laddrRecords.delete(service.id);
    this.#published.delete(service.id);
    this.#shadows.delete(service.id);
    this.#counting.clearService(service.id);
  }

  #key(key: ServiceKey): Uint8Array {
    writeKey(this.#serviceKey, viewOf(this.#serviceKey), 0, key);
    return this.#serviceKey;
  }

  // ---- local addresses

  /** The records of a service's pool. One stands for an address as long as it is in the pool or a conn speaks from it. */
  #localRecords(service: ServiceRecord): readonly number[] {
    const standing = this.#laddrRecords.get(service.id) ?? new Map<Ip, number>();
    const records = new Map<Ip, number>();
    for (const address of service.localAddresses) records.set(address, standing.get(address) ?? this.#newLocal(address));
    for (const [address, record] of standing) if (!records.has(address)) this.#retiredLocals.push(record);
    this.#laddrRecords.set(service.id, records);
    return [...records.values()];
  }

  #newLocal(address: Ip): number {
    this.#reclaimLocals();
    const record = this.#locals.take();
    if (record === undefined) throw new RangeError("the data path has no room for more local addresses");
    const { view, bytes } = this.#path.memory.laddrs;
    const at = this.#path.memory.laddrs.at(record);
    this.#path.memory.laddrs.clear(record);
    setAddr(bytes, at + abi.laddr.addr, address);
    setU32(view, at + abi.laddr.life, familyNumber(address));
    return record;
  }

  /** Those of no pool whose last conn has gone. */
  #reclaimLocals(): void {
    const { view } = this.#path.memory.laddrs;
    this.#retiredLocals = this.#retiredLocals.filter((record) => {
      const at = this.#path.memory.laddrs.at(record);
      if (i32(view, at + abi.laddr.conns) > 0) return true;
      setU32(view, at + abi.laddr.life, 0);
      this.#locals.give(record);
      return false;
    });
  }

  localAddressesOf(service: ServiceRecord): LocalAddress[] {
    return [...(this.#laddrRecords.get(service.id)?.values() ?? [])].map((record) => readLocalAddress(this.#path, record));
  }
}

export function readMembers(path: DataPath, first: number, count: number): number[] {
  const { view } = path.memory.members;
  return Array.from({ length: count }, (_, i) => u32(view, path.memory.members.at(first + i)));
}

export function readLocalAddress(path: DataPath, record: number): LocalAddress {
  const { view, bytes } = path.memory.laddrs;
  const at = path.memory.laddrs.at(record);
  return {
    addr: readAddr(bytes, at + abi.laddr.addr, u32(view, at + abi.laddr.life)),
    conflicts: u32(view, at + abi.laddr.conflicts),
    conns: Math.max(i32(view, at + abi.laddr.conns), 0),
  };
}

function candidates(service: ServiceRecord): Candidate[] {
  return service.dests.map(({ id, spec, lastWeight }) => ({
    id,
    addr: spec.addr,
    port: spec.port,
    family: familyOf(spec.addr),
    weight: spec.weight,
    lastWeight,
    overloaded: false,
    available: true,
    activeConns: 0,
    totalConns: 0,
  }));
}

/** Records that stand for an address, in a pool or not. */
function usedLocals(path: DataPath): number[] {
  const { view } = path.memory.laddrs;
  const records = Array.from({ length: LADDR_RECORDS }, (_, record) => record);
  return records.filter((record) => record > 0 && u32(view, path.memory.laddrs.at(record) + abi.laddr.life) !== 0);
}
