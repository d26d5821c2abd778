import { setTimeout as delay } from "node:timers/promises";
import { type Director, startCrossed, startLoad } from "../crossed.ts";
import { ADVERT, masterDown } from "../keepalived.ts";
import { boot, cutPower, owners, ownersOf, type Pair } from "../pair.ts";
import { breakage, startPulse, type Try } from "../pulse.ts";
import { VIP6, VIPS } from "../topologies/pair.ts";
import type { PairFinding, PairMoment } from "./findings.ts";
import type { Say } from "./progress.ts";
import { check } from "./traffic.ts";

/** One director of a pair loses its power under load, and comes back. */

const LOW = 100; // the priority of the one that takes over
const REST = 1000; // ms between two events

export async function loseDirector(lab: Pair, say: Say): Promise<PairFinding> {
  const { client, d1 } = lab.hosts;
  const carry = async (...names: readonly [Director, Director]): Promise<void> => {
    await owners(lab, { [VIPS[0]]: names[0], [VIPS[1]]: names[1] });
    await delay(REST);
  };
  say("each director is to have its VIP");
  await carry("d1", "d2");
  const pulses = await Promise.all(VIPS.map((vip) => startPulse(client, vip)));
  const loads = VIPS.map((vip) => startLoad(lab, client, vip));
  const told: { readonly what: string; readonly at: number; readonly holders: readonly string[] }[] = [];
  const moment = async (what: string, does: () => Promise<unknown>): Promise<void> => {
    say(what);
    const at = Date.now();
    await does();
    const who = await Promise.all(VIPS.map((vip) => ownersOf(lab, vip)));
    check(
      who.every((names) => names.length === 1),
      `${what}: ${VIPS.map((vip, i) => `${vip} is at ${who[i]!.join(" and ") || "nobody"}`).join(", ")}`,
    );
    told.push({ what, at, holders: who.flat() });
  };
  await moment("a VIP each", () => delay(REST));
  await moment("d1 dies", async () => {
    await cutPower(d1);
    await carry("d2", "d2");
  });
  await moment("d1 is back", async () => {
    await boot(d1, [...VIPS, VIP6]);
    await startCrossed(lab, "d1");
    await carry("d1", "d2");
  });
  const tries = await Promise.all(pulses.map((pulse) => pulse.stop()));
  const wrks = await Promise.all(loads.map((stop) => stop()));
  const moments = told.map(({ what, at, holders }, i) => ({ what, holders, seen: seen(tries, at, told[i + 1]?.at) }));
  const sum = (of: "requests" | "errors") => wrks.reduce((total, load) => total + load[of], 0);
  return {
    ...{ picture: lab.topology.picture ?? "", vips: VIPS, moments, patience: masterDown(LOW), advert: ADVERT * 1000 },
    wrk: { requests: sum("requests"), errors: sum("errors") },
  };
}

const seen = (tries: readonly (readonly Try[])[], from: number, to: number | undefined): PairMoment["seen"] =>
  tries.map((each) => breakage(each, from, to));
