import { type Family, type Ip, ipBytes, ipFromBytes } from "../../net/ip.ts";

/** Addresses, ports and protocol of a packet. */
export interface Flow {
  readonly family: Family;
  readonly protocol: number;
  /** Source and destination address in network order: 8 or 32 bytes. */
  readonly addresses: Uint8Array;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** The same in one text of one character a byte: what tables are keyed by. */
  readonly key: string;
}

export function flowOf(
  family: Family,
  protocol: number,
  addresses: Uint8Array,
  sourcePort: number,
  destinationPort: number,
): Flow {
  const ports = String.fromCharCode(sourcePort >>> 8, sourcePort & 255, destinationPort >>> 8, destinationPort & 255);
  const key = String.fromCharCode(protocol) + Buffer.from(addresses).toString("latin1") + ports;
  return { family, protocol, addresses, sourcePort, destinationPort, key };
}

export function flowBetween(
  family: Family,
  protocol: number,
  source: Ip,
  sourcePort: number,
  destination: Ip,
  destinationPort: number,
): Flow {
  const addresses = Uint8Array.from([...ipBytes(source), ...ipBytes(destination)]);
  return flowOf(family, protocol, addresses, sourcePort, destinationPort);
}

/** The same flow as its other end writes it. */
export function reversed({ family, protocol, addresses, sourcePort, destinationPort }: Flow): Flow {
  const half = addresses.length / 2;
  const swapped = Uint8Array.from([...addresses.subarray(half), ...addresses.subarray(0, half)]);
  return flowOf(family, protocol, swapped, destinationPort, sourcePort);
}

export const sourceOf = (flow: Flow): Ip => ipFromBytes(flow.addresses.slice(0, flow.addresses.length / 2));
export const destinationOf = (flow: Flow): Ip => ipFromBytes(flow.addresses.slice(flow.addresses.length / 2));
