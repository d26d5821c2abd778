import { anyOf, familyOf, type Ip, ip } from "../../net/ip.ts";
import { commonBits, holds, RouteTable } from "../../net/route.ts";
import {
  IFA_F_DADFAILED,
  IFA_F_DEPRECATED,
  IFA_F_OPTIMISTIC,
  IFA_F_SECONDARY,
  IFA_F_TENTATIVE,
  type InterfaceAddress,
} from "../../wire/rtnetlink-address.ts";
import { type NextHop, RT_SCOPE_LINK } from "../../wire/rtnetlink-route.ts";

/**
 * The source address that the kernel would choose for a destination whose route does not name one. The "any" address
 * when it has none to offer.
 * @param addresses of all links, in the kernel's order
 * @param scope of the route
 */
export function chooseSource(addresses: Iterable<InterfaceAddress>, destination: Ip, hop: NextHop, scope: number): Ip {
  const family = familyOf(destination);
  const all = [...addresses].filter((each) => each.family === family);
  const best = family === "ipv4" ? chooseIpv4(all, hop, scope) : chooseIpv6(all, destination, hop.ifindex);
  return best?.address ?? anyOf(family);
}

/**
 * The first primary address of the link whose network holds the gateway, else its first primary address, else the first of
 * another link that is good beyond that link.
 */
function chooseIpv4(all: readonly InterfaceAddress[], hop: NextHop, scope: number): InterfaceAddress | undefined {
  const fit = all.filter((each) => (each.flags & IFA_F_SECONDARY) === 0 && each.scope <= scope);
  const here = fit.filter((each) => each.ifindex === hop.ifindex);
  const { gateway } = hop;
  const near = gateway && here.find((each) => holds(each.peer ?? each.address, each.prefixLength, gateway));
  return near ?? here[0] ?? fit.find((each) => each.scope !== RT_SCOPE_LINK);
}

/** RFC 6724 section 5, in its order: rules 1, 2, 3, 5, 6 and 8. Rules 4 and 7 (mobility, privacy) do not concern a director. */
function chooseIpv6(all: readonly InterfaceAddress[], destination: Ip, ifindex: number): InterfaceAddress | undefined {
  const scope = scopeOf(destination);
  const fit = all.filter((each) => isReady(each) && (scope !== LINK_LOCAL || each.ifindex === ifindex));
  const rules: ((a: InterfaceAddress) => number)[] = [
    (a) => Number(a.address === destination),
    (a) => (scopeOf(a.address) < scope ? scopeOf(a.address) - 256 : -scopeOf(a.address)), // the smallest that is wide enough
    (a) => -Number((a.flags & IFA_F_DEPRECATED) !== 0),
    (a) => Number(a.ifindex === ifindex),
    (a) => Number(labels.lookup(a.address) === labels.lookup(destination)),
    (a) => Math.min(commonBits(a.address, destination), a.prefixLength),
  ];
  const isBetter = (a: InterfaceAddress, b: InterfaceAddress): boolean => {
    const rule = rules.find((each) => each(a) !== each(b));
    return rule !== undefined && rule(a) > rule(b);
  };
  return fit.reduce<InterfaceAddress | undefined>(
    (best, each) => (best === undefined || isBetter(each, best) ? each : best),
    undefined,
  );
}

/** Known to be nobody else's. */
const isReady = ({ flags }: InterfaceAddress): boolean =>
  (flags & IFA_F_DADFAILED) === 0 && ((flags & IFA_F_TENTATIVE) === 0 || (flags & IFA_F_OPTIMISTIC) !== 0);

/** Scopes by their numbers in multicast addresses (RFC 4291 section 2.7). */
const LINK_LOCAL = 2;
const SITE_LOCAL = 5;
const GLOBAL = 14;
function scopeOf(address: Ip): number {
  if (address === "::1" || holds(FE80, 10, address)) return LINK_LOCAL;
  return holds(FEC0, 10, address) ? SITE_LOCAL : GLOBAL;
}
const FE80 = ip("fe80::");
const FEC0 = ip("fec0::");

/** RFC 6724 section 2.1: the labels of the default policy table. */
const labels = new RouteTable<number>();
for (const [prefix, length, label] of [
  ["::1", 128, 0],
  ["::", 0, 1],
  ["::ffff:0.0.0.0", 96, 4],
  ["2002::", 16, 2],
  ["2001::", 32, 5],
  ["fc00::", 7, 13],
  ["::", 96, 3],
  ["fec0::", 10, 11],
  ["3ffe::", 16, 12],
] as const) {
  labels.set(ip(prefix), length, label);
}
