import { afterAll, describe, test } from "vitest";
import { type PacketCase, runCase } from "./case.ts";
import { connCases } from "./conns.cases.ts";
import { icmpCases } from "./icmp.cases.ts";
import { ipv6Cases } from "./ipv6.cases.ts";
import { fullnatCases, localCases, routeCases, tunnelCases } from "./methods.cases.ts";
import { ModelPlane } from "./model-plane.ts";
import { natCases } from "./nat.cases.ts";
import { persistenceCases } from "./persistence.cases.ts";
import { schedulerCases } from "./schedulers.cases.ts";
import { XdpPlane } from "./xdp-plane.ts";

/** Every packet case on every plane, so that the two can only be wrong together. */

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
const planes = [new ModelPlane(CAPACITY), new XdpPlane(CAPACITY)];
afterAll(() => {
  for (const plane of planes) plane.close();
});

for (const plane of planes) {
  for (const [group, cases] of Object.entries(groups)) {
    describe(`${plane.name}: ${group}`, () => {
      for (const each of cases) {
        const missing = each.missing?.[plane.name];
        test.skipIf(missing !== undefined)(missing === undefined ? each.name : `${each.name} (missing: ${missing})`, () =>
          runCase(plane, each),
        );
      }
    });
  }
}
