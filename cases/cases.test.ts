import { afterAll, describe, test } from "vitest";
import { type PacketCase, runCase } from "./case.ts";
import { connCases } from "./conns.cases.ts";
import { DataPathPlane } from "./data-path-plane.ts";
import { icmpCases } from "./icmp.cases.ts";
import { ipv6Cases } from "./ipv6.cases.ts";
import { fullnatCases, localCases, routeCases, tunnelCases } from "./methods.cases.ts";
import { ModelPlane } from "./model-plane.ts";
import { natCases } from "./nat.cases.ts";
import { persistenceCases } from "./persistence.cases.ts";
import { schedulerCases } from "./schedulers.cases.ts";

/** Every packet case on the model and on both hooks of the data path, so that they can only be wrong together. */

const groups: Readonly<Record<string, readonly PacketCase[]>> = {
  NAT: natCases,
  DR: routeCases,
  TUN: tunnelCases,
  FullNAT: fullnatCases,
  "local and mixed": localCases,
  ICMP: icmpCases,
  schedulers: schedulerCases,
  conns: connCases,
  "IPv6 and tunnels": ipv6Cases,
  "persistence and fragments": persistenceCases,
};

const CAPACITY = 64;
const dataPath = new DataPathPlane(CAPACITY, "xdp");
afterAll(() => dataPath.close());

const planes = {
  model: () => new ModelPlane(CAPACITY),
  xdp: () => dataPath.through("xdp"),
  tc: () => dataPath.through("tc"),
};

for (const name of ["model", "xdp", "tc"] as const) {
  for (const [group, cases] of Object.entries(groups)) {
    describe(`${name}: ${group}`, () => {
      for (const each of cases) {
        const missing = each.missing?.[name];
        test.skipIf(missing !== undefined)(missing === undefined ? each.name : `${each.name} (missing: ${missing})`, () =>
          runCase(planes[name](), each),
        );
      }
    });
  }
}
