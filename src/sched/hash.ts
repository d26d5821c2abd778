import { type Family, type Ip, ipBytes } from "../net/ip.ts";

/** The kernel's hash functions, as far as its schedulers use them. */

/**
 * An address as one 32-bit word: IPv4 as a number, IPv6 its four words xored. In an IPv4 service an IPv6 dest (in a
 * tunnel) counts with its first word only, as the kernel does.
 */
export function fold(address: Ip, family: Family): number {
  const bytes = ipBytes(address);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let word = view.getUint32(0);
  if (family === "ipv6") for (let at = 4; at < bytes.length; at += 4) word ^= view.getUint32(at);
  return word >>> 0;
}

/** Multiplicative hash to 0..2^bits-1. */
export const hash32 = (value: number, bits: number): number => Math.imul(value, 0x61c88647) >>> (32 - bits);

/**
 * hsiphash of one 32-bit word (4 little-endian bytes) on 64-bit kernels: SipHash-1-3 with both halves of the key `key`,
 * low 32 bits (spec 3.13).
 */
export function hsiphash(value: number, key: number): number {
  const block: Word64 = { low: value | 0, high: 4 << 24 }; // the length is in the last byte
  const v = initial.map(({ low, high }) => ({ low: low ^ key, high }));
  const [v0, v1, v2, v3] = v as [Word64, Word64, Word64, Word64];
  xor(v3, block);
  sipRound(v0, v1, v2, v3);
  xor(v0, block);
  v2.low ^= 0xff;
  for (let round = 0; round < 3; round++) sipRound(v0, v1, v2, v3);
  return (v0.low ^ v1.low ^ v2.low ^ v3.low) >>> 0;
}

interface Word64 {
  low: number;
  high: number;
}

/** "somepseudorandomlygeneratedbytes" */
const initial: readonly Word64[] = [
  { high: 0x736f6d65, low: 0x70736575 },
  { high: 0x646f7261, low: 0x6e646f6d },
  { high: 0x6c796765, low: 0x6e657261 },
  { high: 0x74656462, low: 0x79746573 },
];

/** SipHash: a fast short-input PRF, Aumasson and Bernstein 2012, section 2. */
function sipRound(v0: Word64, v1: Word64, v2: Word64, v3: Word64): void {
  mix(v0, v1, 13);
  rotate(v0, 32);
  mix(v2, v3, 16);
  mix(v0, v3, 21);
  mix(v2, v1, 17);
  rotate(v2, 32);
}

/** a += b; b = rotate(b) ^ a */
function mix(a: Word64, b: Word64, bits: number): void {
  const low = (a.low >>> 0) + (b.low >>> 0);
  a.high = (a.high + b.high + (low > 0xffffffff ? 1 : 0)) | 0;
  a.low = low | 0;
  rotate(b, bits);
  xor(b, a);
}

function xor(a: Word64, b: Word64): void {
  a.low ^= b.low;
  a.high ^= b.high;
}

/** Left, by 1..32 bits. */
function rotate(word: Word64, bits: number): void {
  const { low, high } = word;
  word.high = bits === 32 ? low : (high << bits) | (low >>> (32 - bits));
  word.low = bits === 32 ? high : (low << bits) | (high >>> (32 - bits));
}
