/** Wakes for thousands of waiters with one timer of Node's. A slot is 10 ms; whoever waits longer than a turn stays for another. */

const SLOT = 10; // ms
const SLOTS = 1024;

interface Entry {
  readonly tick: number;
  wake: (() => void) | undefined;
}

export class Wheel {
  readonly #slots: Set<Entry>[] = Array.from({ length: SLOTS }, () => new Set());
  readonly #now: () => number;
  /** The next slot to be looked at. */
  #tick: number;
  #size = 0;
  #timer: NodeJS.Timeout | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
    this.#tick = Math.floor(now() / SLOT);
  }

  /** Wakes once at a time of the clock or up to a slot later, never within this call. Returns how to cancel it. */
  at(time: number, wake: () => void): () => void {
    const entry: Entry = { tick: Math.max(this.#tick, Math.ceil(time / SLOT)), wake };
    const slot = this.#slots[entry.tick % SLOTS]!;
    slot.add(entry);
    this.#size++;
    if (entry.tick < this.#armedFor) this.#arm(entry.tick);
    return () => {
      entry.wake = undefined; // it may be on its way to be woken
      if (slot.delete(entry)) this.#size--;
    };
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const slot of this.#slots) slot.clear();
    this.#size = 0;
  }

  #arm(tick: number): void {
    clearTimeout(this.#timer);
    this.#armedFor = tick;
    this.#timer = setTimeout(() => this.#turn(), Math.max(0, tick * SLOT - this.#now()));
  }

  #turn(): void {
    const last = Math.floor(this.#now() / SLOT);
    this.#armedFor = Number.POSITIVE_INFINITY;
    const due: Entry[] = [];
    for (let tick = Math.max(this.#tick, last - SLOTS + 1); tick <= last; tick++) {
      const slot = this.#slots[tick % SLOTS]!;
      for (const entry of slot) {
        if (entry.tick > last) continue;
        slot.delete(entry);
        due.push(entry);
      }
    }
    this.#tick = last + 1;
    this.#size -= due.length;
    due.sort((a, b) => a.tick - b.tick);
    for (const entry of due) entry.wake?.();
    this.#armNext();
  }

  #armNext(): void {
    if (this.#size === 0) return;
    for (let tick = this.#tick; tick < this.#tick + SLOTS; tick++) {
      for (const entry of this.#slots[tick % SLOTS]!) {
        if (entry.tick > tick) continue; // of a later turn
        if (tick < this.#armedFor) this.#arm(tick);
        return;
      }
    }
    if (this.#tick + SLOTS < this.#armedFor) this.#arm(this.#tick + SLOTS); // all are of later turns: look again then
  }
}
