import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { netnsPath } from "../../platform/namespace.ts";
import { closeFd } from "../../platform/process.ts";
import { interfaceIndex, openPacketSocket, receive } from "../../platform/socket.ts";
import { type Kind, openStage, type Stage, until } from "./testing/nodes.ts";

/** Ours and keepalived, started one after the other in the same place with the same file, send the same frames. */

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterEach(() => stage.clear());
afterAll(() => stage.remove());

const auth = (type: string): string => `authentication {\n auth_type ${type}\n auth_pass s3cret\n }`;
const cases: [name: string, words: string, vips: string][] = [
  ["version 2", "version 2\n advert_int 1", "10.9.0.100/32\n10.9.0.101/32"],
  ["version 2 with a password", `version 2\n advert_int 1\n ${auth("PASS")}`, "10.9.0.100/32"],
  ["version 2 with AH", `version 2\n advert_int 1\n ${auth("AH")}`, "10.9.0.100/32"],
  ["version 3", "version 3\n advert_int 0.5", "10.9.0.100/32"],
  [
    "version 3 by unicast",
    "version 3\n advert_int 0.5\n unicast_src_ip 10.9.0.1\n unicast_peer {\n 10.9.0.2\n }\n unicast_ttl 64",
    "10.9.0.100/32",
  ],
  ["version 3 with a virtual MAC", "version 3\n advert_int 0.5\n use_vmac", "10.9.0.100/32"],
  ["version 3 over IPv6 with a virtual MAC", "version 3\n advert_int 0.5\n use_vmac", "fe80::100/64\n2001:db8:9::100/64"],
  ["version 3 over IPv6", "version 3\n advert_int 0.5", "fe80::100/64\n2001:db8:9::100/64"],
];

const conf = (words: string, vips: string): string => `
vrrp_instance VI_1 {
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority 250
  ${words}
  virtual_ipaddress {
    ${vips}
  }
}
`;

/** The frames of a whole life: adverts, gratuitous ARPs or neighbour advertisements, priority 0. */
async function life(kind: Kind, words: string, vips: string): Promise<string[]> {
  const namespace = netnsPath(stage.b);
  const ear = openPacketSocket(interfaceIndex("eth0", namespace)!, { namespace });
  try {
    const node = stage.start(kind, stage.a, conf(words, vips));
    await until("it leads", () => node.log().includes("Entering MASTER STATE"));
    await delay(700);
    await node.stop();
    const buffer = new Uint8Array(2048);
    const frames: string[] = [];
    for (let length = receive(ear, buffer); length !== undefined; length = receive(ear, buffer)) {
      const text = normal(buffer.slice(0, length));
      if (text !== undefined) frames.push(text);
    }
    return frames;
  } finally {
    closeFd(ear);
  }
}

/** Without what differs from packet to packet: identification, checksum of the IP header, sequence number and HMAC. */
function normal(frame: Uint8Array): string | undefined {
  const view = new DataView(frame.buffer);
  const type = view.getUint16(12);
  if (type === 0x0806) return hex(frame);
  const protocol = frame[type === 0x0800 ? 23 : 20]!;
  const isAdvert = protocol === 112 || protocol === 51 || (protocol === 58 && frame[54] === 136);
  if (!isAdvert || (type !== 0x0800 && type !== 0x86dd)) return undefined;
  if (type === 0x0800) frame.fill(0, 18, 20).fill(0, 24, 26);
  if (type === 0x86dd) frame.fill(0, 15, 18); // the flow label is the kernel's; the traffic class is in the adverts
  if (protocol === 51) frame.fill(0, 42, 58);
  return hex(frame);
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const kinds = (frames: readonly string[]): string[] => [...new Set(frames)].sort();

describe.skipIf(!existsSync("/usr/sbin/keepalived"))("beside keepalived", () => {
  for (const [name, words, vips] of cases) {
    test(`${name}: the same adverts and announcements`, async () => {
      const ours = await life("ours", words, vips);
      await stage.clear();
      const theirs = await life("keepalived", words, vips);
      expect(kinds(ours)).toEqual(kinds(theirs));
      expect(kinds(ours).length).toBeGreaterThanOrEqual(3); // an advert, one with priority 0, an announcement
      expect(ours.filter((f) => f.startsWith("ffffffffffff") || f.startsWith("333300000001")).length).toBe(
        theirs.filter((f) => f.startsWith("ffffffffffff") || f.startsWith("333300000001")).length,
      );
    });
  }
});
