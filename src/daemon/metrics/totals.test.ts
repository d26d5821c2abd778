import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Counters, noCounters, noRates, type Operation, type Refusal, type Service } from "../../director/director.ts";
import { ip } from "../../net/ip.ts";
import { fileMemory, type Totals, withTotals } from "./totals.ts";

const service = (port: number, conns: number): Service => ({
  key: { protocol: "tcp", addr: ip("10.0.0.100"), port },
  ...{ scheduler: "wlc", schedFlags: [], persistSeconds: 0, netmask: 0xffffffff, onePacket: false, pe: "" },
  ...{ dests: [], localAddresses: [], rates: noRates },
  counters: { conns, inPackets: 10 * conns, outPackets: 0, inBytes: 100 * conns, outBytes: 0 },
});

/** Services that count; a method of a class with private fields, as real ones are. */
class Table {
  #services: Service[] = [];
  isRefusing = false;
  services = (): Service[] => this.#services;
  service = (key: Service["key"]): Service | undefined =>
    this.#services.find((s) => JSON.stringify(s.key) === JSON.stringify(key));
  apply(operations: readonly Operation[]): Refusal[] {
    if (this.isRefusing) return [{ index: 0, code: "EINVAL", message: "no" }];
    for (const o of operations) {
      if (o.op === "flush") this.#services = [];
      if (o.op === "delete-service") this.#services = this.#services.filter((s) => s !== this.service(o.key));
      if (o.op === "zero")
        this.#services = this.#services.map((s) =>
          o.key === undefined || s === this.service(o.key) ? { ...s, counters: noCounters } : s,
        );
    }
    return [];
  }
  put(...services: Service[]): void {
    this.#services = services;
  }
}

let folder: string;
let path: string;
let table: Table;
let director: Table;
let totals: Totals;
let namespace = "1";
const open = (): void => {
  ({ director, totals } = withTotals(table, fileMemory(path, namespace)));
};
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lvsd-totals-"));
  path = join(folder, "totals");
  table = new Table();
  open();
});
afterEach(() => rmSync(folder, { recursive: true }));
const now = (): Counters => totals.now(director.services());

test("what services had counted that are deleted or zeroed stays in the sum", () => {
  table.put(service(80, 3), service(81, 5));
  expect(now()).toEqual({ conns: 8, inPackets: 80, outPackets: 0, inBytes: 800, outBytes: 0 });
  director.apply([{ op: "delete-service", key: service(80, 0).key }]);
  expect([now().conns, director.services().length]).toEqual([8, 1]);
  director.apply([{ op: "zero", key: service(81, 0).key }]);
  expect(now().conns).toBe(8);
  table.put(service(81, 2), service(82, 4));
  director.apply([{ op: "flush" }]);
  expect([now().conns, now().inBytes]).toEqual([14, 1400]);
});

test("what is refused changes nothing", () => {
  table.put(service(80, 3));
  table.isRefusing = true;
  director.apply([{ op: "flush" }]);
  expect(now().conns).toBe(3);
});

test("zeroing all begins at zero, as in the kernel", () => {
  table.put(service(80, 3));
  director.apply([{ op: "delete-service", key: service(80, 0).key }]);
  table.put(service(81, 5));
  director.apply([{ op: "zero" }]);
  expect(now()).toEqual(noCounters);
});

test("the next lvsd goes on where this one was, whether the services outlived it or not", () => {
  table.put(service(80, 3), service(81, 5));
  director.apply([{ op: "delete-service", key: service(80, 0).key }]);
  open(); // after kill -9
  expect(now().conns).toBe(8);
  totals.retireAll();
  table.put(); // after a stop
  open();
  expect(now().conns).toBe(8);
});

test("what another network namespace has left is not taken for ours", () => {
  table.put(service(80, 3));
  director.apply([{ op: "flush" }]);
  namespace = "2";
  open();
  expect(now()).toEqual(noCounters);
});

test("a file of nonsense counts for nothing", () => {
  for (const text of ["", "{", "null", '{"namespace":"2","conns":"3"}', "[1]"]) {
    writeFileSync(path, text);
    open();
    expect(now()).toEqual(noCounters);
  }
  totals.retireAll();
  expect(readFileSync(path, "utf8")).toBe("[1]"); // nothing is written where nothing is lost
});
