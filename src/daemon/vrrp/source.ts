import type { Ip } from "../../net/ip.ts";
import type { Instance } from "../../vrrp/config.ts";
import type { InterfaceAddress } from "../../wire/rtnetlink-address.ts";
import type { Link } from "../../wire/rtnetlink-link.ts";
import { isLinkLocal } from "./ports.ts";

/** Not yet known to be ours alone: nothing can be sent from it. */
const IFA_F_TENTATIVE = 0x40;
const IFA_F_DADFAILED = 0x08;
const IFA_F_OPTIMISTIC = 0x04;
const OWNER = 255;

/**
 * The address that adverts are sent from: the configured one once it is there, else the first IPv4 address of the interface,
 * or its link-local IPv6 address; never one of the virtual ones.
 * @param link of the interface, on which the address must be; undefined: anywhere
 * @param virtual those of all instances, see virtualOf
 */
export function sourceOf(
  c: Instance,
  link: Link | undefined,
  addresses: readonly InterfaceAddress[],
  virtual: ReadonlySet<Ip>,
): Ip | undefined {
  const usable = addresses.filter((a) => a.family === c.family && isUsable(a));
  if (c.source !== undefined) return usable.some((a) => a.address === c.source) ? c.source : undefined;
  if (link === undefined) return undefined;
  const own = usable.filter((a) => a.ifindex === link.ifindex && !virtual.has(a.address));
  return (c.family === "ipv4" ? own : own.filter((a) => isLinkLocal(a.address)))[0]?.address;
}

/** The addresses that instances come and go with. An owner's may be the interface's own. */
export const virtualOf = (instances: readonly Instance[]): ReadonlySet<Ip> =>
  new Set(instances.flatMap((c) => (c.priority === OWNER ? [] : [...c.addresses, ...c.excluded].map((a) => a.ip))));

const isUsable = ({ flags }: InterfaceAddress): boolean =>
  (flags & IFA_F_DADFAILED) === 0 && ((flags & IFA_F_TENTATIVE) === 0 || (flags & IFA_F_OPTIMISTIC) !== 0);
