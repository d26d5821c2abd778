import { familyOf, type Ip, ipBytes, ipFromBytes, ip as ipOf } from "../net/ip.ts";
import { checksumOf, fold, pseudoSum, sumOf } from "./checksum.ts";

/** VRRP messages: version 2 (RFC 3768 section 5, RFC 2338 for authentication) and 3 (RFC 5798, RFC 9568 section 5); spec 3.2. */

export const IPPROTO_VRRP = 112;
/** Where adverts go unless configured otherwise. */
export const VRRP_GROUP4 = ipOf("224.0.0.18");
export const VRRP_GROUP6 = ipOf("ff02::12");

const HEADER = 8; // bytes
const AUTH_BYTES = 8;
const ADVERTISEMENT = 1;

export const AUTH = { none: 0, pass: 1, ah: 2 } as const;

/**
 * What a checksum covers besides the message. Version 2: nothing ("plain"). Version 3 over IPv6: a pseudo header. Version 3
 * over IPv4: a pseudo header (RFC 5798 as most read it), nothing (RFC 9568), or a pseudo header with the multicast group
 * though the packet is unicast ("old": keepalived before 1.3.6). Spec 3.3.
 */
export type VrrpSum = "plain" | "pseudo" | "old";

/** An advertisement. */
export interface Vrrp {
  readonly version: 2 | 3;
  readonly vrid: number;
  /** 0: the master stops; 255: it owns the addresses. */
  readonly priority: number;
  /** Between adverts, in centiseconds. Version 2 knows whole seconds up to 255, version 3 has 12 bits. */
  readonly interval: number;
  readonly addresses: readonly Ip[];
  /** Version 2: the type and eight bytes, which are there even for type 0. */
  readonly auth: VrrpAuth | undefined;
  readonly sum: VrrpSum;
}

export interface VrrpAuth {
  /** AUTH.*, or what else a peer wrote. */
  readonly type: number;
  readonly data: Uint8Array;
}

export type VrrpProblem = "length" | "version" | "type" | "checksum";

/** Source and destination of the IP packet that carries the message: the checksum may cover them. */
export interface Ends {
  readonly src: Ip;
  readonly dst: Ip;
}

/** The first word of a message, which says whose it is before it is looked at any closer. */
export function vridOf(message: Uint8Array): number | undefined {
  return message.length < 2 ? undefined : message[1];
}

/** Reads the payload of an IP packet, cut to what its header says. Never throws. */
export function parseVrrp(bytes: Uint8Array, ends: Ends): Vrrp | VrrpProblem {
  if (bytes.length < HEADER) return "length";
  const version = bytes[0]! >>> 4;
  const family = familyOf(ends.src);
  if (version !== 3 && (version !== 2 || family === "ipv6")) return "version";
  const width = family === "ipv4" ? 4 : 16;
  const count = bytes[3]!;
  const end = HEADER + count * width;
  if (bytes.length !== end + (version === 2 ? AUTH_BYTES : 0)) return "length";
  if ((bytes[0]! & 15) !== ADVERTISEMENT) return "type";
  const sum = sumForm(bytes, version, ends);
  if (sum === undefined) return "checksum";
  const view = viewOf(bytes);
  return {
    version,
    vrid: bytes[1]!,
    priority: bytes[2]!,
    interval: version === 2 ? bytes[5]! * 100 : view.getUint16(4) & 0xfff,
    addresses: Array.from({ length: count }, (_, i) => ipFromBytes(bytes.subarray(HEADER + i * width, HEADER + (i + 1) * width))),
    auth: version === 2 ? { type: bytes[4]!, data: new Uint8Array(bytes.subarray(end)) } : undefined,
    sum,
  };
}

/** Throws a RangeError for a value that no message can hold: it is a defect of the caller. */
export function emitVrrp(v: Vrrp, ends: Ends): Uint8Array {
  const list = v.addresses.map(ipBytes);
  const width = familyOf(ends.src) === "ipv4" ? 4 : 16;
  const most = v.version === 2 ? 25500 : 0xfff;
  if (!(v.interval >= 0 && v.interval <= most)) throw new RangeError(`an interval of ${v.interval} centiseconds`);
  if (list.length > 255 || list.some((each) => each.length !== width)) throw new RangeError("addresses that do not fit");
  const end = HEADER + list.length * width;
  const bytes = new Uint8Array(end + (v.version === 2 ? AUTH_BYTES : 0));
  const view = viewOf(bytes);
  bytes.set([(v.version << 4) | ADVERTISEMENT, v.vrid, v.priority, list.length]);
  if (v.version === 3) view.setUint16(4, v.interval);
  else bytes.set([v.auth?.type ?? AUTH.none, v.interval / 100], 4);
  list.forEach((each, i) => void bytes.set(each, HEADER + i * width));
  if (v.auth !== undefined && v.version === 2) bytes.set(v.auth.data.subarray(0, AUTH_BYTES), end);
  view.setUint16(6, checksumOf(covered(v.sum, v.version, bytes.length, ends) + sumOf(view, 0, bytes.length)));
  return bytes;
}

/** A password as eight bytes: cut, or filled up with zeros. */
export function passwordBytes(password: string): Uint8Array {
  const bytes = new Uint8Array(AUTH_BYTES);
  bytes.set(new TextEncoder().encode(password).subarray(0, AUTH_BYTES));
  return bytes;
}

/** Which of the forms the checksum is right in; the likeliest first. */
function sumForm(bytes: Uint8Array, version: number, ends: Ends): VrrpSum | undefined {
  const own = sumOf(viewOf(bytes), 0, bytes.length);
  return formsOf(version, ends).find((form) => fold(own + covered(form, version, bytes.length, ends)) === 0xffff);
}

function formsOf(version: number, ends: Ends): readonly VrrpSum[] {
  if (version === 2) return ["plain"];
  return familyOf(ends.src) === "ipv6" ? ["pseudo"] : ["pseudo", "plain", "old"];
}

/** The sum of what is covered besides the message. */
function covered(form: VrrpSum, version: number, length: number, { src, dst }: Ends): number {
  if (version === 2) return 0;
  if (familyOf(src) === "ipv6" || form === "pseudo") return pseudoSum(src, dst, IPPROTO_VRRP, length);
  return form === "old" ? pseudoSum(src, VRRP_GROUP4, IPPROTO_VRRP, length) : 0;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
