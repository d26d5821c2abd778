import type { Family, Ip } from "../net/ip.ts";
import { fold, hash32 } from "./hash.ts";
import type { Candidate, DestList } from "./scheduler.ts";

const BITS = 10;
const BUCKETS = 1 << BITS;
const MAX_SIZE = 16 * BUCKETS;
const CLEAN_EVERY = 60_000; // ms
const FULL_CHECK_EVERY = 30; // runs
const IDLE_FOR = 360_000; // ms

/**
 * What lblc and lblcr remember of each destination address, and for how long (spec 3.7). Buckets matter only for the
 * order in which a cache that is too full is cleaned.
 */
export class Cache<Value> {
  readonly #buckets: Map<Ip, { value: Value; lastUse: number }>[] = Array.from({ length: BUCKETS }, () => new Map());
  readonly #family: Family;
  readonly #expirationSeconds: () => number;
  #size = 0;
  #rover = 0;
  #runs = 1;
  #cleanAt: number;

  constructor(family: Family, now: number, expirationSeconds: () => number) {
    this.#family = family;
    this.#expirationSeconds = expirationSeconds;
    this.#cleanAt = now + CLEAN_EVERY;
  }

  /** Marks it used. */
  find(address: Ip, now: number): Value | undefined {
    const entry = this.#bucket(address).get(address);
    if (entry !== undefined) entry.lastUse = now;
    return entry?.value;
  }

  /** Nothing happens when the cache is full. */
  put(address: Ip, value: Value, now: number): void {
    const bucket = this.#bucket(address);
    if (bucket.delete(address)) this.#size--;
    if (this.#size >= (MAX_SIZE * 3) / 2) return;
    bucket.set(address, { value, lastUse: now });
    this.#size++;
  }

  get size(): number {
    return this.#size;
  }

  *values(): Iterable<Value> {
    for (const bucket of this.#buckets) for (const entry of bucket.values()) yield entry.value;
  }

  tick(now: number): void {
    for (; now >= this.#cleanAt; this.#cleanAt += CLEAN_EVERY) this.#clean(this.#cleanAt);
  }

  #clean(now: number): void {
    if (this.#runs % FULL_CHECK_EVERY === 0) {
      this.#runs = 1;
      for (const bucket of this.#buckets) this.#drop(bucket, now - this.#expirationSeconds() * 1000);
    } else if (this.#size <= MAX_SIZE) this.#runs++;
    else this.#shrink(now);
  }

  #shrink(now: number): void {
    let goal = Math.min(Math.floor(((this.#size - MAX_SIZE) * 4) / 3), MAX_SIZE / 2);
    for (let visits = 0; visits < BUCKETS && goal > 0; visits++) {
      this.#rover = (this.#rover + 1) % BUCKETS;
      goal -= this.#drop(this.#buckets[this.#rover]!, now - IDLE_FOR);
    }
  }

  /** How many were not used since. */
  #drop(bucket: Map<Ip, { lastUse: number }>, since: number): number {
    let dropped = 0;
    for (const [address, entry] of bucket) if (entry.lastUse <= since && bucket.delete(address)) dropped++;
    this.#size -= dropped;
    return dropped;
  }

  #bucket(address: Ip): Map<Ip, { value: Value; lastUse: number }> {
    return this.#buckets[hash32(fold(address, this.#family), BITS)]!;
  }
}

/** More active connections than its weight, while another dest has less than half of its own. */
export function isCrowded(dest: Candidate, list: DestList): boolean {
  return dest.activeConns > dest.weight && list.some((other) => other.activeConns * 2 < other.weight);
}
