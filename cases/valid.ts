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

function pseudo(bytes: Uint8Array, ip: number, protocol: number, length: number): number {
  return ones(Uint8Array.from([0, protocol, length >> 8, length & 255]), 0, 4, ones(bytes, ip + 12, ip + 20));
}

/** What is wrong with the frame, or undefined. Only IPv4 is looked into. */
export function invalid(frame: Uint8Array): string | undefined {
  if (frame.length < ETH) return "shorter than an Ethernet header";
  return word(frame, 12) === 0x0800 ? invalidPacket(frame, ETH) : undefined;
}

function invalidPacket(b: Uint8Array, ip: number, isQuote = false): string | undefined {
  if (b.length < ip + 20) return "IP header cut";
  const header = (b[ip]! & 15) * 4;
  const length = word(b, ip + 2);
  if (b[ip]! >> 4 !== 4 || header < 20) return "IP version or header length";
  if (b.length < ip + header || length < header) return "IP lengths";
  if (ones(b, ip, ip + header) !== 0xffff) return "IP checksum";
  if (isQuote) return undefined; // the rest of it is cut
  if (b.length < ip + length) return "IP total length";
  if (word(b, ip + 6) & 0x3fff) return undefined; // a fragment: its transport cannot be summed
  return invalidTransport(b, ip, ip + header, ip + length);
}

function invalidTransport(b: Uint8Array, ip: number, l4: number, end: number): string | undefined {
  switch (b[ip + 9]) {
    case 1:
      return invalidIcmp(b, l4, end);
    case 4:
      return invalidPacket(b, l4);
    case 6:
      return invalidTcp(b, ip, l4, end);
    case 17:
      return invalidUdp(b, ip, l4, end);
    default:
      return undefined;
  }
}

function invalidIcmp(b: Uint8Array, l4: number, end: number): string | undefined {
  if (end < l4 + 8) return "ICMP header cut";
  if (ones(b, l4, end) !== 0xffff) return "ICMP checksum";
  const type = b[l4]!;
  const problem = type === 3 || type === 11 || type === 4 ? invalidPacket(b.subarray(0, end), l4 + 8, true) : undefined;
  return problem && `quoted: ${problem}`;
}

function invalidTcp(b: Uint8Array, ip: number, l4: number, end: number): string | undefined {
  if (end < l4 + 20) return "TCP header cut";
  const header = (b[l4 + 12]! >> 4) * 4;
  if (header < 20 || l4 + header > end) return "TCP header length";
  return ones(b, l4, end, pseudo(b, ip, 6, end - l4)) === 0xffff ? undefined : "TCP checksum";
}

function invalidUdp(b: Uint8Array, ip: number, l4: number, end: number): string | undefined {
  if (end < l4 + 8) return "UDP header cut";
  const length = word(b, l4 + 4);
  if (length < 8 || l4 + length > end) return "UDP length";
  if (word(b, l4 + 6) === 0) return undefined; // none
  return ones(b, l4, l4 + length, pseudo(b, ip, 17, length)) === 0xffff ? undefined : "UDP checksum";
}
