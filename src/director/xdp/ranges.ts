/**
 * Ranges of places in one big array: a service's dest list or hash table. A range that is given back is used again only
 * after the next `settle`: a packet that is under way may still be reading it.
 */
export class Ranges {
  /** Free ranges by their length, a power of two. */
  readonly #free = new Map<number, number[]>();
  #given: { at: number; length: number }[] = [];
  #top: number;
  readonly #end: number;

  constructor(end: number, start = 0) {
    this.#end = end;
    this.#top = start;
  }

  /** The first place of `count` places; undefined when the array is full. */
  take(count: number): number | undefined {
    const length = roundUp(count);
    const at = this.#free.get(length)?.pop();
    if (at !== undefined) return at;
    if (this.#top + length > this.#end) return undefined;
    this.#top += length;
    return this.#top - length;
  }

  give(at: number, count: number): void {
    if (count > 0) this.#given.push({ at, length: roundUp(count) });
  }

  /** What was given back so far may be taken again. */
  settle(): void {
    for (const { at, length } of this.#given) {
      const list = this.#free.get(length);
      if (list === undefined) this.#free.set(length, [at]);
      else list.push(at);
    }
    this.#given = [];
  }
}

const roundUp = (count: number): number => 2 ** Math.ceil(Math.log2(Math.max(count, 1)));
