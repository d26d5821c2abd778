import { type Ip, ipBytes, ip as ipOf } from "../net/ip.ts";
import { mac, macBytes } from "../net/mac.ts";
import { checksumOf, crc32c, pseudoSum, sumOf } from "./checksum.ts";
import { ETH_HEADER, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "./eth.ts";
import { ICMP_HEADER } from "./icmp.ts";
import { IPV4_HEADER, Ipv4View, PROTOCOL } from "./ipv4.ts";
import { IPV6_HEADER } from "./ipv6.ts";
import { SCTP_HEADER } from "./sctp.ts";
import { TCP_HEADER } from "./tcp.ts";
import { UDP_HEADER } from "./udp.ts";

/**
 * Frames for tests, layer by layer; lengths, protocols and checksums follow from what is inside:
 * eth("02:…", "02:…").ipv4("192.0.2.7", "10.0.0.100").tcp(40000, 80, "S").bytes()
 * A packet in a packet is written as it is nested: ….ipv4(outer…).gre().ipv4(inner…).udp(…).
 */

type Bytes = Uint8Array | readonly number[] | string;

export interface Ipv4Options {
  readonly ttl?: number;
  readonly tos?: number;
  readonly id?: number;
  readonly df?: boolean;
  readonly moreFragments?: boolean;
  /** In bytes, a multiple of 8. */
  readonly fragmentOffset?: number;
  /** IP options, padded to words. */
  readonly options?: Bytes;
  /** For a payload that is not a layer. */
  readonly protocol?: number;
  /** Instead of the right one. */
  readonly checksum?: number;
}

export interface Ipv6Options {
  readonly hopLimit?: number;
  readonly trafficClass?: number;
  readonly flowLabel?: number;
  /** Extension headers: type and body without its first two bytes, to a multiple of 8 with them. */
  readonly extensions?: readonly { readonly type: number; readonly body: Bytes }[];
  /** For a payload that is not a layer. */
  readonly protocol?: number;
}

export interface TcpOptions {
  readonly seq?: number;
  readonly ack?: number;
  readonly window?: number;
  /** Padded to words. */
  readonly options?: Bytes;
  readonly payload?: Bytes;
  /** Instead of the right one. */
  readonly checksum?: number;
}

export interface UdpOptions {
  readonly payload?: Bytes;
  /** 0: none; otherwise instead of the right one. */
  readonly checksum?: number;
}

export interface IcmpOptions {
  /** The second word of the header: an MTU, or id and sequence. */
  readonly rest?: number;
  readonly payload?: Bytes;
  readonly checksum?: number;
}

export interface SctpOptions {
  readonly tag?: number;
  readonly chunks?: readonly { readonly type: number; readonly flags?: number; readonly body?: Bytes }[];
}

interface Layer {
  /** Its number in an IP header. */
  readonly protocol?: number;
  readonly etherType?: number;
  /** Of an IP layer. */
  readonly src?: Ip;
  readonly dst?: Ip;
  /** This layer and what it carries. */
  emit(inner: Uint8Array, next: Layer | undefined, outer: Layer | undefined): Uint8Array;
}

export class Frame {
  readonly #layers: readonly Layer[];
  constructor(layers: readonly Layer[] = []) {
    this.#layers = layers;
  }
  #with(layer: Layer): Frame {
    return new Frame([...this.#layers, layer]);
  }

  ipv4(src: string, dst: string, options: Ipv4Options = {}): Frame {
    return this.#with(ipv4Layer(ipOf(src), ipOf(dst), options));
  }
  ipv6(src: string, dst: string, options: Ipv6Options = {}): Frame {
    return this.#with(ipv6Layer(ipOf(src), ipOf(dst), options));
  }
  /** @param flags letters of "FSRPAUEC" */
  tcp(sourcePort: number, destinationPort: number, flags: string, options: TcpOptions = {}): Frame {
    return this.#with(tcpLayer(sourcePort, destinationPort, flags, options));
  }
  udp(sourcePort: number, destinationPort: number, options: UdpOptions = {}): Frame {
    return this.#with(udpLayer(sourcePort, destinationPort, options));
  }
  sctp(sourcePort: number, destinationPort: number, options: SctpOptions = {}): Frame {
    return this.#with(sctpLayer(sourcePort, destinationPort, options));
  }
  icmp(type: number, code: number, options: IcmpOptions = {}): Frame {
    return this.#with(icmpLayer(PROTOCOL.icmp, type, code, options));
  }
  icmpv6(type: number, code: number, options: IcmpOptions = {}): Frame {
    return this.#with(icmpLayer(PROTOCOL.icmpv6, type, code, options));
  }
  gre(options: { readonly checksum?: boolean } = {}): Frame {
    return this.#with(greLayer(options.checksum ?? false));
  }
  /** Behind udp(). */
  gue(): Frame {
    return this.#with({ emit: (inner, next) => concat([0, next?.protocol ?? PROTOCOL.none, 0, 0], inner) });
  }
  payload(bytes: Bytes): Frame {
    return this.#with({ emit: () => bytesOf(bytes) });
  }

  /** The frame, or the packet when it does not begin with eth(). */
  bytes(): Uint8Array {
    return this.#layers.reduceRight<Uint8Array>(
      (inner, layer, i) => layer.emit(inner, this.#layers[i + 1], this.#layers[i - 1]),
      new Uint8Array(),
    );
  }
}

export const eth = (src: string, dst: string): Frame =>
  new Frame([{ emit: (inner, next) => concat(macBytes(mac(dst)), macBytes(mac(src)), be16(next?.etherType ?? 0), inner) }]);

/** A packet without Ethernet: what an ICMP error quotes. */
export const ipv4 = (src: string, dst: string, options: Ipv4Options = {}): Frame => new Frame().ipv4(src, dst, options);
export const ipv6 = (src: string, dst: string, options: Ipv6Options = {}): Frame => new Frame().ipv6(src, dst, options);

/** The fragments of an IPv4 frame, each with at most `size` bytes of payload (a multiple of 8). */
export function fragments(frame: Uint8Array, size: number): Uint8Array[] {
  const ip = new Ipv4View(viewOf(frame), ETH_HEADER);
  const payload = frame.subarray(ip.payloadAt, ETH_HEADER + ip.totalLength);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const piece = concat(frame.subarray(0, ip.payloadAt), payload.subarray(at, at + size));
    const header = viewOf(piece);
    header.setUint16(ETH_HEADER + 2, piece.length - ETH_HEADER);
    header.setUint16(ETH_HEADER + 6, (at / 8) | (at + size < payload.length ? 0x2000 : 0));
    setChecksum(header, ETH_HEADER + 10, ETH_HEADER, ip.headerLength);
    pieces.push(piece);
  }
  return pieces;
}

function ipv4Layer(src: Ip, dst: Ip, options: Ipv4Options): Layer {
  return {
    ...{ protocol: PROTOCOL.ipip, etherType: ETHERTYPE_IPV4, src, dst },
    emit(inner, next) {
      const extra = padded(bytesOf(options.options ?? []));
      const header = viewOf(new Uint8Array(IPV4_HEADER + extra.length));
      const fragment = ((options.fragmentOffset ?? 0) / 8) | (options.df ? 0x4000 : 0) | (options.moreFragments ? 0x2000 : 0);
      header.setUint8(0, 0x40 | (header.byteLength / 4));
      header.setUint8(1, options.tos ?? 0);
      header.setUint16(2, header.byteLength + inner.length);
      header.setUint16(4, options.id ?? 0);
      header.setUint16(6, fragment);
      header.setUint8(8, options.ttl ?? 64);
      header.setUint8(9, options.protocol ?? next?.protocol ?? PROTOCOL.none);
      const bytes = concat(bytesAt(header, 0, 12), ipBytes(src), ipBytes(dst), extra);
      setChecksum(viewOf(bytes), 10, 0, bytes.length, 0, options.checksum);
      return concat(bytes, inner);
    },
  };
}

function ipv6Layer(src: Ip, dst: Ip, options: Ipv6Options): Layer {
  return {
    ...{ protocol: PROTOCOL.ipv6, etherType: ETHERTYPE_IPV6, src, dst },
    emit(inner, next) {
      let protocol = options.protocol ?? next?.protocol ?? PROTOCOL.none;
      let payload = inner;
      for (const { type, body } of (options.extensions ?? []).toReversed()) {
        const bytes = bytesOf(body);
        payload = concat([protocol, (bytes.length + 2) / 8 - 1], bytes, payload);
        protocol = type;
      }
      const header = viewOf(new Uint8Array(IPV6_HEADER));
      header.setUint32(0, ((6 << 28) | ((options.trafficClass ?? 0) << 20) | (options.flowLabel ?? 0)) >>> 0);
      header.setUint16(4, payload.length);
      header.setUint8(6, protocol);
      header.setUint8(7, options.hopLimit ?? 64);
      return concat(bytesAt(header, 0, 8), ipBytes(src), ipBytes(dst), payload);
    },
  };
}

function tcpLayer(sourcePort: number, destinationPort: number, flags: string, options: TcpOptions): Layer {
  return {
    protocol: PROTOCOL.tcp,
    emit(inner, _next, outer) {
      const extra = padded(bytesOf(options.options ?? []));
      const header = viewOf(new Uint8Array(TCP_HEADER));
      header.setUint16(0, sourcePort);
      header.setUint16(2, destinationPort);
      header.setUint32(4, options.seq ?? 0);
      header.setUint32(8, options.ack ?? 0);
      header.setUint8(12, ((TCP_HEADER + extra.length) / 4) << 4);
      header.setUint8(
        13,
        [...flags].reduce((bits, flag) => bits | (1 << "FSRPAUEC".indexOf(flag)), 0),
      );
      header.setUint16(14, options.window ?? 0x2000);
      const bytes = concat(bytesAt(header, 0, TCP_HEADER), extra, bytesOf(options.payload ?? []), inner);
      setChecksum(viewOf(bytes), 16, 0, bytes.length, pseudoOf(outer, PROTOCOL.tcp, bytes.length), options.checksum);
      return bytes;
    },
  };
}

function udpLayer(sourcePort: number, destinationPort: number, options: UdpOptions): Layer {
  return {
    protocol: PROTOCOL.udp,
    emit(inner, _next, outer) {
      const body = concat(bytesOf(options.payload ?? []), inner);
      const length = UDP_HEADER + body.length;
      const bytes = concat(be16(sourcePort), be16(destinationPort), be16(length), [0, 0], body);
      const view = viewOf(bytes);
      setChecksum(view, 6, 0, length, pseudoOf(outer, PROTOCOL.udp, length), options.checksum);
      if (options.checksum === undefined && view.getUint16(6) === 0) view.setUint16(6, 0xffff);
      return bytes;
    },
  };
}

function icmpLayer(protocol: number, type: number, code: number, options: IcmpOptions): Layer {
  return {
    protocol,
    emit(inner, _next, outer) {
      const header = viewOf(new Uint8Array(ICMP_HEADER));
      header.setUint8(0, type);
      header.setUint8(1, code);
      header.setUint32(4, options.rest ?? 0);
      const bytes = concat(bytesAt(header, 0, ICMP_HEADER), bytesOf(options.payload ?? []), inner);
      const pseudo = protocol === PROTOCOL.icmpv6 ? pseudoOf(outer, protocol, bytes.length) : 0;
      setChecksum(viewOf(bytes), 2, 0, bytes.length, pseudo, options.checksum);
      return bytes;
    },
  };
}

function sctpLayer(sourcePort: number, destinationPort: number, options: SctpOptions): Layer {
  return {
    protocol: PROTOCOL.sctp,
    emit(inner) {
      const chunks = (options.chunks ?? []).map(({ type, flags = 0, body = [] }) => {
        const bytes = bytesOf(body);
        return padded(concat([type, flags], be16(4 + bytes.length), bytes));
      });
      const header = viewOf(new Uint8Array(SCTP_HEADER));
      header.setUint16(0, sourcePort);
      header.setUint16(2, destinationPort);
      header.setUint32(4, options.tag ?? 1);
      const bytes = concat(bytesAt(header, 0, SCTP_HEADER), ...chunks, inner);
      viewOf(bytes).setUint32(8, crc32c(bytes), true);
      return bytes;
    },
  };
}

function greLayer(hasChecksum: boolean): Layer {
  return {
    protocol: PROTOCOL.gre,
    emit(inner, next) {
      const bytes = concat([hasChecksum ? 0x80 : 0, 0], be16(next?.etherType ?? 0), hasChecksum ? [0, 0, 0, 0] : [], inner);
      if (hasChecksum) setChecksum(viewOf(bytes), 4, 0, bytes.length);
      return bytes;
    },
  };
}

function pseudoOf(outer: Layer | undefined, protocol: number, length: number): number {
  return outer?.src && outer.dst ? pseudoSum(outer.src, outer.dst, protocol, length) : 0;
}

function setChecksum(view: DataView, field: number, at: number, length: number, pseudo = 0, instead?: number): void {
  view.setUint16(field, 0);
  view.setUint16(field, instead ?? checksumOf(pseudo + sumOf(view, at, length)));
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const bytesAt = (view: DataView, at: number, length: number): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset + at, length);
const be16 = (value: number): readonly number[] => [value >>> 8, value & 255];
const bytesOf = (bytes: Bytes): Uint8Array =>
  typeof bytes === "string" ? new TextEncoder().encode(bytes) : Uint8Array.from(bytes);
const padded = (bytes: Uint8Array): Uint8Array => concat(bytes, new Uint8Array(-bytes.length & 3));

function concat(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
