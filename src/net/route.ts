import { type Family, familyOf, type Ip, ipBytes, uint32FromIp } from "./ip.ts";

/**
 * Values by network, found again by address, the longest network first. One Map for each length in use, so that a lookup
 * costs one probe per length; meant for tables that are read when a flow or a dest is new, not for every packet.
 */
export class RouteTable<T> {
  readonly #ipv4 = new PrefixMaps<T>(32);
  readonly #ipv6 = new PrefixMaps<T>(128);

  get(prefix: Ip, length: number): T | undefined {
    return this.#of(prefix).get(prefix, length);
  }

  /** Bits of the prefix beyond the length do not count. */
  set(prefix: Ip, length: number, value: T): void {
    this.#of(prefix).set(prefix, length, value);
  }

  /** Was it there? */
  delete(prefix: Ip, length: number): boolean {
    return this.#of(prefix).delete(prefix, length);
  }

  /** The values of all networks that hold the address, the longest first. */
  *matches(address: Ip): Generator<T> {
    yield* this.#of(address).matches(address);
  }

  lookup(address: Ip): T | undefined {
    for (const value of this.matches(address)) return value;
    return undefined;
  }

  *values(family: Family): Generator<T> {
    yield* (family === "ipv4" ? this.#ipv4 : this.#ipv6).values();
  }

  #of(address: Ip): PrefixMaps<T> {
    return familyOf(address) === "ipv4" ? this.#ipv4 : this.#ipv6;
  }
}

type Key = number | bigint;

class PrefixMaps<T> {
  readonly #bits: 32 | 128;
  /** By length; a length that is not in use has no map. */
  readonly #maps: (Map<Key, T> | undefined)[];

  constructor(bits: 32 | 128) {
    this.#bits = bits;
    this.#maps = new Array<Map<Key, T> | undefined>(bits + 1).fill(undefined);
  }

  get(prefix: Ip, length: number): T | undefined {
    return this.#maps[length]?.get(this.#key(prefix, length));
  }

  set(prefix: Ip, length: number, value: T): void {
    if (!Number.isInteger(length) || length < 0 || length > this.#bits) throw new RangeError(`prefix length ${length}`);
    const map = this.#maps[length] ?? new Map<Key, T>();
    this.#maps[length] = map;
    map.set(this.#key(prefix, length), value);
  }

  delete(prefix: Ip, length: number): boolean {
    const map = this.#maps[length];
    if (map === undefined || !map.delete(this.#key(prefix, length))) return false;
    if (map.size === 0) this.#maps[length] = undefined;
    return true;
  }

  *matches(address: Ip): Generator<T> {
    const whole = this.#number(address);
    for (let length = this.#bits; length >= 0; length--) {
      const value = this.#maps[length]?.get(this.#cut(whole, length));
      if (value !== undefined) yield value;
    }
  }

  *values(): Generator<T> {
    for (const map of this.#maps) if (map !== undefined) yield* map.values();
  }

  #key(prefix: Ip, length: number): Key {
    return this.#cut(this.#number(prefix), length);
  }

  #number(address: Ip): Key {
    return this.#bits === 32 ? uint32FromIp(address) : uint128(ipBytes(address));
  }

  /** The first `length` bits; those of networks of one length only are compared, so the shift need not be undone. */
  #cut(whole: Key, length: number): Key {
    if (typeof whole === "bigint") return whole >> BigInt(128 - length);
    return length === 0 ? 0 : whole >>> (32 - length);
  }
}

function uint128(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return (view.getBigUint64(0) << 64n) | view.getBigUint64(8);
}

/** How many leading bits two addresses of one family share. */
export function commonBits(a: Ip, b: Ip): number {
  const [left, right] = [ipBytes(a), ipBytes(b)];
  for (let i = 0; i < left.length; i++) {
    const difference = (left[i] ?? 0) ^ (right[i] ?? 0);
    if (difference !== 0) return 8 * i + Math.clz32(difference) - 24;
  }
  return 8 * left.length;
}

/** Does the network hold the address? */
export const holds = (prefix: Ip, length: number, address: Ip): boolean =>
  familyOf(prefix) === familyOf(address) && commonBits(prefix, address) >= length;
