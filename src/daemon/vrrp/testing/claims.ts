import { execFile, spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import type { Mac } from "../../../net/mac.ts";
import { netnsPath } from "../../../platform/namespace.ts";
import { closeFd } from "../../../platform/process.ts";
import { interfaceIndex, openPacketSocket, receive } from "../../../platform/socket.ts";
import { parseNeighbourAdvert } from "../../../wire/ndp.ts";
import { ip, type Stage } from "./nodes.ts";

/** Who answers for an address, as a third machine on the link sees it: ARP by arping, and neighbour discovery. */

const ETHERTYPE_IPV6 = 0x86dd;

/** @returns the MACs that claim it, each once */
export const claims = async (stage: Stage, address: string): Promise<string[]> => [
  ...new Set(address.includes(":") ? await solicit(stage.c, address) : await arping(stage.c, address)),
];

export const macOf = (place: string): string => JSON.parse(ip("-n", place, "-j", "link", "show", "eth0"))[0].address as string;

function arping(place: string, address: string): Promise<string[]> {
  const words = [`--net=${netnsPath(place)}`, "arping", "-b", "-c", "2", "-w", "1", "-I", "br0", address];
  return new Promise((done) => {
    execFile("nsenter", words, (_, stdout) => {
      done([...stdout.matchAll(/reply from \S+ \[([0-9A-F:]+)\]/g)].map((found) => found[1]!.toLowerCase()));
    });
  });
}

/** The kernel asks by multicast when it has forgotten; all who answer are heard. */
async function solicit(place: string, address: string): Promise<Mac[]> {
  const namespace = netnsPath(place);
  const ear = openPacketSocket(interfaceIndex("br0", namespace)!, { namespace, protocol: ETHERTYPE_IPV6 });
  const ping = spawn("nsenter", [`--net=${namespace}`, "sh", "-c", `ip -6 neigh flush dev br0; ping -c1 -W1 ${address}`]);
  const ended = new Promise((over) => ping.once("close", over));
  const heard: Mac[] = [];
  try {
    await Promise.race([ended, delay(1000)]);
    await delay(150);
    const buffer = new Uint8Array(2048);
    for (let length = receive(ear, buffer); length !== undefined; length = receive(ear, buffer)) {
      const advert = parseNeighbourAdvert(buffer.slice(0, length));
      if (typeof advert !== "string" && advert.solicited && advert.target === address) heard.push(advert.targetMac);
    }
  } finally {
    ping.kill();
    closeFd(ear);
  }
  return heard;
}
