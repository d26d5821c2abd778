import { type CheckerEffect, type CheckerInput, type CheckerState, startChecker, stepChecker } from "../../health/checker.ts";
import type { Check, Millis } from "../../health/config.ts";
import type { Cancel } from "./probe.ts";
import type { World } from "./runner.ts";

export type Heard = Exclude<CheckerEffect, { type: "start" }>;

/** One check and its try of the moment. */
export class CheckRun {
  readonly check: Check;
  readonly #world: World;
  readonly #heard: (effect: Heard) => void;
  #state: CheckerState | undefined;
  #last: string | undefined;
  #cancelWake: () => void = () => {};
  #cancelTry: Cancel = () => {};

  /** @param before the same check of a configuration before: it goes on with what that one knew */
  constructor(check: Check, world: World, heard: (effect: Heard) => void, before?: CheckRun) {
    this.check = check;
    this.#world = world;
    this.#heard = heard;
    this.#state = before?.state;
    if (before !== undefined) this.#last = before.#last;
  }

  /** Undefined: it was never started. */
  get state(): CheckerState | undefined {
    return this.#state;
  }

  /** After close() it goes on with what it knew of the server. */
  start(bootstrap: Millis): void {
    const now = this.#world.now();
    const fresh = startChecker(this.check, now, this.#world.random(), bootstrap);
    const known = this.#state;
    // A try that was given up is made again; who has rested begins in the warmup, so that not all come at once.
    const at = known?.at ?? now;
    this.#state = known === undefined ? fresh : { ...known, at: at < now ? fresh.at : Math.min(at, now + this.check.delayLoop) };
    this.#sleep();
  }

  #feed(input: CheckerInput): void {
    if (this.#state === undefined) return;
    const { state, effects } = stepChecker(this.check, this.#state, input, this.#world.now());
    this.#state = state;
    for (const effect of effects) {
      if (effect.type === "start") this.#try(effect.page);
      else this.#heard(effect);
    }
    this.#sleep();
  }

  #try(page: number): void {
    this.#cancelTry = this.#world.probe(this.check, page, (result) => {
      this.#cancelTry = () => {};
      this.#last = result.type === "ok" ? "ok" : result.reason;
      this.#feed({ type: "result", result });
    });
  }

  #sleep(): void {
    this.#cancelWake();
    const at = this.#state?.at;
    this.#cancelWake = at === undefined ? () => {} : this.#world.wheel.at(at, () => this.#feed({ type: "clock" }));
  }

  /** No more tries until start(). */
  close(): void {
    this.#cancelWake();
    this.#cancelTry();
    this.#cancelTry = () => {};
  }

  status() {
    const { type, alpha } = this.check;
    return { type, isUp: this.#state?.isUp ?? !alpha, hasRun: this.#state?.hasRun ?? false, last: this.#last };
  }
}
