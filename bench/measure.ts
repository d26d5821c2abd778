import type { Row } from "./rows.ts";
import { openingOf, planOf, type Scene } from "./scene.ts";
import type { Hook, Wrapper } from "./wrapper.ts";

/** Runs the rows. Every figure is checked against the counters: each packet has to leave by its row's way. */

export interface Result {
  readonly name: string;
  readonly hook: Hook;
  readonly flows: number;
  /** A packet, without what the wrapper costs: the median of the rounds, the least and the greatest. */
  readonly ns: number;
  readonly min: number;
  readonly max: number;
  readonly target?: number;
}

export interface Effort {
  /** Odd, so that there is a middle one. */
  readonly rounds: number;
  /** Packets in a run, at least and at most; between them, as many as there are flows. */
  readonly packets: { readonly min: number; readonly max: number };
}

/** Something went another way than it should have, so no time was measured. */
export class Astray extends Error {
  override readonly name = "Astray";
}

/** XDP_* and TC_ACT_*. */
const VERDICTS = { xdp: { pass: 2, redirect: 4 }, tc: { pass: 0, redirect: 7 } };

export class Bench {
  readonly #scene: Scene;
  readonly #wrapper: Wrapper;
  readonly #effort: Effort;

  constructor(scene: Scene, wrapper: Wrapper, effort: Effort) {
    this.#scene = scene;
    this.#wrapper = wrapper;
    this.#effort = effort;
  }

  /** Rows that share their conns follow one another, so that these are made once. */
  *run(rows: readonly Row[]): Generator<Result> {
    let conns = "";
    for (const row of rows) {
      const wanted = row.kind === "pass" || row.kind === "new" ? "none" : `${row.protocol} ${row.method} ${row.flows}`;
      if (wanted !== conns) this.#prepare(row);
      conns = wanted;
      yield this.#measure(row);
    }
    this.#scene.empty();
  }

  #prepare(row: Row): void {
    this.#scene.empty();
    if (row.kind === "pass" || row.kind === "new") return;
    this.#wrapper.plan(openingOf(row));
    this.#send(row.flows, row.method);
  }

  #measure(row: Row): Result {
    const isNew = row.kind === "new";
    const { min, max } = this.#effort.packets;
    const packets = isNew ? row.flows : Math.min(Math.max(row.flows, min), max);
    const reason = reasonOf(row);
    this.#wrapper.plan(planOf(row));
    // Every conn is established and knows its way, every slot has been used once.
    this.#send(Math.max(row.flows, min), reason);

    // The floor before and after each run, so that a change of the machine's pace does not count for either.
    const net: number[] = [];
    let before = this.#floor(row, packets);
    for (let round = 0; round < this.#effort.rounds; round++) {
      if (isNew) this.#scene.empty();
      this.#wrapper.plan(planOf(row));
      const ns = this.#send(packets, reason);
      const after = this.#floor(row, packets);
      net.push(ns - (before + after) / 2);
      before = after;
    }
    net.sort((a, b) => a - b);
    const middle = net[net.length >> 1]!;
    const target = row.target === undefined ? {} : { target: row.target };
    const { name, flows } = row;
    return { name, hook: this.#wrapper.hook, flows, ns: middle, min: net[0]!, max: net.at(-1)!, ...target };
  }

  /** Of the wrapper: for tunnels it takes the outer header off, which is half of what growing and shrinking cost together. */
  #floor(row: Row, packets: number): number {
    const empty = this.#wrapper.run("empty", packets).ns;
    if (row.kind === "pass" || row.method !== "tunnel") return empty;
    return (empty + this.#wrapper.run("grow", packets).ns) / 2;
  }

  #send(packets: number, reason: string): number {
    const before = this.#scene.core.exits();
    const { ns, verdict } = this.#wrapper.run("target", packets);
    const after = this.#scene.core.exits();
    const went = Object.entries(after)
      .map(([word, n]) => [word, n - (before[word] ?? 0)] as const)
      .filter(([, n]) => n !== 0);
    const [first] = went;
    if (went.length !== 1 || first?.[0] !== reason || first[1] !== packets)
      throw new Astray(
        `${packets} packets should leave by ${reason}; they left by ${went.map((way) => way.join(" ")).join(", ")}`,
      );
    const wanted = VERDICTS[this.#wrapper.hook][reason === "no-service" ? "pass" : "redirect"];
    if (verdict !== wanted) throw new Astray(`${reason}: the program returned ${verdict}, not ${wanted}`);
    return ns;
  }
}

function reasonOf(row: Row): string {
  if (row.kind === "pass") return "no-service";
  return row.kind === "reply" ? `${row.method}-reply` : row.method;
}
