import { addressBytes, bytesOf, checksum, concat, crc32c, pseudoHeader, put16, put32 } from "./bytes.ts";

/**
 * One line of words becomes the bytes of IP packets (several when `fragments=` cuts it up):
 *
 *   KIND SRC > DST [WORD...] [name=value...] [| packet inside]
 *
 * KIND is tcp udp sctp icmp ipip gue gre or ip; the README lists the names. Unknown names are refused.
 */
export interface PacketSpec {
  readonly kind: string;
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
  readonly sport: number;
  readonly dport: number;
  readonly words: readonly string[];
  readonly options: ReadonlyMap<string, string>;
  readonly inside?: PacketSpec;
}

const OPTIONS = new Set(
  "ttl tos id df payload csum seq ack win opts mtu chunks quote proto fragments only tag field key spi hopopts".split(" "),
);

export const DEFAULT_ID = 0x1234;

/** "10.1.0.3:80", "[fd01::3]:80" or a bare address. */
export function parseEndpoint(text: string): { addr: string; port: number } {
  const v6 = /^\[(.+)\]:(\d+)$/.exec(text);
  if (v6) return { addr: v6[1]!, port: Number(v6[2]) };
  const v4 = /^([\d.]+):(\d+)$/.exec(text);
  if (v4) return { addr: v4[1]!, port: Number(v4[2]) };
  return { addr: text, port: 0 };
}

export function parsePacket(words: readonly string[]): PacketSpec {
  const bar = words.indexOf("|");
  const own = bar < 0 ? words : words.slice(0, bar);
  const [kind, from, arrow, to, ...rest] = own;
  if (kind === undefined || from === undefined || arrow !== ">" || to === undefined) {
    throw new Error(`expected "KIND SRC > DST", got "${own.join(" ")}"`);
  }
  const src = parseEndpoint(from);
  const dst = parseEndpoint(to);
  const options = new Map(
    rest.filter((w) => w.includes("=")).map((w) => [w.slice(0, w.indexOf("=")), w.slice(w.indexOf("=") + 1)]),
  );
  for (const name of options.keys()) if (!OPTIONS.has(name)) throw new Error(`unknown packet option ${name}=`);
  const spec = {
    kind,
    src: addressBytes(src.addr),
    dst: addressBytes(dst.addr),
    sport: src.port,
    dport: dst.port,
    words: rest.filter((w) => !w.includes("=")),
    options,
  };
  return bar < 0 ? spec : { ...spec, inside: parsePacket(words.slice(bar + 1)) };
}

/** The IP packets of a spec: one, or its fragments in order (`only=N` picks one of them, counted from 1). */
export function craft(spec: PacketSpec): Uint8Array[] {
  const body = transport(spec);
  const size = number(spec, "fragments", 0);
  if (size === 0) return [ipPacket(spec, body.protocol, body.bytes, 0, false)];
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < body.bytes.length; at += size) {
    const more = at + size < body.bytes.length;
    pieces.push(ipPacket(spec, body.protocol, body.bytes.subarray(at, at + size), at, more));
  }
  const only = number(spec, "only", 0);
  return only === 0 ? pieces : pieces.slice(only - 1, only);
}

function number(spec: PacketSpec, name: string, otherwise: number): number {
  const text = spec.options.get(name);
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isFinite(value)) throw new Error(`${name}=${text} is not a number`);
  return value;
}

/** Text with %xx escapes, `*1000` for so many bytes 0 1 2 …, or `hex:…`. */
function payload(spec: PacketSpec): Uint8Array {
  const text = spec.options.get("payload") ?? "";
  if (text.startsWith("*")) return Uint8Array.from({ length: Number(text.slice(1)) }, (_, i) => i & 255);
  if (text.startsWith("hex:")) return bytesOf(text.slice(4));
  return Uint8Array.from(Buffer.from(decodeURIComponent(text), "utf8"));
}

function ipPacket(spec: PacketSpec, protocol: number, body: Uint8Array, offset: number, more: boolean): Uint8Array {
  return spec.src.length === 4 ? ipv4(spec, protocol, body, offset, more) : ipv6(spec, protocol, body, offset, more);
}

function ipv4(spec: PacketSpec, protocol: number, body: Uint8Array, offset: number, more: boolean): Uint8Array {
  const head = new Uint8Array(20);
  head[0] = 0x45;
  head[1] = number(spec, "tos", 0);
  put16(head, 2, 20 + body.length);
  put16(head, 4, number(spec, "id", DEFAULT_ID));
  put16(head, 6, (number(spec, "df", 0) << 14) | (more ? 0x2000 : 0) | (offset >> 3));
  head[8] = number(spec, "ttl", 64);
  head[9] = protocol;
  head.set(spec.src, 12);
  head.set(spec.dst, 16);
  put16(head, 10, checksum(head));
  return concat(head, body);
}

function ipv6(spec: PacketSpec, protocol: number, body: Uint8Array, offset: number, more: boolean): Uint8Array {
  const extensions: Uint8Array[] = [];
  let next = protocol;
  if (offset > 0 || more) {
    const fragment = new Uint8Array(8);
    fragment[0] = next;
    put16(fragment, 2, offset | (more ? 1 : 0));
    put32(fragment, 4, number(spec, "id", DEFAULT_ID));
    extensions.push(fragment);
    next = 44;
  }
  if (spec.options.has("hopopts")) {
    extensions.unshift(Uint8Array.of(next, 0, 1, 4, 0, 0, 0, 0));
    next = 0;
  }
  const head = new Uint8Array(40);
  put32(head, 0, 0x60000000 + number(spec, "tos", 0) * 0x100000);
  put16(head, 4, body.length + extensions.reduce((n, e) => n + e.length, 0));
  head[6] = next;
  head[7] = number(spec, "ttl", 64);
  head.set(spec.src, 8);
  head.set(spec.dst, 24);
  return concat(head, ...extensions, body);
}

function transport(spec: PacketSpec): { protocol: number; bytes: Uint8Array } {
  switch (spec.kind) {
    case "tcp":
      return { protocol: 6, bytes: withChecksum(spec, tcp(spec), 6, 16) };
    case "udp":
      return { protocol: 17, bytes: withChecksum(spec, udp(spec, payload(spec)), 17, 6) };
    case "sctp":
      return { protocol: 132, bytes: sctp(spec) };
    case "icmp":
      return icmp(spec);
    case "ipip":
      return { protocol: innerProtocol(spec), bytes: inner(spec) };
    case "gue":
      return {
        protocol: 17,
        bytes: withChecksum(spec, udp(spec, concat(Uint8Array.of(0, innerProtocol(spec), 0, 0), inner(spec))), 17, 6),
      };
    case "gre":
      return { protocol: 47, bytes: gre(spec) };
    case "ip":
      return { protocol: number(spec, "proto", 99), bytes: payload(spec) };
    default:
      throw new Error(`unknown packet kind ${spec.kind}`);
  }
}

function withChecksum(spec: PacketSpec, bytes: Uint8Array, protocol: number, at: number): Uint8Array {
  const wanted = spec.options.get("csum");
  if (wanted === "0") return bytes;
  const sum = checksum(pseudoHeader(spec.src, spec.dst, protocol, bytes.length), bytes);
  put16(bytes, at, (wanted === "bad" ? sum ^ 0x5555 : sum) || (protocol === 17 ? 0xffff : 0));
  return bytes;
}

const TCP_FLAGS = "FSRPAUEC";

function tcp(spec: PacketSpec): Uint8Array {
  const opts = bytesOf(spec.options.get("opts") ?? "");
  const head = new Uint8Array(20 + Math.ceil(opts.length / 4) * 4);
  put16(head, 0, spec.sport);
  put16(head, 2, spec.dport);
  put32(head, 4, number(spec, "seq", 1000));
  put32(head, 8, number(spec, "ack", 0));
  head[12] = (head.length / 4) << 4;
  const flags = spec.words[0] ?? "S";
  head[13] = flags === "none" ? 0 : [...flags].reduce((bits, letter) => bits | (1 << TCP_FLAGS.indexOf(letter)), 0);
  put16(head, 14, number(spec, "win", 8192));
  head.set(opts, 20);
  return concat(head, payload(spec));
}

function udp(spec: PacketSpec, body: Uint8Array): Uint8Array {
  const head = new Uint8Array(8);
  put16(head, 0, spec.sport);
  put16(head, 2, spec.dport);
  put16(head, 4, 8 + body.length);
  return concat(head, body);
}

/** Chunk types by name (RFC 9260 section 3.2). */
const CHUNKS: Record<string, number> = {
  DATA: 0,
  INIT: 1,
  INIT_ACK: 2,
  SACK: 3,
  HEARTBEAT: 4,
  HEARTBEAT_ACK: 5,
  ABORT: 6,
  SHUTDOWN: 7,
  SHUTDOWN_ACK: 8,
  ERROR: 9,
  COOKIE_ECHO: 10,
  COOKIE_ACK: 11,
  SHUTDOWN_COMPLETE: 14,
};

function chunk(name: string): Uint8Array {
  const type = CHUNKS[name];
  if (type === undefined) throw new Error(`unknown SCTP chunk ${name}`);
  const length = type === 1 || type === 2 ? 20 : type === 0 || type === 3 ? 16 : type === 7 ? 8 : 4;
  const bytes = new Uint8Array(length);
  bytes[0] = type;
  put16(bytes, 2, length);
  return bytes;
}

function sctp(spec: PacketSpec): Uint8Array {
  const head = new Uint8Array(12);
  put16(head, 0, spec.sport);
  put16(head, 2, spec.dport);
  put32(head, 4, number(spec, "tag", 1));
  const bytes = concat(head, ...(spec.options.get("chunks") ?? "INIT").split(",").map(chunk));
  const sum = crc32c(bytes);
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(8, spec.options.get("csum") === "bad" ? sum ^ 0x55 : sum, true);
  return bytes;
}

/** `csum=plain` leaves the pseudo header out of an ICMPv6 checksum. The first word is type/code; `field=` (or `mtu=`) fills the second 32 bits; `quote=` cuts the packet inside. */
function icmp(spec: PacketSpec): { protocol: number; bytes: Uint8Array } {
  const v6 = spec.src.length === 16;
  const [type, code] = (spec.words[0] ?? "").split("/").map(Number);
  const head = new Uint8Array(8);
  head[0] = type ?? 0;
  head[1] = code ?? 0;
  put32(head, 4, number(spec, "field", number(spec, "mtu", 0)));
  const quoted = spec.inside === undefined ? payload(spec) : craft(spec.inside)[0]!.slice(0, number(spec, "quote", 65535));
  const bytes = concat(head, quoted);
  if (v6 && spec.options.get("csum") !== "plain") return { protocol: 58, bytes: withChecksum(spec, bytes, 58, 2) };
  put16(bytes, 2, checksum(bytes) ^ (spec.options.get("csum") === "bad" ? 0x5555 : 0));
  return { protocol: v6 ? 58 : 1, bytes };
}

const innerProtocol = (spec: PacketSpec): number => (spec.inside?.src.length === 16 ? 41 : 4);

function inner(spec: PacketSpec): Uint8Array {
  if (spec.inside === undefined) throw new Error(`${spec.kind} needs "| packet inside"`);
  return craft(spec.inside)[0]!;
}

function gre(spec: PacketSpec): Uint8Array {
  const body = inner(spec);
  const summed = spec.words.includes("csum");
  const head = new Uint8Array(summed ? 8 : 4);
  put16(head, 0, summed ? 0x8000 : 0);
  put16(head, 2, innerProtocol(spec) === 41 ? 0x86dd : 0x0800);
  if (summed) put16(head, 4, checksum(head, body));
  return concat(head, body);
}
