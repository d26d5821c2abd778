import { createHmac } from "node:crypto";
import { ip } from "../../../net/ip.ts";
import { AUTH, emitVrrp, passwordBytes, VRRP_GROUP4, type Vrrp } from "../../../wire/vrrp.ts";
import { emitVrrpAh, emitVrrpIpv4 } from "../../../wire/vrrp-packet.ts";

/** IPv4 packets that are VRRP, almost VRRP, or anything; and a judge of them that shares no code with the receiver. */

export type Dialect = "v2" | "v2 PASS" | "v2 AH" | "v3";
export const dialects: readonly Dialect[] = ["v2", "v2 PASS", "v2 AH", "v3"];

export const VRID = 51;
export const PASSWORD = "s3cret";
const PEER = ip("10.9.0.2");
const KEY = passwordBytes(PASSWORD);
const [IHL, HEADER, AH_BYTES] = [20, 8, 24];

/** Whole numbers of 0..n-1. */
export type Below = (n: number) => number;

/** mulberry32: the same seed, the same packets. */
export function chance(seed: number): Below {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000) * n);
  };
}

/** One packet. @param sequence of the authentication header */
export function mutant(dialect: Dialect, below: Below, sequence: number): Uint8Array {
  if (below(8) === 0) return Uint8Array.from({ length: below(120) }, () => below(256));
  const packet = good(below(6) === 0 ? dialects[below(4)]! : dialect, below, sequence);
  const [changed] = [mutate(packet, below)];
  return below(2) === 0 ? changed : repaired(changed);
}

function good(dialect: Dialect, below: Below, sequence: number): Uint8Array {
  const version = dialect === "v3" ? 3 : 2;
  const types = { v2: "none", "v2 PASS": "pass", "v2 AH": "ah", v3: "none" } as const;
  const data = dialect === "v2 PASS" ? KEY : new Uint8Array(8);
  const advert: Vrrp = {
    ...{ version, vrid: VRID, priority: [0, 1, 99, 100, 101, 254, 255][below(7)]!, interval: 100 },
    addresses: [ip("10.9.0.100")],
    auth: version === 2 ? { type: AUTH[types[dialect]], data } : undefined,
    sum: version === 2 ? "plain" : (["pseudo", "plain", "old"] as const)[below(3)]!,
  };
  const ends = { src: PEER, dst: VRRP_GROUP4 };
  const message = emitVrrp(advert, ends);
  const envelope = { ...ends, ttl: 255, id: below(65536) };
  return dialect === "v2 AH"
    ? emitVrrpAh(envelope, message, { key: KEY, unicast: false }, sequence)
    : emitVrrpIpv4(envelope, message);
}

function mutate(packet: Uint8Array, below: Below): Uint8Array {
  let bytes = new Uint8Array(packet);
  for (let left = below(4); left > 0; left--) {
    const at = below(bytes.length || 1);
    switch (below(6)) {
      case 0:
        bytes[at] = below(256);
        break;
      case 1:
        bytes[at]! ^= 1 << below(8);
        break;
      case 2:
        bytes = bytes.slice(0, at);
        break;
      case 3:
        bytes = Uint8Array.from([...bytes, ...Array.from({ length: 1 + below(24) }, () => below(256))]);
        break;
      case 4:
        bytes.fill(0, at, at + 1 + below(8));
        break;
      case 5:
        bytes.copyWithin(at, below(bytes.length || 1));
    }
  }
  return bytes;
}

/** With lengths and checksums that fit, so that what is behind them is looked at. */
function repaired(bytes: Uint8Array): Uint8Array {
  if (bytes.length < IHL + HEADER) return bytes;
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x45;
  view.setUint16(2, bytes.length);
  const at = bytes[9] === 51 ? IHL + AH_BYTES : IHL;
  if (bytes.length < at + HEADER) return bytes;
  view.setUint16(at + 6, 0);
  view.setUint16(at + 6, ~ones(bytes.subarray(at), 0) & 0xffff);
  return bytes;
}

/** From somebody else, with an IP header that the kernel of the receiver finds in order. Changes the packet. */
export function forged(packet: Uint8Array, below: Below): Uint8Array {
  if (packet.length < IHL) return packet;
  packet.set([10, 9, below(256), below(256)], 12);
  packet.fill(0, 10, 12);
  const sum = ~ones(packet.subarray(0, Math.min(packet.length, (packet[0]! & 15) * 4)), 0) & 0xffff;
  packet.set([sum >>> 8, sum & 255], 10);
  return packet;
}

/** The sum of 16-bit words with its carries. */
function ones(bytes: Uint8Array, start: number): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum >>> 16) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

/** Could a router that speaks the dialect take this for an advert to it? Sequence numbers are not looked at. */
export function mayBeTaken(dialect: Dialect, packet: Uint8Array): boolean {
  const header = (packet[0] ?? 0) & 15;
  const [start, end] = [header * 4, ((packet[2] ?? 0) << 8) | (packet[3] ?? 0)];
  if (packet[0]! >>> 4 !== 4 || header < 5 || end < start || end > packet.length) return false;
  const isAh = dialect === "v2 AH";
  if (packet[9] !== (isAh ? 51 : 112)) return false;
  const isMulticast = packet[16]! >>> 4 === 14;
  if (!isMulticast || packet[8] !== 255) return false;
  const message = packet.slice(start + (isAh ? AH_BYTES : 0), end);
  if (isAh && !isSealed(packet.slice(0, end), start)) return false;
  const version = dialect === "v3" ? 3 : 2;
  const length = HEADER + 4 * (message[3] ?? 0) + (version === 2 ? 8 : 0);
  if (message.length !== length || message[0] !== ((version << 4) | 1) || message[1] !== VRID) return false;
  if (version === 3) return pseudos(packet, message.length).some((start) => ones(message, start) === 0xffff);
  const type = { v2: 0, "v2 PASS": 1, "v2 AH": 2, v3: -1 }[dialect];
  const secret = message.slice(length - 8);
  const isKnown = dialect !== "v2 PASS" || Buffer.compare(secret, KEY) === 0;
  return message[4] === type && message[5] === 1 && isKnown && ones(message, 0) === 0xffff;
}

/** Nothing, source and destination, or source and the group of old. */
const pseudos = (packet: Uint8Array, length: number): number[] => [
  0,
  ones(packet.slice(12, 20), 112 + length),
  ones(Uint8Array.from([...packet.slice(12, 16), 224, 0, 0, 18]), 112 + length),
];

function isSealed(packet: Uint8Array, at: number): boolean {
  const ah = packet.slice(at, at + AH_BYTES);
  if (ah.length < AH_BYTES || ah[0] !== 112 || ah[1] !== 4) return false;
  if (Buffer.compare(ah.subarray(4, 8), packet.subarray(12, 16)) !== 0) return false;
  const covered = new Uint8Array(packet);
  for (const i of [1, 6, 7, 10, 11]) covered[i] = 0;
  covered.fill(0, at + 12, at + AH_BYTES);
  const icv = createHmac("md5", KEY).update(covered).digest().subarray(0, 12);
  return Buffer.compare(icv, ah.subarray(12)) === 0;
}
