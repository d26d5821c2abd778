import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ADVERT, DELAY, GLOBALS, masterDown } from "./keepalived.ts";
import { type Lab, startLab } from "./lab.ts";
import { startLasting } from "./lasting.ts";
import { runScript } from "./lvsd.ts";
import { missing } from "./needs.ts";
import { startNginx } from "./nginx.ts";
import { answerersOf, cable, cutPower, startDirector } from "./pair.ts";
import { breakage, breakageText, startPulse } from "./pulse.ts";
import { GATEWAY, natPair, VIP } from "./topologies/nat-pair.ts";
import { withOffloads } from "./topology.ts";
import { until } from "./until.ts";

/**
 * By NAT a director has an address on either side: a sync group keeps both with the same one, whatever fails. The side that is
 * well says farewell, and yet the other director waits for the silence on both, as keepalived does.
 */

const reason = missing("bin/lvsd");
const [HIGH, LOW] = [150, 100];
/** For a machine that is shared, ms. */
const SLACK = 500;
const LONG = 8; // connections
/** What was sent in vain is sent again after 0.2, 0.4, 0.8 … s, ms. */
const LONGEST_BACKOFF = 1600;

const instance = (name: string, segment: string, vrid: number, priority: number, address: string): string => `
vrrp_instance ${name} {
  interface ${segment}
  virtual_router_id ${vrid}
  priority ${priority}
  advert_int ${ADVERT}
  virtual_ipaddress {
    ${address}/32 dev ${segment}
  }
}
`;

const fileOf = (priority: number): string => `${GLOBALS}
vrrp_sync_group G {
  group {
    OUTSIDE
    INSIDE
  }
}
${instance("OUTSIDE", "outside", 51, priority, VIP)}${instance("INSIDE", "inside", 52, priority, GATEWAY)}
virtual_server ${VIP} 80 {
  delay_loop ${DELAY}
  lb_algo mh
  lb_kind NAT
  protocol TCP
${[11, 12, 13]
  .map(
    (number) => `  real_server 10.2.0.${number} 8080 {
    TCP_CHECK {
      connect_timeout 1
    }
  }
`,
  )
  .join("")}}
`;

describe.skipIf(reason !== undefined)(`a pair of directors by NAT (${reason ?? "here"})`, () => {
  let lab: Lab<keyof typeof natPair.hosts>;

  beforeAll(async () => {
    lab = await startLab(withOffloads(natPair));
    const { d1, d2, rs1, rs2, rs3 } = lab.hosts;
    await Promise.all([rs1, rs2, rs3].map((host) => startNginx(lab, host, ["0.0.0.0:8080"])));
    await Promise.all([startDirector(lab, d1, fileOf(HIGH)), startDirector(lab, d2, fileOf(LOW))]);
    await both("d1");
  });
  afterAll(() => lab?.close());

  /** Until each of the two addresses has one owner, this one. */
  const both = (name: string): Promise<unknown> =>
    until(`${name} with both addresses`, async () => {
      const { client, rs1 } = lab.hosts;
      const [outside, inside] = await Promise.all([
        answerersOf(lab, client, "outside", VIP),
        answerersOf(lab, rs1, "inside", GATEWAY),
      ]);
      return outside.join() === name && inside.join() === name;
    });

  const steps: [what: string, bound: number, does: () => Promise<unknown>, owner: string][] = [
    ["d1's cable outside is pulled", masterDown(LOW), () => cable(lab.hosts.d1, "out", "outside"), "d2"],
    ["it is back", 0, () => cable(lab.hosts.d1, "in", "outside"), "d1"],
    ["d1's cable inside is pulled", masterDown(LOW), () => cable(lab.hosts.d1, "out", "inside"), "d2"],
    ["that is back", 0, () => cable(lab.hosts.d1, "in", "inside"), "d1"],
  ];

  test("both addresses are with one director, whichever of its cables is pulled, and requests go on", async () => {
    const pulse = await startPulse(lab.hosts.client, VIP);
    const at: number[] = [];
    for (const [, , does, owner] of steps) {
      at.push(Date.now());
      await does();
      await both(owner);
      await delay(300);
    }
    const tries = await pulse.stop();
    for (const [i, [what, bound]] of steps.entries()) {
      const found = breakage(tries, at[i], at[i + 1]);
      console.log(`${what}: ${breakageText(found)}`);
      expect(found.gap, what).toBeLessThan(bound + SLACK);
    }
  });

  test("with sloppy_tcp and mh on both, connections outlive their director", async () => {
    const { client, d1, d2 } = lab.hosts;
    await Promise.all([d1, d2].map((host) => runScript(host, "lvsctl set sloppy_tcp 1")));
    const long = await startLasting(client, VIP, LONG);
    await cutPower(d1, "outside", "inside");
    await both("d2");
    await delay(LONGEST_BACKOFF);
    console.log(`sloppy_tcp: of ${LONG} connections by NAT there live ${long.alive()}`);
    expect([long.alive(), [...long.ends()]]).toEqual([LONG, []]);
  });
});
