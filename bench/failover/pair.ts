import { setTimeout as delay } from "node:timers/promises";
import type { Kind, Node, Stage } from "../../src/daemon/vrrp/testing/nodes.ts";
import { until } from "../../src/daemon/vrrp/testing/nodes.ts";
import type { Ear, Seen } from "./ear.ts";

/** Two routers with priorities 100 and 99, of which the first is killed again and again. */

export interface Speed {
  /** Both are of this kind. */
  readonly kind: Kind;
  readonly version: 2 | 3;
  /** Milliseconds between adverts. */
  readonly interval: number;
  /** vrrp_rt_priority; 0: none. */
  readonly realTime: number;
}

/** RFC 9568 section 6.1: how long the one with priority 99 waits after the last advert that it heard, in ms. */
export const masterDown = ({ version, interval }: Speed): number =>
  3 * interval + ((256 - 99) / 256) * (version === 2 ? 1000 : interval);

export interface TakeOver {
  /** From the kill to the first advert of the other, ms. */
  readonly fromKill: number;
  /** From the last advert of the one that was killed, ms. */
  readonly fromLast: number;
}

export interface Outcome {
  readonly takeOvers: readonly TakeOver[];
  /** Between adverts of the one that leads, ms. */
  readonly gaps: readonly number[];
  /** How often the second took over though the first was alive. */
  readonly falseTakeOvers: number;
}

const A = "10.9.0.1";
const B = "10.9.0.2";

const conf = (vrid: number, priority: number, { version, interval, realTime }: Speed): string => `global_defs {
  ${realTime > 0 ? `vrrp_rt_priority ${realTime}\n vrrp_no_swap` : "# without real time"}
  vrrp_garp_master_delay 0
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id ${vrid}
  priority ${priority}
  version ${version}
  advert_int ${interval / 1000}
  virtual_ipaddress {
    10.9.1.${vrid}/32
  }
}`;

/** All adverts of one wire, shared by the pairs on it. */
export class Wire {
  readonly #ear: Ear;
  readonly #seen: Seen[] = [];

  constructor(ear: Ear) {
    this.#ear = ear;
  }

  of(vrid: number, from: string): readonly Seen[] {
    this.#seen.push(...this.#ear.take());
    return this.#seen.filter((s) => s.vrid === vrid && s.from === from);
  }

  /** The first advert of a router after a time. */
  async first(vrid: number, from: string, after: number, limit: number): Promise<Seen> {
    for (const end = Date.now() + limit; ; await delay(2)) {
      const found = this.of(vrid, from).find((s) => s.at > after);
      if (found !== undefined) return found;
      if (Date.now() > end) throw new Error(`no advert of ${from} for VRID ${vrid} within ${limit} ms`);
    }
  }

  /** Since when only the first has spoken, and at least three times. */
  async quiet(vrid: number, { interval }: Speed, limit: number): Promise<number> {
    for (const end = Date.now() + limit; ; await delay(5)) {
      const since = this.of(vrid, B).at(-1)?.at ?? 0;
      const own = this.of(vrid, A).filter((s) => s.at > since);
      if (own.length >= 3 && own.at(-1)!.at - Math.max(since, own[0]!.at) >= 2 * interval) return own[1]!.at;
      if (Date.now() > end) throw new Error(`the second router does not follow for VRID ${vrid}`);
    }
  }
}

/**
 * @param vrid one that no other pair on the stage has
 * @param pause before each kill, ms: as long as they lead undisturbed
 */
export async function kills(stage: Stage, wire: Wire, vrid: number, speed: Speed, count: number, pause = 0): Promise<Outcome> {
  const patience = 30_000 + 4 * masterDown(speed);
  const start = (place: string, priority: number): Node => stage.start(speed.kind, place, conf(vrid, priority, speed));
  const takeOvers: TakeOver[] = [];
  const gaps: number[] = [];
  let first = start(stage.a, 100);
  await wire.first(vrid, A, 0, patience);
  const second = start(stage.b, 99);
  await until("the second has begun", () => second.log().includes("Entering BACKUP STATE"));
  for (let n = 0; n < count; n++) {
    const leading = await wire.quiet(vrid, speed, patience);
    await delay(pause + (20 + Math.random()) * Math.min(speed.interval, 50)); // at any moment between two adverts
    const killed = Date.now();
    for (const pid of first.pids()) process.kill(pid, "SIGKILL");
    const taken = await wire.first(vrid, B, killed, patience);
    const mine = wire.of(vrid, A).filter((s) => s.at < taken.at);
    takeOvers.push({ fromKill: taken.at - killed, fromLast: taken.at - mine.at(-1)!.at });
    gaps.push(...gapsOf(mine.filter((s) => s.at >= leading)));
    await first.kill();
    if (n === count - 1) break;
    first = start(stage.a, 100);
    await wire.first(vrid, A, taken.at, patience);
  }
  const took = second.log().split("Entering MASTER STATE").length - 1;
  await second.kill();
  return { takeOvers, gaps, falseTakeOvers: took - count };
}

const gapsOf = (adverts: readonly Seen[]): number[] => adverts.slice(1).map((s, i) => s.at - adverts[i]!.at);

/** The value that this share of all are at most. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}
