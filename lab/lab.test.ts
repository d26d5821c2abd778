import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Host } from "./host.ts";
import { startLab, withLab } from "./lab.ts";
import { missing } from "./needs.ts";
import { listNamespaces, pidsIn, sweepLeftovers } from "./remains.ts";
import { demo, VIPS } from "./topologies/demo.ts";
import { dr } from "./topologies/dr.ts";
import { fullnat } from "./topologies/fullnat.ts";
import { nat } from "./topologies/nat.ts";
import { tun } from "./topologies/tun.ts";
import { type Topology, topology } from "./topology.ts";
import { until } from "./until.ts";

const reaches = async (from: Host, address: string): Promise<boolean> =>
  (await from.exec(["ping", "-n", "-q", "-c", "1", "-W", "1", address])).code === 0;

const named = (prefix: string) => listNamespaces().filter((name) => name.startsWith(prefix));

describe.skipIf(missing() !== undefined)(`a lab (${missing() ?? "here"})`, () => {
  const reachable: [name: string, topology: Topology, from: string, to: string[], not: string[]][] = [
    ["nat", nat, "rs1", ["10.2.0.1", "10.1.0.100", "10.2.0.13", "fd00:2::12", "fd00:1::100"], ["10.9.9.9"]],
    ["nat", nat, "client", ["10.1.0.100", "fd00:1::1"], ["10.2.0.11"]],
    ["dr", dr, "client", ["10.1.0.1", "10.2.0.2", "10.2.0.100", "10.2.0.13", "fd00:2::11", "fd00:2::100"], []],
    ["tun", tun, "client", ["10.2.0.100", "10.3.0.11", "10.3.0.12", "fd00:3::13", "fd00:2::100"], []],
    ["fullnat", fullnat, "rs2", ["10.1.0.2", "10.2.0.51", "10.2.0.52"], []],
    ["demo", demo, "client", [...Object.values(VIPS), "10.2.0.22", "10.3.0.31"], ["10.4.0.41"]],
    ["demo", demo, "nat2", ["10.4.0.1", "10.4.0.41", VIPS.nat], []],
  ];
  for (const [name, described, from, to, not] of reachable) {
    test(`${name}: ${from} reaches all it should and no more`, async () => {
      await withLab(described, async ({ hosts }) => {
        for (const address of to) expect(await reaches(hosts[from]!, address), address).toBe(true);
        for (const address of not) expect(await reaches(hosts[from]!, address), address).toBe(false);
      });
    });
  }

  test("a VIP that real servers have on lo is answered for by the director alone", async () => {
    await withLab(dr, async ({ hosts: { client, router, director } }) => {
      await reaches(client, "10.2.0.100");
      expect(await router.run("ip neigh show 10.2.0.100")).toContain(director.mac("front"));
    });
  });

  test("passes packets of the segment's MTU and none that are longer", async () => {
    const jumbo = topology({
      hosts: { a: {}, b: {}, c: {} },
      segments: { lan: { subnet: "10.0.0.0/24", mtu: 2000, hosts: { a: 1, b: 2, c: 3 } } },
    });
    await withLab(jumbo, async ({ hosts: { a, c } }) => {
      const ping = (bytes: number) =>
        a.exec(["ping", "-c", "1", "-W", "1", "-M", "do", "-s", String(bytes - 28), c.address("lan")]);
      expect((await ping(2000)).code).toBe(0);
      expect((await ping(2001)).stderr).toContain("too long");
    });
  });

  test("takes its processes, namespaces and files with it", async () => {
    const lab = await startLab(nat);
    const { netns } = lab.hosts.client;
    const prefix = netns.slice(0, -"-client".length);
    const sleeper = lab.hosts.client.spawn(["sleep", "600"]);
    await lab.hosts.rs1.exec(["sh", "-c", "sleep 601 > /dev/null 2>&1 &"]); // nobody keeps track of this one
    await until("both sleepers", () => pidsIn(named(prefix)).length === 2);
    const [pid] = pidsIn([lab.hosts.rs1.netns]);
    expect(existsSync(lab.directory)).toBe(true);

    await lab.close();
    await lab.close();
    expect(named(prefix)).toEqual([]);
    expect(existsSync(lab.directory)).toBe(false);
    expect(sleeper.isRunning).toBe(false);
    await until("the untracked sleeper's end", () => !existsSync(`/proc/${pid}/ns/net`));
  });

  test("that cannot be made leaves nothing behind", async () => {
    const broken: Topology = { ...nat, hosts: { ...nat.hosts, rs3: { routes: ["default via 192.0.2.1"] } } };
    const before = named(`lvsd-${process.pid}-`);
    await expect(startLab(broken)).rejects.toThrow(/set up lvsd-\d+-\d+-rs3/);
    expect(named(`lvsd-${process.pid}-`)).toEqual(before);
  });

  test("of a process that was killed is removed by the next run", async () => {
    const dead = deadPid();
    const netns = `lvsd-${dead}-1-client`;
    const directory = join(tmpdir(), `lvsd-${dead}-1`);
    mkdirSync(directory);
    execFileSync("ip", ["netns", "add", netns]);
    const orphan = spawn("nsenter", [`--net=/run/netns/${netns}`, "sleep", "600"], { stdio: "ignore" });
    await until("the orphan", () => pidsIn([netns]).length === 1);

    expect(sweepLeftovers()).toContain(`lvsd-${dead}-1`);
    expect(listNamespaces()).not.toContain(netns);
    expect(existsSync(directory)).toBe(false);
    await until("the orphan's end", () => orphan.signalCode !== null);
  });

  test("of a process that lives is left alone", async () => {
    await withLab(nat, async ({ hosts }) => {
      expect(sweepLeftovers()).not.toContain(hosts.client.netns.slice(0, -"-client".length));
      expect(await reaches(hosts.client, "10.1.0.1")).toBe(true);
    });
  });
});

describe.skipIf(missing() !== undefined)(`a host (${missing() ?? "here"})`, () => {
  const pair = topology({ hosts: { a: {}, b: {} }, segments: { lan: { subnet: "10.0.0.0/24", hosts: { a: 1, b: 2 } } } });

  test("answers with code, output and complaint", async () => {
    await withLab(pair, async ({ hosts: { a } }) => {
      expect(await a.exec(["sh", "-c", "cat; echo no >&2; exit 3"], { input: "yes" })).toEqual({
        code: 3,
        stdout: "yes",
        stderr: "no\n",
      });
      await expect(a.run("echo no >&2; exit 3")).rejects.toThrow("a: echo no >&2; exit 3: exit 3: no");
      await expect(a.run("sleep 9", { timeout: 100 })).rejects.toThrow("not done after 100 ms");
    });
  });

  test("has a network of its own and the machine's mounts, the BPF filesystem among them", async () => {
    await withLab(pair, async ({ hosts: { a, b } }) => {
      expect(await a.readFile("/proc/net/route")).toContain("lan");
      expect(await b.readFile("/proc/sys/net/ipv4/conf/lan/rp_filter")).toBe("0\n");
      expect(await a.run("readlink /proc/self/ns/mnt")).toBe(`${readlinkSync("/proc/self/ns/mnt")}\n`);
      expect(a.interfaces).toEqual(["lan"]);
    });
  });

  test("that is asked to stop something stubborn stops it", async () => {
    await withLab(pair, async ({ hosts: { a } }) => {
      const stubborn = a.spawn(["sh", "-c", "trap 'echo not me' TERM; echo up; while :; do sleep 0.1; done"]);
      await stubborn.hear(/up/);
      await stubborn.stop();
      expect((await stubborn.ended).signal).toBe("SIGKILL");
      expect(stubborn.stdout).toContain("not me");
    });
  });
});

/** A pid that was somebody's and is nobody's now. */
function deadPid(): number {
  return Number(execFileSync("sh", ["-c", "echo $$"], { encoding: "utf8" }));
}
