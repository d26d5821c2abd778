import fc from "fast-check";
import { expect, test } from "vitest";
import { type Ip, ip, ipBytes, ipFromBytes } from "../net/ip.ts";
import { type Mac, mac, macFromBytes } from "../net/mac.ts";
import { emitArp, gratuitousArp, parseArp } from "./arp.ts";
import { emitNeighbourAdvert, parseNeighbourAdvert, unsolicitedAdvert } from "./ndp.ts";
import { AUTH, type Ends, emitVrrp, parseVrrp, passwordBytes, VRRP_GROUP4, VRRP_GROUP6, type Vrrp } from "./vrrp.ts";
import { emitVrrpAh, emitVrrpIpv4, isIcvRight, openVrrpIpv4 } from "./vrrp-packet.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
/** LVSD_FUZZ: how many random packets are tried. */
const FUZZ = Number(process.env.LVSD_FUZZ ?? 20_000);

const ip4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(ipFromBytes);
const ip6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(ipFromBytes);
const anyMac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => macFromBytes(bytes) as Mac);
const byte = fc.integer({ min: 0, max: 255 });
const head = { vrid: byte, priority: byte };
const auth = fc.record({ type: byte, data: fc.uint8Array({ minLength: 8, maxLength: 8 }) });
const centis = fc.integer({ min: 0, max: 4095 });

const version2: fc.Arbitrary<[Vrrp, Ends]> = fc.tuple(
  fc.record({
    ...head,
    version: fc.constant(2 as const),
    interval: byte.map((s) => s * 100),
    addresses: fc.array(ip4, { maxLength: 255, size: "large" }),
    auth,
    sum: fc.constant("plain" as const),
  }),
  fc.record({ src: ip4, dst: ip4 }),
);
const version3over4: fc.Arbitrary<[Vrrp, Ends]> = fc.tuple(
  fc.record({
    ...head,
    version: fc.constant(3 as const),
    interval: centis,
    addresses: fc.array(ip4, { maxLength: 20 }),
    auth: fc.constant(undefined),
    sum: fc.constantFrom("plain" as const, "pseudo" as const, "old" as const),
  }),
  fc.record({ src: ip4, dst: ip4 }),
);
const version3over6: fc.Arbitrary<[Vrrp, Ends]> = fc.tuple(
  fc.record({
    ...head,
    version: fc.constant(3 as const),
    interval: centis,
    addresses: fc.array(ip6, { maxLength: 20 }),
    auth: fc.constant(undefined),
    sum: fc.constant("pseudo" as const),
  }),
  fc.record({ src: ip6, dst: ip6 }),
);
const advert = fc.oneof(version2, version3over4, version3over6);

test("what is written is read back as it was", () => {
  fc.assert(
    fc.property(advert, ([value, ends]) => {
      const bytes = emitVrrp(value, ends);
      const read = parseVrrp(bytes, ends);
      if (typeof read === "string") throw new Error(read);
      expect({ ...read, sum: "" }).toEqual({ ...value, sum: "" });
      // Two forms of checksum are the same bytes where the pseudo header sums up to nothing, so bytes are what is compared.
      expect(hex(emitVrrp(read, ends))).toBe(hex(bytes));
    }),
    { numRuns: 300 },
  );
});

test("any one byte that changed is noticed, or belongs to the reserved bits", () => {
  fc.assert(
    fc.property(advert, fc.nat(), fc.integer({ min: 1, max: 255 }), ([value, ends], place, flip) => {
      const bytes = emitVrrp({ ...value, sum: value.version === 2 ? "plain" : "pseudo" }, ends);
      bytes[place % bytes.length]! ^= flip;
      const read = parseVrrp(bytes, ends);
      // The forms "plain" and "old" may be met by chance; then the value says so.
      if (typeof read !== "string") expect(read.sum).not.toBe(value.version === 2 ? "plain" : "pseudo");
    }),
    { numRuns: 500 },
  );
});

const cases: [name: string, value: Vrrp, ends: Ends, bytes: string][] = [
  [
    "version 2 with a password",
    {
      version: 2,
      vrid: 51,
      priority: 150,
      interval: 100,
      addresses: [ip("192.168.200.100")],
      auth: { type: AUTH.pass, data: passwordBytes("1234") },
      sum: "plain",
    },
    { src: ip("192.168.200.5"), dst: VRRP_GROUP4 },
    "2133960101015a56c0a8c8643132333400000000",
  ],
  [
    "version 3 over IPv4 with a pseudo header",
    { version: 3, vrid: 52, priority: 100, interval: 50, addresses: [ip("192.168.200.101")], auth: undefined, sum: "pseudo" },
    { src: ip("192.168.200.5"), dst: VRRP_GROUP4 },
    "313464010032784cc0a8c865",
  ],
];
for (const [name, value, ends, bytes] of cases) {
  test(`${name} has the bytes that keepalived sends`, () => {
    expect(hex(emitVrrp(value, ends))).toBe(bytes);
    expect(parseVrrp(unhex(bytes), ends)).toEqual(value);
  });
}

const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
const good = (): Uint8Array => unhex(cases[0]![3]);
const ends = cases[0]![2];
const refused: [problem: string, change: (bytes: Uint8Array) => Uint8Array][] = [
  ["length", (bytes) => bytes.subarray(0, 19)],
  ["length", (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])],
  ["length", (bytes) => bytes.subarray(0, 3)],
  ["version", (bytes) => bytes.fill(0x41, 0, 1)],
  ["type", (bytes) => bytes.fill(0x22, 0, 1)],
  ["checksum", (bytes) => bytes.fill(0, 6, 8)],
];
for (const [problem, change] of refused) {
  test(`a spoiled message is refused with the word "${problem}" (${change.toString().slice(11)})`, () => {
    expect(parseVrrp(change(good()), ends)).toBe(problem);
  });
}

test("version 2 does not exist over IPv6", () => {
  expect(parseVrrp(good(), { src: ip("fe80::1"), dst: VRRP_GROUP6 })).toBe("version");
});

const envelope = { src: ip("10.9.0.1"), dst: VRRP_GROUP4, ttl: 255, id: 7 };
const key = { key: passwordBytes("secret"), unicast: false };

test("a packet with an authentication header opens with its key and with no other", () => {
  const packet = emitVrrpAh(envelope, good(), key, 9);
  const carried = openVrrpIpv4(packet);
  if (typeof carried === "string" || carried.ah === undefined) throw new Error("no AH");
  expect(carried.ah).toMatchObject({ spi: 0x0a090001, sequence: 9, at: 20 });
  expect(hex(carried.message)).toBe(hex(good()));
  expect(isIcvRight(packet, carried.ah.at, key)).toBe(true);
  expect(isIcvRight(packet, carried.ah.at, { ...key, key: passwordBytes("other") })).toBe(false);
});

test("the header covers what must not change on the way, and only that", () => {
  const packet = emitVrrpAh(envelope, good(), { ...key, unicast: true }, 9);
  const changed = (at: number): boolean => {
    const copy = packet.slice();
    copy[at]! ^= 1;
    return isIcvRight(copy, 20, { ...key, unicast: true });
  };
  expect([1, 6, 8, 10].map(changed)).toEqual([true, true, true, true]); // TOS, flags, TTL, checksum
  expect([4, 12, 16, 24, 28, 46].map(changed)).toEqual([false, false, false, false, false, false]);
});

test("an IPv4 packet is taken apart as it was put together, padding left out", () => {
  const packet = new Uint8Array(Buffer.concat([emitVrrpIpv4(envelope, good()), Buffer.alloc(6)]));
  const { id: _, ...rest } = envelope;
  expect(openVrrpIpv4(packet)).toEqual({ ...rest, message: good(), ah: undefined });
});

test(`${FUZZ} random and mutated packets never make a parser throw`, { timeout: 120_000 }, () => {
  let seed = 42;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const seeds = [
    emitVrrpIpv4(envelope, good()),
    emitVrrpAh(envelope, good(), key, 1),
    emitArp(gratuitousArp(mac("02:00:00:00:00:01"), ip("10.0.0.1"))),
    emitNeighbourAdvert(unsolicitedAdvert(mac("02:00:00:00:00:01"), ip("2001:db8::1"), true)),
  ];
  let read = 0;
  for (let n = 0; n < FUZZ; n++) {
    const seed = seeds[random(seeds.length)]!;
    let packet =
      n % 4 === 0 ? Uint8Array.from({ length: random(80) }, () => random(256)) : seed.slice(0, 1 + random(seed.length));
    if (n % 3 === 0) packet = seed.slice();
    for (let flips = random(4); flips > 0; flips--) packet[random(packet.length)] = random(256);
    const carried = openVrrpIpv4(packet);
    if (typeof carried !== "string") {
      const value = parseVrrp(carried.message, carried);
      if (typeof value !== "string") read++;
      if (carried.ah !== undefined) isIcvRight(packet, carried.ah.at, key);
    }
    parseVrrp(packet, { src: ip("fe80::1"), dst: VRRP_GROUP6 });
    parseArp(packet);
    parseNeighbourAdvert(packet);
  }
  expect(read).toBeGreaterThan(0);
});

test("a gratuitous ARP is a broadcast request from and for the address, or a reply", () => {
  const frame = emitArp(gratuitousArp(mac("00:00:5e:00:01:33"), ip("10.9.0.100")));
  expect(hex(frame)).toBe(
    "ffffffffffff" + "00005e000133" + "0806" + "0001080006040001" + "00005e000133" + "0a090064" + "ffffffffffff" + "0a090064",
  );
  expect(emitArp(gratuitousArp(mac("00:00:5e:00:01:33"), ip("10.9.0.100"), "reply"))[21]).toBe(2);
});

test("ARP and neighbour advertisements are read back as they were", () => {
  const arp = fc.record({ src: anyMac, dst: anyMac, senderMac: anyMac, targetMac: anyMac, senderIp: ip4, targetIp: ip4 });
  const operation = fc.constantFrom("request" as const, "reply" as const);
  fc.assert(
    fc.property(
      arp,
      operation,
      (a, op) => void expect(parseArp(emitArp({ ...a, operation: op }))).toEqual({ ...a, operation: op }),
    ),
  );
  const macs = { srcMac: anyMac, dstMac: anyMac, targetMac: anyMac };
  const flags = { router: fc.boolean(), solicited: fc.boolean(), override: fc.boolean() };
  const na = fc.record({ ...macs, ...flags, src: ip6, dst: ip6, target: ip6 });
  fc.assert(fc.property(na, (value) => void expect(parseNeighbourAdvert(emitNeighbourAdvert(value))).toEqual(value)));
});

test("an unsolicited advertisement goes from the address to all nodes and overrides", () => {
  const na = unsolicitedAdvert(mac("02:00:00:00:00:01"), "2001:db8::53" as Ip, false);
  const frame = emitNeighbourAdvert(na);
  expect(frame.length).toBe(14 + 40 + 32);
  expect(frame[58]).toBe(0x20);
  expect(hex(frame.subarray(22, 38))).toBe(hex(ipBytes(ip("2001:db8::53"))));
});
