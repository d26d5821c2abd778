import { Fault } from "../../fault.ts";
import type { Family } from "../../net/ip.ts";
import type { BpfMap } from "../../platform/bpf-map.ts";
import { type DestKey, type DestSpec, familyOfService, type Protocol, type ServiceKey } from "../director.ts";
import type { Change, ServiceRecord } from "../records.ts";
import * as abi from "./abi.gen.ts";
import { protocolNumber } from "./keys.ts";
import { setAddr, setPort, setU32, viewOf } from "./memory.ts";

const BATCH = 1024;

/**
 * Who speaks as a NAT dest, for nat_icmp_send (spec 5.4): address, port and protocol of every NAT dest, each with the id of
 * one that has them, which knows the way there. A fwmark service takes any protocol, so its dests stand there once for each.
 */
export class NatDests {
  readonly #map: BpfMap;
  /** Ids of the dests that are in the map. */
  readonly #known = new Set<number>();
  /** All of one address, port and protocol, by the text of the key; the map has the last of them. */
  readonly #alike = new Map<string, readonly number[]>();
  readonly #key = new Uint8Array(abi.serviceKey.size);
  readonly #value = new Uint8Array(4);

  constructor(map: BpfMap) {
    this.#map = map;
  }

  follow(change: Change): void {
    if (change.kind === "dest-added") this.#set(change.service, change.dest, change.spec);
    else if (change.kind === "dest-edited") this.#set(change.service, change.dest, change.after);
    else if (change.kind === "dest-deleted") this.#set(change.service, change.dest, undefined);
  }

  has(protocol: Protocol, place: DestKey, family: Family): boolean {
    this.#writeKey(family, place, protocolNumber[protocol]);
    return this.#map.lookup(this.#key, this.#value);
  }

  /** The map becomes what the services say, whatever an earlier lvsd left in it. */
  rebuild(services: Iterable<ServiceRecord>): void {
    this.#clear();
    this.#known.clear();
    this.#alike.clear();
    for (const service of services) for (const dest of service.dests) this.#set(service, dest, dest.spec);
  }

  /** In batches: asking for the first key again and again would walk over more and more empty places. */
  #clear(): void {
    const keys = new Uint8Array(BATCH * abi.serviceKey.size);
    const values = new Uint8Array(BATCH * this.#value.length);
    for (const cursor = this.#map.newCursor(); !cursor.done; )
      this.#map.deleteBatch(keys, this.#map.lookupBatch(cursor, keys, values));
  }

  /** @param spec undefined: the dest is gone. Its address and port are those of its record for good. */
  #set(service: ServiceRecord, { id, spec: place }: { id: number; spec: DestSpec }, spec: DestSpec | undefined): void {
    const isNat = spec?.method === "nat";
    if (isNat === this.#known.has(id)) return;
    if (isNat) this.#known.add(id);
    else this.#known.delete(id);
    for (const protocol of protocolsOf(service.spec.key)) {
      this.#writeKey(familyOfService(service.spec.key), place, protocol);
      this.#write(id, isNat);
    }
  }

  #writeKey(family: Family, { addr, port }: DestKey, protocol: number): void {
    setAddr(this.#key, abi.serviceKey.addr, addr);
    setPort(viewOf(this.#key), abi.serviceKey.port, port);
    this.#key[abi.serviceKey.protocol] = protocol;
    this.#key[abi.serviceKey.family] = family === "ipv6" ? 6 : 4;
  }

  /** Of the key that was written last. */
  #write(id: number, isNat: boolean): void {
    const text = this.#key.join();
    const others = (this.#alike.get(text) ?? []).filter((other) => other !== id);
    const ids = isNat ? [...others, id] : others;
    const last = ids.at(-1);
    if (last === undefined) {
      this.#alike.delete(text);
      this.#map.delete(this.#key);
      return;
    }
    this.#alike.set(text, ids);
    setU32(viewOf(this.#value), 0, last);
    try {
      this.#map.update(this.#key, this.#value);
    } catch (error) {
      // Full: a stray packet of this dest will go unanswered, which is no reason to do without the dest.
      if (!(error instanceof Fault) || error.code !== "E2BIG") throw error;
    }
  }
}

const protocolsOf = (key: ServiceKey): readonly number[] =>
  key.fwmark === undefined ? [protocolNumber[key.protocol]] : Object.values(protocolNumber);
