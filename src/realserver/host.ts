import { Fault } from "../fault.ts";
import { familyOf, type Ip } from "../net/ip.ts";
import { NETLINK_ROUTE, openNetlink } from "../platform/netlink.ts";
import { IFA_F_NODAD, type InterfaceAddress } from "../wire/rtnetlink-address.ts";
import { plainAddress, RtNetlink } from "../wire/rtnetlink-client.ts";
import { IFF_LOOPBACK, IFF_UP, type Link } from "../wire/rtnetlink-link.ts";
import { type Route, RT_TABLE_MAIN } from "../wire/rtnetlink-route.ts";
import { prefixLengthOf } from "./plan.ts";

/** By this an IPv4 VIP of ours is known on lo, also to somebody who looks with `ip address`. */
const LABEL = "lo:lvs";

export type Host = ReturnType<typeof openHost>;

/** Links and addresses of this network namespace. */
export function openHost() {
  const port = openNetlink({ protocol: NETLINK_ROUTE });
  const netlink = new RtNetlink(port);
  const links = netlink.links();
  const loopback = links.find((link) => (link.flags & IFF_LOOPBACK) !== 0);
  if (loopback === undefined) throw new Fault("realserver", "ENODEV", "this network namespace has no loopback interface");
  const isOnLoopback = (address: InterfaceAddress) => address.ifindex === loopback.ifindex;
  const vipAddress = (vip: Ip): InterfaceAddress => ({
    ...plainAddress(loopback.ifindex, vip, prefixLengthOf(vip)),
    label: familyOf(vip) === "ipv4" ? LABEL : "",
    // Others on the link have the VIP as well, which duplicate detection would take for a conflict.
    flags: familyOf(vip) === "ipv4" ? 0 : IFA_F_NODAD,
  });
  const link = (name: string): Link => {
    const found = links.find((each) => each.name === name);
    if (found === undefined) throw new Fault("realserver", "ENODEV", `there is no interface ${name}`);
    return found;
  };
  const isLoopbackUp = () => (loopback.flags & IFF_UP) !== 0;
  return {
    close: () => port.close(),
    isLoopbackUp,
    loopbackAddresses: () =>
      netlink
        .addresses()
        .filter(isOnLoopback)
        .map(({ address }) => address),
    /** Where a director may send a tunnel to: what the host has but for VIPs and 127.0.0.1 and ::1. */
    ownAddresses(vips: readonly Ip[]): Ip[] {
      const all = netlink.addresses().map(({ address }) => address);
      return [...new Set(all)].filter((a) => !a.startsWith("127.") && a !== "::1" && !vips.includes(a));
    },
    addVip: (vip: Ip) => netlink.addAddress(vipAddress(vip), "replace"),
    deleteVip(vip: Ip): void {
      const there = netlink
        .addresses()
        .find((a) => isOnLoopback(a) && a.address === vip && a.prefixLength === prefixLengthOf(vip));
      if (there !== undefined) netlink.deleteAddress(there);
    },
    link,
    /** The one that was named, else that of the default route; ENODEV, ENOENT. */
    tunnelInterface(name: string | undefined): string {
      if (name !== undefined) return link(name).name;
      const routes = netlink.routes([RT_TABLE_MAIN]).filter(({ prefixLength }) => prefixLength === 0);
      const rank = ({ family, metric }: Route) => (family === "ipv4" ? 0 : 2 ** 33) + metric;
      const ifindex = routes.toSorted((a, b) => rank(a) - rank(b))[0]?.nextHops[0]?.ifindex;
      const found = links.find((link) => link.ifindex === ifindex);
      if (found === undefined)
        throw new Fault("realserver", "ENOENT", "no default route tells the interface: name it with --interface");
      return found.name;
    },
    /** ENETDOWN: an IPv6 address needs a lo that is up; an IPv4 address does not. */
    mustTake(vips: readonly Ip[]): void {
      if (!isLoopbackUp() && vips.some((vip) => familyOf(vip) === "ipv6"))
        throw new Fault("realserver", "ENETDOWN", "lo is down and takes no IPv6 address: ip link set lo up");
    },
    /** VIPs that another interface has too, and so answers for. */
    elsewhere: (vips: readonly Ip[]): { vip: Ip; interface: string }[] =>
      netlink
        .addresses()
        .filter((a) => !isOnLoopback(a) && vips.includes(a.address))
        .map((a) => ({ vip: a.address, interface: links.find((each) => each.ifindex === a.ifindex)?.name ?? String(a.ifindex) })),
  };
}
