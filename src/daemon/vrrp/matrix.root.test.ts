import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import type { Kind } from "./testing/nodes.ts";
import { live, type Steps, type Wire, wires } from "./testing/scenario.ts";

/**
 * Ours and Debian's keepalived 2.2.7 as a pair, each in both roles, on every kind of wire that both know:
 *
 *   v2 IPv4 x {no authentication, PASS, AH} x {multicast, unicast};  v3 x {IPv4, IPv6} x {multicast, unicast}
 *
 * and on each the same life (testing/scenario.ts): election, preempt, kill -9, return, link down and up, SIGSTOP and SIGCONT,
 * stop with priority 0; nopreempt, and the lower one that was stopped steps down; a tie, and of two the higher address wins.
 * After each step one machine alone answers for the address, by arping or neighbour discovery from a third machine; nobody
 * has refused an advert, and tshark finds none malformed. All 20 lives with LVSD_FULL=1, else those of each value with each
 * other one at least once.
 */

const isFull = process.env.LVSD_FULL === "1";
/** Lives at a time: they mostly wait. */
const AT_ONCE = 10;

interface Row {
  readonly wire: Wire;
  readonly kind: Kind;
}

const all: readonly Row[] = wires.flatMap((wire) => (["ours", "keepalived"] as const).map((kind) => ({ wire, kind })));
/** Role x authentication, role x cast, authentication x cast, role x family, family x cast, role x version. */
const pairwise: readonly [name: string, kind: Kind][] = [
  ["v2 IPv4 multicast", "ours"],
  ["v2 IPv4 unicast PASS", "ours"],
  ["v2 IPv4 multicast PASS", "keepalived"],
  ["v2 IPv4 unicast AH", "keepalived"],
  ["v2 IPv4 multicast AH", "ours"],
  ["v2 IPv4 unicast", "keepalived"],
  ["v3 IPv4 multicast", "keepalived"],
  ["v3 IPv4 unicast", "ours"],
  ["v3 IPv6 multicast", "ours"],
  ["v3 IPv6 unicast", "keepalived"],
];
const rows = isFull ? all : all.filter(({ wire, kind }) => pairwise.some(([name, role]) => name === wire.name && role === kind));

test.skipIf(!existsSync("/usr/sbin/keepalived"))(
  `ours and keepalived agree on the one owner of the address through the whole life of a pair, ${rows.length} times`,
  { timeout: 600_000 },
  async () => {
    const waiting = [...rows];
    const lines: string[] = [];
    const failures: string[] = [];
    const work = async (): Promise<void> => {
      for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) {
        const { wire, kind } = row;
        const name = `${wire.name.padEnd(22)} ${kind.padEnd(10)}`;
        await live(wire, kind).then(
          (steps) => void lines.push(`${name} ${cells(steps)}`),
          (error: Error) => void failures.push(error.message),
        );
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    console.info(`ms until one alone has the address\n${lines.sort().join("\n")}`);
    expect(failures).toEqual([]);
  },
);

const cells = (steps: Steps): string => steps.map(({ name, ms }) => `${name} ${ms.toFixed(0)}`).join(", ");
