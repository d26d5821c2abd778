import { readFileSync } from "node:fs";
import type { DataPath } from "../src/director/xdp/loader.ts";
import { programInfo } from "../src/platform/bpf.ts";
import { BpfMap } from "../src/platform/bpf-map.ts";

/** Bytes for each conn that the table can hold, as the kernel accounts for the maps. */
export interface Memory {
  readonly conns: number;
  readonly index: number;
  readonly freeSlots: number;
  readonly bytesPerConn: number;
}

export function memoryOf(path: DataPath): Memory {
  const bytes = new Map<string, number>();
  for (const id of programInfo(path.program("lvs_xdp")).mapIds) {
    const map = BpfMap.byId(id);
    bytes.set(map.info.name, chargedFor(map.fd));
    map.close();
  }
  const each = (name: string) => Math.round(((bytes.get(name) ?? 0) / path.sizes.capacity) * 10) / 10;
  const [conns, index, freeSlots] = [each("conns"), each("buckets"), each("free_slots")];
  return { conns, index, freeSlots, bytesPerConn: Math.round((conns + index + freeSlots) * 10) / 10 };
}

function chargedFor(fd: number): number {
  const found = /^memlock:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"));
  return Number(found?.[1] ?? 0);
}
