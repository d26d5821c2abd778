import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { netnsPath } from "../../platform/namespace.ts";
import { closeFd } from "../../platform/process.ts";
import { interfaceIndex, openPacketSocket, send } from "../../platform/socket.ts";
import { chance, type Dialect, dialects, forged, mayBeTaken, mutant, VRID } from "./testing/mutants.ts";
import { openStage, type Stage, until } from "./testing/nodes.ts";

/** Packets that are no adverts, on the wire, at a process that leads. LVSD_FULL=1: a million. */

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.remove());

const COUNT = process.env.LVSD_FULL === "1" ? 1_000_000 : 20_000;
const words: Record<Dialect, string> = {
  v2: "version 2",
  "v2 PASS": "version 2\n authentication {\n auth_type PASS\n auth_pass s3cret\n }",
  "v2 AH": "version 2\n authentication {\n auth_type AH\n auth_pass s3cret\n }",
  v3: "version 3",
};
const residentKb = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

for (const dialect of dialects) {
  test(`${COUNT / dialects.length} packets on the wire that are no adverts leave a master what it is, ${dialect}`, {
    timeout: 600_000,
  }, async () => {
    await stage.clear();
    const conf = `vrrp_instance VI_1 {
  interface eth0
  virtual_router_id ${VRID}
  state MASTER
  priority 255
  advert_int 1
  ${words[dialect]}
  virtual_ipaddress {
    10.9.0.100/32
  }
}`;
    const node = stage.start("ours", stage.a, conf);
    await until("it leads", () => node.log().includes("Entering MASTER STATE"));
    const before = residentKb(node.pid);
    const namespace = netnsPath(stage.b);
    const fd = openPacketSocket(interfaceIndex("eth0", namespace)!, { namespace, protocol: 0 });
    const sent = await pour(fd, dialect);
    closeFd(fd);
    await delay(500);
    const [status] = await node.status();
    const { becameMaster, advertsReceived } = status!.counters;
    console.info(`${dialect}: ${sent} sent, ${advertsReceived} were for it; it grew by ${residentKb(node.pid) - before} kB`);
    expect({ state: status!.state, becameMaster }).toEqual({ state: "MASTER", becameMaster: 1 });
    expect(advertsReceived).toBeGreaterThan(sent / 20);
    expect(status!.troubles.length).toBeLessThanOrEqual(32);
    expect(residentKb(node.pid) - before).toBeLessThan(100_000);
    await node.kill();
  });
}

/** Those that nobody may take for an advert, as frames to the group. */
async function pour(fd: number, dialect: Dialect): Promise<number> {
  const below = chance(2);
  let sent = 0;
  for (let n = 0; n < COUNT / dialects.length; n++) {
    if (n % 500 === 0) await delay(1); // so that its socket does not overflow all the time
    const packet = forged(mutant(dialect, below, n + 1), below);
    if (mayBeTaken(dialect, packet)) continue;
    send(fd, Uint8Array.from([...HEADER, ...packet]));
    sent++;
  }
  return sent;
}

/** Ethernet: 224.0.0.18 from somebody, IPv4. */
const HEADER = [0x01, 0x00, 0x5e, 0x00, 0x00, 0x12, 0x02, 0, 0, 0, 0, 0x02, 0x08, 0x00];
