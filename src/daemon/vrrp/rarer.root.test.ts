import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { netnsPath } from "../../platform/namespace.ts";
import { has, ip, openStage, type Stage, until } from "./testing/nodes.ts";

/** The rarer words of keepalived.conf at work. */

let stage: Stage;
let folder: string;
beforeAll(async () => {
  stage = await openStage();
  folder = mkdtempSync(resolve("build/test-rarer-"));
});
afterEach(() => stage.clear());
afterAll(async () => {
  await stage.remove();
  rmSync(folder, { recursive: true });
});

interface Words {
  readonly root?: string;
  readonly globals?: string;
  readonly words?: string;
  readonly vrid?: number;
}

const conf = ({ root = "", globals = "", words = "", vrid = 51 }: Words): string => `${root}
global_defs {
  ${globals}
}
vrrp_instance VI_${vrid} {
  interface eth0
  virtual_router_id ${vrid}
  version 3
  advert_int 0.1
  ${words}
  virtual_ipaddress {
    10.9.0.${vrid}/32
  }
}`;
const VIP = "10.9.0.51";
const inA = (...words: string[]): string =>
  spawnSync("nsenter", [`--net=${netnsPath(stage.a)}`, ...words], { encoding: "utf8" }).stdout;
const sysctl = (path: string): string => inA("cat", `/proc/sys/net/${path}`).trim();

test("log_unknown_vrids tells of a VRID that nobody here has, once", async () => {
  const ours = stage.start("ours", stage.a, conf({ globals: "log_unknown_vrids" }));
  stage.start("ours", stage.b, conf({ vrid: 77 }));
  await until("it is told", () => ours.log().includes("Unknown VRID(77) received on interface(eth0) from 10.9.0.2. ignoring..."));
  await delay(400);
  expect(ours.log().split("Unknown VRID(77)")).toHaveLength(2);
});

test("unicast without peers is a fault where unicast_fault_no_peer says so", async () => {
  const ours = stage.start("ours", stage.a, conf({ words: "unicast_src_ip 10.9.0.1\n unicast_fault_no_peer" }));
  await until("it says so", () => ours.log().includes("(VI_51) entering FAULT state (unicast without any peers)"));
  expect((await ours.status())[0]!.state).toBe("FAULT");
});

test("an instance that a reload removes is told as DELETED, and FIFOs are told all states after a reload", async () => {
  const [notes, script, fifo, reader] = ["notes", "note", "fifo", "reader"].map((name) => join(folder, name)) as string[];
  writeFileSync(script!, `#!/bin/sh\necho "$@" >> ${notes}\n`);
  writeFileSync(reader!, `#!/bin/sh\nexec cat "$1" >> ${notes}.fifo\n`);
  for (const path of [script!, reader!]) chmodSync(path, 0o700);
  const globals = `fifo_write_vrrp_states_on_reload\n vrrp_notify_fifo ${fifo}\n vrrp_notify_fifo_script ${reader}`;
  const words = `notify_deleted "${script} gone"\n notify_fault "${script} fault"`;
  const both = `${conf({ globals, words })}\n${conf({ vrid: 52 }).replace(/global_defs \{\s*\}/, "")}`;
  const ours = stage.start("ours", stage.a, both);
  await until("both lead", () => has(stage.a, VIP) && has(stage.a, "10.9.0.52"));
  const lines = (): string[] => (existsSync(`${notes}.fifo`) ? readFileSync(`${notes}.fifo`, "utf8").trim().split("\n") : []);
  await until("that is told", () => lines().filter((line) => line.includes("MASTER")).length === 2);
  ours.reload(conf({ globals, vrid: 52 }));
  await until("the script has run", () => existsSync(notes!) && readFileSync(notes!, "utf8") !== "");
  await until("the states are told", () => lines().filter((line) => line.includes('"VI_52" MASTER')).length === 2);
  expect(readFileSync(notes!, "utf8")).toBe("gone\n");
  expect(lines().filter((line) => line.includes("VI_51"))).toEqual([
    'INSTANCE "VI_51" BACKUP 100',
    'INSTANCE "VI_51" MASTER 100',
    'INSTANCE "VI_51" DELETED 100',
  ]);
  expect(has(stage.a, VIP)).toBe(false);
});

test("names of VMACs and settings of the kernel are the file's", async () => {
  const globals = "vmac_prefix own\n nftables mine\n nftables_priority -20\n disable_local_igmp\n vrrp_rx_bufs_policy 200000";
  const words = "use_vmac\n no_accept\n kernel_rx_buf_size 300000";
  const ours = stage.start("ours", stage.a, conf({ globals, words }));
  await until("it leads", () => has(stage.a, VIP));
  expect(ip("-n", stage.a, "link", "show")).toContain("own.51@eth0");
  expect(ours.log()).not.toContain("not in force");
  expect(sysctl("ipv4/igmp_link_local_mcast_reports")).toBe("0");
  await ours.stop();
  expect(sysctl("ipv4/igmp_link_local_mcast_reports")).toBe("1");
});

test("promote_secondaries keeps the other addresses of a net when one is removed", async () => {
  stage.start("ours", stage.a, conf({ words: "promote_secondaries" }));
  await until("it leads", () => has(stage.a, VIP));
  expect(sysctl("ipv4/conf/eth0/promote_secondaries")).toBe("1");
});

test("a link that is down for less than its delay is not down at all", async () => {
  const ours = stage.start("ours", stage.a, conf({ root: "interface_up_down_delays {\n eth0 1\n }" }));
  await until("it leads", () => has(stage.a, VIP));
  const peer = (to: "up" | "down"): string => ip("-n", stage.b, "link", "set", "eth0", to);
  peer("down");
  await delay(300);
  peer("up");
  await delay(1200);
  expect((await ours.status())[0]).toMatchObject({ state: "MASTER", counters: { releasedMaster: 0 } });
  const from = performance.now();
  peer("down");
  await until("it is down", () => ours.log().includes("(interface eth0 down)"));
  expect(performance.now() - from).toBeGreaterThan(900);
  peer("up");
});

test("the interfaces of a garp_group share a pace", async () => {
  const root = "garp_group {\n interface eth0\n garp_interval 0.2\n }";
  const ours = stage.start("ours", stage.a, conf({ root, words: "garp_master_delay 0" }));
  const words = ["tcpdump", "-tt", "-n", "-c", "5", "-i", "eth0", "arp", "and", "src", "host", VIP];
  const ear = spawn("nsenter", [`--net=${netnsPath(stage.b)}`, "timeout", "5", ...words]);
  let text = "";
  ear.stdout.on("data", (part) => {
    text += String(part);
  });
  await new Promise((done) => ear.once("close", done));
  const times = text
    .split("\n")
    .filter((line) => line.includes(VIP))
    .map((line) => Number(line.split(" ")[0]) * 1000);
  expect(ours.log()).toContain("Entering MASTER STATE");
  expect(times).toHaveLength(5);
  for (const [i, at] of times.slice(1).entries()) expect(at - times[i]!).toBeGreaterThan(190);
});

test.skipIf(!existsSync("/usr/sbin/keepalived"))(
  "a unicast peer with the checksum of old is answered with it, unless that is forbidden",
  async () => {
    const unicast = (own: number, peer: number): string => `unicast_src_ip 10.9.0.${own}\n unicast_peer {\n 10.9.0.${peer}\n }`;
    const theirs = stage.start("keepalived", stage.b, conf({ words: `${unicast(2, 1)}\n old_unicast_checksum` }));
    await until("it leads", () => has(stage.b, VIP));
    const ours = stage.start("ours", stage.a, conf({ words: `${unicast(1, 2)}\n priority 150` }));
    await until("ours leads", () => has(stage.a, VIP) && !has(stage.b, VIP));
    expect(ours.log()).toContain("(VI_51) Setting unicast VRRPv3 checksum to old version");
    expect(theirs.log()).not.toContain("Invalid VRRPv3 checksum");
    await ours.stop();
    const never = stage.start("ours", stage.a, conf({ words: `${unicast(1, 2)}\n priority 150\n old_unicast_checksum never` }));
    await until("it leads", () => never.log().includes("Entering MASTER STATE"));
    expect(never.log()).not.toContain("to old version");
  },
);
