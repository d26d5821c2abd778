import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { has, ip, type Kind, type Node, openStage, owners, type Stage, until } from "./testing/nodes.ts";

/** Ours and Debian's keepalived 2.2.7 on one link, in both roles: who is master is the same in both minds after each step. */

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
const peer4 = (place: string): string =>
  place === "a"
    ? "unicast_src_ip 10.9.0.1\n unicast_peer {\n 10.9.0.2\n }"
    : "unicast_src_ip 10.9.0.2\n unicast_peer {\n 10.9.0.1\n }";
const peer6 = (place: string): string =>
  place === "a"
    ? "unicast_src_ip fe80::a\n unicast_peer {\n fe80::b\n }"
    : "unicast_src_ip fe80::b\n unicast_peer {\n fe80::a\n }";
const auth = (type: string): string => `authentication {\n auth_type ${type}\n auth_pass s3cret\n }`;
const v2 = "version 2\n advert_int 1";
const v3 = "version 3\n advert_int 0.2";

const cases: Case[] = [
  { name: "version 2", ...ipv4, words: () => v2 },
  { name: "version 2 with a password", ...ipv4, words: () => `${v2}\n${auth("PASS")}` },
  { name: "version 2 with AH", ...ipv4, words: () => `${v2}\n${auth("AH")}` },
  { name: "version 2 by unicast with a password", ...ipv4, words: (at) => `${v2}\n${peer4(at)}\n${auth("PASS")}` },
  { name: "version 2 by unicast with AH", ...ipv4, words: (at) => `${v2}\n${peer4(at)}\n${auth("AH")}` },
  { name: "version 3", ...ipv4, words: () => v3 },
  { name: "version 3 by unicast", ...ipv4, words: (at) => `${v3}\n${peer4(at)}` },
  { name: "version 3 with virtual MACs", ...ipv4, words: () => `${v3}\nuse_vmac` },
  { name: "version 3 over IPv6 with virtual MACs", ...ipv6, words: () => `${v3}\nuse_vmac` },
  { name: "version 3 over IPv6", ...ipv6, words: () => v3 },
  { name: "version 3 over IPv6 by unicast", ...ipv6, words: (at) => `${v3}\n${peer6(at)}` },
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
    test(`${kind} with the higher priority and nopreempt leaves the other in place`, async () => {
      const low = stage.start(other(kind), stage.b, plain("b", 100, `${v3}\nnopreempt`));
      await ownedBy(stage.b, VIP4);
      const high = stage.start(kind, stage.a, plain("a", 150, `${v3}\nnopreempt`));
      await delay(2000);
      expect(owners(stage, VIP4)).toEqual([stage.b]);
      await low.stop();
      await ownedBy(stage.a, VIP4);
      await refusedNothing([high]);
    });

    test(`${kind} does not take over from an equal that leads, though its address is higher`, async () => {
      stage.start(other(kind), stage.a, plain("a", 100, v3));
      await ownedBy(stage.a, VIP4);
      stage.start(kind, stage.b, plain("b", 100, v3));
      await delay(2000);
      expect(owners(stage, VIP4)).toEqual([stage.a]);
    });

    test(`${kind} learns the interval of the other in version 3`, async () => {
      stage.start(other(kind), stage.a, plain("a", 150, "version 3\n advert_int 0.2"));
      const low = stage.start(kind, stage.b, plain("b", 100, "version 3\n advert_int 1"));
      await ownedBy(stage.a, VIP4);
      await until("it has learnt", () =>
        low.log().includes("(VI_1) advertisement interval updated from 1000ms to 200ms by master"),
      );
    });

    test(`${kind} takes over from one that crashed`, async () => {
      const times: number[] = [];
      stage.start(kind, stage.b, plain("b", 100, v3));
      for (let n = 0; n < 3; n++) {
        const high = stage.start(other(kind), stage.a, plain("a", 150, v3));
        await ownedBy(stage.a, VIP4);
        const crashed = performance.now();
        await high.crash();
        await until("it is taken over", () => has(stage.b, VIP4));
        times.push(performance.now() - crashed);
        ip("-n", stage.a, "address", "delete", `${VIP4}/32`, "dev", "eth0");
      }
      times.sort((x, y) => x - y);
      console.info(`${kind} takes over after a crash, advert_int 0.2: ${times.map((t) => t.toFixed(0)).join(" ")} ms`);
      // 3 x 0.2 s and a skew of 0.12 s, less the age of the last advert.
      expect(times[1]).toBeGreaterThan(450);
      expect(times[1]).toBeLessThan(1100);
    });

    test(`${kind} goes on leading after a pause in which the other took over`, async () => {
      const low = stage.start(other(kind), stage.b, plain("b", 100, v3));
      const high = stage.start(kind, stage.a, plain("a", 150, v3));
      await ownedBy(stage.a, VIP4);
      high.pause();
      await until("the other takes over", () => has(stage.b, VIP4));
      high.resume();
      await ownedBy(stage.a, VIP4);
      await refusedNothing([high, low]);
    });
  }

  test("two that differ in their interval in version 2 both lead, and ours says why", async () => {
    const ours = stage.start("ours", stage.a, plain("a", 150, "version 2\n advert_int 1"));
    const theirs = stage.start("keepalived", stage.b, plain("b", 100, "version 2\n advert_int 2"));
    await until("both lead", () => owners(stage, VIP4).length === 2);
    await until("ours says so", () => ours.log().includes("split brain: 10.9.0.2 is master too"));
    expect(ours.log()).toContain("(VI_1) advertisement interval mismatch with 10.9.0.2 mine=1 sec rcv'd=2 sec");
    await until("theirs says so", () => theirs.log().includes("advertisement interval mismatch mine=2 sec rcv'd=1 sec"));
  });
});
