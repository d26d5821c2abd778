/**
 * Is a frame what its checksums say? All of them are computed anew from the bytes, by arithmetic that neither the data path
 * nor the model uses, packets inside packets included.
 */

const ETH = 14;
const word = (b: Uint8Array, at: number): number => b[at]! * 256 + b[at + 1]!;

/** One's complement sum of 16-bit words (RFC 1071), carries folded at each step; an odd byte is padded with zero. */
function ones(bytes: Uint8Array, from: number, to: number, start = 0): number {
  let sum = start;
  for (let at = from; at < to; at += 2) {
    sum += bytes[at]! * 256 + (at + 1 < to ? bytes[at + 1]! : 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

/** Where a packet's addresses stand. */
interface Addresses {
  readonly at: number;
  readonly bytes: number;
}

function pseudo(b: Uint8Array, { at, bytes }: Addresses, protocol: number, length: number): number {
  return ones(Uint8Array.from([0, protocol, length >> 8, length & 255]), 0, 4, ones(b, at, at + bytes));
}

/** What is wrong with the frame, or undefined. */
export function invalid(frame: Uint8Array): string | undefined {
  if (frame.length < ETH) return "shorter than an Ethernet header";
  if (word(frame, 12) === 0x0800) return invalidIpv4(frame, ETH);
  return word(frame, 12) === 0x86dd ? invalidIpv6(frame, ETH) : undefined;
}

function invalidIpv4(b: Uint8Array, ip: number, isQuote = false): string | undefined {
  if (b.length < ip + 20) return "IP header cut";
  const header = (b[ip]! & 15) * 4;
  const length = word(b, ip + 2);
  if (b[ip]! >> 4 !== 4 || header < 20) return "IP version or header length";
  if (b.length < ip + header || length < header) return "IP lengths";
  if (ones(b, ip, ip + header) !== 0xffff) return "IP checksum";
  if (isQuote) return undefined; // the rest of it is cut
  if (b.length < ip + length) return "IP total length";
  if (word(b, ip + 6) & 0x3fff) return undefined; // a fragment: its transport cannot be summed
  return invalidTransport(b, b[ip + 9]!, { at: ip + 12, bytes: 8 }, ip + header, ip + length);
}

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const DESTINATION = 60;

function invalidIpv6(b: Uint8Array, ip: number, isQuote = false): string | undefined {
  if (b.length < ip + 40) return "IPv6 header cut";
  if (b[ip]! >> 4 !== 6) return "IPv6 version";
  if (isQuote) return undefined;
  const end = ip + 40 + word(b, ip + 4);
  if (b.length < end) return "IPv6 payload length";
  let next = b[ip + 6]!;
  let at = ip + 40;
  while (next === HOP_BY_HOP || next === ROUTING || next === DESTINATION || next === FRAGMENT) {
    if (at + 8 > end) return "IPv6 extension header cut";
    if (next === FRAGMENT && word(b, at + 2) & 0xfff9) return undefined;
    const length = next === FRAGMENT ? 8 : (b[at + 1]! + 1) * 8;
    next = b[at]!;
    at += length;
  }
  return at > end ? "IPv6 extension header cut" : invalidTransport(b, next, { at: ip + 8, bytes: 32 }, at, end);
}

function invalidTransport(b: Uint8Array, protocol: number, from: Addresses, l4: number, end: number): string | undefined {
  switch (protocol) {
    case 1:
      return invalidIcmp(b, 0, l4, end, invalidIpv4);
    case 4:
      return invalidIpv4(b, l4);
    case 6:
      return invalidTcp(b, from, l4, end);
    case 17:
      return invalidUdp(b, from, l4, end);
    case 41:
      return invalidIpv6(b, l4);
    case 47:
      return invalidGre(b, l4, end);
    case 58:
      return invalidIcmp(b, pseudo(b, from, 58, end - l4), l4, end, invalidIpv6);
    default:
      return undefined;
  }
}

function invalidGre(b: Uint8Array, at: number, end: number): string | undefined {
  const hasChecksum = (b[at]! & 0x80) !== 0;
  const inside = at + (hasChecksum ? 8 : 4);
  if (end < inside) return "GRE header cut";
  if (hasChecksum && ones(b, at, end) !== 0xffff) return "GRE checksum";
  if (word(b, at + 2) === 0x0800) return invalidIpv4(b, inside);
  return word(b, at + 2) === 0x86dd ? invalidIpv6(b, inside) : "GRE protocol type";
}

type Check = (b: Uint8Array, ip: number, isQuote: boolean) => string | undefined;

function invalidIcmp(b: Uint8Array, start: number, l4: number, end: number, quoted: Check): string | undefined {
  if (end < l4 + 8) return "ICMP header cut";
  if (ones(b, l4, end, start) !== 0xffff) return "ICMP checksum";
  const type = b[l4]!;
  const isError = start === 0 ? type === 3 || type === 11 || type === 4 : type < 128;
  const problem = isError ? quoted(b.subarray(0, end), l4 + 8, true) : undefined;
  return problem && `quoted: ${problem}`;
}

function invalidTcp(b: Uint8Array, from: Addresses, l4: number, end: number): string | undefined {
  if (end < l4 + 20) return "TCP header cut";
  const header = (b[l4 + 12]! >> 4) * 4;
  if (header < 20 || l4 + header > end) return "TCP header length";
  return ones(b, l4, end, pseudo(b, from, 6, end - l4)) === 0xffff ? undefined : "TCP checksum";
}

function invalidUdp(b: Uint8Array, from: Addresses, l4: number, end: number): string | undefined {
  if (end < l4 + 8) return "UDP header cut";
  const length = word(b, l4 + 4);
  if (l4 + length !== end) return "UDP length"; // a checksum is then over one length or the other
  if (word(b, l4 + 6) === 0) return undefined; // none
  return ones(b, l4, l4 + length, pseudo(b, from, 17, length)) === 0xffff ? undefined : "UDP checksum";
}
