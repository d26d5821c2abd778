import { afterEach, expect, test } from "vitest";
import { parseText } from "../../config/parse.ts";
import { changeOf } from "../../health/change.ts";
import { ip } from "../../net/ip.ts";
import type { Tuning } from "../../tuning.ts";
import { fromConfig } from "./from-config.ts";
import { type Order, obey, type Report } from "./process.ts";

const textOf = (weight: number): string =>
  `virtual_server 192.0.2.1 80 {
    protocol TCP
    lb_algo rr
    lb_kind NAT
    ha_suspend
    real_server 10.0.0.11 80 {
      weight ${weight}
      TCP_CHECK {
      }
    }
  }`;
/** As it arrives: by JSON. */
const configure = (weight: number): Order =>
  JSON.parse(JSON.stringify({ type: "configure", config: fromConfig(parseText(textOf(weight)).config).health })) as Order;

function child() {
  const heard: Report[] = [];
  let ends = 0;
  const nices: number[] = [];
  const tune = ({ nice }: Tuning): void => void nices.push(nice);
  const { order, gone } = obey({ send: (report) => heard.push(report), tune, log: () => {}, end: () => ends++ });
  const take = (): string[] =>
    heard.splice(0).flatMap((r) => (r.type === "apply" ? r.operations.map((o) => o.op) : r.type === "status" ? [] : [r.type]));
  return { order, gone, heard, take, nices, ends: () => ends };
}

let running: ReturnType<typeof child> | undefined;
afterEach(() => running?.gone());

test("a parent configures its checkers by messages, hears what to do, and has the services taken away at the end", () => {
  running = child();
  const { order, take, heard, ends } = running;
  order(configure(3));
  expect(take()).toEqual(["add-service", "add-dest", "tell", "ready"]);
  order(configure(4));
  expect(take()).toEqual(["edit-dest", "ready"]);
  order({ type: "addresses", addresses: [ip("192.0.2.1")] });
  order({ type: "status" });
  expect(heard[0]).toMatchObject({ services: [{ name: "[192.0.2.1]:tcp:80", weight: 4, isSuspended: false }] });
  take();
  order({ type: "stop" });
  expect([take(), ends()]).toEqual([["delete-dest", "delete-service"], 1]);
});

test("a change gives the process another priority, as a configuration does", () => {
  running = child();
  const { config } = configure(3) as Extract<Order, { type: "configure" }>;
  running.order({ type: "configure", config });
  const next = { ...config, tuning: { ...config.tuning!, nice: -5 } };
  running.order({ type: "change", change: changeOf(config, next) });
  expect([running.nices, running.take().at(-1)]).toEqual([[0, -5], "ready"]);
});

test("what is no configuration is refused and changes nothing", () => {
  running = child();
  const { order, take } = running;
  order(configure(3));
  take();
  order({ type: "configure", config: {} } as unknown as Order);
  expect(take()).toEqual(["failed"]);
  order(configure(3));
  expect(take()).toEqual(["ready"]);
});

test("without its parent it ends and leaves everything as it is", () => {
  running = child();
  running.order(configure(3));
  running.take();
  running.gone();
  expect([running.take(), running.ends()]).toEqual([[], 1]);
});
