/**
 * Netlink messages and attributes (RFC 3549; netlink(7)). Everything is in the byte order of the host and aligned to
 * four bytes. Parsers never throw and always end, whatever the bytes: what does not fit is left out.
 */

/** The byte order of the machine, as DataView wants to hear it. */
export const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

export const HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
/** NLA_F_NESTED and NLA_F_NET_BYTEORDER, which are no part of an attribute's number. */
const ATTRIBUTE_FLAGS = 0xc000;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

export const NLM_F_REQUEST = 1;
export const NLM_F_MULTI = 2;
export const NLM_F_ACK = 4;
/** The dump was disturbed by a change and must be repeated. */
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Port id: of the asker in an answer, 0 in the kernel's own notifications. */
  readonly port: number;
  /** A view of the bytes that were parsed, without the header. */
  readonly payload: Uint8Array;
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const aligned = (length: number): number => (length + 3) & ~3;

/** The messages of one datagram, in order, up to the first that does not fit. */
export function parseMessages(bytes: Uint8Array): NetlinkMessage[] {
  const view = viewOf(bytes);
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const length = view.getUint32(at, littleEndian);
    if (length < HEADER_BYTES || length > bytes.length - at) break;
    messages.push({
      type: view.getUint16(at + 4, littleEndian),
      flags: view.getUint16(at + 6, littleEndian),
      sequence: view.getUint32(at + 8, littleEndian),
      port: view.getUint32(at + 12, littleEndian),
      payload: bytes.subarray(at + HEADER_BYTES, at + length),
    });
    at += length + ((4 - (length & 3)) & 3);
  }
  return messages;
}

/** One message, padded so that another may follow. */
export function emitMessage(message: NetlinkMessage): Uint8Array {
  const length = HEADER_BYTES + message.payload.length;
  const bytes = new Uint8Array(aligned(length));
  const view = viewOf(bytes);
  view.setUint32(0, length, littleEndian);
  view.setUint16(4, message.type, littleEndian);
  view.setUint16(6, message.flags, littleEndian);
  view.setUint32(8, message.sequence, littleEndian);
  view.setUint32(12, message.port, littleEndian);
  bytes.set(message.payload, HEADER_BYTES);
  return bytes;
}

/** What the kernel says about a request: an errno (positive; 0: done) and its own words, if it has any. */
export interface NetlinkAnswer {
  readonly errno: number;
  readonly text: string;
}

/** Reads an NLMSG_ERROR (which is also the acknowledgement) or the end of a dump; undefined for other messages. */
export function parseAnswer(message: NetlinkMessage): NetlinkAnswer | undefined {
  const { type, flags, payload } = message;
  if (type !== NLMSG_ERROR && type !== NLMSG_DONE) return undefined;
  if (payload.length < 4) return { errno: 0, text: "" };
  const view = viewOf(payload);
  const errno = Math.abs(view.getInt32(0, littleEndian));
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno, text: "" };
  // An error repeats the request: its header only when "capped", else all of it.
  let at = 4;
  if (type === NLMSG_ERROR) {
    if (payload.length < 4 + HEADER_BYTES) return { errno, text: "" };
    at += (flags & NLM_F_CAPPED) !== 0 ? HEADER_BYTES : Math.max(HEADER_BYTES, aligned(view.getUint32(4, littleEndian)));
  }
  return { errno, text: readText(parseAttributes(payload, at).get(NLMSGERR_ATTR_MSG)) };
}

/** Attributes by number; of two with the same number the last, as in the kernel. */
export type Attributes = ReadonlyMap<number, Uint8Array>;

export function parseAttributes(bytes: Uint8Array, at = 0): Attributes {
  const attributes = new Map<number, Uint8Array>();
  for (const [type, value] of attributeList(bytes, at)) attributes.set(type, value);
  return attributes;
}

/** Attributes in order, for lists whose members share a number. */
export function attributeList(bytes: Uint8Array, from = 0): [type: number, value: Uint8Array][] {
  const view = viewOf(bytes);
  const list: [number, Uint8Array][] = [];
  for (let at = from; at + ATTRIBUTE_HEADER_BYTES <= bytes.length; ) {
    const length = view.getUint16(at, littleEndian);
    if (length < ATTRIBUTE_HEADER_BYTES || length > bytes.length - at) break;
    const type = view.getUint16(at + 2, littleEndian) & ~ATTRIBUTE_FLAGS;
    list.push([type, bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length)]);
    at += aligned(length);
  }
  return list;
}

/** One attribute, padded. */
export function attribute(type: number, value: Uint8Array): Uint8Array {
  const length = ATTRIBUTE_HEADER_BYTES + value.length;
  const bytes = new Uint8Array(aligned(length));
  const view = viewOf(bytes);
  view.setUint16(0, length, littleEndian);
  view.setUint16(2, type, littleEndian);
  bytes.set(value, ATTRIBUTE_HEADER_BYTES);
  return bytes;
}

const NLA_F_NESTED = 0x8000;
/** An attribute made of attributes. */
export const nested = (type: number, ...members: readonly Uint8Array[]): Uint8Array =>
  attribute(type | NLA_F_NESTED, concat(members));

/** For attributes that are only there at times. */
export const optional = <T>(value: T | undefined, emit: (value: T) => Uint8Array): Uint8Array =>
  value === undefined ? NOTHING : emit(value);
const NOTHING = new Uint8Array(0);

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function uint32Bytes(n: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, n, littleEndian);
  return bytes;
}

/** A number of four bytes, undefined where there are fewer. */
export const readUint32 = (bytes: Uint8Array | undefined): number | undefined =>
  bytes === undefined || bytes.length < 4 ? undefined : viewOf(bytes).getUint32(0, littleEndian);

/** Text with its closing zero. */
export const textBytes = (text: string): Uint8Array => new TextEncoder().encode(`${text}\0`);

/** Text up to the first zero; "" where there is none. */
export function readText(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return "";
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
