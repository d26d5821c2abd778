import type { MutableDest, MutableService } from "./store.ts";

const RUN_EVERY = 60_000; // ms
const IDLE_FOR = 120_000; // ms

export interface TrashEntry {
  readonly dest: MutableDest;
  /** The service it was deleted from, which may be gone. */
  readonly service: MutableService;
  /** ms */
  idleSince: number | undefined;
}

/**
 * Deleted dests wait here, because conns still count on them, and come back with their counts when they are added
 * again. A run every 60 s frees those that nobody has referred to for 120 s (spec 2.3: 120..180 s after the delete).
 */
export class Trash {
  /** By service and dest key in one text. */
  readonly #entries = new Map<string, TrashEntry>();
  #runAt: number | undefined;

  put(text: string, entry: TrashEntry): void {
    this.#entries.set(text, entry);
  }

  /** Out of the trash, or undefined when there is no such dest. */
  take(text: string): TrashEntry | undefined {
    const entry = this.#entries.get(text);
    this.#entries.delete(text);
    return entry;
  }

  values(): Iterable<TrashEntry> {
    return this.#entries.values();
  }

  /** Dests whose time is over, taken out. To be called every second or so. */
  expire(now: number, isReferenced: (destId: number) => boolean): readonly MutableDest[] {
    if (this.#entries.size === 0) this.#runAt = undefined;
    else this.#runAt ??= now + RUN_EVERY;
    if (this.#runAt === undefined || now < this.#runAt) return [];
    this.#runAt = now + RUN_EVERY;
    return this.#run(now, isReferenced);
  }

  #run(now: number, isReferenced: (destId: number) => boolean): MutableDest[] {
    const freed: MutableDest[] = [];
    for (const [text, entry] of this.#entries) {
      if (isReferenced(entry.dest.id)) continue;
      entry.idleSince ??= now;
      if (now < entry.idleSince + IDLE_FOR) continue;
      this.#entries.delete(text);
      freed.push(entry.dest);
    }
    return freed;
  }
}
