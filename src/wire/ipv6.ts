import { type Ip, ipFromBytes } from "../net/ip.ts";

export const IPV6_HEADER = 40; // bytes

/** One IPv6 header inside a larger buffer (RFC 8200 section 3), read in place. */
export class Ipv6View {
  readonly view: DataView;
  readonly at: number;
  constructor(view: DataView, at: number) {
    this.view = view;
    this.at = at;
  }

  /** Why this header must not be read, or undefined when every getter is safe. */
  problem(): "truncated" | "version" | "total-length" | undefined {
    const room = this.view.byteLength - this.at;
    if (room < IPV6_HEADER) return "truncated";
    if (this.version !== 6) return "version";
    return this.totalLength > room ? "total-length" : undefined;
  }

  get version(): number {
    return this.view.getUint8(this.at) >>> 4;
  }
  get trafficClass(): number {
    return (this.view.getUint16(this.at) >>> 4) & 255;
  }
  get flowLabel(): number {
    return this.view.getUint32(this.at) & 0xfffff;
  }
  get payloadLength(): number {
    return this.view.getUint16(this.at + 4);
  }
  get nextHeader(): number {
    return this.view.getUint8(this.at + 6);
  }
  get hopLimit(): number {
    return this.view.getUint8(this.at + 7);
  }
  get src(): Ip {
    return addressAt(this.view, this.at + 8);
  }
  get dst(): Ip {
    return addressAt(this.view, this.at + 24);
  }
  /** Header and payload, bytes. */
  get totalLength(): number {
    return IPV6_HEADER + this.payloadLength;
  }
}

const addressAt = (view: DataView, at: number): Ip => ipFromBytes(new Uint8Array(view.buffer, view.byteOffset + at, 16));

/** What stands behind the extension headers. */
export interface Upper {
  /** The protocol of the transport header (or AH, ESP, "no next header"). */
  readonly protocol: number;
  readonly at: number;
  readonly fragment: undefined | { readonly offset: number; readonly more: boolean };
}

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const DESTINATION = 60;
const MAX_EXTENSIONS = 8;

/** Walks the extension headers (RFC 8200 section 4) up to the upper-layer header. */
export function upperOf(ip: Pick<Ipv6View, "view" | "at" | "nextHeader" | "totalLength">): Upper | "truncated" {
  const end = ip.at + ip.totalLength;
  let protocol = ip.nextHeader;
  let at = ip.at + IPV6_HEADER;
  let fragment: Upper["fragment"];
  for (let n = 0; n < MAX_EXTENSIONS && isExtension(protocol); n++) {
    if (at + 8 > end) return "truncated";
    const next = ip.view.getUint8(at);
    if (protocol === FRAGMENT) {
      const word = ip.view.getUint16(at + 2);
      fragment = { offset: word & 0xfff8, more: (word & 1) === 1 };
    }
    at += protocol === FRAGMENT ? 8 : (ip.view.getUint8(at + 1) + 1) * 8;
    protocol = next;
    if (fragment !== undefined && fragment.offset > 0) break; // what follows is the middle of something
  }
  return at > end ? "truncated" : { protocol, at, fragment };
}

const isExtension = (protocol: number): boolean =>
  protocol === HOP_BY_HOP || protocol === ROUTING || protocol === FRAGMENT || protocol === DESTINATION;
