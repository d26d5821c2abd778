import { type Ip, ip } from "../src/net/ip.ts";
import { type Mac, mac } from "../src/net/mac.ts";
import { eth, type Frame, type Ipv4Options } from "../src/wire/build.ts";

/**
 * The network around the director in every case. Real servers and clients are named by their addresses, and an address tells
 * its Ethernet address: 10.x.0.n is 02:0x:00:00:00:nn.
 *
 *   clients 10.1.0.2-9 ──┐                 ┌── 10.2.0.11-19  real servers
 *   10.1.0.254, gateway ─┤  10.1.0.1       ├── 10.2.0.20     behind an MTU of 1000
 *    to 172.16.0.0/12    ├─ c0, 10         ├── 10.2.0.30     its MAC is not known
 *   10.1.0.21, a real ───┘  director  s0, 11  10.2.0.31     there is no route to it
 *    server beside them            10.2.0.1
 *
 * 203.0.113.0/24 cannot be reached: no route. The VIPs are on none of the interfaces, which XDP does not need.
 */

export const CLIENT_SIDE = 10; // ifindex
export const SERVER_SIDE = 11; // ifindex
export type Side = "client" | "server";
export const ifindexOf = (side: Side): number => (side === "client" ? CLIENT_SIDE : SERVER_SIDE);

export const VIP = ip("10.1.0.100");
export const GATEWAY = ip("10.1.0.254");
const OWN = { client: ip("10.1.0.1"), server: ip("10.2.0.1") };
export const OWN_ADDRESSES: readonly Ip[] = [OWN.client, OWN.server, ip("10.2.0.100"), ip("10.2.0.101")];

export const MTU = 1500;
export const SMALL_MTU = 1000;

export type Way =
  | { readonly state: "resolved"; readonly side: Side; readonly via: Ip; readonly mtu: number; readonly source: Ip }
  | { readonly state: "unresolved" }
  | { readonly state: "unreachable" }
  | { readonly state: "local" };

const between = (address: Ip, first: number, last: number): boolean => {
  const host = Number(address.slice(address.lastIndexOf(".") + 1));
  return host >= first && host <= last;
};

/** The next hop to an address. */
export function wayTo(address: Ip): Way {
  if (OWN_ADDRESSES.includes(address)) return { state: "local" };
  const on = (side: Side, via: Ip, mtu = MTU): Way => ({ state: "resolved", side, via, mtu, source: OWN[side] });
  if (address.startsWith("10.2.0.")) {
    if (between(address, 11, 19)) return on("server", address);
    if (between(address, 20, 20)) return on("server", address, SMALL_MTU);
    return { state: between(address, 31, 31) ? "unreachable" : "unresolved" };
  }
  if (address.startsWith("10.1.0.")) {
    return between(address, 2, 9) || between(address, 21, 21) || address === GATEWAY
      ? on("client", address)
      : { state: "unresolved" };
  }
  return /^172\.(1[6-9]|2\d|3[01])\./.test(address) ? on("client", GATEWAY) : { state: "unreachable" };
}

/** Hosts whose Ethernet address the director knows. */
export const neighbours: readonly { readonly side: Side; readonly address: Ip }[] = [
  ...[2, 3, 4, 5, 6, 7, 8, 9, 21, 254].map((n) => ({ side: "client" as const, address: ip(`10.1.0.${n}`) })),
  ...[11, 12, 13, 14, 15, 16, 17, 18, 19, 20].map((n) => ({ side: "server" as const, address: ip(`10.2.0.${n}`) })),
];

export function macOf(address: Ip): Mac {
  const [, net = 0, , host = 0] = address.split(".").map(Number);
  return mac(`02:${hex(net)}:00:00:00:${hex(host)}`);
}
const hex = (byte: number): string => byte.toString(16).padStart(2, "0");
/** The director's own. */
export const ownMac = (side: Side): Mac => macOf(OWN[side]);

/** The Ethernet address that frames from or to a host carry on the director's wire. */
function wireMac(address: Ip): Mac {
  const way = wayTo(address);
  if (way.state === "resolved") return macOf(way.via);
  return macOf(address.startsWith("10.") ? address : GATEWAY);
}

/** A client's packet as it reaches the director. */
export const fromClient = (client: string, to: string, options?: Ipv4Options): Frame =>
  eth(wireMac(ip(client)), ownMac("client")).ipv4(client, to, options);

/** A real server's packet as it reaches the director. */
export const fromServer = (server: string, to: string, options?: Ipv4Options): Frame =>
  eth(wireMac(ip(server)), ownMac("server")).ipv4(server, to, options);

/** A packet as the director sends it to a real server. One more hop: TTL 63 unless told otherwise. */
export const toServer = (server: string, from: string, to: string, options?: Ipv4Options): Frame =>
  eth(ownMac("server"), wireMac(ip(server))).ipv4(from, to, { ttl: 63, ...options });

/** A packet as the director sends it to a client. */
export const toClient = (client: string, from: string, options?: Ipv4Options): Frame =>
  eth(ownMac("client"), wireMac(ip(client))).ipv4(from, client, { ttl: 63, ...options });
