import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { netnsPath } from "../../platform/namespace.ts";
import { closeFd } from "../../platform/process.ts";
import { interfaceIndex, openPacketSocket, receive } from "../../platform/socket.ts";
import { ETHERTYPE_ARP, parseArp } from "../../wire/arp.ts";
import { has, ip, type Node, openStage, owners, type Stage, until } from "./testing/nodes.ts";

/** Two of ours on one link, as processes. */

let stage: Stage;
let folder: string;
beforeAll(async () => {
  stage = await openStage();
  folder = mkdtempSync(join(tmpdir(), "lvsd-vrrp-"));
});
afterEach(() => stage.clear());
afterAll(async () => {
  await stage.remove();
  rmSync(folder, { recursive: true, force: true });
});

const VIP = "10.9.0.100";
const FAST = "version 3\n advert_int 0.1"; // the master is missed after 0.36 s

interface Words {
  readonly words?: string;
  readonly before?: string;
  readonly after?: string;
  readonly vips?: string;
  readonly name?: string;
}
const conf = (
  priority: number,
  { words = FAST, before = "", after = "", vips = `${VIP}/32`, name = "VI_1" }: Words = {},
): string => `
${before}
vrrp_instance ${name} {
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority ${priority}
  ${words}
  virtual_ipaddress {
    ${vips}
  }
}
${after}
`;

const start = (place: "a" | "b", priority: number, words?: Words): Node =>
  stage.start("ours", stage[place], conf(priority, words));

async function ownedBy(place: string, vip = VIP): Promise<void> {
  await until(`${vip} is at ${place} only`, () => owners(stage, vip).join() === place);
  await delay(250);
  expect(owners(stage, vip)).toEqual([place]);
}

const median = (list: readonly number[]): number => [...list].sort((x, y) => x - y)[list.length >> 1]!;
const stateOf = async (node: Node): Promise<string[]> => (await node.status()).map((i) => i.state);

test("the higher priority leads, and nobody else has the address", async () => {
  const low = start("b", 100);
  const high = start("a", 150);
  await ownedBy(stage.a);
  expect([await stateOf(high), await stateOf(low)]).toEqual([["MASTER"], ["BACKUP"]]);
  expect((await low.status())[0]).toMatchObject({ master: { from: "10.9.0.1", priority: 150 }, troubles: [] });
});

test("a backup takes over from a master that is killed, after three adverts and its skew", async () => {
  const low = start("b", 100);
  const times: number[] = [];
  for (let n = 0; n < 5; n++) {
    const high = start("a", 150);
    await ownedBy(stage.a);
    const taken = low.entered("MASTER");
    await delay(30);
    const killed = performance.now();
    await high.kill();
    times.push((await taken) - killed);
    expect(has(stage.b, VIP)).toBe(true);
    ip("-n", stage.a, "address", "delete", `${VIP}/32`, "dev", "eth0"); // what the killed one has left
  }
  console.info(
    `take-over after kill -9, advert_int 0.1: median ${median(times).toFixed(0)} ms of ${times.map((t) => t.toFixed(0))}`,
  );
  // The master's last advert is up to one interval old: 261 to 361 ms, and what a busy machine adds.
  expect(median(times)).toBeGreaterThan(200);
  expect(median(times)).toBeLessThan(700);
});

test("a master that stops says so, and is followed after the skew alone", async () => {
  const low = start("b", 100);
  const high = start("a", 150);
  await ownedBy(stage.a);
  const taken = low.entered("MASTER");
  await delay(30);
  const asked = performance.now();
  await high.stop();
  const time = (await taken) - asked;
  console.info(`take-over after stop, advert_int 0.1: ${time.toFixed(0)} ms`);
  expect(time).toBeLessThan(600);
  await ownedBy(stage.b);
  expect((await low.status())[0]!.counters.zeroReceived).toBe(1);
  expect(high.log()).toContain("(VI_1) sent 0 priority");
});

test("without preemption the one that leads goes on leading", async () => {
  const words = { words: `${FAST}\n nopreempt` };
  const low = start("b", 100, words);
  await ownedBy(stage.b);
  const high = start("a", 150, words);
  await delay(1500);
  expect(owners(stage, VIP)).toEqual([stage.b]);
  expect(await stateOf(high)).toEqual(["BACKUP"]);
  await low.stop();
  await ownedBy(stage.a);
});

test("a delay of preemption is kept", async () => {
  start("b", 100);
  await ownedBy(stage.b);
  const began = performance.now();
  start("a", 150, { words: `${FAST}\n preempt_delay 2` });
  await until("a leads", () => has(stage.a, VIP));
  expect(performance.now() - began).toBeGreaterThan(2000);
  await ownedBy(stage.a);
});

test("a link that goes down is a fault, and the other side takes over", async () => {
  const low = start("b", 100, { words: `${FAST}\n dont_track_primary` });
  const high = start("a", 150);
  await ownedBy(stage.a);
  const taken = low.entered("MASTER");
  ip("-n", stage.a, "link", "set", "eth0", "down");
  await taken;
  await until("a has let go", () => !has(stage.a, VIP));
  expect(await stateOf(high)).toEqual(["FAULT"]);
  expect(high.log()).toContain("(VI_1) entering FAULT state (interface eth0 down)");
  ip("-n", stage.a, "link", "set", "eth0", "up");
  await ownedBy(stage.a);
});

test("an address that somebody removes is put back at once, and the master stays master", async () => {
  const node = start("a", 150);
  await ownedBy(stage.a);
  const removed = performance.now();
  ip("-n", stage.a, "address", "delete", `${VIP}/32`, "dev", "eth0");
  await until("it is back", () => has(stage.a, VIP), 1000);
  expect(performance.now() - removed).toBeLessThan(1000);
  expect((await node.status())[0]!.counters).toMatchObject({ becameMaster: 1, releasedMaster: 0 });
});

test("what a killed one has left is removed by the next at its start", async () => {
  const first = start("a", 150);
  await ownedBy(stage.a);
  await first.kill();
  expect(has(stage.a, VIP)).toBe(true);
  start("a", 150, { words: "version 2\n advert_int 1" }); // so that there is time to see it
  await until("it is gone", () => !has(stage.a, VIP), 3000);
});

test("one that is restarted after a crash goes on as master, and the other side does not notice", async () => {
  const words = { words: "version 2\n advert_int 1" };
  const low = start("b", 100, words);
  const first = start("a", 150, words);
  await ownedBy(stage.a);
  await first.kill();
  const second = stage.start("ours", stage.a, conf(150, words), ["--resume"]);
  await until("it leads again", () => second.log().includes("Entering MASTER STATE"), 3000);
  expect(has(stage.a, VIP)).toBe(true);
  await delay(4000);
  expect(owners(stage, VIP)).toEqual([stage.a]);
  expect((await low.status())[0]!.counters.becameMaster).toBe(0);
});

test("an interface that is not there yet is a fault until it comes", async () => {
  const late = conf(150).replace("interface eth0", "interface late0");
  const node = stage.start("ours", stage.a, late);
  await until("it says so", () => node.log().includes("entering FAULT state (interface late0 down)"));
  ip("-n", stage.a, "link", "add", "late0", "type", "veth", "peer", "name", "late1");
  try {
    for (const link of ["late0", "late1"]) ip("-n", stage.a, "link", "set", link, "up");
    await until("it has no address to send from", () => node.log().includes("(no IPv4 address for interface)"));
    ip("-n", stage.a, "address", "add", "10.8.0.1/24", "dev", "late0");
    await until("it leads", () => has(stage.a, VIP));
    ip("-n", stage.a, "link", "delete", "late0");
    await until("it is in fault again", () => node.log().split("(interface late0 down)").length === 3);
  } finally {
    await node.kill();
  }
});

test("routes and rules come and go with the addresses", async () => {
  const words = `${FAST}
  virtual_routes {
    10.77.0.0/16 via 10.9.0.2 dev eth0
    10.78.0.0/16 no_track mtu 1400 nexthop via 10.9.0.2 dev eth0 weight 2 nexthop via 10.9.0.3 dev eth0 weight 1
  }
  virtual_rules {
    to 10.77.0.0/16 table 254 priority 777
  }`;
  const node = start("a", 150, { words });
  await ownedBy(stage.a);
  const routes = (): string => ip("-n", stage.a, "route", "show", "proto", "18");
  const rules = (): string => ip("-n", stage.a, "rule", "show");
  expect(routes()).toContain("10.77.0.0/16 via 10.9.0.2 dev eth0");
  expect(rules()).toMatch(/777:\s+from all to 10\.77\.0\.0\/16 lookup main/);
  const shared =
    /10\.78\.0\.0\/16 mtu 1400 *\n\s*nexthop via 10\.9\.0\.2 dev eth0 weight 2 *\n\s*nexthop via 10\.9\.0\.3 dev eth0 weight 1/;
  expect(routes()).toMatch(shared);
  ip("-n", stage.a, "route", "delete", "10.78.0.0/16");
  await until("the shared route is back", () => shared.test(routes()), 1000);
  ip("-n", stage.a, "route", "delete", "10.77.0.0/16");
  await until("the route is back", () => routes().includes("10.77.0.0/16"), 1000);
  await node.stop();
  expect([routes(), rules().includes("777:"), has(stage.a, VIP)]).toEqual(["", false, false]);
});

test("a tracked file and a tracked script move the priority, and the address", async () => {
  const file = join(folder, "weight");
  const script = join(folder, "check");
  writeFileSync(file, "0\n");
  writeFileSync(script, "#!/bin/sh\nexit 0\n");
  chmodSync(script, 0o700);
  const before = `track_file f {\n file ${file}\n weight 1\n }
  vrrp_script s {\n script ${script}\n interval 1\n weight -60\n }`;
  const words = `${FAST}\n track_file {\n f\n }\n track_script {\n s\n }`;
  start("b", 100);
  const high = start("a", 150, { before, words });
  await ownedBy(stage.a);
  writeFileSync(file, "-80\n");
  await ownedBy(stage.b);
  expect((await high.status())[0]!.effectivePriority).toBe(70);
  writeFileSync(file, "0\n");
  await ownedBy(stage.a);
  writeFileSync(script, "#!/bin/sh\nexit 1\n");
  await ownedBy(stage.b);
  expect(high.log()).toContain("(VI_1) Changing effective priority from 150 to 90");
  expect(high.log()).toContain("VRRP_Script(s) failed (exited with status 1)");
});

test("the instances of a sync group move together", async () => {
  const file = join(folder, "fault");
  writeFileSync(file, "0\n");
  const more = (priority: number, track: string): Words => ({
    before: `track_file f {\n file ${file}\n weight 0\n }\nvrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n }`,
    after: `vrrp_instance VI_2 {
  state BACKUP
  interface eth0
  virtual_router_id 52
  priority ${priority}
  ${FAST}
  ${track}
  virtual_ipaddress {
    10.9.0.101/32
  }
}`,
  });
  start("b", 100, more(100, ""));
  const high = start("a", 150, more(150, "track_file {\n f\n }"));
  await ownedBy(stage.a);
  await ownedBy(stage.a, "10.9.0.101");
  writeFileSync(file, "1\n");
  await ownedBy(stage.b, "10.9.0.101");
  await ownedBy(stage.b);
  expect(await stateOf(high)).toEqual(["FAULT", "FAULT"]);
  writeFileSync(file, "0\n");
  await ownedBy(stage.a);
  await ownedBy(stage.a, "10.9.0.101");
  expect(high.log()).toContain("VRRP_Group(G) Syncing instances to MASTER state");
});

test("a reload keeps a master master, takes addresses away and brings others, whatever its name", async () => {
  const low = start("b", 100);
  const high = start("a", 150);
  await ownedBy(stage.a);
  high.reload(conf(150, { vips: "10.9.0.102/32", name: "other" }));
  await until("the new address is there and the old one gone", () => has(stage.a, "10.9.0.102") && !has(stage.a, VIP));
  await delay(700);
  expect((await high.status())[0]).toMatchObject({ name: "other", state: "MASTER", counters: { becameMaster: 1, zeroSent: 0 } });
  expect((await low.status())[0]).toMatchObject({ state: "BACKUP", troubles: [{ field: "vip-list", got: "10.9.0.102" }] });
});

test("scripts and FIFOs are told in order", async () => {
  const [log, script, fifo, reader] = ["notes", "note", "fifo", "reader"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
    string,
  ];
  writeFileSync(script, `#!/bin/sh\necho "$@" >> ${log}\n`);
  writeFileSync(reader, `#!/bin/sh\nexec cat "$1" > ${log}.fifo\n`);
  for (const path of [script, reader]) chmodSync(path, 0o700);
  const before = `global_defs {\n vrrp_notify_fifo ${fifo}\n vrrp_notify_fifo_script ${reader}\n}`;
  const node = start("a", 150, { before, words: `${FAST}\n notify ${script}\n notify_master "${script} alone"` });
  await ownedBy(stage.a);
  await until("notes are there", () => readFileSync(log, "utf8").includes("MASTER"), 3000);
  expect(readFileSync(log, "utf8")).toBe("INSTANCE VI_1 BACKUP 150\nalone\nINSTANCE VI_1 MASTER 150\n");
  expect(readFileSync(`${log}.fifo`, "utf8")).toBe('INSTANCE "VI_1" BACKUP 150\nINSTANCE "VI_1" MASTER 150\n');
  await node.stop();
  expect(() => readFileSync(fifo)).toThrow(); // it was ours
});

test("two masters that refuse each other say who, which field, what it is and what it should be", async () => {
  const words = (password: string): Words => ({
    words: `version 2\n advert_int 1\n authentication {\n auth_type PASS\n auth_pass ${password}\n }`,
  });
  const nodes = [start("a", 150, words("one")), start("b", 100, words("two"))];
  await until("both lead", () => owners(stage, VIP).length === 2);
  await delay(2500);
  const line = "split brain: 10.9.0.2 is master too, its adverts are refused: auth-data is another password, expected auth_pass";
  expect(nodes[0]!.log().split(line)).toHaveLength(2); // once
  const [{ troubles } = { troubles: [] }] = await nodes[1]!.status();
  expect(troubles).toMatchObject([{ peer: "10.9.0.1", field: "auth-data" }]);
});

test("a new master announces its address by gratuitous ARP, five times", async () => {
  const namespace = netnsPath(stage.b);
  const ear = openPacketSocket(interfaceIndex("eth0", namespace)!, { namespace, protocol: ETHERTYPE_ARP });
  try {
    start("a", 150);
    await ownedBy(stage.a);
    const frames: unknown[] = [];
    const buffer = new Uint8Array(2048);
    for (let length = receive(ear, buffer); length !== undefined; length = receive(ear, buffer))
      frames.push(parseArp(buffer.slice(0, length)));
    const mac = JSON.parse(ip("-n", stage.a, "-j", "link", "show", "eth0"))[0].address as string;
    const expected = { src: mac, dst: "ff:ff:ff:ff:ff:ff", operation: "request", senderMac: mac, senderIp: VIP, targetIp: VIP };
    expect(frames).toHaveLength(5);
    for (const frame of frames) expect(frame).toMatchObject(expected);
  } finally {
    closeFd(ear);
  }
});

test("with no_accept the address is held and announced but answers nobody, until the master stops", async () => {
  const node = start("a", 150, { words: `${FAST}\n no_accept`, vips: `${VIP}/24` });
  await ownedBy(stage.a);
  const ping = (address: string): boolean =>
    spawnSync("nsenter", [`--net=/run/netns/${stage.b}`, "ping", "-c1", "-W1", address]).status === 0;
  expect([ping("10.9.0.1"), ping(VIP)]).toEqual([true, false]);
  expect(ip("-n", stage.b, "neighbour", "show", VIP)).toContain("lladdr"); // ARP is answered
  expect(node.log()).not.toContain("not in force");
  await node.stop();
  ip("-n", stage.a, "address", "add", `${VIP}/24`, "dev", "eth0");
  expect(ping(VIP)).toBe(true);
});

test("with use_vmac the address stands on a macvlan with the virtual MAC, which is gone after a stop", async () => {
  const node = start("a", 150, { words: `${FAST}\n use_vmac` });
  start("b", 100, { words: `${FAST}\n use_vmac` });
  await ownedBy(stage.a);
  const show = (): string => ip("-n", stage.a, "-d", "address", "show");
  expect(show()).toMatch(/vrrp\.51@eth0[\s\S]*00:00:5e:00:01:33[\s\S]*macvlan mode private[\s\S]*10\.9\.0\.100\/32/);
  await node.stop();
  await ownedBy(stage.b);
  expect(show()).not.toContain("vrrp.51");
});

test("a reload takes away virtual MACs that are no longer wanted, and moves one to another link while its router leads", async () => {
  const block = (link: string, vip: string, words: string): string => `vrrp_instance ${link} {
  interface ${link}
  virtual_router_id 51
  ${FAST}
  ${words}
  virtual_ipaddress {
    ${vip}/32
  }
}`;
  const [first, second] = [block("eth0", VIP, "use_vmac"), block("eth1", "10.9.1.100", "use_vmac")];
  const show = (): string => ip("-n", stage.a, "-o", "address", "show").replaceAll("\\", "");
  const links = (): string[] => ip("-n", stage.a, "-o", "link", "show").match(/vrrp\d*\.51@eth\d/g) ?? [];
  ip("-n", stage.a, "link", "add", "eth1", "type", "veth", "peer", "name", "end1");
  try {
    for (const name of ["eth1", "end1"]) ip("-n", stage.a, "link", "set", name, "up");
    ip("-n", stage.a, "address", "add", "10.9.1.1/24", "dev", "eth1");
    const node = stage.start("ours", stage.a, `${first}\n${second}`);
    await until("both lead", () => has(stage.a, VIP) && has(stage.a, "10.9.1.100"));
    expect(links()).toEqual(["vrrp.51@eth0", "vrrp1.51@eth1"]);
    node.reload(second);
    await until("it has moved", () => /vrrp\.51 +inet 10\.9\.1\.100/.test(show()));
    expect(links()).toEqual(["vrrp.51@eth1"]);
    expect((await node.status()).map(({ state, counters }) => [state, counters.becameMaster])).toEqual([["MASTER", 1]]);
    node.reload(block("eth1", "10.9.1.100", ""));
    await until("it stands on the link itself", () => /eth1 +inet 10\.9\.1\.100/.test(show()));
    expect(links()).toEqual([]);
  } finally {
    ip("-n", stage.a, "link", "delete", "eth1");
  }
});

test("a reload changes labels, scopes and MTUs in the kernel, and a route that needs the address comes back with it", async () => {
  const wanted = (more: string, route: string): string =>
    conf(150, { words: `${FAST}\n virtual_routes {\n 10.7.0.0/16 src ${VIP} dev eth0 ${route}\n }`, vips: `${VIP}/32 ${more}` });
  const node = stage.start("ours", stage.a, wanted("", ""));
  await ownedBy(stage.a);
  node.reload(wanted("label eth0:v scope link", "mtu 1400"));
  const show = (...what: string[]): string => ip("-n", stage.a, ...what);
  await until("the address has a label", () => /10\.9\.0\.100\/32 scope link.* eth0:v/.test(show("address", "show")));
  await until("the route has an MTU", () => /10\.7\.0\.0\/16 .*mtu 1400/.test(show("route")));
  node.reload(wanted("label eth0:w", "mtu 1400"));
  await until("the address has another label", () => /10\.9\.0\.100\/32 scope global.* eth0:w/.test(show("address", "show")));
  expect(show("route")).toMatch(/10\.7\.0\.0\/16 .*mtu 1400/);
  expect((await node.status()).map(({ state, counters }) => [state, counters.becameMaster])).toEqual([["MASTER", 1]]);
});
