import { afterAll, beforeAll, expect, test } from "vitest";
import { TcHook } from "./hook-tc.ts";
import { operationsOf } from "./lines.ts";
import { fromClient, fromServer, toClient, toServer, VIP } from "./network.ts";
import { TcPlane } from "./tc-plane.ts";

/** What only tc has: packets larger than the wire's, which a device or the stack cuts into segments later (GSO). */

const C = "10.1.0.3";
const S = "10.2.0.11";
const R = "10.2.0.12";
const TUN_VIP = "10.1.0.101";
const HEADERS = 40; // bytes
const MTU = 1500;
const payload = new Uint8Array(2 * (MTU - HEADERS)).fill(7);
let plane: TcPlane;
let hook: TcHook;

beforeAll(async () => {
  plane = new TcPlane(64);
  hook = new TcHook(plane.path);
  plane.apply(
    await operationsOf(`
      -A -t 10.1.0.100:80 -s rr
      -a -t 10.1.0.100:80 -r ${S}:80 -m
      -A -t 10.1.0.100:443 -s rr
      -a -t 10.1.0.100:443 -r ${R}:443 -g
      -A -t 10.1.0.101:80 -s rr
      -a -t 10.1.0.101:80 -r ${R}:80 -i
    `),
  );
  for (const port of [80, 443]) plane.send(fromClient(C, VIP).tcp(1000, port, "S").bytes(), "client");
  plane.send(fromClient(C, TUN_VIP).tcp(1000, 80, "S").bytes(), "client");
});
afterAll(() => plane.close());

const request = (port: number) => fromClient(C, VIP).tcp(1000, port, "A", { payload }).bytes();

test.each([
  { method: "NAT", port: 80, becomes: toServer(S, C, S).tcp(1000, 80, "A", { payload }) },
  { method: "DR", port: 443, becomes: toServer(R, C, VIP).tcp(1000, 443, "A", { payload }) },
])("$method: a request of two segments, each as large as the MTU, is forwarded whole", ({ port, becomes }) => {
  hook.segment = MTU - HEADERS;
  expect(hook.run(request(port), "client")).toBe("redirect");
  expect(Buffer.from(hook.frame()).toString("hex")).toBe(Buffer.from(becomes.bytes()).toString("hex"));
});

const TOO_BIG = [3, 4]; // destination unreachable, fragmentation needed
const PLACE = 34; // of ICMP's type and code

test.each([80, 443])("port %i: segments beyond the MTU are too big, as is a packet that is not to be cut", (port) => {
  for (const segment of [MTU - HEADERS + 1, 0]) {
    hook.segment = segment;
    expect(hook.run(request(port), "client")).toBe("tx");
    expect([...hook.frame().subarray(PLACE, PLACE + 2)]).toEqual(TOO_BIG);
  }
});

test("segments that fill the MTU, TCP options included, are too big for a tunnel", () => {
  const options = new Uint8Array(12).fill(1); // as long as a time stamp
  hook.segment = MTU - HEADERS - options.length;
  const frame = fromClient(C, TUN_VIP).tcp(1000, 80, "A", { options: [...options], payload });
  expect(hook.run(frame.bytes(), "client")).toBe("tx");
  expect([...hook.frame().subarray(PLACE, PLACE + 2)]).toEqual(TOO_BIG);
});

test("an answer of two segments gets the service's address back", () => {
  hook.segment = MTU - HEADERS;
  const answer = fromServer(S, C).tcp(80, 1000, "A", { payload });
  expect(hook.run(answer.bytes(), "server")).toBe("redirect");
  const becomes = toClient(C, VIP).tcp(80, 1000, "A", { payload });
  expect(Buffer.from(hook.frame()).toString("hex")).toBe(Buffer.from(becomes.bytes()).toString("hex"));
});
