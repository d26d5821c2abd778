import type { IpvsDest, IpvsDestSettings, IpvsService, IpvsServiceKey, IpvsServiceSettings } from "../../wire/ipvs-netlink.ts";
import { forwardMethod, serviceFlag } from "../../wire/ipvs-netlink.ts";
import type { IpvsStats } from "../../wire/ipvs-stats.ts";
import {
  type Counters,
  type Dest,
  type DestSpec,
  familyOfService,
  type Method,
  type Protocol,
  type Rates,
  type Service,
  type ServiceKey,
  type ServiceSpec,
} from "../director.ts";

/** The director's values as the kernel's, and back. */

const protocolNumber: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };
const protocols = new Map(Object.entries(protocolNumber).map(([name, number]) => [number, name as Protocol]));

const schedFlags: readonly (readonly [flag: 1 | 2 | 3, bit: number])[] = [
  [1, serviceFlag.sched1],
  [2, serviceFlag.sched2],
  [3, serviceFlag.sched3],
];

const tunnelTypes = ["ipip", "gue", "gre"] as const;
const tunnelChecksums = ["none", "csum", "remcsum"] as const;

export const toKernelKey = (key: ServiceKey): IpvsServiceKey =>
  key.fwmark === undefined
    ? { family: familyOfService(key), protocol: protocolNumber[key.protocol], addr: key.addr, port: key.port }
    : { family: key.family, fwmark: key.fwmark };

/** undefined: of a protocol that no command of ours can name (the kernel takes any number). */
export function fromKernelKey(key: IpvsServiceKey): ServiceKey | undefined {
  if (key.fwmark !== undefined) return { fwmark: key.fwmark, family: key.family };
  const protocol = protocols.get(key.protocol);
  return protocol && { protocol, addr: key.addr, port: key.port };
}

export const toKernelService = (spec: ServiceSpec): IpvsServiceSettings => ({
  scheduler: spec.scheduler,
  pe: spec.pe,
  flags:
    (spec.persistSeconds > 0 ? serviceFlag.persistent : 0) |
    (spec.onePacket ? serviceFlag.onePacket : 0) |
    schedFlags.reduce((bits, [flag, bit]) => (spec.schedFlags.includes(flag) ? bits | bit : bits), 0),
  timeout: spec.persistSeconds,
  netmask: spec.netmask,
});

export const fromKernelService = (key: ServiceKey, service: IpvsService, dests: readonly Dest[]): Service => ({
  key,
  scheduler: service.scheduler,
  schedFlags: schedFlags.filter(([, bit]) => (service.flags & bit) !== 0).map(([flag]) => flag),
  persistSeconds: (service.flags & serviceFlag.persistent) === 0 ? 0 : service.timeout,
  netmask: service.netmask,
  onePacket: (service.flags & serviceFlag.onePacket) !== 0,
  pe: service.pe,
  dests,
  localAddresses: [],
  ...statistics(service.stats),
});

/** FullNAT has no number: it is refused before. */
const methodNumber: Readonly<Record<Exclude<Method, "fullnat">, number>> = {
  nat: forwardMethod.masq,
  tunnel: forwardMethod.tunnel,
  route: forwardMethod.route,
};

export const toKernelDest = ({ method, weight, upper, lower, tunnel }: DestSpec): IpvsDestSettings => ({
  ...{ weight, upper, lower },
  method: methodNumber[method === "fullnat" ? "nat" : method],
  tunnelType: tunnelTypes.indexOf(tunnel.type),
  tunnelPort: tunnel.port,
  tunnelFlags: tunnelChecksums.indexOf(tunnel.checksum),
});

export const fromKernelDest = (dest: IpvsDest): Dest => ({
  ...{ addr: dest.addr, port: dest.port, weight: dest.weight, upper: dest.upper, lower: dest.lower },
  method: methodOf(dest.method),
  tunnel: {
    type: tunnelTypes[dest.tunnelType] ?? "ipip",
    port: dest.tunnelPort,
    checksum: tunnelChecksums[dest.tunnelFlags] ?? "none",
  },
  toa: false,
  ...{ activeConns: dest.activeConns, inactiveConns: dest.inactiveConns, persistConns: dest.persistConns },
  ...statistics(dest.stats),
});

function methodOf(number: number): Method {
  if (number === forwardMethod.masq) return "nat";
  return number === forwardMethod.tunnel ? "tunnel" : "route"; // "local", which ipvsadm cannot set, leaves packets as route does
}

const statistics = (stats: IpvsStats): { counters: Counters; rates: Rates } => ({
  counters: {
    ...{ conns: stats.conns, inPackets: stats.inPackets, outPackets: stats.outPackets },
    ...{ inBytes: stats.inBytes, outBytes: stats.outBytes },
  },
  rates: { cps: stats.cps, inPps: stats.inPps, outPps: stats.outPps, inBps: stats.inBps, outBps: stats.outBps },
});
