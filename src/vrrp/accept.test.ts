import { expect, test } from "vitest";
import { ip } from "../net/ip.ts";
import { AUTH, emitVrrp, passwordBytes, VRRP_GROUP4, type Vrrp } from "../wire/vrrp.ts";
import { emitVrrpAh, emitVrrpIpv4, openVrrpIpv4 } from "../wire/vrrp-packet.ts";
import { ahKey, examine, type Heard, type Memory, nothingHeard, remember } from "./accept.ts";
import type { Instance } from "./config.ts";
import { accepted, changed, healthy, refused } from "./diagnose.ts";
import { instance } from "./testing.ts";

const peer = ip("10.0.0.2");
const fresh: Memory = nothingHeard;
const usual: Vrrp = {
  version: 2,
  vrid: 51,
  priority: 90,
  interval: 100,
  addresses: [ip("10.0.0.100")],
  auth: { type: AUTH.none, data: passwordBytes("") },
  sum: "plain",
};

interface Sent {
  readonly advert?: Partial<Vrrp>;
  readonly dst?: typeof peer;
  readonly ttl?: number;
  readonly ah?: { password: string; sequence: number };
  readonly spoil?: (packet: Uint8Array) => void;
}

function heard({ advert = {}, dst = VRRP_GROUP4, ttl = 255, ah, spoil }: Sent): Heard {
  const envelope = { src: peer, dst, ttl, id: 1 };
  const message = emitVrrp({ ...usual, ...advert }, envelope);
  const key = { ...ahKey({ ...instance, auth: { type: "ah", password: ah?.password ?? "" } }), unicast: dst !== VRRP_GROUP4 };
  const packet = ah === undefined ? emitVrrpIpv4(envelope, message) : emitVrrpAh(envelope, message, key, ah.sequence);
  spoil?.(packet);
  const carried = openVrrpIpv4(packet);
  if (typeof carried === "string") throw new Error(carried);
  return { from: carried.src, to: carried.dst, ttl: carried.ttl, message: carried.message, packet, ah: carried.ah };
}

const pass = (password: string): Partial<Instance> => ({ auth: { type: "pass", password } });
const withPass = (password: string): Partial<Vrrp> => ({ auth: { type: AUTH.pass, data: passwordBytes(password) } });
const ah: Partial<Instance> = { auth: { type: "ah", password: "secret" } };
const withAh = { advert: { auth: { type: AUTH.ah, data: passwordBytes("") } }, ah: { password: "secret", sequence: 5 } };
const unicast: Partial<Instance> = { peers: [{ ip: peer, minTtl: 64, maxTtl: 255 }] };
const own = ip("10.0.0.1");

const good: [name: string, here: Partial<Instance>, there: Sent][] = [
  ["a plain advert", {}, {}],
  ["the right password", pass("1234"), { advert: withPass("1234") }],
  ["the right authentication header", ah, withAh],
  ["unicast from a peer", { ...unicast, checkPeers: true }, { dst: own, ttl: 64 }],
  ["version 3 with any interval", { version: 3 }, { advert: { version: 3, auth: undefined, interval: 33, sum: "pseudo" } }],
  ["version 3 without a pseudo header", { version: 3 }, { advert: { version: 3, auth: undefined, sum: "plain" } }],
];
for (const [name, here, there] of good) {
  test(`${name} is accepted`, () => {
    expect(examine({ ...instance, ...here }, heard(there), fresh)).toMatchObject({ advert: { vrid: 51 }, complaint: undefined });
  });
}

const bad: [field: string, text: string, here: Partial<Instance>, there: Sent][] = [
  ["ttl", "invalid TTL/HL from 10.0.0.2. Received 64 and expect 255", {}, { ttl: 64 }],
  ["ttl", "TTL/HL 63 not in range 64 - 255", unicast, { dst: own, ttl: 63 }],
  ["version", "wrong VRRP version from 10.0.0.2. Received 3 and expect 2", {}, { advert: { version: 3, auth: undefined } }],
  ["auth-type", "received a 1 auth from 10.0.0.2, expecting 0!", {}, { advert: withPass("1234") }],
  ["auth-unknown", "Invalid auth type from 10.0.0.2: 7", {}, { advert: { auth: { type: 7, data: passwordBytes("") } } }],
  ["auth-type", "No AH header but auth type is AH from 10.0.0.2", ah, {}],
  ["auth-type", "Received AH header but auth type not AH from 10.0.0.2", {}, withAh],
  ["auth-data", "received an invalid passwd from 10.0.0.2!", pass("abcd"), { advert: withPass("1234") }],
  [
    "auth-data",
    "IPSEC-AH : invalid IPSEC HMAC-MD5 value. Due to fields mutation or bad password !",
    ah,
    { ...withAh, ah: { password: "other", sequence: 5 } },
  ],
  ["interval", "advertisement interval mismatch with 10.0.0.2 mine=1 sec rcv'd=2 sec", {}, { advert: { interval: 200 } }],
  ["checksum", "Invalid VRRPv2 checksum from 10.0.0.2", {}, { spoil: (packet) => packet.fill(77, 22, 23) }],
  ["type", "Invalid packet type from 10.0.0.2. 2 and expect 1", {}, { spoil: (packet) => packet.fill(0x22, 20, 21) }],
  ["length", "vrrp packet from 10.0.0.2 too short, length 20 and expect 36", {}, { spoil: (packet) => packet.fill(5, 23, 24) }],
  ["unicast", "Expected unicast packet but received multicast packet from 10.0.0.2", unicast, {}],
  ["unicast", "Expected multicast packet but received unicast packet from 10.0.0.2", {}, { dst: own }],
  [
    "peer",
    "unicast source address 10.0.0.2 not a unicast peer",
    { peers: [{ ip: ip("10.0.0.3"), minTtl: 0, maxTtl: 255 }], checkPeers: true },
    { dst: own },
  ],
  ["owner", "Dropping packet(s) from 10.0.0.2 since we are address owner", { priority: 255, ownerIgnoresAdverts: true }, {}],
];
for (const [field, text, here, there] of bad) {
  test(`refused: ${text}`, () => {
    expect(examine({ ...instance, ...here }, heard(there), fresh)).toMatchObject({ refusal: { from: peer, field, text } });
  });
}

const protectedBy = (sequence: number) => heard({ ...withAh, ah: { password: "secret", sequence } });

test("a packet that is sent again is refused, a later one is not, also across the wrap", () => {
  const look = (sequence: number, before: number) =>
    "refusal" in examine({ ...instance, ...ah }, protectedBy(sequence), remember(fresh, protectedBy(before)));
  expect([look(5, 5), look(4, 5), look(6, 5), look(1, 0xfffffff0)]).toEqual([true, true, false, false]);
});

test("two that lead at once number their packets each for itself, and what is sent next is greater than all", () => {
  const memory = remember({ ...fresh, sequence: 9 }, protectedBy(7));
  expect(memory.sequence).toBe(9);
  expect("advert" in examine({ ...instance, ...ah }, protectedBy(8), memory)).toBe(true); // though we have sent 9
  expect(remember(memory, protectedBy(12)).sequence).toBe(12);
});

test("another list of addresses is told and not refused, and not looked at twice if that is wished", () => {
  const sent = heard({ advert: { addresses: [ip("10.0.0.101")] } });
  const text = "ip address associated with VRID 51 not present in advert from 10.0.0.2: 10.0.0.100";
  expect(examine(instance, sent, fresh)).toMatchObject({ complaint: { field: "vip-list", text, got: "10.0.0.101" } });
  const again = { ...fresh, lastSender: peer };
  expect(examine({ ...instance, skipAddressCheck: true }, sent, again)).toMatchObject({ complaint: undefined });
});

const refusal = { from: peer, field: "interval" as const, got: "2 s", expected: "1 s", text: "advertisement interval mismatch" };

test("a refusal is told once, with what it means for a master, and again when it changes", () => {
  const first = refused(healthy, refusal, "master", 0);
  expect(first.lines).toEqual([
    "advertisement interval mismatch",
    "split brain: 10.0.0.2 is master too, its adverts are refused: interval is 2 s, expected 1 s",
  ]);
  const second = refused(first.next, refusal, "master", 1);
  expect(second.lines).toEqual([]);
  expect([...second.next.troubles.values()]).toMatchObject([{ peer, field: "interval", count: 2, since: 0 }]);
  expect(refused(second.next, { ...refusal, got: "3 s" }, "master", 2).lines).toHaveLength(2);
  expect(refused(changed(), refusal, "backup", 3).lines).toEqual(["advertisement interval mismatch"]);
});

test("a good advert ends the trouble with its sender and with nobody else", () => {
  const other = { ...refusal, from: ip("10.0.0.3") };
  const { next } = refused(refused(healthy, refusal, "backup", 0).next, other, "backup", 0);
  const after = accepted(next, peer, { priority: 200, own: 100, state: "backup", complaint: false }, 1);
  expect(after.lines).toEqual(["adverts from 10.0.0.2 are accepted again"]);
  expect([...after.next.troubles.values()].map((t) => t.peer)).toEqual(["10.0.0.3"]);
});

test("two owners of the same addresses are told of once", () => {
  const facts = { priority: 255, own: 255, state: "master", complaint: false } as const;
  const first = accepted(healthy, peer, facts, 0);
  expect(first.lines).toEqual([
    "CONFIGURATION ERROR: local instance and 10.0.0.2 are both configured as address owner, please resolve",
  ]);
  expect(accepted(first.next, peer, facts, 1).lines).toEqual([]);
});

test("a lower master that goes on is told as one that does not hear us, once", () => {
  let d = healthy;
  const lines: string[] = [];
  for (let n = 0; n < 6; n++) {
    const told = accepted(d, peer, { priority: 90, own: 100, state: "master", complaint: false }, n);
    d = told.next;
    lines.push(...told.lines);
  }
  expect(lines).toEqual([
    "split brain: 10.0.0.2 goes on with priority 90 under ours, 100: it does not hear or accept our adverts",
  ]);
});

test("a flood of adverts from forged senders is told of up to a number, which those that have gone silent make room in", () => {
  let [d, told] = [healthy, 0];
  const hear = (n: number, now: number): void => {
    const { next, lines } = refused(d, { ...refusal, from: ip(`10.1.${n >> 8}.${n & 255}`) }, "backup", now);
    told += lines.length;
    d = next;
  };
  for (let n = 0; n < 10_000; n++) hear(n, n / 1000);
  expect([d.troubles.size, told]).toEqual([32, 32]);
  hear(20_000, 100_000);
  expect([...d.troubles.keys()]).toEqual(["10.1.78.32 interval"]);
});
