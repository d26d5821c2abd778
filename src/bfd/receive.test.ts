import fc from "fast-check";
import { expect, test } from "vitest";
import { ip } from "../net/ip.ts";
import { type Bfd, emitBfd } from "../wire/bfd.ts";
import { examine, type Heard, type Listeners } from "./receive.ts";
import { newSession } from "./session.ts";
import { config, Node, Pair, seeded } from "./testing.ts";

const NEIGHBOUR = ip("10.9.0.2");
const OWN = ip("10.9.0.1");
/** LVSD_FUZZ: how many random packets are tried. */
const FUZZ = Number(process.env.LVSD_FUZZ ?? 20_000);

const packet: Bfd = {
  ...{ diagnostic: 0, state: "Down", poll: false, final: false, controlPlaneIndependent: false, authenticated: false },
  ...{ demand: false, multiplier: 3, myDiscriminator: 5, yourDiscriminator: 0 },
  ...{ desiredMinTx: 1_000_000, requiredMinRx: 100_000, requiredMinEchoRx: 0 },
};
const listening = (changes: Parameters<typeof config>[0] = {}): Node => new Node(config(changes), 1001);
const only = (node: Node): Listeners<Node> => ({
  byDiscriminator: (discriminator) => (discriminator === node.session.discriminator ? node : undefined),
  byNeighbour: (neighbour, own) =>
    neighbour === node.config.neighbour && own === (node.config.source ?? own) ? node : undefined,
});
const heard = (changes: Partial<Bfd> = {}, more: Partial<Heard> = {}): Heard => ({
  ...{ from: NEIGHBOUR, to: OWN, ttl: 255, multihop: false, bytes: emitBfd({ ...packet, ...changes }) },
  ...more,
});
const authenticated = (): Uint8Array => {
  const bytes = Uint8Array.from([...emitBfd(packet), 1, 3, 0]);
  bytes[1]! |= 4;
  bytes[3] = 27;
  return bytes;
};

test("without our discriminator the address of the neighbour selects the session", () => {
  const node = listening();
  expect(examine(heard(), only(node))).toEqual({ listener: node, packet });
  expect(examine(heard({}, { from: ip("10.9.0.3") }), only(node))).toEqual({ refusal: "neighbour" });
  const bound = listening({ source: OWN });
  expect(examine(heard(), only(bound))).toMatchObject({ listener: bound });
  expect(examine(heard({}, { to: ip("10.9.0.9") }), only(bound))).toEqual({ refusal: "neighbour" });
  expect(examine(heard({}, { multihop: true }), only(node))).toEqual({ refusal: "neighbour" });
});

test("with it the discriminator alone does", () => {
  const node = listening();
  const up = heard({ state: "Up", yourDiscriminator: 1001 }, { from: ip("10.9.0.3") });
  expect(examine(up, only(node))).toMatchObject({ listener: node });
  expect(examine(heard({ yourDiscriminator: 1002 }), only(node))).toEqual({ refusal: "your-discriminator" });
});

test("who has heard of us must say so", () => {
  for (const state of ["Init", "Up"] as const) expect(examine(heard({ state }), only(listening()))).toEqual({ refusal: "state" });
});

test("a packet that has lost hops is refused, unless so many are allowed", () => {
  const node = listening();
  expect(examine(heard({}, { ttl: 254 }), only(node))).toEqual({ refusal: "ttl", listener: node });
  expect(examine(heard({}, { ttl: undefined }), only(node))).toEqual({ refusal: "ttl", listener: node });
  const far = listening({ maxHops: 2 });
  expect(examine(heard({}, { ttl: 253 }), only(far))).toMatchObject({ listener: far, packet });
  expect(examine(heard({}, { ttl: 252 }), only(far))).toMatchObject({ refusal: "ttl" });
  for (const maxHops of [255, 256])
    expect(examine(heard({}, { ttl: 1 }), only(listening({ maxHops })))).toMatchObject({ packet });
});

test("an authenticated packet, and one for a session that is shut, are refused", () => {
  const node = listening();
  expect(examine(heard({}, { bytes: authenticated() }), only(node))).toEqual({ refusal: "authentication", listener: node });
  node.session = { ...newSession(node.config, 1001), state: "AdminDown" };
  expect(examine(heard(), only(node))).toEqual({ refusal: "admin-down", listener: node });
});

test(`of ${FUZZ} random and mutated packets none makes a receiver throw, and none that is refused changes a session that is up`, {
  timeout: 120_000,
}, () => {
  const random = seeded(4711);
  const pair = new Pair(config({ minTx: 50, minRx: 50 }), config({ minTx: 50, minRx: 50 }), {
    arrives: (_, now) => now + 1,
    random,
  });
  pair.start();
  pair.run(2000);
  const node = pair.a;
  const good = pair.b.sent.at(-1)!.bytes;
  const longer = (isLong: boolean): Uint8Array => (isLong ? Uint8Array.from([...good, 1, 3, 0]) : good.slice());
  const counts = new Map<string, number>();
  for (let i = 0; i < FUZZ; i++) {
    const bytes =
      i % 3 === 0 ? Uint8Array.from({ length: Math.floor(random() * 40) }, () => random() * 256) : longer(i % 3 === 1);
    if (i % 30 === 1) bytes.set([bytes[1]! | 4, bytes[2]!, 27], 1);
    for (let left = Math.floor(random() * 4); left > 0 && bytes.length > 0; left--)
      bytes[Math.floor(random() * bytes.length)] = random() * 256;
    const seen = examine(heard({}, { bytes, ttl: random() < 0.9 ? 255 : Math.floor(random() * 256) }), only(node));
    const word = "refusal" in seen ? seen.refusal : "taken";
    counts.set(word, (counts.get(word) ?? 0) + 1);
    const before = node.session;
    if ("packet" in seen) pair.feed(node, { type: "packet", packet: seen.packet });
    else expect(node.session).toBe(before);
    if (node.session.state !== "Up") node.session = { ...before, state: "Up" };
  }
  for (const word of ["length", "version", "multiplier", "multipoint", "your-discriminator", "ttl", "taken", "authentication"])
    expect(counts.get(word) ?? 0, word).toBeGreaterThan(0);
});

test("any bytes are taken or refused, never thrown at", () => {
  const node = listening();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void examine(heard({}, { bytes }), only(node))));
});
