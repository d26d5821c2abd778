import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Node, openStage, owners, type Stage, until } from "./testing/nodes.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.remove());

/** How many virtual routers; each sends ten adverts a second. */
const COUNT = Number(process.env.LVSD_VRRP_LOAD ?? 100);
const vip = (n: number): string => `10.9.1.${n}`;
const conf = (priority: number): string =>
  Array.from({ length: COUNT }, (_, i) => i + 1)
    .map(
      (n) => `vrrp_instance VI_${n} {
  interface eth0
  virtual_router_id ${n}
  priority ${priority}
  version 3
  advert_int 0.1
  virtual_ipaddress {
    ${vip(n)}/32
  }
}`,
    )
    .join("\n");

/** Seconds of CPU that a process has had. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(" ");
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

test(`${COUNT} virtual routers at ten adverts a second have no false time-out, and all are taken over from one that is killed`, async () => {
  const low: Node = stage.start("ours", stage.b, conf(100));
  const high: Node = stage.start("ours", stage.a, conf(150));
  const isLeading = (): boolean => owners(stage, vip(COUNT)).join() === stage.a;
  await until("the higher one leads", isLeading, 30_000);
  await delay(1000);
  const before = await low.status();
  const [cpu, began] = [[low, high].map((n) => cpuOf(n.pid)), performance.now()];
  await delay(3000);
  const seconds = (performance.now() - began) / 1000;
  const shares = [low, high].map((n, i) => (((cpuOf(n.pid) - cpu[i]!) / seconds) * 100).toFixed(0));
  console.info(`${COUNT} routers, ${COUNT * 10} adverts a second: backup ${shares[0]} %, master ${shares[1]} % of a CPU`);
  const after = await low.status();
  expect(after.filter((i) => i.state !== "BACKUP")).toEqual([]);
  expect(after.map((i) => i.counters.becameMaster)).toEqual(before.map((i) => i.counters.becameMaster));
  const killed = performance.now();
  await high.kill();
  // By its state, not its log: it led for a moment at the start, before the other one was there.
  const states = async (): Promise<string[]> => (await low.status()).map((i) => i.state);
  while ((await states()).includes("BACKUP") && performance.now() - killed < 5000) await delay(20);
  console.info(`all taken over ${(performance.now() - killed).toFixed(0)} ms after kill -9`);
  expect(new Set(await states())).toEqual(new Set(["MASTER"]));
});
