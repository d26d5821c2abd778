import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Bfd, type BfdState, parseBfd } from "../wire/bfd.ts";
import type { SessionConfig } from "./config.ts";
import { type Input, step } from "./machine.ts";
import { detectionTime, newSession, type Session, transmitInterval } from "./session.ts";
import { config, type Node, Pair, seeded } from "./testing.ts";

/** All that is sent arrives after a millisecond. */
const good = { arrives: (_: Node, now: number) => now + 1, random: () => 0.5 };

function pairUp(a: Partial<SessionConfig> = {}, b: Partial<SessionConfig> = {}): Pair {
  const pair = new Pair(config(a), config(b), good);
  pair.start();
  pair.run(3000);
  expect([pair.a.session.state, pair.b.session.state]).toEqual(["Up", "Up"]);
  return pair;
}

const states = (node: Node): BfdState[] => node.history.map(({ state }) => state);
const read = (bytes: Uint8Array): Bfd => parseBfd(bytes) as Bfd;

test("two active machines come up at once, and agree on the greater of what one wants to send and the other to receive", () => {
  const pair = pairUp({ minTx: 20, minRx: 30, multiplier: 3 }, { minTx: 50, minRx: 10, multiplier: 4 });
  expect(pair.a.history.at(-1)!.at).toBeLessThan(20);
  expect([transmitInterval(pair.a.session), transmitInterval(pair.b.session)]).toEqual([20, 50]);
  expect([detectionTime(pair.a.session), detectionTime(pair.b.session)]).toEqual([4 * 50, 3 * 20]);
  expect([pair.a.session.isPolling, pair.b.session.isPolling]).toEqual([false, false]);
});

test("until it is up a machine sends a packet a second, and never says that it wants more", () => {
  const pair = new Pair(config(), config(), { arrives: () => undefined, random: () => 0 });
  pair.start();
  pair.run(10_000);
  const { sent } = pair.a;
  expect(sent).toHaveLength(14); // 750 ms apart, by the greatest jitter
  expect(new Set(sent.map(({ bytes }) => read(bytes).desiredMinTx))).toEqual(new Set([1_000_000]));
});

test("a passive machine sends nothing before it is sent something; two passive ones never do", () => {
  const pair = pairUp({ passive: true });
  expect(states(pair.a)).toEqual(["Init", "Up"]);
  const silent = new Pair(config({ passive: true }), config({ passive: true }), good);
  silent.start();
  silent.run(60_000);
  expect([silent.a.sent, silent.b.sent]).toEqual([[], []]);
});

test("silence for a detection time is a failure with diagnostic 1, and the other is not addressed any more", () => {
  const pair = pairUp({ passive: true });
  const count = pair.a.sent.length;
  pair.b.session = { ...pair.b.session, state: "AdminDown", sendAt: undefined, expireAt: undefined }; // it is dead
  const heardAt = pair.a.session.heardAt!;
  pair.run(10_000);
  expect(pair.a.history.at(-1)).toEqual({ state: "Down", at: heardAt + 50 });
  expect(pair.a.session).toMatchObject({ diagnostic: 1, remote: { discriminator: 0 }, expireAt: undefined });
  expect(pair.a.said.at(-1)).toBe(
    "Entering Down state (Local diagnostic - Control Detection Time Expired, Remote diagnostic - No Diagnostic)",
  );
  expect(read(pair.a.sent.at(-1)!.bytes).state).toBe("Up"); // a passive one may not even say that it is down
  expect(pair.a.sent.length - count).toBeLessThan(9);
});

test("an orderly end is told, and is a failure for the other with diagnostic 3", () => {
  const pair = pairUp();
  pair.feed(pair.b, { type: "disable" });
  pair.run(pair.now + 1);
  expect(pair.a.history.at(-1)).toEqual({ state: "Down", at: pair.now });
  expect(pair.a.session).toMatchObject({ diagnostic: 3, remote: { state: "AdminDown", diagnostic: 7 } });
  pair.run(pair.now + 60_000);
  expect(states(pair.a).at(-1)).toBe("Down");
  expect(pair.b.sent.filter(({ at }) => at > 3000)).toEqual([]);
});

test("a poll is answered at once with a final, whatever the timer says", () => {
  const pair = pairUp({ minRx: 1000 });
  const poll: Bfd = { ...read(pair.a.sent.at(-1)!.bytes), poll: true };
  const before = pair.b.sent.length;
  pair.feed(pair.b, { type: "packet", packet: poll });
  expect(pair.b.sent.slice(before).map(({ bytes }) => read(bytes))).toMatchObject([{ final: true, poll: false }]);
  expect(pair.b.session.sendAt! - pair.now).toBeGreaterThan(1);
});

test("a session that is to send less often, or to hear more often, waits for the neighbour to have heard of it", () => {
  const pair = pairUp({ minTx: 10, minRx: 100 }, { minTx: 10, minRx: 10 });
  pair.a.config = config({ minTx: 40, minRx: 20 });
  pair.feed(pair.a, { type: "configure" });
  expect([transmitInterval(pair.a.session), detectionTime(pair.a.session)]).toEqual([10, 5 * 100]);
  expect(pair.a.said.at(-1)).toBe("Starting poll sequence");
  pair.run(pair.now + 100);
  expect([transmitInterval(pair.a.session), detectionTime(pair.a.session)]).toEqual([40, 5 * 20]);
  expect([transmitInterval(pair.b.session), detectionTime(pair.b.session)]).toEqual([20, 5 * 40]);
  expect([states(pair.a), states(pair.b)]).toEqual([expect.not.arrayContaining(["Down"]), expect.not.arrayContaining(["Down"])]);
});

test("to a neighbour in demand mode that is up nothing is sent but answers", () => {
  const pair = pairUp();
  const demand: Bfd = { ...read(pair.a.sent.at(-1)!.bytes), demand: true, desiredMinTx: 60_000_000 };
  pair.feed(pair.b, { type: "packet", packet: demand });
  expect(pair.b.session.sendAt).toBeUndefined();
  const before = pair.b.sent.length;
  pair.feed(pair.b, { type: "packet", packet: { ...demand, poll: true } });
  expect(pair.b.sent.slice(before).map(({ bytes }) => read(bytes).final)).toEqual([true]);
  pair.feed(pair.b, { type: "packet", packet: { ...demand, demand: false } });
  expect(pair.b.session.sendAt).toBeDefined();
});

test("to a neighbour that wants no packets none is sent periodically", () => {
  const pair = pairUp();
  const silence: Bfd = { ...read(pair.a.sent.at(-1)!.bytes), requiredMinRx: 0, desiredMinTx: 60_000_000 };
  pair.feed(pair.b, { type: "packet", packet: silence });
  expect(pair.b.session.sendAt).toBeUndefined();
});

describe("every state follows the neighbour's as RFC 5880 section 6.2 draws it", () => {
  const cases: [state: BfdState, other: BfdState, next: BfdState][] = [
    ["Down", "AdminDown", "Down"],
    ["Down", "Down", "Init"],
    ["Down", "Init", "Up"],
    ["Down", "Up", "Down"],
    ["Init", "AdminDown", "Down"],
    ["Init", "Down", "Init"],
    ["Init", "Init", "Up"],
    ["Init", "Up", "Up"],
    ["Up", "AdminDown", "Down"],
    ["Up", "Down", "Down"],
    ["Up", "Init", "Up"],
    ["Up", "Up", "Up"],
    ["AdminDown", "Down", "AdminDown"],
    ["AdminDown", "Up", "AdminDown"],
  ];
  const packet: Bfd = {
    ...{ diagnostic: 0, state: "Down", poll: false, final: false, controlPlaneIndependent: false, authenticated: false },
    ...{ demand: false, multiplier: 3, myDiscriminator: 5, yourDiscriminator: 0 },
    ...{ desiredMinTx: 1_000_000, requiredMinRx: 100_000, requiredMinEchoRx: 0 },
  };
  for (const [state, other, next] of cases)
    test(`${state}, and hears ${other}: ${next}`, () => {
      const session: Session = { ...newSession(config(), 7), state };
      const after = step(config(), session, { type: "packet", packet: { ...packet, state: other } }, 0, 0.5);
      expect(after.session.state).toBe(next);
    });
});

test("the interval is shortened by up to a quarter, with multiplier 1 by at least a tenth", () => {
  for (const [multiplier, least, most] of [
    [5, 75, 100],
    [1, 75, 90],
  ] as const) {
    const random = seeded(multiplier);
    const pair = new Pair(config({ minTx: 100, multiplier }), config(), { ...good, random });
    pair.start();
    pair.run(60_000);
    const times = pair.a.sent.filter(({ bytes, at }) => at > 5000 && !read(bytes).final).map(({ at }) => at);
    const gaps = times.slice(1).map((at, i) => at - times[i]!);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(least - 1e-6);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(most + 1e-6);
    expect(Math.max(...gaps) - Math.min(...gaps)).toBeGreaterThan((most - least) * 0.8);
  }
});

const configs = fc.record({
  minTx: fc.integer({ min: 5, max: 300 }),
  minRx: fc.integer({ min: 5, max: 300 }),
  multiplier: fc.integer({ min: 3, max: 10 }),
  passive: fc.boolean(),
});

test("over a lossy channel two machines come up, and each finds the channel dead within its detection time", () => {
  fc.assert(
    fc.property(configs, configs, fc.integer(), fc.double({ min: 0, max: 0.5, noNaN: true }), (a, b, seed, loss) => {
      fc.pre(!(a.passive && b.passive));
      const random = seeded(seed);
      let cutAt = Number.POSITIVE_INFINITY;
      const arrives = (_: Node, now: number): number | undefined =>
        now >= cutAt || random() < loss ? undefined : now + 0.1 + random() * 5;
      const pair = new Pair(config(a), config(b), { arrives, random });
      pair.start();
      // It may go up and down; a moment with both up comes.
      let tries = 0;
      for (; tries < 200 && !(pair.a.session.state === "Up" && pair.b.session.state === "Up"); tries++) pair.run(pair.now + 500);
      expect(tries).toBeLessThan(200);
      cutAt = pair.now;
      const flight = 6;
      const most = Math.max(detectionTime(pair.a.session), detectionTime(pair.b.session));
      pair.run(cutAt + flight);
      for (const node of [pair.a, pair.b]) {
        if (node.session.state !== "Up") continue; // a loss just before the cut has done it
        const { heardAt } = node.session;
        const time = detectionTime(node.session);
        pair.run(Math.max(pair.now, heardAt! + time));
        expect(node.session.state).toBe("Down");
        expect(node.history.at(-1)!.at).toBeLessThanOrEqual(heardAt! + time + 1e-6);
      }
      pair.run(pair.now + most + 10_000);
      expect([pair.a.session.state, pair.b.session.state]).toEqual(["Down", "Down"]);
      cutAt = Number.POSITIVE_INFINITY;
      for (tries = 0; tries < 200 && !(pair.a.session.state === "Up" && pair.b.session.state === "Up"); tries++)
        pair.run(pair.now + 500);
      expect(tries).toBeLessThan(200);
    }),
    { numRuns: 150 },
  );
});

test("without loss two machines that are up stay up, with any intervals", () => {
  fc.assert(
    fc.property(configs, configs, fc.integer(), (a, b, seed) => {
      const pair = new Pair(config({ ...a, passive: false }), config(b), { ...good, random: seeded(seed) });
      pair.start();
      pair.run(10_000);
      for (const node of [pair.a, pair.b]) expect(states(node).filter((state) => state !== "Init")).toEqual(["Up"]);
    }),
    { numRuns: 40 },
  );
});

test("whatever comes in, a machine sends nothing that must not be sent, and always knows what is next", () => {
  const inputs = fc.array(
    fc.record({
      packet: fc.record({
        state: fc.constantFrom<BfdState>("AdminDown", "Down", "Init", "Up"),
        poll: fc.boolean(),
        final: fc.boolean(),
        demand: fc.boolean(),
        multiplier: fc.integer({ min: 1, max: 255 }),
        desiredMinTx: fc.integer({ min: 0, max: 0xffff_ffff }),
        requiredMinRx: fc.constantFrom(0, 1, 10_000, 0xffff_ffff),
      }),
      kind: fc.constantFrom<Input["type"]>("packet", "packet", "clock", "configure"),
      wait: fc.integer({ min: 0, max: 3000 }),
    }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(inputs, configs, (list, c) => {
      const node = new Pair(config(c), config(), { arrives: () => undefined, random: () => 0.3 });
      node.feed(node.a, { type: "start" });
      for (const { packet, kind, wait } of list) {
        node.now += wait;
        const whole: Bfd = {
          ...{ diagnostic: 0, controlPlaneIndependent: false, authenticated: false, requiredMinEchoRx: 0 },
          ...{ myDiscriminator: 9, yourDiscriminator: 1001 },
          ...packet,
          final: packet.final && !packet.poll,
        };
        node.feed(node.a, kind === "packet" ? { type: "packet", packet: whole } : ({ type: kind } as Input));
        const { session, sent } = node.a;
        for (const { bytes } of sent.splice(0)) {
          const told = read(bytes);
          expect(typeof told).toBe("object");
          if (told.state !== "Up") expect(told.desiredMinTx).toBeGreaterThanOrEqual(1_000_000);
        }
        if (session.state === "Up" || session.state === "Init") expect(session.expireAt).toBeDefined();
        if (session.remote.discriminator === 0) expect(session.sendAt === undefined).toBe(c.passive);
      }
    }),
    { numRuns: 300 },
  );
});
