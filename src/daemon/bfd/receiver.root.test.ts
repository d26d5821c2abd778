import { setImmediate as turn } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { seeded } from "../../bfd/testing.ts";
import { ip } from "../../net/ip.ts";
import { closeFd } from "../../platform/process.ts";
import { ipAddress } from "../../platform/sockaddr.ts";
import { AF_INET, openSocket, SOCK_DGRAM, send, setOption } from "../../platform/socket.ts";
import { emitBfd } from "../../wire/bfd.ts";
import { bundleBfd, type Node, openStage, type Stage, until } from "./testing/stage.ts";

let stage: Stage;
let bundled: Awaited<ReturnType<typeof bundleBfd>>;
beforeAll(async () => {
  bundled = await bundleBfd();
  stage = await openStage(bundled.program);
});
afterEach(() => stage.clear());
afterAll(async () => {
  await stage.remove();
  bundled.remove();
});

/** LVSD_FUZZ: how many packets are sent. */
const FUZZ = Number(process.env.LVSD_FUZZ ?? 100_000);
const BATCH = 200;

const conf = (neighbour: string, interval: number, more = ""): string =>
  `bfd_instance B1 {\n neighbor_ip ${neighbour}\n min_rx ${interval}\n min_tx ${interval}\n multiplier 10\n ${more}\n}`;
const isUp = (node: Node): boolean => node.state() === "Up";

/** A socket at the neighbour that sends with a TTL. */
function source(ttl: number): { send(bytes: Uint8Array): boolean; close(): void } {
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0, `/run/netns/${stage.b}`);
  setOption(fd, 0, 2, ttl); // IP_TTL
  return { send: (bytes) => send(fd, bytes, ipAddress(ip("10.9.0.1"), 3784)), close: () => closeFd(fd) };
}

test(`${FUZZ} random and mutated packets from the neighbour's address: the session stays up, and all are accounted for`, async () => {
  const [a, b] = [stage.start("ours", "a", conf("10.9.0.2", 300)), stage.start("ours", "b", conf("10.9.0.1", 300))];
  await until("both are up", () => isUp(a) && isUp(b));
  const { discriminator } = (await a.status())[0]!;
  const good = emitBfd({
    ...{ diagnostic: 0, state: "Up", poll: false, final: false, controlPlaneIndependent: false, authenticated: false },
    ...{ demand: false, multiplier: 10, myDiscriminator: (await b.status())[0]!.discriminator, yourDiscriminator: discriminator },
    ...{ desiredMinTx: 300_000, requiredMinRx: 300_000, requiredMinEchoRx: 0 },
  });
  const random = seeded(42);
  /** Never one that the RFC would let in. */
  const bad = (i: number): Uint8Array => {
    if (i % 3 === 0) return Uint8Array.from({ length: Math.floor(random() * 60) }, (_, at) => (at === 0 ? 0xe0 : random() * 256));
    const bytes = good.slice(0, i % 3 === 1 ? 24 : Math.floor(random() * 24));
    const wrong = [
      () => (bytes[2] = 0),
      () => (bytes[1]! |= 1),
      () => bytes.fill(0, 4, 8),
      () => (bytes[8]! ^= 1 + random() * 255),
    ];
    wrong[Math.floor(random() * wrong.length)]!();
    for (let at = 12; at < bytes.length; at++) bytes[at] = random() * 256;
    return bytes;
  };
  const near = source(255);
  const far = source(254);
  let sent = 0;
  for (let i = 0; i < FUZZ; i++) {
    if (i % 20 === 0 ? far.send(good) : near.send(bad(i))) sent++;
    if (i % BATCH === BATCH - 1) await turn();
  }
  near.close();
  far.close();
  const [status] = await a.status();
  if (process.env.LVSD_FUZZ !== undefined) console.log(`${sent} sent; ${JSON.stringify(status!.counters)}\n${a.log()}`);
  expect([isUp(a), isUp(b)]).toEqual([true, true]);
  expect(status).toMatchObject({ state: "Up", counters: { ups: 1 }, remote: { state: "Up", multiplier: 10 } });
  expect(status!.counters.refused.ttl).toBeGreaterThan(FUZZ / 100); // what the socket has no room for is lost
  expect(sent).toBeGreaterThan(FUZZ / 2);
  expect(a.log()).toMatch(/Discarding packet from 10\.9\.0\.2 \(your-discriminator\)/);
  expect(a.log().match(/Discarding/g)!.length).toBeLessThan(12); // once for each reason
});

test("two hosts with a hop between them: refused for want of TTL, unless hops are allowed", async () => {
  const a = stage.start("ours", "a", conf("10.9.0.2", 100));
  const b = stage.start("ours", "b", conf("10.9.0.1", 100, "ttl 254"));
  await until("a has refused", () => a.log().includes("Discarding packet from 10.9.0.2 (ttl)"));
  expect([isUp(a), isUp(b)]).toEqual([false, false]);
  a.configure(conf("10.9.0.2", 100, "max_hops 1"));
  await until("both are up", () => isUp(a) && isUp(b));
});

test("where another program listens already, ours waits until it is gone", async () => {
  const first = stage.start("ours", "a", conf("10.9.0.2", 100));
  const b = stage.start("ours", "b", conf("10.9.0.1", 100));
  await until("it is up", () => isUp(first) && isUp(b));
  const second = stage.start("ours", "a", conf("10.9.0.2", 100));
  await until("it is told", () => /Unable to listen for BFD \(.*EADDRINUSE/.test(second.log()));
  await first.stop();
  await until("it is up", () => isUp(second) && isUp(b));
});

test("with keepalived's defaults of 10 ms and five packets, two of ours stay up, and find a cut within 50 ms and a little", async () => {
  const plain = (neighbour: string): string => `bfd_instance B1 {\n neighbor_ip ${neighbour}\n}`;
  const [a, b] = [stage.start("ours", "a", plain("10.9.0.2")), stage.start("ours", "b", plain("10.9.0.1"))];
  await until("both are up", () => isUp(a) && isUp(b));
  await new Promise((done) => setTimeout(done, 2000));
  const [status] = await a.status();
  expect(status).toMatchObject({ state: "Up", transmitInterval: 10, detectionTime: 50 });
  expect(status!.counters.ups).toBeLessThan(3); // a busy machine may stand still for so long
  expect(status!.counters.sent).toBeGreaterThan(150);
  const cut = performance.now();
  stage.cut();
  await until("both are down", () => !isUp(a) && !isUp(b));
  for (const node of [a, b]) expect(node.enteredAt("Down")! - cut).toBeLessThan(50 + 100);
});
