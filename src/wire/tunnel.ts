/** What stands between an outer IP header and a packet in a tunnel: nothing (RFC 2003, 2473), GRE or GUE. */

export const GRE_HEADER = 4; // bytes, without checksum
export const GUE_HEADER = 4; // bytes, without optional fields

/** A GRE header (RFC 2784, RFC 2890), read in place. */
export class GreView {
  readonly view: DataView;
  readonly at: number;
  constructor(view: DataView, at: number) {
    this.view = view;
    this.at = at;
  }

  problem(): "truncated" | "version" | undefined {
    if (this.at + GRE_HEADER > this.view.byteLength || this.payloadAt > this.view.byteLength) return "truncated";
    return (this.flags & 7) === 0 ? undefined : "version";
  }

  get flags(): number {
    return this.view.getUint16(this.at);
  }
  /** An EtherType. */
  get protocol(): number {
    return this.view.getUint16(this.at + 2);
  }
  get hasChecksum(): boolean {
    return (this.flags & 0x8000) !== 0;
  }
  /** With a checksum only. */
  get checksum(): number {
    return this.view.getUint16(this.at + 4);
  }
  /** Behind the words for checksum, key and sequence number, as far as they are there. */
  get payloadAt(): number {
    const words = [0x8000, 0x2000, 0x1000].filter((bit) => (this.flags & bit) !== 0);
    return this.at + GRE_HEADER + 4 * words.length;
  }
}

/** A GUE version 0 header, behind UDP (spec 5.5), read in place. */
export class GueView {
  readonly view: DataView;
  readonly at: number;
  constructor(view: DataView, at: number) {
    this.view = view;
    this.at = at;
  }

  problem(): "truncated" | "version" | "control" | undefined {
    if (this.at + GUE_HEADER > this.view.byteLength || this.payloadAt > this.view.byteLength) return "truncated";
    const first = this.view.getUint8(this.at);
    if (first >>> 6 !== 0) return "version";
    return first & 0x20 ? "control" : undefined;
  }

  /** Bytes of optional fields behind the header. */
  get optionsLength(): number {
    return (this.view.getUint8(this.at) & 31) * 4;
  }
  /** An IP protocol: 4 or 41. */
  get protocol(): number {
    return this.view.getUint8(this.at + 1);
  }
  get flags(): number {
    return this.view.getUint16(this.at + 2);
  }
  get payloadAt(): number {
    return this.at + GUE_HEADER + this.optionsLength;
  }
}
