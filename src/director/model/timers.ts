/** What can be due: it says itself when, and that moment may move. */
export interface Due {
  /** ms */
  expiresAt: number;
  /** The earliest moment at which a timer looks at it; kept by Timers. */
  lookAt: number;
  /** Still wanted: dead ones are forgotten. */
  isLive: boolean;
}

/**
 * Who is due first. A binary heap by `lookAt`: moving an expiry further away costs nothing, it is noticed when its
 * turn comes; bringing it closer needs `hasten`.
 */
export class Timers<T extends Due> {
  readonly #heap: { readonly at: number; readonly item: T }[] = [];

  add(item: T): void {
    item.lookAt = item.expiresAt;
    this.#push({ at: item.lookAt, item });
  }

  /** To be called when expiresAt was set to an earlier moment, and free when it was not. */
  hasten(item: T): void {
    if (item.expiresAt < item.lookAt) this.add(item);
  }

  /** The next item whose time has come at `now`, or undefined. The caller ends it or gives it a later time and adds it. */
  due(now: number): T | undefined {
    for (let top = this.#heap[0]; top !== undefined && top.at <= now; top = this.#heap[0]) {
      this.#pop();
      const { item, at } = top;
      if (!item.isLive || item.lookAt !== at) continue; // ended, or there is an earlier entry for it
      if (item.expiresAt <= now) return item;
      this.add(item);
    }
    return undefined;
  }

  #push(entry: { readonly at: number; readonly item: T }): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent]!.at <= entry.at) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
      if (heap[child]!.at >= last.at) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
  }
}
