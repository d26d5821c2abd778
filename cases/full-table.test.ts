import { afterAll, beforeAll, expect, test } from "vitest";
import { DataPathPlane } from "./data-path-plane.ts";
import { operationsOf } from "./lines.ts";
import { fromClient, fromServer, VIP } from "./network.ts";

/** A full table under drop_entry: half-open conns make room for new ones, and nobody else does (docs/flood.md). */

const CAPACITY = 4096;
const OPEN = 500;
const BURST = 400; // SYNs within a jiffy
const BURSTS = 60;
const PAUSE = 8; // ms
const [visitor, attacker] = ["10.1.0.3", "10.1.0.4"];
const setup = `
  -A -t 10.1.0.100:80 -s rr
  -a -t 10.1.0.100:80 -r 10.2.0.11:80 -m
`;

let plane: DataPathPlane;
beforeAll(() => {
  plane = new DataPathPlane(CAPACITY, "xdp");
});
afterAll(() => plane.close());

const syn = (client: string, port: number): string =>
  plane.send(fromClient(client, VIP).tcp(port, 80, "S").bytes(), "client").reason;

function open(port: number): void {
  expect(syn(visitor, port)).toBe("nat");
  plane.send(fromServer("10.2.0.11", visitor).tcp(80, port, "SA").bytes(), "server");
  expect(talk(port)).toBe("nat");
}
const talk = (port: number): string => plane.send(fromClient(visitor, VIP).tcp(port, 80, "A").bytes(), "client").reason;

/** How many of the attacker's SYNs were let in; each is from a port of its own. */
function flood(count: number, from: number): number {
  let opened = 0;
  for (let i = 0; i < count; i++) if (syn(attacker, 1024 + from + i) === "nat") opened++;
  return opened;
}

/** Open connections, and half-open ones as many as there is room for. */
async function fill(settings: string): Promise<void> {
  expect(plane.reset()).toEqual([]);
  plane.apply(await operationsOf(setup));
  for (let port = 0; port < OPEN; port++) open(5000 + port);
  plane.apply(await operationsOf(settings)); // not before: it may end what is about to open
  expect(flood(CAPACITY - OPEN, 0)).toBe(CAPACITY - OPEN);
  expect(plane.size()).toBeGreaterThan(CAPACITY * 0.95); // drop_entry has ended some already
}

test("without drop_entry a full table takes nobody in", async () => {
  await fill("");
  expect(flood(BURST, 10_000)).toBe(0);
  plane.wait(PAUSE);
  expect(flood(BURST, 20_000)).toBe(0);
});

test("with drop_entry a full table goes on taking SYNs in, and loses none that is open", async () => {
  await fill("drop_entry=3");
  let opened = 0;
  for (let burst = 0; burst < BURSTS; burst++) {
    const more = flood(BURST, 5000 + burst * BURST);
    if (burst > 0) opened += more;
    expect(plane.size()).toBeLessThanOrEqual(CAPACITY);
    plane.wait(PAUSE);
  }
  expect(opened / (BURST * (BURSTS - 1))).toBeGreaterThan(0.8); // each wait sweeps the whole table, which alone would make room for half of them
  for (let port = 0; port < OPEN; port++) expect(talk(5000 + port)).toBe("nat");
  plane.apply(await operationsOf("drop_entry=0")); // or the sweep goes on while the table is read
  expect(plane.complaints()).toEqual([]);
  const [dest] = plane.services()[0]?.dests ?? [];
  expect([dest?.activeConns, dest?.inactiveConns]).toEqual([plane.size(), 0]);
});

test("a hand that has nothing to take yet does not clear the table", async () => {
  await fill("drop_entry=3");
  flood(BURST, 10_000); // nothing that it ends can be taken within this jiffy
  expect(plane.size()).toBeGreaterThan(CAPACITY / 2);
});
