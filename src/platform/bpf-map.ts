import { Fault } from "../fault.ts";
import { type MapInfo, mapFlag, mapInfo, mapType, openMapById, openPinned, pin } from "./bpf.ts";
import { options } from "./koffi.ts";
import { checkBpf, libbpf } from "./libbpf.ts";
import { type Mapping, mapMemory } from "./mmap.ts";
import { closeFd, possibleCpus } from "./process.ts";

const ENOENT = -2;
const PER_CPU: readonly number[] = [mapType.percpuHash, mapType.percpuArray, mapType.lruPercpuHash];

/** update's flags: either, only a new key (else EEXIST), only a known one (else ENOENT). */
export const BPF_ANY = 0;
export const BPF_NOEXIST = 1;
export const BPF_EXIST = 2;

export interface MapSpec {
  readonly type: number;
  readonly name?: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags?: number;
  /** For a map of maps: a descriptor of a map like those that it will hold. */
  readonly innerMapFd?: number;
}

/** Where a walk by lookupBatch has got to. Start a walk with a new one. */
export interface BatchCursor {
  readonly position: Uint8Array;
  started: boolean;
  done: boolean;
}

/**
 * A BPF map and its own descriptor. Keys and values are bytes in caller's buffers; no call allocates. Buffers are checked
 * against the map's sizes, since the kernel would write past a short one. Failures are Faults with the kernel's errno.
 */
export class BpfMap {
  readonly fd: number;
  readonly info: MapInfo;
  /** Bytes of what lookup writes: for a per-CPU map one value, padded to 8, for each possible CPU. */
  readonly valueBytes: number;
  readonly #count = new Uint32Array(1);
  #open = true;

  /** Takes over the descriptor. */
  constructor(fd: number) {
    this.fd = fd;
    this.info = mapInfo(fd);
    const { type, valueSize } = this.info;
    this.valueBytes = PER_CPU.includes(type) ? roundUp8(valueSize) * possibleCpus() : valueSize;
  }

  static pinned(path: string): BpfMap {
    return new BpfMap(openPinned(path));
  }

  static byId(id: number): BpfMap {
    return new BpfMap(openMapById(id));
  }

  static create(spec: MapSpec): BpfMap {
    const opts = options(48); // bpf_map_create_opts
    opts.view.setUint32(24, spec.innerMapFd ?? 0, true);
    opts.view.setUint32(28, spec.flags ?? 0, true);
    const { type, name = "", keySize, valueSize, maxEntries } = spec;
    return new BpfMap(
      checkBpf("create map", libbpf().createMap(type, name, keySize, valueSize, maxEntries, opts.bytes), `"${name}"`),
    );
  }

  /** Copies the value of a key into `value`; false when there is none. */
  lookup(key: Uint8Array, value: Uint8Array): boolean {
    this.#checkKey(key);
    this.#checkValue(value);
    return this.#found("lookup", libbpf().lookup(this.fd, key, value));
  }

  /** As lookup, and the entry is gone in the same step (hash maps, kernel 5.14). */
  lookupAndDelete(key: Uint8Array, value: Uint8Array): boolean {
    this.#checkKey(key);
    this.#checkValue(value);
    return this.#found("lookup and delete", libbpf().lookupAndDelete(this.fd, key, value));
  }

  /** Codes: E2BIG when a hash is full, EEXIST and ENOENT as the flags say. */
  update(key: Uint8Array, value: Uint8Array, flags: number = BPF_ANY): void {
    this.#checkKey(key);
    this.#checkValue(value);
    this.#check("update", libbpf().update(this.fd, key, value, flags));
  }

  /** False when there was no such key. */
  delete(key: Uint8Array): boolean {
    this.#checkKey(key);
    return this.#found("delete", libbpf().delete(this.fd, key));
  }

  /** Writes into `next` the key after `key` (undefined: the first); false at the end. `next` may be the same buffer. */
  nextKey(key: Uint8Array | undefined, next: Uint8Array): boolean {
    if (key !== undefined) this.#checkKey(key);
    this.#checkKey(next);
    return this.#found("next key", libbpf().nextKey(this.fd, key ?? null, next));
  }

  newCursor(): BatchCursor {
    return { position: new Uint8Array(Math.max(this.info.keySize, 4)), started: false, done: false };
  }

  /**
   * Fills `keys` and `values` with the next entries of a walk and says how many; the cursor is `done` with the last ones.
   * ENOSPC: the buffers are smaller than one bucket of the hash; a few hundred entries are safe.
   */
  lookupBatch(cursor: BatchCursor, keys: Uint8Array, values: Uint8Array): number {
    this.#count[0] = this.#room(keys, values);
    const from = cursor.started ? cursor.position : null;
    const result = libbpf().lookupBatch(this.fd, from, cursor.position, keys, values, this.#count, null);
    cursor.started = true;
    cursor.done = !this.#found("lookup batch", result);
    return this.#count[0] ?? 0;
  }

  /** Writes the first `count` keys and values of the buffers. On a Fault some may have been written. */
  updateBatch(keys: Uint8Array, values: Uint8Array, count: number): void {
    this.#checkCount(count, this.#room(keys, values));
    this.#count[0] = count;
    this.#check("update batch", libbpf().updateBatch(this.fd, keys, values, this.#count, null));
  }

  /** Deletes the first `count` keys of the buffer; stops at a key that is not there and says how many it deleted. */
  deleteBatch(keys: Uint8Array, count: number): number {
    this.#checkCount(count, Math.floor(keys.length / this.info.keySize));
    this.#count[0] = count;
    this.#found("delete batch", libbpf().deleteBatch(this.fd, keys, this.#count, null));
    return this.#count[0] ?? 0;
  }

  /** The values of an array made with BPF_F_MMAPABLE as memory: value i is at i * valueSize rounded up to 8. */
  memory({ writable = false }: { writable?: boolean } = {}): Mapping {
    const { flags, maxEntries, valueSize } = this.info;
    if (!(flags & mapFlag.mmapable)) throw new Fault("map memory", "EINVAL", `"${this.info.name}" is not BPF_F_MMAPABLE`);
    return mapMemory(this.fd, maxEntries * roundUp8(valueSize), { writable });
  }

  pin(path: string): void {
    pin(this.fd, path);
  }

  close(): void {
    if (this.#open) closeFd(this.fd);
    this.#open = false;
  }

  #room(keys: Uint8Array, values: Uint8Array): number {
    return Math.min(Math.floor(keys.length / this.info.keySize), Math.floor(values.length / this.valueBytes));
  }

  #checkKey(key: Uint8Array): void {
    if (key.length !== this.info.keySize) this.#refuse(`a key has ${this.info.keySize} bytes, not ${key.length}`);
  }

  #checkValue(value: Uint8Array): void {
    if (value.length < this.valueBytes) this.#refuse(`a value has ${this.valueBytes} bytes, not ${value.length}`);
  }

  #checkCount(count: number, room: number): void {
    if (count > room) this.#refuse(`the buffers hold ${room} entries, not ${count}`);
  }

  #refuse(why: string): never {
    throw new RangeError(`map "${this.info.name}": ${why}`);
  }

  #found(op: string, result: number): boolean {
    if (result >= 0) return true;
    if (result === ENOENT) return false;
    throw Fault.fromErrno(op, -result, `map "${this.info.name}"`);
  }

  #check(op: string, result: number): void {
    if (result < 0) throw Fault.fromErrno(op, -result, `map "${this.info.name}"`);
  }
}

export const roundUp8 = (n: number): number => Math.ceil(n / 8) * 8;
