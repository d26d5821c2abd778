import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { parseText } from "../../config/parse.ts";
import { fromConfig } from "./from-config.ts";
import { type Order, obey, type Report } from "./process.ts";

const textOf = (check: string, bfd = ""): string => `bfd_instance B1 {
  neighbor_ip 10.0.0.11
  ${bfd}
}
virtual_server 192.0.2.1 80 {
  protocol TCP
  lb_algo rr
  lb_kind NAT
  delay_loop 60
  retry 5
  delay_before_retry 60
  real_server 10.0.0.11 80 {
    BFD_CHECK {
      name B1
      ${check}
    }
  }
}`;
const read = (text: string) => fromConfig(parseText(text).config);
const configure = (check = ""): Order =>
  JSON.parse(JSON.stringify({ type: "configure", config: read(textOf(check)).health })) as Order;

function child() {
  const heard: Report[] = [];
  const said: string[] = [];
  const { order, gone } = obey({ send: (report) => heard.push(report), log: (text) => said.push(text), end: () => {} });
  const take = (): string[] => heard.splice(0).flatMap((r) => (r.type === "apply" ? r.operations.map((o) => o.op) : []));
  return { order, gone, take, said };
}

let running: ReturnType<typeof child> | undefined;
afterEach(() => running?.gone());
/** Turns of the event loop, and a slot of the wheel. */
const soon = (): Promise<void> => delay(60);

test("a server goes and comes with its session, at once and without retries", async () => {
  running = child();
  const { order, take, said } = running;
  order(configure());
  expect(take()).toEqual(["add-service", "add-dest"]);
  await soon();
  expect(take()).toEqual([]); // nobody has told
  order({ type: "bfd", up: [] });
  expect(take()).toEqual(["delete-dest"]);
  await soon();
  order({ type: "bfd", up: ["B1", "other"] });
  expect(take()).toEqual(["add-dest"]);
  await soon();
  order({ type: "bfd", up: ["B1"] });
  expect(take()).toEqual([]);
  order({ type: "bfd", up: ["other"] });
  expect(take()).toEqual(["delete-dest"]);
  expect(said.filter((line) => line.startsWith("BFD"))).toEqual([
    "BFD check of [B1] RS([10.0.0.11]:tcp:80) is DOWN",
    "BFD check of [B1] RS([10.0.0.11]:tcp:80) is UP",
    "BFD check of [B1] RS([10.0.0.11]:tcp:80) is DOWN",
  ]);
});

test("what turns while a check is not listening is not lost", async () => {
  running = child();
  const { order, take } = running;
  order(configure());
  order({ type: "bfd", up: ["B1"] });
  order({ type: "bfd", up: [] });
  await soon();
  expect(take()).toEqual(["add-service", "add-dest", "delete-dest"]);
  order({ type: "bfd", up: ["B1"] });
  order({ type: "bfd", up: [] });
  await soon();
  expect(take()).toEqual(["add-dest", "delete-dest"]);
});

test("with alpha a server waits for its session", async () => {
  running = child();
  const { order, take } = running;
  order(configure("alpha"));
  order({ type: "bfd", up: ["B1"] });
  expect(take()).toEqual(["add-service"]);
  await soon();
  expect(take()).toEqual(["add-dest"]);
});

test("after a reload that changes the check its server stays as it was", async () => {
  running = child();
  const { order, take } = running;
  order(configure());
  order({ type: "bfd", up: [] });
  await soon();
  expect(take()).toEqual(["add-service", "add-dest", "delete-dest"]);
  order(configure("alpha"));
  await soon();
  expect(take()).toEqual([]);
  order({ type: "bfd", up: ["B1"] });
  expect(take()).toEqual(["add-dest"]);
});

test("a session that tells only VRRP, or is not there, checks nothing, and that is said", () => {
  const checks = (bfd: string): number => read(textOf("", bfd)).health.services[0]!.servers[0]!.checks.length;
  expect([checks(""), checks("checker"), checks("vrrp"), checks("vrrp\n checker")]).toEqual([1, 1, 0, 1]);
  expect(read(textOf("", "vrrp")).notes).toEqual(["BFD_CHECK of 10.0.0.11 is left out: no bfd_instance 'B1' tells the checkers"]);
});
