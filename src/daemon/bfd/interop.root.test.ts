import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, type TestContext, test } from "vitest";
import { bundleBfd, type Kind, type Node, openStage, type Place, type Stage, until } from "./testing/stage.ts";

/** Ours and Debian's keepalived 2.2.7 as neighbours: they come up, find the path dead in time, and come up again. */

let bundled: Awaited<ReturnType<typeof bundleBfd>>;
beforeAll(async () => {
  bundled = await bundleBfd();
});
afterAll(() => bundled.remove());

const INTERVAL = 100; // ms
/** What three packets come to. */
const DETECTION = 3 * INTERVAL;
/** What a busy machine may add. */
const SLACK = 150;

const hosts = { ipv4: { a: "10.9.0.1", b: "10.9.0.2" }, ipv6: { a: "2001:db8:9::1", b: "2001:db8:9::2" } } as const;
const other = (place: Place): Place => (place === "a" ? "b" : "a");

interface Words {
  readonly family?: keyof typeof hosts;
  readonly interval?: number;
  readonly more?: string;
}
const conf = (place: Place, { family = "ipv4", interval = INTERVAL, more = "" }: Words = {}): string => `bfd_instance B1 {
  neighbor_ip ${hosts[family][other(place)]}
  min_rx ${interval}
  min_tx ${interval}
  multiplier 3
  ${more}
}`;

const bothUp = (a: Node, b: Node): Promise<void> => until("both are up", () => a.state() === "Up" && b.state() === "Up");
const isDown = (node: Node): boolean => node.state() === "Down";

/** Up, and at the interval that was agreed: keepalived takes another poll to get there. */
async function settled(a: Node, b: Node): Promise<void> {
  await bothUp(a, b);
  const isSettled = async (): Promise<boolean> => {
    const { state, detectionTime, isPolling } = (await a.status())[0]!;
    return state === "Up" && detectionTime === DETECTION && !isPolling;
  };
  while (!(await isSettled())) await delay(20);
  await delay(300);
}

async function refusedNothing(expect: Expect, nodes: readonly Node[]): Promise<void> {
  for (const node of nodes) {
    if (node.kind === "ours") expect((await node.status()).map(({ counters }) => counters.refused)).toEqual([{}]);
    else expect(node.log()).not.toMatch(/Discarding|mismatch|too small|unsupported/);
  }
}

type Expect = TestContext["expect"];

/** Of one host, until stopped. */
function capture(stage: Stage, file: string): ChildProcess {
  const args = [`--net=/run/netns/${stage.a}`, "tcpdump", "-i", "eth0", "-U", "--immediate-mode", "-w", file, "udp"];
  return spawn("nsenter", args, { stdio: "ignore" });
}

/** A field of the packets that the filter lets through. */
async function field(file: string, filter: string, name: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)("tshark", ["-r", file, "-Y", filter, "-T", "fields", "-e", name]);
  return stdout.split("\n").filter((line) => line !== "");
}

/** The path dies silently, and comes back. */
async function cutAndMend(expect: Expect, stage: Stage, a: Node, b: Node): Promise<void> {
  const cut = performance.now();
  stage.cut();
  await until("both are down", () => isDown(a) && isDown(b));
  for (const node of [a, b]) {
    const took = node.enteredAt("Down")! - cut;
    expect(took).toBeGreaterThan(DETECTION - 1.5 * INTERVAL);
    expect(took).toBeLessThan(DETECTION + SLACK);
  }
  expect((await a.status())[0]).toMatchObject({ diagnostic: "Control Detection Time Expired", remote: { discriminator: 0 } });
  stage.mend();
  await settled(a, b);
}

/** keepalived is killed and comes back, then ours is stopped and comes back. */
async function deathAndReturn(expect: Expect, a: Node, b: Node, start: (kind: Kind, place: Place) => Node): Promise<void> {
  const killed = performance.now();
  await b.kill();
  await until("ours is down", () => isDown(a));
  expect(a.enteredAt("Down")! - killed).toBeLessThan(DETECTION + SLACK);
  const nextB = start("keepalived", "b");
  await settled(a, nextB);

  const stopped = performance.now();
  await a.stop();
  await until("keepalived is down", () => isDown(nextB));
  expect(nextB.enteredAt("Down")! - stopped).toBeLessThan(SLACK); // it is told
  expect(nextB.log()).toContain("Neighbor Signaled Session Down");
  const nextA = start("ours", "a");
  await bothUp(nextA, nextB);
  await refusedNothing(expect, [nextA, nextB]);
}

/** What tshark finds in what ours has sent, in so many lives. */
async function isClean(expect: Expect, file: string, family: keyof typeof hosts, lives: number): Promise<void> {
  const own = `bfd && ${family === "ipv4" ? "ip.src" : "ipv6.src"} == ${hosts[family].a}`;
  const bad = `(${own} && (_ws.malformed || _ws.expert.severity >= 0x600000)) || (udp.dstport == 3784 && !bfd)`;
  expect(await field(file, bad, "frame.number")).toEqual([]);
  const [ttl, usual] = family === "ipv4" ? ["ip.ttl", "255"] : ["ipv6.hlim", "64"];
  const ttls = await field(file, own, ttl);
  expect(ttls.length).toBeGreaterThan(10);
  expect(new Set(ttls)).toEqual(new Set([usual]));
  const ports = new Set((await field(file, own, "udp.srcport")).map(Number));
  expect(ports.size).toBe(lives);
  expect(Math.min(...ports)).toBeGreaterThanOrEqual(49152);
}

interface Case {
  readonly name: string;
  readonly family: keyof typeof hosts;
  readonly ours: string;
  readonly theirs: string;
}
const cases: Case[] = [
  { name: "over IPv4, both active", family: "ipv4", ours: "", theirs: "" },
  { name: "over IPv4, ours passive", family: "ipv4", ours: "passive", theirs: "" },
  { name: "over IPv4, keepalived passive", family: "ipv4", ours: "", theirs: "passive" },
  { name: "over IPv6, both active", family: "ipv6", ours: "", theirs: "" },
  {
    ...{ name: "over IPv6, ours passive, with a source", family: "ipv6" },
    ...{ ours: "passive\n source_ip 2001:db8:9::1", theirs: "source_ip 2001:db8:9::2" },
  },
];

describe.skipIf(!existsSync("/usr/sbin/keepalived"))("with keepalived", { concurrent: true }, () => {
  for (const { name, family, ours, theirs } of cases) {
    const isLong = ours === "" && theirs === "";
    const story = `up, a cut is found in time, up again${isLong ? "; so is the death of either, and its return" : ""}`;
    test(`${name}: ${story}`, async ({ expect }) => {
      const stage = await openStage(bundled.program);
      const folder = mkdtempSync(join(tmpdir(), "lvsd-bfd-"));
      const file = join(folder, "bfd.pcap");
      const tcpdump = capture(stage, file);
      try {
        await until("tcpdump listens", () => existsSync(file));
        const start = (kind: Kind, place: Place): Node =>
          stage.start(kind, place, conf(place, { family, more: kind === "ours" ? ours : theirs }));
        const [a, b] = [start("ours", "a"), start("keepalived", "b")];
        await settled(a, b);
        await refusedNothing(expect, [a, b]);
        await cutAndMend(expect, stage, a, b);
        if (isLong) await deathAndReturn(expect, a, b, start);
        tcpdump.kill("SIGTERM");
        await new Promise((done) => tcpdump.once("exit", done));
        await isClean(expect, file, family, isLong ? 2 : 1);
      } finally {
        tcpdump.kill("SIGKILL");
        await stage.remove();
        rmSync(folder, { recursive: true });
      }
    });
  }

  test("other intervals after a reload are agreed on by a poll, without a session going down; on either side", async ({
    expect,
    onTestFinished,
  }) => {
    const stage = await openStage(bundled.program);
    onTestFinished(() => stage.remove());
    const a = stage.start("ours", "a", conf("a"));
    const b = stage.start("keepalived", "b", conf("b"));
    await settled(a, b);
    a.configure(conf("a", { interval: 200 }));
    await until("keepalived takes longer", () => b.log().includes("Detection time is 600000 us"));
    await delay(500);
    expect((await a.status())[0]).toMatchObject({ state: "Up", transmitInterval: 200, detectionTime: 600, isPolling: false });
    b.reload(conf("b", { interval: 300 }));
    await until("keepalived has reloaded", () => b.log().includes("Starting poll sequence"));
    await delay(1500);
    expect((await a.status())[0]).toMatchObject({ state: "Up", transmitInterval: 300, detectionTime: 900, counters: { ups: 1 } });
    expect([a.state(), b.state()]).toEqual(["Up", "Up"]);
    await refusedNothing(expect, [a, b]);
  });
});
