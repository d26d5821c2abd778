import type { Counters, Failures, Rates } from "../director.ts";
import { Estimators } from "../estimator.ts";
import * as abi from "./abi.gen.ts";
import type { DataPath } from "./loader.ts";
import { counterRow, EXIT_ROW } from "./loader.ts";
import { count64, u32 } from "./memory.ts";

/**
 * Counters of dests and services. The data path counts per CPU and dest only; a service has counted what its dests have,
 * and what dests had that were removed from it, which is kept in a row of its own in the same map. So everything is
 * there for the next lvsd, and nothing is counted twice per packet.
 */
export class Counting {
  readonly #path: DataPath;
  readonly #row: number;
  readonly #estimators = new Estimators<string>();

  constructor(path: DataPath) {
    this.#path = path;
    this.#row = counterRow(path.sizes);
  }

  dest(id: number): Counters {
    return this.#sum(id);
  }

  failures(id: number): Failures {
    const { view } = this.#path.memory.counters;
    const sum = { resets: 0, unanswered: 0 };
    for (let cpu = 0; cpu < this.#path.cpus; cpu++) {
      const at = (cpu * this.#row + id) * abi.counters.size;
      sum.resets += count64(view, at + abi.counters.resets);
      sum.unanswered += count64(view, at + abi.counters.unanswered);
    }
    return sum;
  }

  service(id: number, dests: readonly { readonly id: number }[]): Counters {
    let total = this.#sum(this.#serviceRow(id));
    for (const dest of dests) total = plus(total, this.#sum(dest.id), 1);
    return total;
  }

  /** A dest leaves its service: what it counted stays with the service. */
  retire(serviceId: number, destId: number): void {
    this.#add(this.#serviceRow(serviceId), this.#sum(destId), 1);
  }

  /** A dest comes back with its counters. */
  resume(serviceId: number, destId: number): void {
    this.#add(this.#serviceRow(serviceId), this.#sum(destId), -1);
  }

  clearDest(id: number): void {
    this.#clear(id);
    this.#estimators.remove(`d${id}`);
  }

  clearService(id: number): void {
    this.#clear(this.#serviceRow(id));
    this.#estimators.remove(`s${id}`);
  }

  destRates = (id: number): Rates => this.#estimators.rates(`d${id}`);
  serviceRates = (id: number): Rates => this.#estimators.rates(`s${id}`);

  watchDest = (id: number): void => this.#estimators.add(`d${id}`, this.dest(id));
  watchService = (id: number): void => this.#estimators.add(`s${id}`, this.#sum(this.#serviceRow(id)));

  /** @param members the dests of a service now; undefined: no such service */
  tick(now: number, members: (serviceId: number) => readonly { readonly id: number }[] | undefined): void {
    this.#estimators.tick(now, (id) => {
      const number = Number(id.slice(1));
      if (id.startsWith("d")) return this.dest(number);
      const dests = members(number);
      return dests && this.service(number, dests);
    });
  }

  /** Packets by the reason they left the pipeline. */
  exits(): Readonly<Record<string, number>> {
    const { view } = this.#path.memory.exits;
    const sums: Record<string, number> = {};
    for (const [word, reason] of Object.entries(abi.exitReason)) {
      let sum = 0;
      for (let cpu = 0; cpu < this.#path.cpus; cpu++) sum += count64(view, (cpu * EXIT_ROW + reason) * 8);
      if (word !== "reasons") sums[word] = sum;
    }
    return sums;
  }

  #serviceRow(id: number): number {
    return this.#path.sizes.maxDests + 1 + id;
  }

  #sum(row: number): Counters {
    const { view } = this.#path.memory.counters;
    const sum = { conns: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 };
    for (let cpu = 0; cpu < this.#path.cpus; cpu++) {
      const at = (cpu * this.#row + row) * abi.counters.size;
      sum.conns += count64(view, at + abi.counters.conns);
      sum.inPackets += count64(view, at + abi.counters.inPkts);
      sum.outPackets += count64(view, at + abi.counters.outPkts);
      sum.inBytes += count64(view, at + abi.counters.inBytes);
      sum.outBytes += count64(view, at + abi.counters.outBytes);
    }
    return sum;
  }

  #clear(row: number): void {
    for (let cpu = 0; cpu < this.#path.cpus; cpu++) this.#path.memory.counters.clear(cpu * this.#row + row);
  }

  /** Into the first CPU's row, which the data path does not write for a service. */
  #add(row: number, more: Counters, sign: 1 | -1): void {
    const { view } = this.#path.memory.counters;
    const at = row * abi.counters.size;
    const add = (offset: number, value: number) =>
      view.setBigUint64(at + offset, BigInt.asUintN(64, view.getBigUint64(at + offset, true) + BigInt(sign * value)), true);
    add(abi.counters.conns, more.conns);
    add(abi.counters.inPkts, more.inPackets);
    add(abi.counters.outPkts, more.outPackets);
    add(abi.counters.inBytes, more.inBytes);
    add(abi.counters.outBytes, more.outBytes);
  }
}

const plus = (a: Counters, b: Counters, sign: 1 | -1): Counters => ({
  conns: a.conns + sign * b.conns,
  inPackets: a.inPackets + sign * b.inPackets,
  outPackets: a.outPackets + sign * b.outPackets,
  inBytes: a.inBytes + sign * b.inBytes,
  outBytes: a.outBytes + sign * b.outBytes,
});

/** Conns that have not been swept yet, templates among them. */
export const liveConns = (path: DataPath): number => u32(path.memory.table_state.view, abi.tableState.live);
