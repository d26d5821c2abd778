export const SCTP_HEADER = 12; // bytes

export const CHUNK = {
  ...{ data: 0, init: 1, initAck: 2, sack: 3, heartbeat: 4, heartbeatAck: 5, abort: 6, shutdown: 7, shutdownAck: 8 },
  ...{ error: 9, cookieEcho: 10, cookieAck: 11, ecne: 12, cwr: 13, shutdownComplete: 14 },
} as const;

/** One SCTP common header inside a larger buffer (RFC 9260 section 3), read in place. */
export class SctpView {
  readonly view: DataView;
  readonly at: number;
  /** Of the IP packet. */
  readonly end: number;
  constructor(view: DataView, at: number, end: number) {
    this.view = view;
    this.at = at;
    this.end = end;
  }

  problem(): "truncated" | undefined {
    return this.at + SCTP_HEADER > this.end ? "truncated" : undefined;
  }

  get sourcePort(): number {
    return this.view.getUint16(this.at);
  }
  get destinationPort(): number {
    return this.view.getUint16(this.at + 2);
  }
  get tag(): number {
    return this.view.getUint32(this.at + 4);
  }
  /** CRC32c of the packet with this field 0. */
  get checksum(): number {
    return this.view.getUint32(this.at + 8, true);
  }

  /** Types of the chunks whose headers fit. */
  *chunks(): Iterable<number> {
    for (let at = this.at + SCTP_HEADER; at + 4 <= this.end; ) {
      yield this.view.getUint8(at);
      const length = this.view.getUint16(at + 2);
      if (length < 4) return;
      at += (length + 3) & ~3;
    }
  }
}
