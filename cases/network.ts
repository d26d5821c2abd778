import type { MarkRule } from "../src/director/marks.ts";
import { familyOf, type Ip, ip } from "../src/net/ip.ts";
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
 * The way to client .9 has an MTU of 1300. 203.0.113.0/24 cannot be reached: no route. The VIPs are on none of the interfaces, which XDP does not need.
 *
 * The same hosts have IPv6: 10.x.0.n is 2001:db8:x::n, n written as it is, and the gateway leads to 2001:db8:16::/48.
 */

export const CLIENT_SIDE = 10; // ifindex
export const SERVER_SIDE = 11; // ifindex
export type Side = "client" | "server";
export const ifindexOf = (side: Side): number => (side === "client" ? CLIENT_SIDE : SERVER_SIDE);

export const VIP = ip("10.1.0.100");
export const VIP6 = ip("2001:db8:1::100");
const GATEWAYS = { ipv4: ip("10.1.0.254"), ipv6: ip("2001:db8:1::254") };
export const GATEWAY = GATEWAYS.ipv4;
const OWN = {
  ipv4: { client: ip("10.1.0.1"), server: ip("10.2.0.1") },
  ipv6: { client: ip("2001:db8:1::1"), server: ip("2001:db8:2::1") },
};
/** Besides those, local addresses of FullNAT's. */
const LOCALS = [ip("10.2.0.100"), ip("10.2.0.101"), ip("2001:db8:2::100"), ip("2001:db8:2::101")];
export const OWN_ADDRESSES: readonly Ip[] = [...Object.values(OWN).flatMap(Object.values<Ip>), ...LOCALS];

/** Packets to these addresses, whatever else they are, carry the mark. */
export const MARK = 5;
export const MARKED = { ipv4: ip("10.1.0.201"), ipv6: ip("2001:db8:1::201") };
export const markRules: readonly MarkRule[] = [
  { mark: MARK, family: "ipv4", destination: { addr: MARKED.ipv4, length: 32 } },
  { mark: MARK, family: "ipv6", destination: { addr: MARKED.ipv6, length: 128 } },
];

export const MTU = 1500;
export const SMALL_MTU = 1000;
/** The way to this client is narrow. */
const FAR = 9;
export const FAR_MTU = 1300;
export const farClients: readonly Ip[] = [ip(`10.1.0.${FAR}`), ip(`2001:db8:1::${FAR}`)];

export type Way =
  | { readonly state: "resolved"; readonly side: Side; readonly via: Ip; readonly mtu: number; readonly source: Ip }
  | { readonly state: "unresolved"; readonly source: Ip }
  | { readonly state: "unreachable" }
  | { readonly state: "local" };

/** Which of the two networks an address is in, and which host it is there. */
function placeOf(address: Ip): { readonly net: number; readonly host: number } | undefined {
  const [, net, host] = /^(?:10\.(\d)\.0\.|2001:db8:(\d)::)(\d+)$/.exec(address)?.filter((part) => part !== undefined) ?? [];
  return net === undefined ? undefined : { net: Number(net), host: Number(host) };
}

const isBehindGateway = (address: Ip): boolean => /^(172\.(1[6-9]|2\d|3[01])\.|2001:db8:16:)/.test(address);

const known = new Map<Ip, Way>();

/** The next hop to an address. */
export function wayTo(address: Ip): Way {
  const way = known.get(address) ?? findWay(address);
  known.set(address, way);
  return way;
}

function findWay(address: Ip): Way {
  if (OWN_ADDRESSES.includes(address)) return { state: "local" };
  const family = familyOf(address);
  const on = (side: Side, via: Ip, mtu = MTU): Way => ({ state: "resolved", side, via, mtu, source: OWN[family][side] });
  const unresolved = (side: Side): Way => ({ state: "unresolved", source: OWN[family][side] });
  if (isBehindGateway(address)) return on("client", GATEWAYS[family]);
  const { net, host = 0 } = placeOf(address) ?? {};
  if (net === 1) return clientHosts.includes(host) ? on("client", address, host === FAR ? FAR_MTU : MTU) : unresolved("client");
  if (net !== 2) return { state: "unreachable" };
  if (serverHosts.includes(host)) return on("server", address, host === 20 ? SMALL_MTU : MTU);
  return host === 31 ? { state: "unreachable" } : unresolved("server");
}

const clientHosts = [2, 3, 4, 5, 6, 7, 8, 9, 21, 254];
const serverHosts = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20];

/** Hosts whose Ethernet address the director knows. */
export const neighbours: readonly { readonly side: Side; readonly address: Ip }[] = [
  ...clientHosts.map((n) => ["client", n, 1] as const),
  ...serverHosts.map((n) => ["server", n, 2] as const),
].flatMap(([side, n, net]) => [`10.${net}.0.${n}`, `2001:db8:${net}::${n}`].map((address) => ({ side, address: ip(address) })));

export function macOf(address: Ip): Mac {
  const { net, host } = placeOf(address) ?? { net: 0, host: 0 };
  return mac(`02:${hex(net)}:00:00:00:${hex(host & 255)}`);
}
const hex = (byte: number): string => byte.toString(16).padStart(2, "0");
/** The director's own. */
export const ownMac = (side: Side): Mac => macOf(OWN.ipv4[side]);

/** The Ethernet address that frames from or to a host carry on the director's wire. */
export function wireMac(address: Ip): Mac {
  const way = wayTo(address);
  if (way.state === "resolved") return macOf(way.via);
  return macOf(placeOf(address) === undefined ? GATEWAY : address);
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
