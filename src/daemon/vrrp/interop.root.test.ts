import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Kind, type Node, openStage, owners, type Stage, until } from "./testing/nodes.ts";

/** Ours and Debian's keepalived 2.2.7 on one link: what matrix.root.test.ts leaves out, virtual MACs and intervals that are learnt. */

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterEach(() => stage.clear());
afterAll(() => stage.remove());

/** What an instance says beside its priority; at `a` and at `b`. */
interface Case {
  readonly name: string;
  readonly vip: string;
  readonly vips: string;
  words(place: "a" | "b"): string;
}

const VIP4 = "10.9.0.100";
const VIP6 = "2001:db8:9::100";
const ipv4 = { vip: VIP4, vips: `${VIP4}/32` };
const ipv6 = { vip: VIP6, vips: `fe80::100/64 \n ${VIP6}/64` };
const v3 = "version 3\n advert_int 0.2";

const cases: Case[] = [
  { name: "version 3 with virtual MACs", ...ipv4, words: () => `${v3}\nuse_vmac` },
  { name: "version 3 over IPv6 with virtual MACs", ...ipv6, words: () => `${v3}\nuse_vmac` },
];

const conf = (c: Case, place: "a" | "b", priority: number): string => `
global_defs {
  vrrp_garp_master_delay 1
}
vrrp_instance VI_1 {
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority ${priority}
  ${c.words(place)}
  virtual_ipaddress {
    ${c.vips}
  }
}
`;

/** What keepalived says of adverts that it does not take. */
const REFUSAL = /invalid|mismatch|expect|not a unicast|too (long|short)|IPSEC|unexpected|not present|Dropping/i;

/** One has the address, and has it for a while. */
async function ownedBy(place: string, vip: string): Promise<void> {
  await until(`${vip} is at ${place} only`, () => owners(stage, vip).join() === place);
  await delay(300);
  expect(owners(stage, vip)).toEqual([place]);
}

async function refusedNothing(nodes: readonly Node[]): Promise<void> {
  for (const node of nodes) {
    if (node.kind === "keepalived")
      expect(
        node
          .log()
          .split("\n")
          .filter((line) => REFUSAL.test(line)),
      ).toEqual([]);
    else expect((await node.status()).map((i) => i.counters.refused)).toEqual([{}]);
  }
}

const other = (kind: Kind): Kind => (kind === "ours" ? "keepalived" : "ours");

describe.skipIf(!existsSync("/usr/sbin/keepalived"))("with keepalived", () => {
  for (const c of cases) {
    for (const high of ["ours", "keepalived"] as const) {
      test(`${c.name}: ${high} with the higher priority leads, hands over on stop, and takes over again`, async () => {
        const low = stage.start(other(high), stage.b, conf(c, "b", 100));
        let first = stage.start(high, stage.a, conf(c, "a", 150));
        await ownedBy(stage.a, c.vip);
        await refusedNothing([first, low]);
        const stopped = performance.now();
        await first.stop();
        await ownedBy(stage.b, c.vip);
        expect(performance.now() - stopped).toBeLessThan(5000);
        first = stage.start(high, stage.a, conf(c, "a", 150));
        await ownedBy(stage.a, c.vip);
        await refusedNothing([first, low]);
        await low.stop();
        expect(owners(stage, c.vip)).toEqual([stage.a]);
      });
    }
  }

  const plain = (place: "a" | "b", priority: number, words: string): string =>
    conf({ name: "", ...ipv4, words: () => words }, place, priority);

  for (const kind of ["ours", "keepalived"] as const) {
    test(`${kind} learns the interval of the other in version 3`, async () => {
      stage.start(other(kind), stage.a, plain("a", 150, "version 3\n advert_int 0.2"));
      const low = stage.start(kind, stage.b, plain("b", 100, "version 3\n advert_int 1"));
      await ownedBy(stage.a, VIP4);
      await until("it has learnt", () =>
        low.log().includes("(VI_1) advertisement interval updated from 1000ms to 200ms by master"),
      );
    });
  }
});
