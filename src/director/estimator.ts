import { type Counters, noRates, type Rates } from "./director.ts";

/**
 * Rates per second from counters, in the integer arithmetic of spec 6.2: an exponential average with weight 1/4 per step of
 * two seconds. Numbers stay exact up to 2^44 packets and 2^49 bytes a step, so no BigInt is needed.
 */

/** Milliseconds between two steps. */
export const ESTIMATION_INTERVAL = 2000;

/** Packets and conns are kept in units of 2^-10 per second, bytes in units of 2^-5. */
const PACKET_UNIT = 1024;
const BYTE_UNIT = 32;

/** The next state of one average, after `delta` more in one step. `unit` per second is unit / 2 per step. */
const average = (state: number, delta: number, unit: number): number => state + Math.floor((delta * (unit / 2) - state) / 4);
/** What people see of it: the rate per second, rounded. */
const shown = (state: number, unit: number): number => Math.floor((state + unit / 2 - 1) / unit);

interface Estimate {
  last: Counters;
  rates: Rates;
  cps: number;
  inPps: number;
  outPps: number;
  inBps: number;
  outBps: number;
}

const fresh = (last: Counters): Estimate => ({ last, rates: noRates, cps: 0, inPps: 0, outPps: 0, inBps: 0, outBps: 0 });

/** One estimate per object (a service, a dest, the total), by whatever its owner calls it. Pure: the clock is an argument. */
export class Estimators<Id> {
  readonly #estimates = new Map<Id, Estimate>();
  #dueAt: number | undefined;

  /** An object enters with the counters it has; only what it counts from now on makes a rate. */
  add(id: Id, counters: Counters): void {
    this.#estimates.set(id, fresh(counters));
  }

  remove(id: Id): void {
    this.#estimates.delete(id);
  }

  /** Spec 6.4: rates start again from 0; `counters` as they stand now (or are after being set to 0). */
  zero(id: Id, counters: Counters): void {
    if (this.#estimates.has(id)) this.#estimates.set(id, fresh(counters));
  }

  /** One step of one object; an unknown one is left alone. Counters that went back (a reset) count as no increase. */
  update(id: Id, counters: Counters): void {
    const e = this.#estimates.get(id);
    if (e === undefined) return;
    e.cps = average(e.cps, increase(e.last.conns, counters.conns), PACKET_UNIT);
    e.inPps = average(e.inPps, increase(e.last.inPackets, counters.inPackets), PACKET_UNIT);
    e.outPps = average(e.outPps, increase(e.last.outPackets, counters.outPackets), PACKET_UNIT);
    e.inBps = average(e.inBps, increase(e.last.inBytes, counters.inBytes), BYTE_UNIT);
    e.outBps = average(e.outBps, increase(e.last.outBytes, counters.outBytes), BYTE_UNIT);
    e.last = counters;
    e.rates = ratesOf(e);
  }

  /** As of the last step. */
  rates(id: Id): Rates {
    return this.#estimates.get(id)?.rates ?? noRates;
  }

  /**
   * Steps every object when two seconds have passed since the last time; else does nothing. `now` in ms of a monotonic clock.
   * `read` gives an object's counters; where it has none, the object is left alone. Returns whether it stepped.
   */
  tick(now: number, read: (id: Id) => Counters | undefined): boolean {
    this.#dueAt ??= now + ESTIMATION_INTERVAL;
    if (now < this.#dueAt) return false;
    // The rhythm is kept although ticks come late; after a long pause it starts anew instead of catching up.
    this.#dueAt = now - this.#dueAt < ESTIMATION_INTERVAL ? this.#dueAt + ESTIMATION_INTERVAL : now + ESTIMATION_INTERVAL;
    for (const id of this.#estimates.keys()) {
      const counters = read(id);
      if (counters !== undefined) this.update(id, counters);
    }
    return true;
  }
}

const increase = (before: number, after: number): number => Math.max(after - before, 0);

const ratesOf = (e: Estimate): Rates => ({
  cps: shown(e.cps, PACKET_UNIT),
  inPps: shown(e.inPps, PACKET_UNIT),
  outPps: shown(e.outPps, PACKET_UNIT),
  inBps: shown(e.inBps, BYTE_UNIT),
  outBps: shown(e.outBps, BYTE_UNIT),
});
