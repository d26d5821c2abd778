export const ICMP_HEADER = 8; // bytes

export const ICMP = {
  echoReply: 0,
  unreachable: 3,
  sourceQuench: 4,
  redirect: 5,
  echo: 8,
  timeExceeded: 11,
  parameterProblem: 12,
} as const;
export const ICMPV6 = { unreachable: 1, tooBig: 2, timeExceeded: 3, parameterProblem: 4, echo: 128, echoReply: 129 } as const;

/** One ICMP (RFC 792) or ICMPv6 (RFC 4443) header inside a larger buffer, read in place. */
export class IcmpView {
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
    return this.at + ICMP_HEADER > this.end ? "truncated" : undefined;
  }

  get type(): number {
    return this.view.getUint8(this.at);
  }
  get code(): number {
    return this.view.getUint8(this.at + 1);
  }
  get checksum(): number {
    return this.view.getUint16(this.at + 2);
  }
  /** The second word: unused, id and sequence, or an MTU. */
  get rest(): number {
    return this.view.getUint32(this.at + 4);
  }
  /** Of a "fragmentation needed" (RFC 1191) the low half of the second word. */
  get mtu(): number {
    return this.view.getUint16(this.at + 6);
  }
  /** Of an error: the packet it is about. */
  get quoteAt(): number {
    return this.at + ICMP_HEADER;
  }
}
