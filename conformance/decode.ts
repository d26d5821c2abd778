import { addressText, checksum, concat, crc32, crc32c, hexOf, pseudoHeader, u16, u32 } from "./bytes.ts";

/**
 * A captured IP packet as two lines: what it says, in the words packets are written in (see craft.ts), and its bytes.
 * What no two runs share is masked in both: an IP id that was not among those sent, a tunnel's source port, and the
 * checksums over them (which are verified first: `csum=bad` says when one is wrong).
 */
export interface Decoded {
  readonly text: string;
  readonly hex: string;
}

export interface Expected {
  /** IP ids of the frames sent so far: a forwarded packet keeps its own. */
  readonly ids: ReadonlySet<number>;
  /** UDP ports that carry GUE. */
  readonly guePorts: ReadonlySet<number>;
}

const SYNC_PORT = 8848;
const HEX_LIMIT = 320; // bytes shown; the rest by length and CRC

export function decode(bytes: Uint8Array, expected: Expected): Decoded {
  const masked = new Set<number>();
  const text = new Reader(bytes, expected, masked).ip(0, bytes.length, false);
  return { text, hex: maskedHex(bytes, masked) };
}

function maskedHex(bytes: Uint8Array, masked: ReadonlySet<number>): string {
  const shown = bytes.subarray(0, HEX_LIMIT);
  const hex = Array.from(shown, (b, i) => (masked.has(i) ? ".." : b.toString(16).padStart(2, "0"))).join("");
  if (bytes.length <= HEX_LIMIT) return hex;
  const rest = bytes.subarray(HEX_LIMIT);
  return `${hex}+${rest.length} bytes crc ${crc32(rest).toString(16)}`;
}

const TCP_FLAGS = "FSRPAUEC";
const CHUNK_NAMES =
  "DATA INIT INIT_ACK SACK HEARTBEAT HEARTBEAT_ACK ABORT SHUTDOWN SHUTDOWN_ACK ERROR COOKIE_ECHO COOKIE_ACK ECNE CWR SHUTDOWN_COMPLETE".split(
    " ",
  );
const hex16 = (n: number): string => `0x${n.toString(16).padStart(4, "0")}`;

/** Where a transport header lies and what its checksum covers. `whole` is false when bytes are missing. */
interface Place {
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
  readonly at: number;
  readonly end: number;
  readonly whole: boolean;
  readonly quoted: boolean;
}

class Reader {
  readonly bytes: Uint8Array;
  readonly expected: Expected;
  readonly masked: Set<number>;

  constructor(bytes: Uint8Array, expected: Expected, masked: Set<number>) {
    this.bytes = bytes;
    this.expected = expected;
    this.masked = masked;
  }

  ip(at: number, end: number, quoted: boolean): string {
    const version = (this.bytes[at] ?? 0) >>> 4;
    if (version === 4 && end - at >= 20) return this.ipv4(at, end, quoted);
    if (version === 6 && end - at >= 40) return this.ipv6(at, end, quoted);
    return `not-ip ${hexOf(this.bytes.subarray(at, Math.min(end, at + 20)))}`;
  }

  private ipv4(at: number, end: number, quoted: boolean): string {
    const b = this.bytes;
    const headerLength = (b[at]! & 15) * 4;
    const total = u16(b, at + 2);
    const field = u16(b, at + 6);
    const offset = (field & 0x1fff) * 8;
    const tail = [`ttl=${b[at + 8]}`];
    if (b[at + 1] !== 0) tail.push(`tos=${b[at + 1]}`);
    if (field & 0x4000) tail.push("df=1");
    if (field & 0x2000) tail.push("mf");
    if (offset > 0) tail.push(`offset=${offset}`);
    if (checksum(b.subarray(at, at + headerLength)) !== 0) tail.push("ip-csum=bad");
    const outer = this.isTunnel(b[at + 9]!, at + headerLength, offset);
    tail.push(this.id(at + 4, [at + 10, at + 11], outer), `len=${total}`);
    const place = {
      src: b.subarray(at + 12, at + 16),
      dst: b.subarray(at + 16, at + 20),
      at: at + headerLength,
      end: Math.min(end, at + total),
      whole: at + total <= end && (field & 0x3fff) === 0,
      quoted,
    };
    return this.transport(b[at + 9]!, place, offset, tail.join(" "));
  }

  /** A tunnel's outer packet is the director's own, so its id is any. */
  private isTunnel(protocol: number, at: number, offset: number): boolean {
    if (protocol === 17)
      return offset === 0 && at + 4 <= this.bytes.length && this.expected.guePorts.has(u16(this.bytes, at + 2));
    return protocol === 4 || protocol === 41 || protocol === 47;
  }

  private id(at: number, checksumAt: number[], isAny: boolean): string {
    const id = u16(this.bytes, at);
    if (!isAny && this.expected.ids.has(id)) return `id=${hex16(id)}`;
    for (const i of [at, at + 1, ...checksumAt]) this.masked.add(i);
    return "id=*";
  }

  private ipv6(at: number, end: number, quoted: boolean): string {
    const b = this.bytes;
    const length = u16(b, at + 4);
    const first = u32(b, at);
    const tail = [`ttl=${b[at + 7]}`];
    const tos = (first >>> 20) & 255;
    if (tos !== 0) tail.push(`tos=${tos}`);
    if (b[at + 6] === 58) {
      for (const i of [at + 1, at + 2, at + 3]) this.masked.add(i); // the label of a packet of one's own is a hash
    } else if ((first & 0xfffff) !== 0) tail.push(`flow=${(first & 0xfffff).toString(16)}`);
    let next = b[at + 6]!;
    let body = at + 40;
    let offset = 0;
    let whole = body + length <= end;
    while ((next === 0 || next === 60 || next === 44) && body + 8 <= end) {
      const kind = next;
      next = b[body]!;
      if (kind === 44) {
        offset = u16(b, body + 2) & 0xfff8;
        if (u16(b, body + 2) & 1) tail.push("mf");
        if (offset > 0) tail.push(`offset=${offset}`);
        whole = false;
        tail.push(this.fragmentId(body + 4));
      } else {
        tail.push(`extension=${kind}`);
      }
      body += kind === 44 ? 8 : 8 + b[body + 1]! * 8;
    }
    tail.push(`len=${40 + length}`);
    const place = {
      src: b.subarray(at + 8, at + 24),
      dst: b.subarray(at + 24, at + 40),
      at: body,
      end: Math.min(end, at + 40 + length),
      whole,
      quoted,
    };
    return this.transport(next, place, offset, tail.join(" "));
  }

  private fragmentId(at: number): string {
    const id = u32(this.bytes, at);
    if (this.expected.ids.has(id)) return `id=${hex16(id)}`;
    for (let i = at; i < at + 4; i++) this.masked.add(i);
    return "id=*";
  }

  private transport(protocol: number, p: Place, offset: number, tail: string): string {
    const room = p.end - p.at;
    if (offset > 0) return `fragment ${addresses(p)} proto=${protocol} ${tail}`;
    if (protocol === 6 && room >= 20) return this.tcp(p, tail);
    if (protocol === 17 && room >= 8) return this.udp(p, tail);
    if (protocol === 132 && room >= 12) return this.sctp(p, tail);
    if ((protocol === 1 || protocol === 58) && room >= 8) return this.icmp(protocol, p, tail);
    if (protocol === 4 || protocol === 41) return `ipip ${addresses(p)} ${tail} | ${this.ip(p.at, p.end, p.quoted)}`;
    if (protocol === 47 && room >= 4) return this.gre(p, tail);
    if ((protocol === 6 || protocol === 17 || protocol === 132) && room >= 4) {
      return `${protocol === 6 ? "tcp" : protocol === 17 ? "udp" : "sctp"} ${this.endpoints(p)} cut ${tail}`;
    }
    return `ip ${addresses(p)} proto=${protocol} ${tail}`;
  }

  private endpoints(p: Place): string {
    return `${endpoint(p.src, u16(this.bytes, p.at))} > ${endpoint(p.dst, u16(this.bytes, p.at + 2))}`;
  }

  /** "" when right or not to be known, " csum=bad" otherwise. */
  private verdict(p: Place, protocol: number): string {
    if (!p.whole) return "";
    const body = this.bytes.subarray(p.at, p.end);
    return checksum(pseudoHeader(p.src, p.dst, protocol, body.length), body) === 0 ? "" : " csum=bad";
  }

  private tcp(p: Place, tail: string): string {
    const b = this.bytes;
    const bits = b[p.at + 13]!;
    const flags = [...TCP_FLAGS].filter((_, i) => bits & (1 << i)).join("");
    const numbers = `seq=${u32(b, p.at + 4)} ack=${u32(b, p.at + 8)} win=${u16(b, p.at + 14)}`;
    return `tcp ${this.endpoints(p)} ${flags || "none"} ${numbers} ${tail}${this.verdict(p, 6)}`;
  }

  private udp(p: Place, tail: string): string {
    const b = this.bytes;
    const stored = u16(b, p.at + 6);
    const verdict = stored === 0 ? " csum=0" : this.verdict(p, 17);
    if (u16(b, p.at + 2) === SYNC_PORT) return this.sync(p, tail);
    const gue = this.expected.guePorts.has(u16(b, p.at + 2)) && p.end - p.at >= 12;
    if (!gue) return `udp ${this.endpoints(p)} ${tail}${verdict}`;
    this.masked.add(p.at).add(p.at + 1);
    if (stored !== 0) this.masked.add(p.at + 6).add(p.at + 7);
    const sport = u16(b, p.at);
    const from = sport >= 32768 && sport <= 60999 ? "*" : `${sport}`;
    const header = hexOf(b.subarray(p.at + 8, p.at + 12));
    const inside = p.at + 12 + (b[p.at + 8]! & 31) * 4;
    const summed = stored === 0 ? " csum=0" : verdict;
    const ends = `${endpointText(p.src, from)} > ${endpoint(p.dst, u16(b, p.at + 2))}`;
    return `gue ${ends} header=${header} ${tail}${summed} | ${this.ip(inside, p.end, p.quoted)}`;
  }

  /** A connection synchronisation message (spec 8.1) leaves from an ephemeral port. */
  private sync(p: Place, tail: string): string {
    for (const at of [p.at, p.at + 1, p.at + 6, p.at + 7]) this.masked.add(at);
    return `udp ${endpointText(p.src, "*")} > ${endpoint(p.dst, SYNC_PORT)} ${tail}${this.verdict(p, 17)}`;
  }

  private sctp(p: Place, tail: string): string {
    const b = this.bytes;
    const chunks: string[] = [];
    for (let at = p.at + 12; at + 4 <= p.end; at += Math.max(4, (u16(b, at + 2) + 3) & ~3)) {
      chunks.push(CHUNK_NAMES[b[at]!] ?? `${b[at]}`);
    }
    const body = b.slice(p.at, p.end);
    const stored = new DataView(body.buffer).getUint32(8, true);
    body.fill(0, 8, 12);
    const bad = p.whole && crc32c(body) !== stored ? " csum=bad" : "";
    return `sctp ${this.endpoints(p)} chunks=${chunks.join(",")} tag=${u32(b, p.at + 4)} ${tail}${bad}`;
  }

  private icmp(protocol: number, p: Place, tail: string): string {
    const b = this.bytes;
    const type = b[p.at]!;
    const body = b.subarray(p.at, p.end);
    const right = protocol === 1 ? checksum(body) === 0 : this.verdict(p, 58) === "";
    const field = u32(b, p.at + 4);
    const head = `icmp ${addresses(p)} ${type}/${b[p.at + 1]}${field === 0 ? "" : ` field=${field}`} ${tail}${!p.whole || right ? "" : " csum=bad"}`;
    const isError = protocol === 1 ? [3, 4, 5, 11, 12].includes(type) : type < 128;
    if (!isError || p.quoted) return head;
    const before = this.masked.size;
    const inside = this.ip(p.at + 8, p.end, true);
    if (this.masked.size > before) this.masked.add(p.at + 2).add(p.at + 3);
    return `${head} | ${inside}`;
  }

  private gre(p: Place, tail: string): string {
    const b = this.bytes;
    const flags = u16(b, p.at);
    const summed = (flags & 0x8000) !== 0;
    const inside = p.at + (summed ? 8 : 4);
    const right = !summed || !p.whole || checksum(b.subarray(p.at, p.end)) === 0;
    const head = `gre ${addresses(p)} flags=${hex16(flags)} type=${hex16(u16(b, p.at + 2))} ${tail}${right ? "" : " csum=bad"}`;
    const before = this.masked.size;
    const text = this.ip(inside, p.end, p.quoted);
    if (summed && this.masked.size > before) this.masked.add(p.at + 4).add(p.at + 5);
    return `${head} | ${text}`;
  }
}

const addresses = (p: Place): string => `${addressText(p.src)} > ${addressText(p.dst)}`;
const endpoint = (addr: Uint8Array, port: number): string => endpointText(addr, `${port}`);
const endpointText = (addr: Uint8Array, port: string): string =>
  addr.length === 4 ? `${addressText(addr)}:${port}` : `[${addressText(addr)}]:${port}`;

export const frameBytes = (dst: Uint8Array, src: Uint8Array, ip: Uint8Array): Uint8Array =>
  concat(dst, src, ip[0]! >>> 4 === 4 ? Uint8Array.of(8, 0) : Uint8Array.of(0x86, 0xdd), ip);
