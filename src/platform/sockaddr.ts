import { Fault } from "../fault.ts";
import { familyOf, type Ip, ipBytes, ipFromBytes } from "../net/ip.ts";

/** The kernel's struct sockaddr_*, as values. */

const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const AF_PACKET = 17;

export type SocketAddress =
  /** `scope`: the link of a link-local IPv6 address, else 0. */
  | { readonly family: "ip"; readonly ip: Ip; readonly port: number; readonly scope: number }
  /** `port` 0 is the kernel. `groups`: a bit for each of the groups 1..32. */
  | { readonly family: "netlink"; readonly port: number; readonly groups: number }
  /** `kind` 0 to us, 1 broadcast, 2 multicast, 3 to others, 4 sent by this host. `address` has up to 8 bytes. */
  | {
      readonly family: "packet";
      readonly ifindex: number;
      readonly protocol: number;
      readonly kind: number;
      readonly address: Uint8Array;
    };

export const ipAddress = (ip: Ip, port = 0, scope = 0): SocketAddress => ({ family: "ip", ip, port, scope });
export const netlinkAddress = (port = 0, groups = 0): SocketAddress => ({ family: "netlink", port, groups });
/** @param protocol an EtherType */
export const packetAddress = (ifindex: number, protocol: number, address = new Uint8Array(0)): SocketAddress => ({
  family: "packet",
  ifindex,
  protocol,
  kind: 0,
  address,
});

export function toSocketAddress(address: SocketAddress): Uint8Array {
  switch (address.family) {
    case "ip":
      return familyOf(address.ip) === "ipv4" ? inet(address.ip, address.port) : inet6(address.ip, address.port, address.scope);
    case "netlink": {
      const { bytes, view } = zeroed(12, AF_NETLINK);
      view.setUint32(4, address.port, true);
      view.setUint32(8, address.groups, true);
      return bytes;
    }
    case "packet": {
      const { bytes, view } = zeroed(20, AF_PACKET);
      view.setUint16(2, address.protocol);
      view.setInt32(4, address.ifindex, true);
      view.setUint8(10, address.kind);
      view.setUint8(11, address.address.length);
      bytes.set(address.address, 12);
      return bytes;
    }
  }
}

/** Throws a Fault (EAFNOSUPPORT) for other families. */
export function fromSocketAddress(bytes: Uint8Array): SocketAddress {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const family = bytes.length < 2 ? 0 : view.getUint16(0, true);
  if (family === AF_INET && bytes.length >= 8) return ipAddress(ipFromBytes(bytes.slice(4, 8)), view.getUint16(2));
  if (family === AF_INET6 && bytes.length >= 28)
    return ipAddress(ipFromBytes(bytes.slice(8, 24)), view.getUint16(2), view.getUint32(24, true));
  if (family === AF_NETLINK && bytes.length >= 12) return netlinkAddress(view.getUint32(4, true), view.getUint32(8, true));
  if (family === AF_PACKET && bytes.length >= 12)
    return {
      family: "packet",
      protocol: view.getUint16(2),
      ifindex: view.getInt32(4, true),
      kind: view.getUint8(10),
      address: bytes.slice(12, 12 + view.getUint8(11)),
    };
  throw new Fault("socket address", "EAFNOSUPPORT", `family ${family}, ${bytes.length} bytes`);
}

function inet(ip: Ip, port: number): Uint8Array {
  const { bytes, view } = zeroed(16, AF_INET);
  view.setUint16(2, port);
  bytes.set(ipBytes(ip), 4);
  return bytes;
}

function inet6(ip: Ip, port: number, scope: number): Uint8Array {
  const { bytes, view } = zeroed(28, AF_INET6);
  view.setUint16(2, port);
  bytes.set(ipBytes(ip), 8);
  view.setUint32(24, scope, true);
  return bytes;
}

function zeroed(size: number, family: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, family, true);
  return { bytes, view };
}
