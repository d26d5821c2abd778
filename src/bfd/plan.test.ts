import { expect, test } from "vitest";
import { ip } from "../net/ip.ts";
import { untuned } from "../tuning.ts";
import type { SessionConfig } from "./config.ts";
import { planBfd } from "./plan.ts";
import { config } from "./testing.ts";

const all = (...sessions: SessionConfig[]) => ({ sessions, tuning: untuned });

test("a plan tells which sessions come, go, go on with other words, or begin anew", () => {
  const before = all(config({ name: "A" }), config({ name: "B" }), config({ name: "C" }), config({ name: "D" }));
  const after = all(
    config({ name: "A" }),
    config({ name: "B", minRx: 100, source: ip("10.9.0.1"), passive: true, tells: { vrrp: true, checker: false } }),
    config({ name: "C", neighbour: ip("10.9.0.7") }),
    config({ name: "E" }),
  );
  expect(planBfd(before, after).map(({ kind: _, ...change }) => change)).toEqual([
    {
      ...{ what: "change", name: "B", effects: ["the session goes on"] },
      fields: [
        { field: "source_ip", to: "10.9.0.1" },
        { field: "min_rx", from: "10", to: "100" },
        { field: "passive", from: "off", to: "on" },
        { field: "checker", from: "on", to: "off" },
      ],
    },
    {
      ...{ what: "change", name: "C", fields: [{ field: "neighbor_ip", from: "10.9.0.2", to: "10.9.0.7" }] },
      effects: ["another session begins, down until its neighbour answers"],
    },
    {
      ...{ what: "add", name: "E", fields: [{ field: "neighbor_ip", to: "10.9.0.2" }] },
      effects: ["who tracks it finds it down until its neighbour answers"],
    },
    {
      ...{ what: "remove", name: "D", fields: [{ field: "neighbor_ip", from: "10.9.0.2" }] },
      effects: ["its neighbour is told that it is over"],
    },
  ]);
});

test("the same configuration changes nothing, another priority of the process is told", () => {
  const one = all(config());
  expect(planBfd(one, structuredClone(one))).toEqual([]);
  expect(planBfd(one, { ...one, tuning: { ...untuned, nice: -5 } })).toMatchObject([
    { kind: "global", name: "bfd process nice" },
  ]);
});
