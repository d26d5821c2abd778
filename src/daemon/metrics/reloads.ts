import type { Orders } from "../keepalived/orders.ts";

/** How reloads of the configuration file went. */
export interface Reloads {
  readonly done: number;
  /** Not carried out, or not by every process. */
  readonly refused: number;
  /** Did the last one, or the start, go well? */
  readonly isGood: boolean;
  /** Seconds since 1970 of the last that did. */
  readonly lastGood: number;
}

/** Counts while it passes orders on. @param now ms since 1970 */
export function counted(orders: Orders, now: () => number): { readonly orders: Orders; reloads(): Reloads } {
  let reloads: Reloads = { done: 0, refused: 0, isGood: true, lastGood: now() / 1000 };
  const count = (isGood: boolean): void => {
    const { done, refused, lastGood } = reloads;
    reloads = isGood
      ? { done: done + 1, refused, isGood: true, lastGood: now() / 1000 }
      : { done, refused: refused + 1, isGood: false, lastGood };
  };
  const counting =
    <Args extends readonly unknown[]>(order: (...args: Args) => ReturnType<Orders["reload"]>) =>
    async (...args: Args) => {
      const outcome = await order(...args);
      count(outcome.isDone && outcome.troubles.length === 0);
      return outcome;
    };
  return { orders: { ...orders, reload: counting(orders.reload), apply: counting(orders.apply) }, reloads: () => reloads };
}
