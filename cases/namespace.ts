import { execFileSync } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync } from "node:fs";
import type { Ip } from "../src/net/ip.ts";
import { enterNamespace, netnsPath } from "../src/platform/namespace.ts";
import {
  CLIENT_SIDE,
  FAR_MTU,
  farClients,
  MTU,
  macOf,
  neighbours,
  OWN_ADDRESSES,
  ownMac,
  SERVER_SIDE,
  type Side,
} from "./network.ts";

const ip = (...args: string[]): void => void execFileSync("ip", args, { stdio: ["ignore", "pipe", "pipe"] });
let made = 0;

/**
 * The network of network.ts as a namespace of its own, with this thread inside until `leave`: the data path asks the kernel
 * for the way to a client, and BPF_PROG_TEST_RUN takes the interfaces of the caller's namespace for those a packet comes in by.
 */
export function enterNetwork(): { leave(): void } {
  removeRemains();
  const name = `lvsd-case-${process.pid}-${++made}`;
  const home = openSync("/proc/thread-self/ns/net", "r");
  ip("netns", "add", name);
  try {
    furnish(name);
    const there = openSync(netnsPath(name), "r");
    enterNamespace(there);
    closeSync(there);
  } catch (error) {
    closeSync(home);
    ip("netns", "del", name);
    throw error;
  }
  let isInside = true;
  return {
    leave() {
      if (!isInside) return;
      isInside = false;
      enterNamespace(home);
      closeSync(home);
      ip("netns", "del", name);
    },
  };
}

/** Of runs that were killed. */
function removeRemains(): void {
  if (!existsSync("/run/netns")) return;
  for (const name of readdirSync("/run/netns")) {
    const pid = /^lvsd-case-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) ip("netns", "del", name);
  }
}

function furnish(name: string): void {
  const inside = (...args: string[]): void => ip("-n", name, ...args);
  addLink(inside, "c0", CLIENT_SIDE, ownMac("client"));
  addLink(inside, "s0", SERVER_SIDE, ownMac("server"));
  const forwarding = ["net.ipv4.conf.all.forwarding=1", "net.ipv6.conf.all.forwarding=1"];
  execFileSync("ip", ["netns", "exec", name, "sysctl", "-qw", ...forwarding], { stdio: "pipe" });
  for (const address of OWN_ADDRESSES) addAddress(inside, address);
  for (const { side, address } of neighbours) {
    inside("neighbour", "add", address, "lladdr", macOf(address), "dev", deviceOf(side), "nud", "permanent");
  }
  for (const address of farClients) inside("route", "add", address, "dev", "c0", "mtu", "lock", String(FAR_MTU));
  inside("route", "add", "172.16.0.0/12", "via", "10.1.0.254");
  inside("-6", "route", "add", "2001:db8:16::/48", "via", "2001:db8:1::254");
}

const deviceOf = (side: Side): string => (side === "client" ? "c0" : "s0");

function addAddress(inside: (...args: string[]) => void, address: Ip): void {
  const isIpv6 = address.includes(":");
  const side = /^(10\.1\.|2001:db8:1:)/.test(address) ? "client" : "server";
  const length = /[.:]1$/.test(address) ? (isIpv6 ? 64 : 24) : isIpv6 ? 128 : 32;
  inside("address", "add", `${address}/${length}`, "dev", deviceOf(side), ...(isIpv6 ? ["nodad"] : []));
}

/** A veth pair whose far end stays in the namespace, silent. */
function addLink(inside: (...args: string[]) => void, device: string, ifindex: number, mac: string): void {
  inside("link", "add", device, "index", String(ifindex), "address", mac, "type", "veth", "peer", "name", `${device}-far`);
  for (const end of [device, `${device}-far`]) {
    inside("link", "set", end, "mtu", String(MTU), "addrgenmode", "none", "arp", "off", "up");
  }
  inside("link", "set", device, "arp", "on");
}
