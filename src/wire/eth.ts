import { type Mac, macFromBytes } from "../net/mac.ts";

export const ETH_HEADER = 14; // bytes
export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_IPV6 = 0x86dd;

/** An Ethernet II header at the start of a frame, without VLAN tags. */
export class EthView {
  readonly view: DataView;
  constructor(view: DataView) {
    this.view = view;
  }

  problem(): "truncated" | undefined {
    return this.view.byteLength < ETH_HEADER ? "truncated" : undefined;
  }

  get dst(): Mac {
    return macAt(this.view, 0);
  }
  get src(): Mac {
    return macAt(this.view, 6);
  }
  get type(): number {
    return this.view.getUint16(12);
  }
  /** Broadcast included. */
  get isMulticast(): boolean {
    return (this.view.getUint8(0) & 1) === 1;
  }
}

const macAt = (view: DataView, at: number): Mac => macFromBytes(new Uint8Array(view.buffer, view.byteOffset + at, 6))!;
