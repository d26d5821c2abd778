export const TCP_HEADER = 20; // bytes, without options
export const TCP_FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const;

export interface TcpOption {
  readonly kind: number;
  /** Of the kind byte. */
  readonly at: number;
  /** Kind and length bytes included. */
  readonly length: number;
}

/** One TCP header inside a larger buffer (RFC 9293 section 3.1), read in place. */
export class TcpView {
  readonly view: DataView;
  readonly at: number;
  /** Of the IP packet. */
  readonly end: number;
  constructor(view: DataView, at: number, end: number) {
    this.view = view;
    this.at = at;
    this.end = end;
  }

  problem(): "truncated" | "header-length" | undefined {
    if (this.at + TCP_HEADER > this.end) return "truncated";
    return this.headerLength < TCP_HEADER || this.at + this.headerLength > this.end ? "header-length" : undefined;
  }

  get sourcePort(): number {
    return this.view.getUint16(this.at);
  }
  get destinationPort(): number {
    return this.view.getUint16(this.at + 2);
  }
  get seq(): number {
    return this.view.getUint32(this.at + 4);
  }
  get ack(): number {
    return this.view.getUint32(this.at + 8);
  }
  get headerLength(): number {
    return (this.view.getUint8(this.at + 12) >>> 4) * 4;
  }
  get flags(): number {
    return this.view.getUint8(this.at + 13);
  }
  get window(): number {
    return this.view.getUint16(this.at + 14);
  }
  get checksum(): number {
    return this.view.getUint16(this.at + 16);
  }
  get urgent(): number {
    return this.view.getUint16(this.at + 18);
  }
  get payloadAt(): number {
    return this.at + this.headerLength;
  }

  /** NOPs and what follows an end mark or a wrong length are left out. */
  *options(): Iterable<TcpOption> {
    for (let at = this.at + TCP_HEADER; at < this.payloadAt; ) {
      const kind = this.view.getUint8(at);
      if (kind === 0) return;
      const length = kind === 1 ? 1 : at + 1 < this.payloadAt ? this.view.getUint8(at + 1) : 0;
      if (kind !== 1 && (length < 2 || at + length > this.payloadAt)) return;
      if (kind !== 1) yield { kind, at, length };
      at += length;
    }
  }
}
