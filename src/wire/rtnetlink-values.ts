import { anyOf, type Family, type Ip, ipFromBytes } from "../net/ip.ts";

/** What links, addresses, routes and neighbours have in common on the wire. */

/** AF_INET and AF_INET6. */
export const familyNumber = (family: Family): number => (family === "ipv4" ? 2 : 10);
export const familyFromNumber = (n: number | undefined): Family | undefined => (n === 2 ? "ipv4" : n === 10 ? "ipv6" : undefined);

/** An address in an attribute; undefined where its length is not that of the family. */
export const readIp = (family: Family, bytes: Uint8Array | undefined): Ip | undefined =>
  bytes?.length === (family === "ipv4" ? 4 : 16) ? ipFromBytes(bytes) : undefined;

/** The network of a route: of "default" the kernel leaves out the bytes. */
export const readPrefix = (family: Family, bytes: Uint8Array | undefined): Ip | undefined =>
  bytes === undefined ? anyOf(family) : readIp(family, bytes);
