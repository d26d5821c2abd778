import { type Ip, ipBytes, ipFromBytes } from "../../net/ip.ts";
import type { BpfMap } from "../../platform/bpf-map.ts";
import type { Mapping } from "../../platform/mmap.ts";

/** The data path's maps as memory. Offsets within an element are abi.gen.ts's; numbers of the host are little-endian. */

/** One memory-mapped array: element `index` stands at `at(index)` of `view`. */
export class Region {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly #stride: number;
  readonly #mapping: Mapping;

  constructor(map: BpfMap) {
    this.#mapping = map.memory({ writable: true });
    this.bytes = this.#mapping.bytes;
    this.view = new DataView(this.#mapping.buffer);
    this.length = map.info.maxEntries;
    this.#stride = Math.ceil(map.info.valueSize / 8) * 8;
  }

  at(index: number): number {
    return index * this.#stride;
  }

  clear(index: number): void {
    this.bytes.fill(0, this.at(index), this.at(index + 1));
  }

  /** No view of it may be touched afterwards. */
  close(): void {
    this.#mapping.close();
  }
}

export const u16 = (view: DataView, at: number): number => view.getUint16(at, true);
export const u32 = (view: DataView, at: number): number => view.getUint32(at, true);
export const i32 = (view: DataView, at: number): number => view.getInt32(at, true);
/** A 64-bit count, exact up to 2^53; signed, since a service's row may owe what its dests have (see Counting). */
export const count64 = (view: DataView, at: number): number =>
  view.getUint32(at, true) + view.getInt32(at + 4, true) * 0x1_0000_0000;
/** A port stands in network order. */
export const port = (view: DataView, at: number): number => view.getUint16(at, false);

export const setU16 = (view: DataView, at: number, value: number): void => view.setUint16(at, value, true);
export const setU32 = (view: DataView, at: number, value: number): void => view.setUint32(at, value, true);
export const setPort = (view: DataView, at: number, value: number): void => view.setUint16(at, value, false);

export function setAddr(bytes: Uint8Array, at: number, address: Ip): void {
  const raw = ipBytes(address);
  bytes.fill(0, at, at + 16);
  bytes.set(raw, at);
}

/** @param family 4 or 6, as the data path writes it */
export function addr(bytes: Uint8Array, at: number, family: number): Ip {
  return ipFromBytes(bytes.subarray(at, at + (family === 6 ? 16 : 4)));
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
