/** The arithmetic of packets: addresses, checksums, patterns. Written for this harness alone, so that it can judge the rest. */

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
export const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));

export function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

export const u16 = (b: Uint8Array, at: number): number => (b[at]! << 8) | b[at + 1]!;
export const u32 = (b: Uint8Array, at: number): number => u16(b, at) * 65536 + u16(b, at + 2);

export function put16(b: Uint8Array, at: number, value: number): void {
  b[at] = value >>> 8;
  b[at + 1] = value;
}

export function put32(b: Uint8Array, at: number, value: number): void {
  put16(b, at, value >>> 16);
  put16(b, at + 2, value & 0xffff);
}

/** 4 or 16 bytes of an address's text. */
export function addressBytes(text: string): Uint8Array {
  if (!text.includes(":")) return Uint8Array.from(text.split(".").map(Number));
  const [head = "", tail] = text.split("::");
  const words = (part: string): number[] => (part === "" ? [] : part.split(":").map((w) => Number.parseInt(w, 16)));
  const front = words(head);
  const back = tail === undefined ? [] : words(tail);
  const all = [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
  return Uint8Array.from(all.flatMap((w) => [w >>> 8, w & 255]));
}

/** Shortest text (RFC 5952) of 4 or 16 bytes. */
export function addressText(b: Uint8Array): string {
  if (b.length === 4) return b.join(".");
  const words = Array.from({ length: 8 }, (_, i) => u16(b, 2 * i).toString(16)).join(":");
  const zeros = (words.match(/(?:^|:)0(?::0)+(?=:|$)/g) ?? []).sort((x, y) => y.length - x.length)[0];
  if (zeros === undefined) return words;
  const at = words.indexOf(zeros);
  return `${words.slice(0, at)}::${words.slice(at + zeros.length).replace(/^:/, "")}`;
}

/** RFC 1071: the ones' complement sum of 16-bit words, folded and inverted. */
export function checksum(...parts: Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let i = 0; i + 1 < part.length; i += 2) sum += u16(part, i);
    if (part.length % 2 === 1) sum += part[part.length - 1]! << 8;
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65536);
  return ~sum & 0xffff;
}

/** The pseudo header of a transport checksum (RFC 793, RFC 8200 section 8.1). */
export function pseudoHeader(src: Uint8Array, dst: Uint8Array, protocol: number, length: number): Uint8Array {
  const tail = new Uint8Array(src.length === 4 ? 4 : 8);
  if (src.length === 4) {
    tail[1] = protocol;
    put16(tail, 2, length);
  } else {
    put32(tail, 0, length);
    tail[7] = protocol;
  }
  return concat(src, dst, tail);
}

function crc(bytes: Uint8Array, polynomial: number): number {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? polynomial : 0);
  }
  return ~value >>> 0;
}

/** SCTP's checksum (RFC 9260 appendix A). */
export const crc32c = (bytes: Uint8Array): number => crc(bytes, 0x82f63b78);
/** The common CRC-32, as a short name for many bytes. */
export const crc32 = (bytes: Uint8Array): number => crc(bytes, 0xedb88320);

/** A generator of numbers in 0..1 that gives the same row for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
