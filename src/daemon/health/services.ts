import type { Forwarding } from "../../config/keywords/checker-args.ts";
import type { KeepalivedConfig, VirtualServer } from "../../config/keywords.ts";
import type { DestSpec, Protocol, ServiceKey, ServiceSpec } from "../../director/director.ts";
import { type Family, familyOf, type Ip, ipBytes, ipFromBytes, parseIp, uint32FromIp } from "../../net/ip.ts";

/** The director's services and dests that a virtual_server means (spec 2.15, 2.16, with the corrections listed there). */

const DEFAULT_PERSISTENCE = 360; // seconds
/** Services that one group may become. */
const MOST = 65536;

export function specsOf(config: KeepalivedConfig, vs: VirtualServer): ServiceSpec[] {
  return keysOf(config, vs).map((key) => specOf(vs, key));
}

/** "tcp" of messages and keys; UDP when nothing is said. */
export const protocolOf = (vs: VirtualServer): Protocol => (vs.protocol ?? "UDP").toLowerCase() as Protocol;

/** The port of an address service, else 0. */
export const portOf = (vs: VirtualServer): number => (vs.header.by === "address" ? vs.header.port : 0);

/** The first port that a group names, 0 when none does: where checks of servers without a port go. */
export function firstPort(config: KeepalivedConfig, vs: VirtualServer): number {
  const { header } = vs;
  if (header.by !== "group") return portOf(vs);
  const group = config.virtualServerGroup.find((g) => g.header === header.group);
  return group?.entries.flatMap(({ value }) => (value.by === "address" ? [value.port] : [])).find((port) => port > 0) ?? 0;
}

/** Undefined: a group, which may have both. */
export function serviceFamily(vs: VirtualServer): Family | undefined {
  if (vs.header.by === "address") return familyOf(vs.header.ip);
  return vs.header.by === "fwmark" ? markFamily(vs) : undefined;
}

function markFamily(vs: VirtualServer): Family {
  if (vs.ipFamily !== undefined) return vs.ipFamily === "inet" ? "ipv4" : "ipv6";
  const first = vs.realServer.find((rs) => (rs.lvsMethod ?? vs.lbKind)?.method !== "tunnel") ?? vs.realServer[0];
  return first === undefined ? "ipv4" : familyOf(first.header.ip);
}

function keysOf(config: KeepalivedConfig, vs: VirtualServer): ServiceKey[] {
  const protocol = protocolOf(vs);
  const { header } = vs;
  if (header.by === "address") return [{ protocol, addr: header.ip, port: header.port }];
  if (header.by === "fwmark") return [{ fwmark: header.fwmark, family: markFamily(vs) }];
  const group = config.virtualServerGroup.find((g) => g.header === header.group);
  return (group?.entries ?? []).flatMap(({ value }): ServiceKey[] =>
    value.by === "fwmark"
      ? [{ fwmark: value.fwmark, family: value.family ?? markFamily(vs) }]
      : addressesOf(value.ip, value.last).map((addr) => ({ protocol, addr, port: value.port })),
  );
}

function addressesOf(first: Ip, last: Ip): Ip[] {
  const list: Ip[] = [];
  const bytes = ipBytes(first);
  for (;;) {
    const address = ipFromBytes(bytes);
    list.push(address);
    if (address === last || list.length === MOST) return list;
    for (let i = bytes.length - 1; i >= 0; i--) {
      bytes[i]! += 1;
      if (bytes[i] !== 0) break;
    }
  }
}

/** The pool of a FullNAT service (spec 2.19); undefined when it has none. */
export function poolOf(config: KeepalivedConfig, { laddrGroupName }: VirtualServer): readonly Ip[] | undefined {
  const group = config.localAddressGroup.find(({ header }) => header === laddrGroupName);
  const pool = group?.entries.flatMap(({ value }) => addressesOf(value.ip, value.last));
  return pool === undefined ? undefined : [...new Set(pool)];
}

function specOf(vs: VirtualServer, key: ServiceKey): ServiceSpec {
  const family = key.fwmark === undefined ? familyOf(key.addr) : key.family;
  const flags = [vs.hashed || vs.flag1 || vs.shFallback || vs.mhFallback, vs.flag2 || vs.shPort || vs.mhPort, vs.flag3];
  const isAnyPort = key.fwmark === undefined && key.port === 0;
  const isPersistent = isAnyPort || vs.persistenceGranularity !== undefined;
  return {
    key,
    scheduler: vs.lbAlgo ?? "wlc",
    schedFlags: ([1, 2, 3] as const).filter((n) => flags[n - 1]),
    persistSeconds: vs.persistenceTimeout ?? (isPersistent ? DEFAULT_PERSISTENCE : 0),
    netmask: netmaskOf(vs.persistenceGranularity, family),
    onePacket: vs.ops && key.fwmark === undefined && key.protocol === "udp",
    pe: vs.persistenceEngine ?? "",
  };
}

function netmaskOf(granularity: string | undefined, family: Family): number {
  if (family === "ipv6") return Number(granularity) >= 1 && Number(granularity) <= 128 ? Number(granularity) : 128;
  const mask = granularity === undefined ? undefined : parseIp(granularity);
  return mask !== undefined && familyOf(mask) === "ipv4" ? uint32FromIp(mask) : 0xffffffff;
}

/** A dest of the service; only a translated packet can go to another port. */
export function destOf(vs: VirtualServer, at: { ip: Ip; port: number }, by: Forwarding | undefined, weight: number): DestSpec {
  const { method, tunnel } = by ?? { method: "nat" };
  const isTranslated = method === "nat" || method === "fullnat";
  const checksum = tunnel?.checksum === "csum" || tunnel?.checksum === "remcsum" ? tunnel.checksum : "none";
  return {
    ...{ addr: at.ip, port: isTranslated ? at.port || portOf(vs) : portOf(vs), method, weight, upper: 0, lower: 0 },
    // The forks tell real servers the client's address in every TCP handshake; over IPv6 no data path does.
    toa: method === "fullnat" && vs.header.by !== "fwmark" && protocolOf(vs) === "tcp" && familyOf(at.ip) === "ipv4",
    tunnel: { type: tunnel?.type ?? "ipip", port: tunnel?.port ?? 0, checksum },
  };
}
