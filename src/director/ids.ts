/** Small numbers 1..max for things the data path keeps in arrays. A number given back is used again, the last one first. */
export class Ids {
  readonly #max: number;
  #top = 0; // the greatest number ever taken
  readonly #free: number[] = [];

  /** @param used numbers that are taken already */
  constructor(max: number, used: Iterable<number> = []) {
    this.#max = max;
    const taken = new Set(used);
    for (const id of taken) this.#top = Math.max(this.#top, id);
    for (let id = this.#top; id > 0; id--) if (!taken.has(id)) this.#free.push(id);
  }

  /** undefined when all are taken. */
  take(): number | undefined {
    return this.#free.pop() ?? (this.#top < this.#max ? ++this.#top : undefined);
  }

  give(id: number): void {
    this.#free.push(id);
  }

  /** Undo of the latest `give` that has not been undone. */
  takeBack(): void {
    this.#free.pop();
  }
}
