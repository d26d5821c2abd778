import fc from "fast-check";
import { expect, test } from "vitest";
import { Table } from "../../director/table.ts";
import type { Result } from "../../health/checker.ts";
import type { Check, HealthConfig, Server, Service, Sorry } from "../../health/config.ts";
import { applyForgiving } from "../../health/forgiving.ts";
import { check, dest, server, service, spec, to } from "../../health/testing.ts";
import { ip } from "../../net/ip.ts";
import { untuned } from "../../tuning.ts";
import { runHealth } from "./runner.ts";
import { FakeWorld } from "./testing/world.ts";

/**
 * Whatever checks find and however often the file changes: the director's table is what a plain function says of the checks
 * and the quorum, and the quorum's scripts take turns (spec 4.3, 4.4).
 */

const LOOP = 1000;
const address = (last: number) => `10.0.0.${last}`;

const checkAt = (last: number, port: number, alpha: boolean): Check => ({
  ...{ ...check, alpha, retry: 0, delayLoop: LOOP, warmup: 0 },
  probe: { type: "TCP_CHECK", to: { ...to, ip: ip(address(last)), port } },
});
const serverOf = fc.record({
  last: fc.integer({ min: 11, max: 13 }),
  weight: fc.integer({ min: 0, max: 3 }),
  inhibit: fc.boolean(),
  ports: fc.subarray([80, 81]),
});
const sorryOf = fc.constantFrom<Sorry | undefined>(
  ...[undefined, { name: "sorry", dest: dest(address(99)), inhibit: false }],
  ...[
    { name: "sorry", dest: dest(address(99)), inhibit: true },
    { name: "sorry", dest: dest(address(11)), inhibit: false },
  ],
);
const serviceOf = fc
  .record({
    servers: fc.uniqueArray(serverOf, { selector: ({ last }) => last, minLength: 1 }),
    ...{ alpha: fc.boolean(), quorum: fc.integer({ min: 1, max: 6 }), low: fc.nat(2), sorry: sorryOf },
  })
  .map(({ servers, alpha, quorum, low, sorry }): Service => {
    const made = servers.map(
      ({ last, weight, inhibit, ports }): Server =>
        server(last, { inhibit, dest: dest(address(last), weight), checks: ports.map((port) => checkAt(last, port, alpha)) }),
    );
    return service({ servers: made, quorum, hysteresis: Math.min(low, quorum - 1), sorry });
  });
const found = fc.constantFrom<Result>(
  ...[{ type: "ok" } as const, { type: "failed", reason: "refused" } as const, { type: "unknown", reason: "EMFILE" } as const],
  ...[{ type: "ok", weight: 2 } as const, { type: "ok", weight: -2 } as const],
);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ last: fc.integer({ min: 11, max: 13 }), port: fc.constantFrom(80, 81), result: found }) },
  { weight: 1, arbitrary: fc.record({ reload: serviceOf }) },
  { weight: 1, arbitrary: fc.record({ wait: fc.integer({ min: 1, max: 3 * LOOP }) }) },
);

const config = (c: Service): HealthConfig => ({
  ...{ services: [c], tls: {}, initNotifies: false, scriptSecurity: false, tuning: untuned },
});

/** What is known of each check: its last verdict and what it adds to the weight. */
type Known = Map<string, { isUp: boolean; weight: number }>;
const keyOf = ({ probe }: Check): string => ("to" in probe ? `${probe.to.ip} ${probe.to.port}` : "");

/** The plain function. */
function tableSaid(c: Service, known: Known, hasQuorum: boolean): Record<string, number> {
  const table: Record<string, number> = {};
  const isSorry = c.sorry !== undefined && !hasQuorum;
  if (c.sorry?.inhibit) table[c.sorry.dest.addr] = 0;
  for (const s of c.servers) {
    const isOn = isAliveIn(s, known) && !isSorry;
    if (isOn || s.inhibit) table[s.dest.addr] = isOn ? weightIn(s, known) : 0;
  }
  if (isSorry) table[c.sorry.dest.addr] = 1;
  return table;
}
const isAliveIn = (s: Server, known: Known): boolean => s.checks.every((c) => known.get(keyOf(c))!.isUp);
const weightIn = (s: Server, known: Known): number =>
  Math.max(
    0,
    s.checks.reduce((sum, c) => sum + known.get(keyOf(c))!.weight, s.dest.weight),
  );
const sumIn = (c: Service, known: Known): number =>
  c.servers.reduce((sum, s) => sum + (isAliveIn(s, known) ? weightIn(s, known) : 0), 0);

/** A check that is new begins as its alpha says, but down where its server was down. */
function afterReload(before: Service, fresh: Service, known: Known): Known {
  const begins = (s: Server, c: Check): { isUp: boolean; weight: number } => {
    const old = before.servers.find(({ dest: d }) => d.addr === s.dest.addr);
    const same = old?.checks.some((other) => keyOf(other) === keyOf(c)) ? known.get(keyOf(c)) : undefined;
    return same ?? { isUp: !c.alpha && (old === undefined || isAliveIn(old, known)), weight: 0 };
  };
  return new Map(fresh.servers.flatMap((s) => s.checks.map((c) => [keyOf(c), begins(s, c)] as const)));
}

test("the table is what the checks and the quorum say, through any results and reloads; quorum scripts take turns", () => {
  fc.assert(
    fc.property(serviceOf, fc.array(step, { maxLength: 12 }), (first, steps) => {
      const world = new FakeWorld();
      const table = new Table({ maxServices: 9, maxDests: 99, isUnicast: () => true });
      const refused: unknown[] = [];
      const director = { apply: (list: Parameters<Table["apply"]>[0]) => table.apply(list).refusals };
      world.apply = (operations) => void refused.push(...applyForgiving(director, operations));

      let current = first;
      let known: Known = new Map(first.servers.flatMap((s) => s.checks.map((c) => [keyOf(c), { isUp: !c.alpha, weight: 0 }])));
      const health = runHealth(config(first), world, 0);
      const agree = (): void => {
        const { hasQuorum } = health.status()[0]!;
        const dests = Object.fromEntries(table.service(spec.key)!.dests.map(({ spec: d }) => [d.addr, d.weight]));
        expect(dests).toEqual(tableSaid(current, known, hasQuorum));
        const sum = sumIn(current, known);
        const { quorum, hysteresis } = current;
        if (sum >= quorum + hysteresis) expect(hasQuorum).toBe(true);
        if (sum === 0 || sum < quorum - hysteresis) expect(hasQuorum).toBe(false);
        const scripts = world.said.filter((line) => line === "run gained" || line === "run lost");
        for (const [i, script] of scripts.entries()) if (i > 0) expect(script).not.toBe(scripts[i - 1]);
        expect(scripts.at(-1) ?? "run lost").toBe(hasQuorum ? "run gained" : "run lost"); // a start without quorum may be silent
      };
      /** All have been tried: what is known is what their servers answer. */
      const settle = (): void => {
        world.pass(LOOP + 1);
        for (const [id, before] of known) {
          const result = world.results.get(id) ?? { type: "ok" };
          if (result.type === "ok") known.set(id, { isUp: true, weight: result.weight ?? before.weight });
          else if (result.type === "failed") known.set(id, { ...before, isUp: false });
        }
        agree();
      };

      agree();
      settle();
      for (const one of steps) {
        if ("reload" in one) {
          const fresh = one.reload;
          known = afterReload(current, fresh, known);
          current = fresh;
          health.replace(config(fresh));
          agree();
        } else if ("result" in one) world.results.set(`${address(one.last)} ${one.port}`, one.result);
        else world.pass(one.wait);
        settle();
      }
      health.stop();
      expect([...table.services()]).toEqual([]);
      expect(refused).toEqual([]);
    }),
    { numRuns: process.env.LVSD_FULL === "1" ? 20_000 : 300 },
  );
});
