import type { Result } from "../../health/checker.ts";
import type { Probe } from "../../health/config.ts";
import { bad, good } from "../../health/dialogue.ts";
import type { Cancel, Done } from "./probe.ts";

/** BFD_CHECK (spec 4.8): a server is up while a BFD session is. Somebody else runs the sessions, and tells. */

type BfdProbe = Extract<Probe, { type: "BFD_CHECK" }>;

export class BfdSessions {
  /** undefined: nobody has told yet. */
  #up: ReadonlySet<string> | undefined;
  /** What a check has been answered last. */
  readonly #told = new WeakMap<BfdProbe, boolean>();
  readonly #waiting = new Map<BfdProbe, Done>();

  /** All that are up; the others are not. */
  tell(names: readonly string[]): void {
    this.#up = new Set(names);
    for (const [probe, done] of [...this.#waiting]) {
      const result = this.#news(probe);
      if (result === undefined) continue;
      this.#waiting.delete(probe);
      done(result);
    }
  }

  /** A try that ends as soon as there is something new to say: so a check hears of a change when it comes. */
  probe(probe: BfdProbe, done: Done): Cancel {
    const timer = setImmediate(() => {
      const result = this.#news(probe);
      if (result === undefined) this.#waiting.set(probe, done);
      else done(result);
    });
    return () => {
      clearImmediate(timer);
      this.#waiting.delete(probe);
    };
  }

  #news(probe: BfdProbe): Result | undefined {
    const isUp = this.#up?.has(probe.name);
    if (isUp === undefined || isUp === this.#told.get(probe)) return undefined;
    this.#told.set(probe, isUp);
    return isUp ? good : bad(`BFD session ${probe.name} is down`);
  }
}
