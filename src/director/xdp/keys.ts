import { type Ip, uint32FromIp } from "../../net/ip.ts";
import { familyOfService, type Method, type Protocol, type ServiceKey, type ServiceSpec, type TunnelType } from "../director.ts";
import * as abi from "./abi.gen.ts";
import { addr, port, setAddr, setPort, setU32, u32 } from "./memory.ts";

/** The values of the interface as the numbers of the data path, and back. */

export const protocolNumber: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };
export const protocolName = (number: number): Protocol | "ip" =>
  number === 6 ? "tcp" : number === 17 ? "udp" : number === 132 ? "sctp" : "ip";

export const methodNumber: Readonly<Record<Method, number>> = {
  nat: abi.method.nat,
  route: abi.method.route,
  tunnel: abi.method.tunnel,
  fullnat: abi.method.fullnat,
};
const methodNames = new Map(Object.entries(abi.method).map(([name, number]) => [number as number, name]));
export const methodName = (number: number): Method | "local" | "bypass" =>
  (methodNames.get(number) ?? "local") as Method | "local" | "bypass";

export const tunnelTypes: readonly TunnelType[] = ["ipip", "gue", "gre"];
export const tunnelChecksums = ["none", "csum", "remcsum"] as const;

export const familyNumber = (address: Ip): number => (address.includes(":") ? 6 : 4);

/** Writes struct service_key. */
export function writeKey(bytes: Uint8Array, view: DataView, at: number, key: ServiceKey): void {
  bytes.fill(0, at, at + abi.serviceKey.size);
  if (key.fwmark !== undefined) {
    setU32(view, at + abi.serviceKey.addr, key.fwmark);
  } else {
    setAddr(bytes, at + abi.serviceKey.addr, key.addr);
    setPort(view, at + abi.serviceKey.port, key.port);
    bytes[at + abi.serviceKey.protocol] = protocolNumber[key.protocol];
  }
  bytes[at + abi.serviceKey.family] = familyOfService(key) === "ipv6" ? 6 : 4;
}

export function readKey(bytes: Uint8Array, view: DataView, at: number): ServiceKey {
  const family = bytes[at + abi.serviceKey.family] ?? 4;
  const protocol = bytes[at + abi.serviceKey.protocol] ?? 0;
  if (protocol === 0) return { fwmark: u32(view, at + abi.serviceKey.addr), family: family === 6 ? "ipv6" : "ipv4" };
  return {
    protocol: protocolName(protocol) as Protocol,
    addr: addr(bytes, at + abi.serviceKey.addr, family),
    port: port(view, at + abi.serviceKey.port),
  };
}

const SCHED_FLAGS = { 1: abi.serviceFlag.sched1, 2: abi.serviceFlag.sched2, 3: abi.serviceFlag.sched3 } as const;

export function serviceFlags(spec: ServiceSpec): number {
  let flags = 0;
  if (spec.persistSeconds > 0) flags |= abi.serviceFlag.persistent;
  if (spec.onePacket) flags |= abi.serviceFlag["one-packet"];
  for (const flag of spec.schedFlags) flags |= SCHED_FLAGS[flag];
  return flags;
}

export const schedFlagsOf = (flags: number): (1 | 2 | 3)[] =>
  ([1, 2, 3] as const).filter((flag) => (flags & SCHED_FLAGS[flag]) !== 0);

/** struct service holds an IPv4 mask in network order, an IPv6 prefix length as it is. */
export const netmaskNumber = (spec: ServiceSpec): number =>
  familyOfService(spec.key) === "ipv6" ? spec.netmask : swap32(spec.netmask);
export const swap32 = (n: number): number => (((n & 255) << 24) | ((n & 0xff00) << 8) | ((n >>> 8) & 0xff00) | (n >>> 24)) >>> 0;

export const schedulerNumber = (name: string): number => (abi.scheduler as Readonly<Record<string, number>>)[name] ?? 0;
const schedulerNames = new Map(Object.entries(abi.scheduler).map(([name, number]) => [number as number, name]));
export const schedulerName = (number: number): string => schedulerNames.get(number) ?? "none";

export const hostOrder = uint32FromIp;
