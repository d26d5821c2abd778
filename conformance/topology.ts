import { addressBytes, bytesOf, hexOf } from "./bytes.ts";
import { frameBytes } from "./decode.ts";

/**
 * The one topology of all cases:
 *
 *   client side                      director                        real servers
 *   10.1.0.2-.9, fd01::2-9 ──c0   dc 10.1.0.1 fd01::1
 *   172.16.0.0/12 and others         VIPs 10.1.0.100-.119
 *     behind 10.1.0.254              fd01::100-::119
 *                                 dr 10.2.0.1 fd02::1   r0── 10.2.0.11-.36, fd02::11-::36 (letters A to Z)
 *
 * There are no hosts on the outer sides, only sockets that make and note frames; the director knows every neighbour
 * by a permanent entry, so the MAC address of a frame tells whom it was sent to.
 */
export type SideLetter = "c" | "r";

export const FIRST_REAL = 11;
export const LAST_REAL = 36;
const CLIENTS = [2, 3, 4, 5, 6, 7, 8, 9, 254];
const VIPS = Array.from({ length: 20 }, (_, i) => 100 + i);
const REALS = Array.from({ length: LAST_REAL - FIRST_REAL + 1 }, (_, i) => FIRST_REAL + i);

export const directorMac = (side: SideLetter): Uint8Array => bytesOf(side === "c" ? "020000000101" : "020000000201");

/** The last byte of a MAC is the host's number: .11 and fd02::11 are both ..:0b. Others come through the gateway, 254. */
function hostNumber(side: SideLetter, addr: Uint8Array): number {
  if (addr.length === 4) return addr[0] === 10 && addr[1] === (side === "c" ? 1 : 2) && addr[2] === 0 ? addr[3]! : 254;
  const local = hexOf(addr.subarray(0, 2)) === (side === "c" ? "fd01" : "fd02") && addr.subarray(2, 14).every((b) => b === 0);
  const decimal = Number.parseInt(hexOf(addr.subarray(14)), 10);
  return local && decimal < 254 ? decimal : 254;
}

export const hostMac = (side: SideLetter, number: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, side === "c" ? 1 : 2, number);

/** The frame in which a host of that side hands an IP packet to the director. */
export function frameToDirector(side: SideLetter, ip: Uint8Array): Uint8Array {
  const src = ip[0]! >>> 4 === 4 ? ip.subarray(12, 16) : ip.subarray(8, 24);
  return frameBytes(directorMac(side), hostMac(side, hostNumber(side, src)), ip);
}

/** Whom a frame was sent to: "client.3", "client.gw", "rs.11" or the bare MAC. */
export function receiver(side: SideLetter, mac: Uint8Array): string {
  const known = mac.subarray(0, 5).every((b, i) => b === hostMac(side, 0)[i]);
  if (!known) return `${side} ${hexOf(mac)}`;
  return side === "r" ? `rs.${mac[5]}` : mac[5] === 254 ? "client.gw" : `client.${mac[5]}`;
}

/** A = .11, B = .12, … */
export const letterOf = (number: number): string => String.fromCharCode(65 + number - FIRST_REAL);

/** Lines for `ip -batch`, run in the director's namespace. */
export function ipBatch(): string {
  const neighbours = (side: SideLetter, hosts: readonly number[], dev: string): string[] =>
    hosts.flatMap((n) => {
      const mac = hexOf(hostMac(side, n)).replace(/(..)(?!$)/g, "$1:");
      const net = side === "c" ? 1 : 2;
      return [`10.${net}.0.${n}`, `fd0${net}::${n}`].map((a) => `neigh replace ${a} lladdr ${mac} dev ${dev} nud permanent`);
    });
  return [
    "link set lo up",
    "link add dc address 02:00:00:00:01:01 type veth peer name c0 netns /proc/self/fd/100",
    "link add dr address 02:00:00:00:02:01 type veth peer name r0 netns /proc/self/fd/101",
    ...["dc", "dr"].flatMap((dev) => [`link set ${dev} addrgenmode none`, `link set ${dev} up`]),
    "addr add 10.1.0.1/24 dev dc",
    "addr add fd01::1/64 dev dc nodad",
    "addr add 10.2.0.1/24 dev dr",
    "addr add fd02::1/64 dev dr nodad",
    ...VIPS.flatMap((n) => [`addr add 10.1.0.${n}/32 dev dc`, `addr add fd01::${n}/128 dev dc nodad`]),
    ...neighbours("c", CLIENTS, "dc"),
    ...neighbours("r", REALS, "dr"),
    "route add default via 10.1.0.254",
    "route add default via fd01::254",
    "",
  ].join("\n");
}

/** The director's settings outside IPVS: it forwards, checks no return path, and limits no ICMP. */
export const SETTINGS: readonly (readonly [path: string, value: string])[] = [
  ["net/ipv4/ip_forward", "1"],
  ["net/ipv6/conf/all/forwarding", "1"],
  ["net/ipv4/conf/all/rp_filter", "0"],
  ["net/ipv4/conf/dc/rp_filter", "0"],
  ["net/ipv4/conf/dr/rp_filter", "0"],
  ["net/ipv4/conf/all/send_redirects", "0"],
  ["net/ipv4/conf/dc/send_redirects", "0"],
  ["net/ipv4/conf/dr/send_redirects", "0"],
  ["net/ipv4/icmp_ratelimit", "0"],
  ["net/ipv4/icmp_msgs_per_sec", "1000000"],
  ["net/ipv4/icmp_msgs_burst", "1000000"],
  ["net/ipv6/icmp/ratelimit", "0"],
];

export const isVip = (text: string): boolean => {
  const b = addressBytes(text);
  return b.length === 4 ? b[0] === 10 && b[1] === 1 && b[3]! >= 100 && b[3]! < 120 : hexOf(b.subarray(0, 2)) === "fd01";
};
