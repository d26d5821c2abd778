import { afterAll, beforeAll, expect, test } from "vitest";
import { DataPathPlane } from "./data-path-plane.ts";
import { operationsOf } from "./lines.ts";
import { fromClient, fromServer, VIP } from "./network.ts";

/** Many connections come and go: nothing is left behind. */

const CAPACITY = 4096;
const ROUND = 2000;
const PORTS = 60_000;
const clients = ["10.1.0.3", "10.1.0.4", "172.16.0.1", "172.16.7.9"];
const dests = ["10.2.0.11", "10.2.0.12", "10.2.0.13"];
const setup = `
  -A -t 10.1.0.100:80 -s wlc
  -a -t 10.1.0.100:80 -r 10.2.0.11:80 -m -w 1
  -a -t 10.1.0.100:80 -r 10.2.0.12:80 -m -w 2
  -a -t 10.1.0.100:80 -r 10.2.0.13:80 -m -w 3
`;

let plane: DataPathPlane;
beforeAll(() => {
  plane = new DataPathPlane(CAPACITY, "xdp");
});
afterAll(() => plane.close());

/** A frame whose client port is written into it; transport checksums are not looked at on the way. */
class Template {
  readonly #frame: Uint8Array;
  readonly #at: number;
  constructor(frame: Uint8Array, at: number) {
    this.#frame = frame;
    this.#at = at;
  }
  with(port: number): Uint8Array {
    this.#frame[this.#at] = port >>> 8;
    this.#frame[this.#at + 1] = port & 255;
    return this.#frame;
  }
}

const SOURCE_PORT = 34;
const DESTINATION_PORT = 36;
const requests = (flags: string): Map<string, Template> =>
  new Map(clients.map((client) => [client, new Template(fromClient(client, VIP).tcp(0, 80, flags).bytes(), SOURCE_PORT)]));
const answers = (flags: string): Map<string, Template> =>
  new Map(
    clients.flatMap((client) =>
      dests.map((dest) => [
        `${client} ${dest}`,
        new Template(fromServer(dest, client).tcp(80, 0, flags).bytes(), DESTINATION_PORT),
      ]),
    ),
  );
const [syn, ack, fin, synAck, finAck] = [requests("S"), requests("A"), requests("FA"), answers("SA"), answers("FA")];

/** The whole life of a connection, but for its end, which takes two minutes. */
function live(client: string, port: number): void {
  const opened = plane.send(syn.get(client)!.with(port), "client");
  if (opened.reason !== "nat") throw new Error(`${client}:${port} was not opened: ${opened.verdict} ${opened.reason}`);
  const pair = `${client} ${opened.frame!.subarray(30, 34).join(".")}`;
  const reasons = [
    plane.send(synAck.get(pair)!.with(port), "server").reason,
    plane.send(ack.get(client)!.with(port), "client").reason,
    plane.send(fin.get(client)!.with(port), "client").reason,
    plane.send(finAck.get(pair)!.with(port), "server").reason,
  ].join();
  if (reasons !== "nat-reply,nat,nat,nat-reply") throw new Error(`${client}:${port}: ${reasons}`);
}

test.each([
  { hook: "xdp", count: 200_000 },
  { hook: "tc", count: 100_000 },
] as const)(
  "$count connections over $hook: the table is empty, the counters add up, every slot is free",
  async ({ hook, count }) => {
    plane.through(hook).reset();
    plane.apply(await operationsOf(setup));
    const before = plane.exits();
    for (let n = 0; n < count; n++) {
      live(clients[n % clients.length]!, 1024 + (n % PORTS));
      if (n % ROUND === ROUND - 1) {
        expect(plane.size()).toBe(ROUND);
        plane.wait(122_000);
        expect(plane.size()).toBe(0);
      }
    }
    expect(plane.complaints()).toEqual([]);
    const [service] = plane.services();
    const bytes = 40;
    expect(service?.counters).toEqual({
      conns: count,
      inPackets: 3 * count,
      outPackets: 2 * count,
      inBytes: 3 * count * bytes,
      outBytes: 2 * count * bytes,
    });
    expect(service?.dests.reduce((sum, { counters }) => sum + counters.conns, 0)).toBe(count);
    for (const { activeConns, inactiveConns } of service?.dests ?? []) expect([activeConns, inactiveConns]).toEqual([0, 0]);

    const after = plane.exits();
    expect(after.nat! - before.nat!).toBe(3 * count);
    expect(after["nat-reply"]! - before["nat-reply"]!).toBe(2 * count);

    for (let n = 0; n < CAPACITY; n++) live(clients[n % clients.length]!, 1024 + n);
    expect(plane.send(syn.get(clients[0]!)!.with(60_000), "client").reason).toBe("table-full");
    plane.wait(122_000);
    expect([plane.size(), ...plane.complaints()]).toEqual([0]);
  },
);
