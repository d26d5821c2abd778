import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { crossedFile, HIGH, LOW, startCrossed, startLoad, startServers } from "./crossed.ts";
import { hooks } from "./hooks.ts";
import type { Host } from "./host.ts";
import { masterDown, skew } from "./keepalived.ts";
import { withLab } from "./lab.ts";
import { startLasting } from "./lasting.ts";
import { type Lvsd, runScript } from "./lvsd.ts";
import { missing } from "./needs.ts";
import { boot, cutPower, neighbourOf, owners, ownersOf, startDirector } from "./pair.ts";
import { breakage, breakageText, type Pulse, startPulse, type Try } from "./pulse.ts";
import { pair, VIP6, VIPS } from "./topologies/pair.ts";
import { withOffloads } from "./topology.ts";

/** Two directors carry two VIPs (and an IPv6 one, with the first), each one of them, and each both when the other is gone. */

const reason = missing("bin/lvsd", "bin/lvsctl");

/** Beyond what the protocol takes: our processes, the router's new neighbour, and a machine that is shared; ms. */
const SLACK = 500;
const xdp = hooks[1]!;
const REST = 500; // ms after each step, in which nothing changes any more
const LONG = 8; // connections
/** What was sent in vain is sent again after 0.2, 0.4, 0.8 … s, ms. */
const LONGEST_BACKOFF = 1600;

/** What happens, when, and how long each VIP may be silent for it, ms. */
interface Step {
  readonly name: string;
  readonly at: number;
  readonly bounds: readonly [number, number];
}

test.skipIf(reason !== undefined)(
  `of two directors with a VIP each one dies and the other carries both, until it is back, under load (${reason ?? "here"})`,
  async () => {
    await withLab(withOffloads(pair), async (lab) => {
      const { client, d1 } = lab.hosts;
      await startServers(lab);
      const [, second] = await Promise.all([startCrossed(lab, "d1"), startCrossed(lab, "d2")]);
      const carry = async (first: string, other: string): Promise<void> => {
        await owners(lab, { [VIPS[0]]: first, [VIPS[1]]: other });
        await delay(REST);
        expect(await Promise.all(VIPS.map((vip) => ownersOf(lab, vip)))).toEqual([[first], [other]]);
        if (pulses.length > 0) expect(await neighbourOf(lab, VIP6)).toBe(first);
      };
      let pulses: Pulse[] = [];
      await carry("d1", "d2");
      pulses = await Promise.all([...VIPS, VIP6].map((vip) => startPulse(client, vip)));
      const wrks = VIPS.map((vip) => startLoad(lab, client, vip));
      const long = await Promise.all(VIPS.map((vip) => startLasting(client, vip, LONG)));
      const steps: Step[] = [];
      const step = (name: string, ...bounds: [number, number]) => steps.push({ name, at: Date.now(), bounds });
      await delay(1000);

      step("d1 dies", masterDown(LOW) + SLACK, SLACK);
      await cutPower(d1);
      await carry("d2", "d2");
      await delay(LONGEST_BACKOFF);
      console.log(`of ${LONG} long connections to either VIP there live ${long.map((lasting) => lasting.alive()).join(" and ")}`);
      expect(long.map((lasting) => lasting.alive())).toEqual([0, LONG]);
      expect([...long[0]!.ends().keys()]).toEqual(["ECONNRESET"]);
      step("d1 is back", SLACK, SLACK);
      await boot(d1, [...VIPS, VIP6]);
      await startCrossed(lab, "d1");
      await carry("d1", "d2");
      step("d2 is stopped", SLACK, skew(LOW) + SLACK);
      await second.stop();
      await carry("d1", "d1");
      step("d2 is back", SLACK, SLACK);
      await startCrossed(lab, "d2");
      await carry("d1", "d2");

      const tries = await Promise.all(pulses.map((pulse) => pulse.stop()));
      const loads = await Promise.all(wrks.map((stop) => stop()));
      for (const [i, vip] of VIPS.entries()) {
        console.log(`wrk on ${vip}: ${loads[i]!.requests} requests, ${loads[i]!.errors} socket errors`);
        expect(loads[i]!.requests).toBeGreaterThan(1000);
      }
      for (const [i, vip] of [...VIPS, VIP6].entries()) {
        for (const { name, broken } of eachStep(steps, tries[i]!)) console.log(`${name}: ${vip}: ${breakageText(broken)}`);
        for (const { name, bounds, broken } of eachStep(steps, tries[i]!)) {
          expect(broken.tries, name).toBeGreaterThan(50);
          expect(broken.gap, `${name}: ${vip}`).toBeLessThan(bounds[i % 2]!);
        }
      }
    });
  },
);

/** A step lasts until the next one. */
const eachStep = (steps: readonly Step[], tries: readonly Try[]) =>
  steps.map((step, s) => ({ ...step, broken: breakage(tries, step.at, steps[s + 1]?.at) }));

test.skipIf(reason !== undefined)(
  `long connections outlive their director where the other one may take them in the middle and picks the same server (${reason ?? "here"})`,
  async () => {
    await withLab(xdp.prepare(pair), async (lab) => {
      const { client, d1, d2 } = lab.hosts;
      await startServers(lab);
      const start = (host: Host, priority: number): Promise<Lvsd> =>
        startDirector(lab, host, crossedFile(lab, [priority, priority], ["mh", "wrr"]), xdp.lvsd);
      await Promise.all([start(d1, HIGH), start(d2, LOW)]);
      await Promise.all([d1, d2].map((host) => runScript(host, "lvsctl set sloppy_tcp 1")));
      await owners(lab, { [VIPS[0]]: "d1", [VIPS[1]]: "d1" });
      const [mh, wrr] = await Promise.all([startLasting(client, VIPS[0], LONG), startLasting(client, VIPS[1], LONG)]);
      await cutPower(d1);
      await owners(lab, { [VIPS[0]]: "d2", [VIPS[1]]: "d2" });
      await delay(LONGEST_BACKOFF);
      console.log(`sloppy_tcp: of ${LONG} connections there live ${mh.alive()} by mh, ${wrr.alive()} by wrr`);
      expect(mh.alive()).toBe(LONG);
      expect(wrr.alive()).toBeLessThan(LONG);
      expect([...wrr.ends().keys()]).toEqual(["ECONNRESET"]);
    });
  },
);
