import type { Ip } from "../net/ip.ts";
import { familyOf, ipBytes } from "../net/ip.ts";

/** The Internet checksum (RFC 1071), whole and by difference, and SCTP's CRC32c. Sums are of 16-bit words, unfolded. */

/** The sum of 16-bit words; an odd last byte counts as the high half of a word. */
export function sumOf(view: DataView, at: number, length: number): number {
  let sum = 0;
  const end = at + length - 1;
  for (; at < end; at += 2) sum += view.getUint16(at);
  return at === end ? sum + (view.getUint8(at) << 8) : sum;
}

/** A sum with its carries added back: 16 bits. */
export function fold(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

/** The checksum field for a sum over everything else. */
export const checksumOf = (sum: number): number => ~fold(sum) & 0xffff;

/** What a change from one 16-bit word to another adds to the sum that `updated` takes. */
export const change16 = (before: number, after: number): number => (~before & 0xffff) + after;
export const change32 = (before: number, after: number): number =>
  change16(before >>> 16, after >>> 16) + change16(before & 0xffff, after & 0xffff);

/** RFC 1624 equation 3: the new checksum field without reading the rest. `changes` is a sum of change16 and change32. */
export const updated = (checksum: number, changes: number): number => checksumOf((~checksum & 0xffff) + changes);

/** The sum of the pseudo header (RFC 793, RFC 8200 section 8.1) that TCP, UDP and ICMPv6 add to their own. */
export function pseudoSum(src: Ip, dst: Ip, protocol: number, length: number): number {
  let sum = protocol + (length >>> 16) + (length & 0xffff);
  for (const address of [src, dst]) {
    const bytes = ipBytes(address);
    sum += sumOf(new DataView(bytes.buffer, bytes.byteOffset), 0, familyOf(address) === "ipv4" ? 4 : 16);
  }
  return sum;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC32c (RFC 3309, RFC 9260 appendix A); SCTP writes it little-endian. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ crcTable[(crc ^ byte) & 255]!;
  return ~crc >>> 0;
}
