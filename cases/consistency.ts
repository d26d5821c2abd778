import { readdirSync, readFileSync } from "node:fs";
import type { Service } from "../src/director/director.ts";
import * as abi from "../src/director/xdp/abi.gen.ts";
import type { DataPath } from "../src/director/xdp/loader.ts";
import { i32, Region, u16, u32 } from "../src/director/xdp/memory.ts";
import { BpfMap } from "../src/platform/bpf-map.ts";

/** Does the data path's table fit together: slots, index and counts? Read from its memory, while nothing runs. */

const BUCKET_ENTRIES = 8;
const DIRECTION_OUT = 1;

/** The table's memory, and the index, which the daemon never looks at. */
export class TableView {
  readonly path: DataPath;
  readonly #buckets: Region;
  readonly #map: BpfMap;

  constructor(path: DataPath) {
    this.path = path;
    this.#map = ownMap("buckets");
    this.#buckets = new Region(this.#map);
  }

  /** Every entry of the index. */
  *entries(): Generator<{ readonly slot: number; readonly direction: number }> {
    const { view, length } = this.#buckets;
    for (let at = 0; at < length * BUCKET_ENTRIES * 8; at += 8) {
      const slot = u32(view, at);
      if (slot !== 0) yield { slot: slot - 1, direction: u32(view, at + 4) & 1 };
    }
  }

  get fresh(): number {
    return u32(this.path.memory.table_state.view, abi.tableState.fresh);
  }
  get live(): number {
    return u32(this.path.memory.table_state.view, abi.tableState.live);
  }

  /** Forgets the index of a table that holds nothing: what a fault has left there would look like another one later. */
  clearIndex(): void {
    if (this.live === 0) this.#buckets.bytes.fill(0);
  }

  close(): void {
    this.#buckets.close();
    this.#map.close();
  }
}

/** One of this process's own maps by its name; the users, when there are several. */
function ownMap(name: string): BpfMap {
  const ids = readdirSync("/proc/self/fdinfo").map((fd) => /^map_id:\s*(\d+)/m.exec(fdinfo(fd))?.[1]);
  for (const id of [...new Set(ids)].map(Number).sort((a, b) => b - a)) {
    if (!(id > 0)) continue;
    const map = BpfMap.byId(id);
    if (map.info.name === name) return map;
    map.close();
  }
  throw new Error(`no map ${name} among the descriptors of this process`);
}

function fdinfo(fd: string): string {
  try {
    return readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
  } catch {
    return ""; // it was the one that read the directory
  }
}

interface Held {
  total: number;
  active: number;
  persist: number;
}

/** What does not fit together, as sentences. */
export function complaintsOf(table: TableView, services: readonly Service[]): string[] {
  const complaints: string[] = [];
  const { conns } = table.path.memory;
  const isNat = (slot: number): boolean => {
    const method = conns.bytes[conns.at(slot) + abi.conn.method];
    const isTemplate = (u16(conns.view, conns.at(slot) + abi.conn.flags) & abi.connFlag.template) !== 0;
    return !isTemplate && (method === abi.method.nat || method === abi.method.fullnat);
  };
  /** A template that nobody may find any more, under a port that several have. */
  const isSetAside = (slot: number): boolean => u16(conns.view, conns.at(slot) + abi.conn.inDport) === 0xffff;
  const users = new Map<string, number>();
  const outText = (slot: number): string => {
    const at = conns.at(slot) + abi.conn.out;
    return String.fromCharCode(...conns.bytes.subarray(at, at + abi.flow.size));
  };
  const hasRival = (slot: number): boolean => {
    if (users.size === 0)
      for (let at = 0; at < table.fresh; at++) if (isNat(at)) users.set(outText(at), (users.get(outText(at)) ?? 0) + 1);
    return (users.get(outText(slot)) ?? 0) > 1;
  };
  const found = new Map<number, number>();
  for (const { slot, direction } of table.entries()) {
    const seen = found.get(slot) ?? 0;
    if (seen & (1 << direction)) complaints.push(`slot ${slot} stands in the index twice by direction ${direction}`);
    found.set(slot, seen | (1 << direction));
  }
  const byDest = new Map<number, Held>();
  let live = 0;
  for (let slot = 0; slot < table.fresh; slot++) {
    const at = conns.at(slot);
    const life = u32(conns.view, at + abi.conn.life);
    const seen = found.get(slot) ?? 0;
    found.delete(slot);
    if (life !== abi.connLife.live) {
      if (seen !== 0) complaints.push(`slot ${slot} is not live and stands in the index`);
      continue;
    }
    live++;
    const wanted = isNat(slot) ? 1 | (1 << DIRECTION_OUT) : 1;
    // The answers of two conns with one answer flow belong to the newer one, which may have ended by now.
    if (seen !== wanted && !(seen === 1 && hasRival(slot)) && !isSetAside(slot)) {
      complaints.push(`slot ${slot} stands in the index by directions ${seen}, not ${wanted}`);
    }
    const dest = u32(conns.view, at + abi.conn.dest);
    const held = byDest.get(dest) ?? { total: 0, active: 0, persist: 0 };
    const flags = u16(conns.view, at + abi.conn.flags);
    if (flags & abi.connFlag.template) held.persist++;
    else held.total++;
    if (!(flags & (abi.connFlag.inactive | abi.connFlag.template))) held.active++;
    byDest.set(dest, held);
  }
  for (const slot of found.keys()) complaints.push(`the index names slot ${slot}, which was never used`);
  if (live !== table.live) complaints.push(`${table.live} conns counted, ${live} there`);
  return [...complaints, ...destComplaints(table, byDest), ...serviceComplaints(services)];
}

function destComplaints(table: TableView, byDest: ReadonlyMap<number, Held>): string[] {
  const complaints: string[] = [];
  const { dests } = table.path.memory;
  for (let id = 0; id < dests.length; id++) {
    const at = dests.at(id);
    const { total, active, persist } = byDest.get(id) ?? { total: 0, active: 0, persist: 0 };
    const counted = [abi.dest.total, abi.dest.active, abi.dest.persist].map((field) => i32(dests.view, at + field)).join("/");
    const there = [total, active, persist].join("/");
    if (counted !== there) complaints.push(`dest ${id} counts ${counted} conns (total/active/persistent), ${there} are there`);
  }
  return complaints;
}

/** No count is below zero, or so large that it must have been. */
function serviceComplaints(services: readonly Service[]): string[] {
  const isCount = (count: number): boolean => count >= 0 && count <= Number.MAX_SAFE_INTEGER;
  return services.flatMap(({ key, counters, dests }) => {
    const all = [counters, ...dests.map((dest) => dest.counters)].flatMap((each) => Object.values(each) as number[]);
    return all.filter((count) => !isCount(count)).map((count) => `service ${JSON.stringify(key)} counts ${count}`);
  });
}
