import { type Ip, ipFromUint32, uint32FromIp } from "../net/ip.ts";
import { fold, sumOf } from "./checksum.ts";

export const IPV4_HEADER = 20; // bytes, without options

export const PROTOCOL = {
  icmp: 1,
  ipip: 4,
  tcp: 6,
  udp: 17,
  ipv6: 41,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  none: 59,
  sctp: 132,
} as const;

/** One IPv4 header inside a larger buffer (RFC 791 section 3.1), read and written in place. */
export class Ipv4View {
  readonly view: DataView;
  readonly at: number;
  constructor(view: DataView, at: number) {
    this.view = view;
    this.at = at;
  }

  /** Why this header must not be read, or undefined when every getter is safe. */
  problem(): "truncated" | "version" | "header-length" | "total-length" | undefined {
    const room = this.view.byteLength - this.at;
    if (room < IPV4_HEADER) return "truncated";
    if (this.version !== 4) return "version";
    if (this.headerLength < IPV4_HEADER || this.headerLength > room) return "header-length";
    if (this.totalLength < this.headerLength || this.totalLength > room) return "total-length";
    return undefined;
  }

  get version(): number {
    return this.view.getUint8(this.at) >>> 4;
  }
  get headerLength(): number {
    return (this.view.getUint8(this.at) & 15) * 4;
  }
  get tos(): number {
    return this.view.getUint8(this.at + 1);
  }
  get totalLength(): number {
    return this.view.getUint16(this.at + 2);
  }
  get id(): number {
    return this.view.getUint16(this.at + 4);
  }
  get dontFragment(): boolean {
    return (this.view.getUint8(this.at + 6) & 0x40) !== 0;
  }
  get moreFragments(): boolean {
    return (this.view.getUint8(this.at + 6) & 0x20) !== 0;
  }
  /** In bytes. */
  get fragmentOffset(): number {
    return (this.view.getUint16(this.at + 6) & 0x1fff) * 8;
  }
  get ttl(): number {
    return this.view.getUint8(this.at + 8);
  }
  get protocol(): number {
    return this.view.getUint8(this.at + 9);
  }
  get checksum(): number {
    return this.view.getUint16(this.at + 10);
  }
  set checksum(value: number) {
    this.view.setUint16(this.at + 10, value);
  }
  get src(): Ip {
    return ipFromUint32(this.view.getUint32(this.at + 12));
  }
  set src(value: Ip) {
    this.view.setUint32(this.at + 12, uint32FromIp(value));
  }
  get dst(): Ip {
    return ipFromUint32(this.view.getUint32(this.at + 16));
  }
  set dst(value: Ip) {
    this.view.setUint32(this.at + 16, uint32FromIp(value));
  }
  get payloadAt(): number {
    return this.at + this.headerLength;
  }
  get isChecksumRight(): boolean {
    return fold(sumOf(this.view, this.at, this.headerLength)) === 0xffff;
  }
}
