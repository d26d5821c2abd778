import { familyOf, type Ip, ipBytes, uint32FromIp } from "../net/ip.ts";
import {
  type DestSpec,
  familyOfService,
  type SchedulerName,
  type ServiceKey,
  type ServiceSpec,
  type Timeouts,
} from "./director.ts";

/** The checks of a change that need nothing but the change itself, with the kernel's errno names (spec 1.6, 1.7, 2.3). */

/** Why not; undefined: nothing wrong. */
export type Problem = { readonly code: string; readonly message: string } | undefined;

const INT_MAX = 0x7fffffff;
const U32_MAX = 0xffffffff;
const TIMEOUT_MAX = Math.floor(INT_MAX / 250); // seconds; the kernel's limit at HZ=250 (spec 9.1)
const MH_DESTS_MAX = 4093;

const schedulerNames: readonly SchedulerName[] = [
  ...(["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh"] as const),
  ...(["sh", "sed", "nq", "fo", "ovf", "mh", "twos"] as const),
];
/** "none": no scheduler, every new connection fails as "no dest". */
const schedulers: ReadonlySet<string> = new Set([...schedulerNames, "none"]);
const persistenceEngines: ReadonlySet<string> = new Set(["", "sip"]);

const isInteger = (value: number, min: number, max: number): boolean => Number.isInteger(value) && value >= min && value <= max;

/** @param destCount dests the service has already */
export function serviceProblem(spec: ServiceSpec, destCount: number): Problem {
  const key = keyProblem(spec.key);
  if (key !== undefined) return key;
  if (!schedulers.has(spec.scheduler)) return { code: "ENOENT", message: `scheduler ${spec.scheduler} not found` };
  if (!persistenceEngines.has(spec.pe)) return { code: "ENOENT", message: `persistence engine ${spec.pe} not found` };
  const [low, high] = familyOfService(spec.key) === "ipv6" ? [1, 128] : [0, U32_MAX];
  if (!isInteger(spec.netmask, low, high)) return invalid(`netmask ${spec.netmask} is not in ${low}..${high}`);
  if (!isInteger(spec.persistSeconds, 0, U32_MAX))
    return invalid(`persistence timeout ${spec.persistSeconds} is not in 0..${U32_MAX}`);
  if (spec.scheduler === "mh" && destCount > MH_DESTS_MAX)
    return invalid(`mh has room for ${MH_DESTS_MAX} dests, not ${destCount}`);
  return undefined;
}

function keyProblem(key: ServiceKey): Problem {
  if (key.fwmark !== undefined)
    return isInteger(key.fwmark, 1, U32_MAX) ? undefined : invalid(`fwmark ${key.fwmark} is not in 1..${U32_MAX}`);
  return isInteger(key.port, 0, 65535) ? undefined : invalid(`port ${key.port} is not in 0..65535`);
}

/** What is wrong with a dest on its own. */
export function destProblem(spec: DestSpec): Problem {
  if (!isInteger(spec.weight, 0, INT_MAX)) return { code: "ERANGE", message: `weight ${spec.weight} is not in 0..${INT_MAX}` };
  if (spec.lower > spec.upper)
    return { code: "ERANGE", message: `lower threshold ${spec.lower} is above the upper one, ${spec.upper}` };
  if (!isInteger(spec.upper, 0, INT_MAX)) return invalid(`upper threshold ${spec.upper} is not in 0..${INT_MAX}`);
  if (!isInteger(spec.lower, 0, INT_MAX)) return invalid(`lower threshold ${spec.lower} is not in 0..${INT_MAX}`);
  if (!isInteger(spec.port, 0, 65535)) return invalid(`port ${spec.port} is not in 0..65535`);
  if (spec.tunnel.type === "gue" && !isInteger(spec.tunnel.port, 1, 65535)) return invalid("a GUE tunnel needs a port");
  return undefined;
}

/** A service's packets reach a dest of the other family in a tunnel only, and sync messages cannot tell of such a dest. */
export function familyProblem(key: ServiceKey, spec: DestSpec, hasDaemons: boolean): Problem {
  if (familyOf(spec.addr) === familyOfService(key)) return undefined;
  if (spec.method !== "tunnel") return invalid(`${spec.addr} is of another address family: only a tunnel reaches it`);
  return hasDaemons ? invalid(`${spec.addr} is of another address family: not while a sync daemon runs`) : undefined;
}

export function timeoutProblem(timeouts: Partial<Timeouts>): Problem {
  for (const value of [timeouts.tcp, timeouts.tcpFin, timeouts.udp]) {
    if (value !== undefined && !isInteger(value, 0, TIMEOUT_MAX)) return invalid(`timeout ${value} is not in 0..${TIMEOUT_MAX}`);
  }
  return undefined;
}

/** What can be told without a routing table: neither multicast, broadcast nor unspecified; IPv6 not link-local either. */
export function looksUnicast(address: Ip): boolean {
  if (familyOf(address) === "ipv4") {
    const n = uint32FromIp(address);
    return n >>> 24 !== 0 && n >>> 28 !== 14 && n !== U32_MAX;
  }
  const bytes = ipBytes(address);
  const isLinkLocal = bytes[0] === 0xfe && ((bytes[1] ?? 0) & 0xc0) === 0x80;
  const isMapped = address.startsWith("::ffff:") && address.includes(".");
  return bytes[0] !== 0xff && !isLinkLocal && !isMapped && bytes.some((byte) => byte !== 0);
}

export const invalid = (message: string): NonNullable<Problem> => ({ code: "EINVAL", message });
