import { errorPacket } from "../src/director/model/errors.ts";
import type { Hop, World } from "../src/director/model/world.ts";
import { looksUnicast } from "../src/director/validate.ts";
import { type Ip, ipFromBytes } from "../src/net/ip.ts";
import { type Mac, macFromBytes } from "../src/net/mac.ts";
import { eth, ipv4, ipv6 } from "../src/wire/build.ts";
import type { SideLetter } from "./topology.ts";

/** As much of a network stack as the cases need behind the model: it forwards, and refuses what no socket wants. */
export interface Sent {
  readonly side: SideLetter;
  readonly frame: Uint8Array;
}

export const IFINDEX: Readonly<Record<SideLetter, number>> = { c: 1, r: 2 };
export const sideOf = (ifindex: number): SideLetter => (ifindex === IFINDEX.c ? "c" : "r");

type Resolved = Hop & { readonly state: "resolved" };

interface Packet {
  readonly frame: Uint8Array;
  readonly view: DataView;
  readonly isSix: boolean;
  readonly protocol: number;
  /** Offsets of the transport header and of the end. */
  readonly at: number;
  readonly end: number;
  readonly src: Ip;
  readonly dst: Ip;
}

function read(frame: Uint8Array): Packet {
  const view = new DataView(frame.buffer, frame.byteOffset);
  const isSix = frame[12] === 0x86;
  const [from, size] = isSix ? [22, 16] : [26, 4];
  return {
    ...{ frame, view, isSix, protocol: isSix ? frame[20]! : frame[23]! },
    at: isSix ? 54 : 14 + (frame[14]! & 15) * 4,
    end: isSix ? 54 + view.getUint16(18) : 14 + view.getUint16(16),
    src: ipFromBytes(frame.slice(from, from + size)),
    dst: ipFromBytes(frame.slice(from + size, from + 2 * size)),
  };
}

export function stack(world: World, frame: Uint8Array): Sent[] {
  const packet = read(frame);
  const hop = world.hop(packet.dst);
  const back = world.hop(packet.src);
  if (!looksUnicast(packet.dst)) return [];
  const isLaterFragment = !packet.isSix && (packet.view.getUint16(20) & 0x1fff) !== 0;
  if (isLaterFragment && hop.state === "local") return []; // the stack waits for the rest
  if (hop.state === "local") return back.state === "resolved" ? receive(packet, back) : [];
  if (hop.state !== "resolved") return [];
  const ttl = packet.isSix ? frame[21]! : frame[22]!;
  if (ttl > 1) return [forward(packet, hop)];
  const [type, code] = packet.isSix ? [3, 0] : [11, 0];
  return back.state === "resolved" ? [complain(packet, back, type, code, back.source)] : [];
}

function forward({ frame, isSix }: Packet, hop: Resolved): Sent {
  const copy = frame.slice();
  copy.set(hop.macs);
  if (isSix) copy[21]!--;
  else {
    copy[22]!--;
    const view = new DataView(copy.buffer);
    const sum = view.getUint16(24) + 0x100; // RFC 1141
    view.setUint16(24, sum >= 0xffff ? sum + 1 : sum);
  }
  return { side: sideOf(hop.ifindex), frame: copy };
}

/** There are no sockets: TCP is reset, a ping is answered, all else is unreachable. */
function receive(packet: Packet, back: Resolved): Sent[] {
  const { isSix, protocol, frame, at } = packet;
  if (protocol === 6) return frame[at + 13]! & 4 ? [] : [reset(packet, back)];
  if (protocol === 17) return [isSix ? complain(packet, back, 1, 4) : complain(packet, back, 3, 3)];
  if (protocol === 1 || protocol === 58) return frame[at] === 8 || frame[at] === 128 ? [pong(packet, back)] : [];
  return [isSix ? complain(packet, back, 4, 1) : complain(packet, back, 3, 2)];
}

const macOf = (bytes: Uint8Array): Mac => macFromBytes(bytes)!;
const ethTo = ({ macs }: Resolved) => eth(macOf(macs.slice(6)), macOf(macs.slice(0, 6)));

/** RFC 9293 section 3.10.7.1. */
function reset({ frame, view, isSix, at, end, src, dst }: Packet, back: Resolved): Sent {
  const flags = frame[at + 13]!;
  const length = end - at - (frame[at + 12]! >> 4) * 4 + (flags & 1) + ((flags >> 1) & 1);
  const isAck = (flags & 16) !== 0;
  const options = isAck ? { seq: view.getUint32(at + 8) } : { ack: (view.getUint32(at + 4) + length) >>> 0 };
  const packet = isSix ? ethTo(back).ipv6(dst, src) : ethTo(back).ipv4(dst, src, { df: true });
  const answer = packet.tcp(view.getUint16(at + 2), view.getUint16(at), isAck ? "R" : "RA", { ...options, window: 0 });
  return { side: sideOf(back.ifindex), frame: answer.bytes() };
}

function pong({ frame, view, isSix, at, end, src, dst }: Packet, back: Resolved): Sent {
  const options = { rest: view.getUint32(at + 4), payload: frame.slice(at + 8, end) };
  const packet = isSix ? ipv6(dst, src).icmpv6(129, 0, options) : ipv4(dst, src).icmp(0, 0, options);
  return { side: sideOf(back.ifindex), frame: framed(packet.bytes(), isSix, back) };
}

function complain({ frame, isSix, end }: Packet, back: Resolved, type: number, code: number, from?: Ip): Sent {
  const error = errorPacket(isSix ? "ipv6" : "ipv4", type, code, 0, frame.slice(14, end), Math.random, from);
  return { side: sideOf(back.ifindex), frame: framed(error, isSix, back) };
}

const framed = (packet: Uint8Array, isSix: boolean, { macs }: Resolved): Uint8Array =>
  Uint8Array.from([...macs, ...(isSix ? [0x86, 0xdd] : [8, 0]), ...packet]);
