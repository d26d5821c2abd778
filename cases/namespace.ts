import { execFileSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { enterNamespace, netnsPath } from "../src/platform/namespace.ts";
import { CLIENT_SIDE, GATEWAY, MTU, macOf, neighbours, ownMac, SERVER_SIDE } from "./network.ts";

const ip = (...args: string[]): void => void execFileSync("ip", args, { stdio: ["ignore", "pipe", "pipe"] });
let made = 0;

/**
 * The network of network.ts as a namespace of its own, with this thread inside until `leave`: the data path asks the kernel
 * for the way to a client, and BPF_PROG_TEST_RUN takes the interfaces of the caller's namespace for those a packet comes in by.
 */
export function enterNetwork(): { leave(): void } {
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

function furnish(name: string): void {
  const inside = (...args: string[]): void => ip("-n", name, ...args);
  addLink(inside, "c0", CLIENT_SIDE, ownMac("client"), "10.1.0.1/24");
  addLink(inside, "s0", SERVER_SIDE, ownMac("server"), "10.2.0.1/24");
  inside("address", "add", "10.2.0.100/32", "dev", "s0");
  inside("address", "add", "10.2.0.101/32", "dev", "s0");
  for (const { side, address } of neighbours) {
    const device = side === "client" ? "c0" : "s0";
    inside("neighbour", "add", address, "lladdr", macOf(address), "dev", device, "nud", "permanent");
  }
  inside("route", "add", "172.16.0.0/12", "via", GATEWAY);
  execFileSync("ip", ["netns", "exec", name, "sysctl", "-qw", "net.ipv4.conf.all.forwarding=1"], { stdio: "pipe" });
}

/** A veth pair whose far end stays in the namespace, silent. */
function addLink(inside: (...args: string[]) => void, device: string, ifindex: number, mac: string, address: string): void {
  inside("link", "add", device, "index", String(ifindex), "address", mac, "type", "veth", "peer", "name", `${device}-far`);
  for (const end of [device, `${device}-far`]) {
    inside("link", "set", end, "mtu", String(MTU), "addrgenmode", "none", "arp", "off", "up");
  }
  inside("link", "set", device, "arp", "on");
  inside("address", "add", address, "dev", device);
}
