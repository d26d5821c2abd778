import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from "vitest";
import { startCapture } from "./capture.ts";
import type { Frame } from "./frame.ts";
import { hooks } from "./hooks.ts";
import type { Host } from "./host.ts";
import { type Lab, startLab } from "./lab.ts";
import { diagnose, ipvsadm, runScript, startLvsd } from "./lvsd.ts";
import { type Machine, type Method, methods, prepareRealServers, serve, webOf } from "./methods.ts";
import { missing } from "./needs.ts";
import { startNginx } from "./nginx.ts";
import { LOCAL_ADDRESSES } from "./topologies/fullnat.ts";
import { countEach, curlEach } from "./traffic.ts";

/** Real clients, real servers and lvsd between them: who answers, and what the packets look like. */

const reason = missing("bin/lvsd", "bin/ipvsadm", "bin/lvsctl");
const servers = ["rs1", "rs2", "rs3"] as const;

for (const hook of hooks) {
  for (const method of Object.values<Method>(methods)) {
    describe.skipIf(reason !== undefined)(`${method.name} by ${hook.name} (${reason ?? "here"})`, () => {
      let lab: Lab<Machine>;
      beforeAll(async () => {
        lab = await startLab(hook.prepare(method.topology));
        const { hosts } = lab;
        await Promise.all([
          ...servers.map((name) => startNginx(lab, hosts[name], [`0.0.0.0:${method.port}`, `[::]:${method.port}`])),
          prepareRealServers(lab, method),
          startLvsd(hosts.director, hook.lvsd),
        ]);
      });
      afterAll(() => lab?.close());
      beforeEach(() => onTestFailed(async () => console.error(await diagnose(lab.hosts.director))));

      test("is on the hook that was asked for", async () => {
        const status = await runScript(lab.hosts.director, "lvsctl status --json");
        const { attachments } = JSON.parse(status) as { attachments: { interface: string; hook: string; mode: string }[] };
        const mode = hook.name === "tc" ? "tc" : "native";
        expect(attachments.map((a) => [a.interface, a.hook, a.mode])).toEqual(
          lab.hosts.director.interfaces.map((name) => [name, hook.name, mode]),
        );
      });

      test("rr takes the newest dest first and then strictly alternates", async () => {
        await serve(lab, method, "rr", [1, 1, 1]);
        expect(await curlEach(lab.hosts.client, webOf(method), 9)).toEqual(repeat(["rs3", "rs2", "rs1"], 9));
      });

      test("100 connections over rr with two servers are shared 50 and 50, and counted", async () => {
        await serve(lab, method, "rr", [1, 1]);
        const answers = await curlEach(lab.hosts.client, webOf(method), 100);
        expect(answers).toEqual(repeat(["rs2", "rs1"], 100));
        expect(Object.fromEntries(countEach(answers))).toEqual({ rs1: 50, rs2: 50 });
        const { stdout } = await ipvsadm(lab.hosts.director, "-L -n --stats");
        expect(stdout).toMatch(new RegExp(`^TCP  ${method.vip}:80 +100 `, "m"));
        expect(stdout).toMatch(new RegExp(`-> ${lab.hosts.rs1.address()}:${method.port} +50 `));
      });

      test("wrr with weights 4, 3 and 2 gives the kernel's sequence", async () => {
        await serve(lab, method, "wrr", [4, 3, 2]);
        expect(await curlEach(lab.hosts.client, webOf(method), 36)).toEqual(wrrSequence([4, 3, 2], 36));
      });

      test("a captured request is as the method has it", async () => {
        await serve(lab, method, "rr", [1]);
        expectRequest[method.name]!(await captureRequest(lab, method));
      });

      test("IPv6 is served alike", async () => {
        await serve(lab, method, "wrr", [2, 1], "ipv6");
        expect(await curlEach(lab.hosts.client, webOf(method, "ipv6"), 9)).toEqual(wrrSequence([2, 1], 9));
      });
    });
  }
}

/** A request's packets as they left the last machine before the director, and as they reached the real server. */
interface Seen {
  readonly before: readonly Frame[];
  readonly after: readonly Frame[];
}

/** What each method does to a request, and does not do. */
const expectRequest: Readonly<Record<string, (seen: Seen) => void>> = {
  NAT({ after }) {
    for (const frame of after) {
      expect(frame.ip[0]).toMatchObject({ source: "10.1.0.2", destination: "10.2.0.11", ttl: 63 });
      expect(frame.tcp?.destination).toBe(8080);
    }
  },
  DR({ before, after }) {
    expect(after.map((frame) => packet(frame))).toEqual(before.map((frame) => oneHopLess(packet(frame))));
    expect(after[0]?.macDestination).not.toBe(before[0]?.macDestination);
  },
  TUN({ before, after }) {
    expect(after.map((frame) => packet(frame, 1))).toEqual(before.map((frame) => oneHopLess(packet(frame))));
    for (const frame of after) {
      expect(frame.ip.map((header) => header.protocol)).toEqual([4, 6]);
      expect(frame.ip[0]).toMatchObject({ source: "10.2.0.2", destination: "10.3.0.11" });
    }
  },
  FullNAT({ after }) {
    for (const frame of after) {
      expect(LOCAL_ADDRESSES).toContain(frame.ip[0]?.source);
      expect(frame.ip[0]?.destination).toBe("10.3.0.11");
    }
  },
};

async function captureRequest(lab: Lab<Machine>, method: Method): Promise<Seen> {
  const { client, rs1 } = lab.hosts;
  const hosts: Readonly<Record<string, Host>> = lab.hosts;
  const last = hosts.router === undefined ? client : hosts.router;
  const [before, after] = await Promise.all([
    startCapture(lab, last, {
      interface: last === client ? "outside" : "front",
      filter: `dst host ${method.vip} and tcp`,
      direction: "out",
    }),
    startCapture(lab, rs1, {
      interface: rs1.interfaces[0]!,
      filter: method.realServer === "tunnel" ? "ip proto 4" : `tcp dst port ${method.port}`,
      direction: "in",
    }),
  ]);
  await client.run(`curl -sS --max-time 5 ${webOf(method)}`);
  const seen = { before: await before.stop(), after: await after.stop() };
  expect(seen.before.length).toBeGreaterThan(4);
  expect(seen.after).toHaveLength(seen.before.length);
  // Where offloads are on, what is inside the IP packet gets its checksum from the last interface, which here is none.
  const checked = lab.topology.segments.outside?.offload === true ? /^ip / : /^/;
  expect(seen.after.flatMap((frame) => frame.badChecksums).filter((bad) => checked.test(bad))).toEqual([]);
  return seen;
}

/** The bytes of a frame's packet, from the IP header of that depth to the packet's end. */
function packet(frame: Frame, depth = 0): Buffer {
  const { at, length } = frame.ip[depth]!;
  return Buffer.from(frame.bytes.subarray(at, at + length));
}

/** The same IPv4 packet after a router: TTL and header checksum (RFC 1624) changed, nothing else. */
function oneHopLess(packet: Buffer): Buffer {
  const forwarded = Buffer.from(packet);
  forwarded[8] = forwarded[8]! - 1;
  const checksum = forwarded.readUInt16BE(10) + 0x100;
  forwarded.writeUInt16BE((checksum & 0xffff) + (checksum >> 16), 10);
  return forwarded;
}

const repeat = (names: readonly string[], times: number): string[] =>
  Array.from({ length: times }, (_, i) => names[i % names.length]!);

/**
 * The answers under wrr (spec 3.2), for dests added one by one as rs1, rs2, … with these weights. Written from the rule and
 * independent of src/sched: a turn goes through the list, newest first, while a threshold falls from the greatest weight.
 */
function wrrSequence(weights: readonly number[], picks: number): string[] {
  const list: { name: string; weight: number }[] = [];
  let threshold = 0;
  let [divisor, top] = [1, 0];
  weights.forEach((weight, i) => {
    list.unshift({ name: `rs${i + 1}`, weight });
    divisor = list.map((dest) => dest.weight).reduce(gcd);
    top = Math.max(...list.map((dest) => dest.weight)) - (divisor - 1);
    if (threshold === 0 || threshold > top) threshold = top;
    else if (divisor > 1) threshold = Math.floor(threshold / divisor) * divisor + 1;
  });
  const answers: string[] = [];
  for (let turn = 0; answers.length < picks; turn++) {
    if (turn > 0 && turn % list.length === 0) threshold = threshold > divisor ? threshold - divisor : top;
    const dest = list[turn % list.length]!;
    if (dest.weight >= threshold) answers.push(dest.name);
  }
  return answers;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
