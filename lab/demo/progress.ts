import { explain, Fault } from "../../src/fault.ts";
import type { Colors } from "./colours.ts";

/** Says what a step is at. On a terminal the line is rewritten; elsewhere only its end is printed. */
export type Say = (text: string) => void;

/** Tells a person what is going on, one line a step. */
export class Progress {
  readonly #out: NodeJS.WriteStream;
  readonly #colours: Colors;
  readonly #started = performance.now();

  constructor(out: NodeJS.WriteStream, colours: Colors) {
    this.#out = out;
    this.#colours = colours;
  }

  /** Seconds since the beginning. */
  get seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  line(text = ""): void {
    this.#out.write(`${text}\n`);
  }

  /**
   * @param work gives back what to say when it is done, beside its value
   * @throws Fault named for the step, with the whole chain of what made it fail
   */
  async step<T>(title: string, work: (say: Say) => Promise<readonly [value: T, done: string]>): Promise<T> {
    const { green, red, dim } = this.#colours;
    const begun = performance.now();
    const label = title.padEnd(LABEL);
    const say: Say = (text) => {
      if (this.#out.isTTY) this.#out.write(`\r\x1b[K  ${dim("·")} ${label} ${dim(text)}`);
    };
    const end = (mark: string, text: string) =>
      this.#out.write(`${this.#out.isTTY ? "\r\x1b[K" : ""}  ${mark} ${label} ${text}\n`);
    say("");
    try {
      const [value, done] = await work(say);
      end(green("✓"), `${done} ${dim(`${((performance.now() - begun) / 1000).toFixed(1)} s`)}`);
      return value;
    } catch (cause) {
      end(red("✗"), red("failed"));
      throw new Fault(title, "EXIT", explain(cause));
    }
  }
}

const LABEL = 14; // columns
