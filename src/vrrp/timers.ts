import type { Millis } from "./machine.ts";

/** One heap for all timers: each has a name and at most one time. */
export class Timers {
  readonly #heap: { readonly key: string; readonly at: Millis }[] = [];
  /** The time that counts for a name; others of it in the heap are left-overs. */
  readonly #due = new Map<string, Millis>();

  /** Replaces what was set for the name; undefined: not at all. */
  set(key: string, at: Millis | undefined): void {
    if (this.#due.get(key) === at) return;
    if (at === undefined) {
      this.#due.delete(key);
      return;
    }
    this.#due.set(key, at);
    this.#heap.push({ key, at });
    this.#up(this.#heap.length - 1);
  }

  /** When the first is due. */
  next(): Millis | undefined {
    this.#tidy();
    return this.#heap[0]?.at;
  }

  /** Takes out the first that is due. */
  take(now: Millis): string | undefined {
    this.#tidy();
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return undefined;
    this.#pop();
    this.#due.delete(first.key);
    return first.key;
  }

  get size(): number {
    return this.#due.size;
  }

  #tidy(): void {
    for (let first = this.#heap[0]; first !== undefined && this.#due.get(first.key) !== first.at; first = this.#heap[0])
      this.#pop();
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#down();
  }

  #up(at: number): void {
    for (let i = at; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (this.#heap[parent]!.at <= this.#heap[i]!.at) return;
      this.#swap(i, parent);
      i = parent;
    }
  }

  #down(): void {
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < this.#heap.length && this.#heap[child]!.at < this.#heap[least]!.at) least = child;
      }
      if (least === i) return;
      this.#swap(i, least);
      i = least;
    }
  }

  #swap(a: number, b: number): void {
    [this.#heap[a], this.#heap[b]] = [this.#heap[b]!, this.#heap[a]!];
  }
}
