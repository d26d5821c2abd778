import {
  type CheckerEffect,
  type CheckerInput,
  type CheckerState,
  hurry,
  startChecker,
  stepChecker,
} from "../../health/checker.ts";
import type { Check, Millis } from "../../health/config.ts";
import type { Cancel } from "./probe.ts";
import type { World } from "./runner.ts";
import type { CheckStatus } from "./status.ts";

export type Heard = Exclude<CheckerEffect, { type: "start" }>;

/** One check and its try of the moment. */
export class CheckRun {
  readonly check: Check;
  readonly #world: World;
  #heard: (effect: Heard) => void;
  #state: CheckerState | undefined;
  /** Counts as failed until its first success. */
  readonly #isDown: boolean;
  #last: string | undefined;
  /** Its last failure. */
  #failure: { readonly at: Millis; readonly reason: string } | undefined;
  /** How long the last try took, ms. */
  #took: number | undefined;
  /** By result. */
  #tries = { ok: 0, failed: 0, unknown: 0 };
  #isResting = true;
  #cancelWake: () => void = () => {};
  #cancelTry: Cancel = () => {};

  /**
   * @param before the same check of a configuration before: it goes on with what that one knew
   * @param isDown its server is down by another check, in whose place it comes
   */
  constructor(check: Check, world: World, heard: (effect: Heard) => void, before?: CheckRun, isDown = false) {
    this.check = check;
    this.#world = world;
    this.#heard = heard;
    this.#isDown = check.alpha || isDown;
    this.#state = before?.state;
    if (before === undefined) return;
    this.#last = before.#last;
    this.#failure = before.#failure;
    this.#took = before.#took;
    this.#tries = before.#tries;
  }

  /** Goes on undisturbed, for another configuration in which it is the same. */
  handOver(heard: (effect: Heard) => void): this {
    this.#heard = heard;
    return this;
  }

  /** Undefined: it was never started. */
  get state(): CheckerState | undefined {
    return this.#state;
  }

  get isUp(): boolean {
    return this.#state?.isUp ?? !this.#isDown;
  }

  get isResting(): boolean {
    return this.#isResting;
  }

  /** After close() it goes on with what it knew of the server. */
  start(bootstrap: Millis): void {
    if (!this.#isResting) return;
    this.#isResting = false;
    const now = this.#world.now();
    const fresh = { ...startChecker(this.check, now, this.#world.random(), bootstrap), isUp: !this.#isDown };
    const known = this.#state;
    // A try that was given up is made again; who has rested begins in the warmup, so that not all come at once.
    const at = known?.at ?? now;
    this.#state = known === undefined ? fresh : { ...known, at: at < now ? fresh.at : Math.min(at, now + this.check.delayLoop) };
    this.#sleep();
  }

  /** Its next try is due at once. */
  hurry(): void {
    if (this.#state === undefined || this.#isResting) return;
    this.#state = hurry(this.#state, this.#world.now());
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
    const begun = this.#world.now();
    this.#cancelTry = this.#world.probe(this.check, page, (result) => {
      this.#cancelTry = () => {};
      const now = this.#world.now();
      if (this.check.type !== "BFD_CHECK") this.#took = now - begun; // which waits, and does not try
      this.#tries[result.type]++;
      if (result.type !== "ok") this.#failure = { at: now, reason: result.reason };
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
    this.#isResting = true;
    this.#cancelWake();
    this.#cancelTry();
    this.#cancelTry = () => {};
  }

  status(): CheckStatus {
    const { type, retry } = this.check;
    const now = this.#world.now();
    const state = this.#state;
    return {
      type,
      isUp: this.isUp,
      hasRun: state?.hasRun ?? false,
      age: state === undefined ? 0 : rounded(now - state.since),
      weight: state?.weight ?? 0,
      retriesLeft: state?.isUp ? Math.max(0, retry - state.failures) : 0,
      isHeld: (state?.heldFor ?? 0) > 0,
      ...(this.#last === undefined ? {} : { last: this.#last }),
      ...(state?.warning === undefined ? {} : { warning: state.warning }),
      ...(this.#failure && { failure: { reason: this.#failure.reason, age: rounded(now - this.#failure.at) } }),
      tries: { ...this.#tries },
      ...(this.#took === undefined ? {} : { took: rounded(this.#took) }),
      ...(state?.at === undefined || this.#isResting ? {} : { nextIn: rounded(Math.max(0, state.at - now)) }),
    };
  }
}

const rounded = (ms: number): Millis => Math.round(ms * 100) / 100;
