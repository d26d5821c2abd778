import type { ServiceSpec } from "../director.ts";
import type { Change } from "../records.ts";
import * as abi from "./abi.gen.ts";
import type { DataPath } from "./loader.ts";
import { setU32, u32, viewOf } from "./memory.ts";

/**
 * Cleaning the caches of lblc and lblcr (spec 3.7): once a minute each service's entries are looked at; every 30th time those
 * older than the expiration go, in between only when there are too many, idle ones first come.
 */

const EVERY = 60_000; // ms
const FULL_EVERY = 30;
const MAX_ENTRIES = 16 * 1024; // of one service
const IDLE_SECONDS = 360;

/** Seconds, by service id: lblc_expiration or lblcr_expiration. */
export type Expirations = (serviceId: number) => number | undefined;

export class Caches {
  readonly #path: DataPath;
  #dueAt: number | undefined;
  readonly #runs = new Map<number, number>();

  constructor(path: DataPath) {
    this.#path = path;
  }

  /** @param now ms of a monotonic clock */
  tick(now: number, expirations: Expirations): void {
    this.#dueAt ??= now + EVERY;
    if (now < this.#dueAt) return;
    this.#dueAt = now + EVERY;
    const entries = [...this.#entries()];
    if (entries.length === 0) return;
    const jiffies = this.#path.now();
    const idle = ({ lastuse }: Entry) => ((jiffies - lastuse) | 0) / this.#path.hz;
    for (const serviceId of new Set(entries.map(({ service }) => service))) {
      const own = entries.filter(({ service }) => service === serviceId);
      const expiration = expirations(serviceId);
      if (expiration === undefined) this.#remove(own);
      else this.#remove(this.#due(serviceId, own, idle, expiration));
    }
  }

  /** A service that is gone, or that has another scheduler now, leaves nothing behind. */
  follow(changes: readonly Change[]): void {
    const over = new Set(changes.flatMap((change) => (endsCache(change) ? [change.service.id] : [])));
    if (over.size === 0) return;
    this.#remove([...this.#entries()].filter(({ service }) => over.has(service)));
    for (const id of over) this.#runs.delete(id);
  }

  /** The dests that entries name: in the trash they stay, as long as an entry may send them a conn again (spec 2.5). */
  dests(): ReadonlySet<number> {
    return new Set([...this.#entries()].flatMap(({ dests }) => dests));
  }

  /** The number of a dest is about to be used again: it leaves the sets that it is in, and an entry without dests goes. */
  forget(destId: number): void {
    for (const { key, value, dests } of [...this.#entries()]) {
      const left = dests.filter((id) => id !== destId);
      if (left.length === 0) this.#path.caches.delete(key);
      else if (left.length < dests.length) {
        const view = viewOf(value);
        for (const [i, id] of left.entries()) setU32(view, abi.cacheEntry.dests + i * 4, id);
        setU32(view, abi.cacheEntry.count, left.length);
        this.#path.caches.update(key, value);
      }
    }
  }

  #due(serviceId: number, own: readonly Entry[], idle: (entry: Entry) => number, expiration: number): readonly Entry[] {
    const run = this.#runs.get(serviceId) ?? 1;
    if (run % FULL_EVERY === 0) {
      this.#runs.set(serviceId, 1);
      return own.filter((entry) => idle(entry) >= expiration);
    }
    if (own.length <= MAX_ENTRIES) {
      this.#runs.set(serviceId, run + 1);
      return [];
    }
    const goal = Math.min(Math.floor(((own.length - MAX_ENTRIES) * 4) / 3), MAX_ENTRIES / 2);
    return own.filter((entry) => idle(entry) >= IDLE_SECONDS).slice(0, goal);
  }

  #remove(entries: readonly Entry[]): void {
    for (const { key } of entries) this.#path.caches.delete(key);
  }

  *#entries(): Generator<Entry> {
    const { caches } = this.#path;
    const key = new Uint8Array(abi.cacheKey.size);
    const value = new Uint8Array(abi.cacheEntry.size);
    const view = viewOf(value);
    for (let more = caches.nextKey(undefined, key); more; more = caches.nextKey(key, key)) {
      if (!caches.lookup(key, value)) continue;
      const count = u32(view, abi.cacheEntry.count);
      yield {
        key: key.slice(),
        value: value.slice(),
        service: u32(viewOf(key), abi.cacheKey.service),
        lastuse: u32(view, abi.cacheEntry.lastuse),
        dests: Array.from({ length: count }, (_, i) => u32(view, abi.cacheEntry.dests + i * 4)),
      };
    }
  }
}

type ServiceChange = Extract<Change, { kind: "service-edited" | "service-deleted" }>;

function endsCache(change: Change): change is ServiceChange {
  if (change.kind === "service-deleted") return hasCache(change.service.spec);
  return change.kind === "service-edited" && hasCache(change.before) && change.before.scheduler !== change.after.scheduler;
}

const hasCache = ({ scheduler }: ServiceSpec): boolean => scheduler === "lblc" || scheduler === "lblcr";

interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly service: number;
  readonly lastuse: number;
  readonly dests: readonly number[];
}
