import { writeFileSync } from "node:fs";
import { explain, Fault } from "../../fault.ts";
import { type Mac, mac, macBytes } from "../../net/mac.ts";
import type { Instance, VrrpConfig } from "../../vrrp/config.ts";
import { attribute, concat, NLM_F_CREATE, NLM_F_EXCL, nested, textBytes, uint32Bytes } from "../../wire/netlink.ts";
import { RTM_DELLINK, RTM_NEWLINK } from "../../wire/rtnetlink.ts";
import { plainAddress } from "../../wire/rtnetlink-client.ts";
import { type Link, linkHeader } from "../../wire/rtnetlink-link.ts";
import type { Network } from "./network.ts";
import { isLinkLocal } from "./ports.ts";

/** Virtual MACs: a macvlan in private mode for each instance that wants one (spec 3.11). */

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_LINK = 5;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_MACVLAN_MODE = 1;
const IFLA_AF_SPEC = 26;
const AF_INET6 = 10;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const ADDR_GEN_NONE = 1;
const IFA_F_NODAD = 2;
const MACVLAN_MODE_PRIVATE = 1;

/** RFC 9568 section 7.3. */
export const virtualMac = (i: Pick<Instance, "family" | "vrid">): Mac =>
  mac(`00:00:5e:00:0${i.family === "ipv4" ? 1 : 2}:${i.vrid.toString(16).padStart(2, "0")}`);

export function addVmacs(config: VrrpConfig, network: Network, log: (text: string) => void): void {
  for (const instance of config.instances) {
    if (instance.vmac === undefined || instance.interface === undefined) continue;
    try {
      addVmac(instance, instance.vmac, instance.interface, network, log);
    } catch (error) {
      log(`(${instance.name}): cannot make VMAC interface ${instance.vmac}: ${explain(error)}`);
    }
  }
}

function addVmac(i: Instance, name: string, parent: string, network: Network, log: (text: string) => void): void {
  const find = (wanted: string) => network.links().find((l) => l.name === wanted);
  const base = find(parent);
  if (base === undefined) throw new Fault("add VMAC", "ENODEV", `no interface ${parent}`);
  const there = find(name);
  if (there !== undefined && !isOurs(there, i, base)) {
    throw new Fault("add VMAC", "EEXIST", `${name} is there and not one of ours`);
  }
  if (there === undefined) {
    const payload = concat([
      linkHeader(0, 0, 0, 0),
      attribute(IFLA_IFNAME, textBytes(name)),
      attribute(IFLA_LINK, uint32Bytes(base.ifindex)),
      attribute(IFLA_ADDRESS, macBytes(virtualMac(i))),
      nested(
        IFLA_LINKINFO,
        attribute(IFLA_INFO_KIND, new TextEncoder().encode("macvlan")),
        nested(IFLA_INFO_DATA, attribute(IFLA_MACVLAN_MODE, uint32Bytes(MACVLAN_MODE_PRIVATE))),
      ),
    ]);
    network.client.request(`add VMAC ${name}`, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, payload);
    log(`(${i.name}): Success creating VMAC interface ${name}`);
  }
  network.refresh();
  const { ifindex } = find(name)!;
  setSysctls(i, name, parent);
  network.client.request(`prepare VMAC ${name}`, RTM_NEWLINK, 0, noGeneratedAddress(ifindex));
  network.changeLink(ifindex, { up: true });
  if (i.family === "ipv6") copyLinkLocal(base.ifindex, ifindex, network);
  network.refresh();
}

/** It sends from the address of its parent. */
function copyLinkLocal(from: number, to: number, network: Network): void {
  const own = network.held([]).addresses.find((a) => a.ifindex === from && isLinkLocal(a.address));
  if (own === undefined) return;
  network.apply({
    op: "add",
    kind: "address",
    value: { ...plainAddress(to, own.address, own.prefixLength), flags: IFA_F_NODAD },
  });
}

/** It is not to have a link-local address from its own MAC. */
const noGeneratedAddress = (ifindex: number): Uint8Array =>
  concat([
    linkHeader(ifindex, 0, 0, 0),
    nested(IFLA_AF_SPEC, nested(AF_INET6, attribute(IFLA_INET6_ADDR_GEN_MODE, Uint8Array.of(ADDR_GEN_NONE)))),
  ]);

/** So that the parent does not answer for the VMAC's addresses, nor the other way round. */
function setSysctls(i: Instance, name: string, parent: string): void {
  if (i.family === "ipv4") {
    for (const [word, value] of [
      ["arp_ignore", 1],
      ["accept_local", 1],
      ["rp_filter", 0],
      ["promote_secondaries", 1],
    ])
      setSysctl(`ipv4/conf/${name}/${word}`, value!);
    for (const word of ["arp_ignore", "arp_filter"]) setSysctl(`ipv4/conf/${parent}/${word}`, 1);
  } else setSysctl(`ipv6/conf/${name}/accept_ra`, 0);
}

export function setSysctl(path: string, value: string | number): void {
  try {
    writeFileSync(`/proc/sys/net/${path}`, String(value));
  } catch {
    // no IPv6, or a read-only /proc/sys: the addresses work, only less cleanly
  }
}

/** @param next the configuration that comes: what it has too, on the same interface, stays */
export function removeVmacs(config: VrrpConfig, network: Network, log: (text: string) => void, next?: VrrpConfig): void {
  const isKept = (i: Instance): boolean =>
    next?.instances.some((n) => n.vmac === i.vmac && n.interface === i.interface && virtualMac(n) === virtualMac(i)) ?? false;
  for (const instance of config.instances) {
    const find = (name: string | undefined) => network.links().find((l) => l.name === name);
    const link = find(instance.vmac);
    if (link === undefined || !isOurs(link, instance, find(instance.interface)) || isKept(instance)) continue;
    try {
      network.client.request(`remove VMAC ${link.name}`, RTM_DELLINK, 0, linkHeader(link.ifindex, 0, 0, 0));
    } catch (error) {
      log(explain(error));
    }
  }
  network.refresh();
}

const isOurs = (link: Link, i: Instance, base: Link | undefined): boolean =>
  link.mac === virtualMac(i) && link.lower === base?.ifindex;
