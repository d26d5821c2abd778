export const UDP_HEADER = 8; // bytes

/** One UDP header inside a larger buffer (RFC 768), read in place. */
export class UdpView {
  readonly view: DataView;
  readonly at: number;
  /** Of the IP packet. */
  readonly end: number;
  constructor(view: DataView, at: number, end: number) {
    this.view = view;
    this.at = at;
    this.end = end;
  }

  problem(): "truncated" | "length" | undefined {
    if (this.at + UDP_HEADER > this.end) return "truncated";
    return this.length < UDP_HEADER || this.at + this.length > this.end ? "length" : undefined;
  }

  get sourcePort(): number {
    return this.view.getUint16(this.at);
  }
  get destinationPort(): number {
    return this.view.getUint16(this.at + 2);
  }
  get length(): number {
    return this.view.getUint16(this.at + 4);
  }
  /** 0: none (IPv4 only). */
  get checksum(): number {
    return this.view.getUint16(this.at + 6);
  }
  get payloadAt(): number {
    return this.at + UDP_HEADER;
  }
}
