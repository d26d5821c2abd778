import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from "vitest";
import { startCapture } from "./capture.ts";
import type { Frame } from "./frame.ts";
import { type Lab, startLab } from "./lab.ts";
import { diagnose, ipvsadm, startLvsd } from "./lvsd.ts";
import { type Machine, type Method, methods, prepareRealServers, serve } from "./methods.ts";
import { missing } from "./needs.ts";
import { startNginx } from "./nginx.ts";
import { LOCAL_ADDRESSES } from "./topologies/fullnat.ts";
import { countEach, curlEach } from "./traffic.ts";

/** Real clients, real servers and lvsd between them: who answers, and what the packets look like. */

const reason = missing("bin/lvsd", "bin/ipvsadm", "bin/lvsctl");

for (const method of Object.values<Method>(methods)) {
  describe.skipIf(reason !== undefined)(`${method.name} (${reason ?? "here"})`, () => {
    let lab: Lab<Machine>;
    const url = `http://${method.vip}/`;

    beforeAll(async () => {
      lab = await startLab(method.topology);
      for (const name of ["rs1", "rs2", "rs3"] as const) await startNginx(lab, lab.hosts[name], [`0.0.0.0:${method.port}`]);
      await prepareRealServers(lab, method);
      await startLvsd(lab.hosts.director);
    });
    afterAll(() => lab?.close());
    beforeEach(() => onTestFailed(async () => console.error(await diagnose(lab.hosts.director))));

    test("rr takes the newest dest first and then strictly alternates", async () => {
      await serve(lab, method, "rr", [1, 1, 1]);
      expect(await curlEach(lab.hosts.client, url, 9)).toEqual(repeat(["rs3", "rs2", "rs1"], 9));
    });

    test("100 connections over rr with two servers are shared 50 and 50", async () => {
      await serve(lab, method, "rr", [1, 1]);
      const answers = await curlEach(lab.hosts.client, url, 100);
      expect(answers).toEqual(repeat(["rs2", "rs1"], 100));
      expect(Object.fromEntries(countEach(answers))).toEqual({ rs1: 50, rs2: 50 });
    });

    test("wrr with weights 4, 3 and 2 gives the kernel's sequence", async () => {
      await serve(lab, method, "wrr", [4, 3, 2]);
      expect(await curlEach(lab.hosts.client, url, 36)).toEqual(wrrSequence([4, 3, 2], 36));
    });

    test("the listing counts the connections", async () => {
      await serve(lab, method, "rr", [1, 1]);
      await curlEach(lab.hosts.client, url, 6);
      const { stdout } = await ipvsadm(lab.hosts.director, "-L -n --stats");
      expect(stdout).toMatch(new RegExp(`^TCP  ${method.vip}:80 +6 `, "m"));
      expect(stdout).toMatch(new RegExp(`-> ${lab.hosts.rs1.address()}:${method.port} +3 `));
    });
  });
}

describe.skipIf(reason !== undefined)(`a captured request (${reason ?? "here"})`, () => {
  test("arrives under DR as the client sent it, with one hop less to live", async () => {
    const { before, after } = await capture(methods.dr, "router", "front", "front", "tcp and dst host 10.2.0.100");
    expect(before.length).toBeGreaterThan(4);
    expect(after.map((frame) => packet(frame))).toEqual(before.map((frame) => oneHopLess(packet(frame))));
    expect(after[0]?.macDestination).not.toBe(before[0]?.macDestination);
  });

  test("arrives under TUN whole, inside a packet of protocol 4 from the director", async () => {
    const { before, after } = await capture(methods.tun, "router", "front", "remote", "ip proto 4");
    expect(before.length).toBeGreaterThan(4);
    expect(after.map((frame) => packet(frame, 1))).toEqual(before.map((frame) => oneHopLess(packet(frame))));
    for (const frame of after) {
      expect(frame.ip.map((header) => header.protocol)).toEqual([4, 6]);
      expect(frame.ip[0]).toMatchObject({ source: "10.2.0.2", destination: "10.3.0.11" });
    }
  });

  test("arrives under FullNAT from an address of the director", async () => {
    const { after } = await capture(methods.fullnat, "router", "front", "remote", "tcp port 8080");
    expect(after.length).toBeGreaterThan(4);
    for (const frame of after) {
      expect(LOCAL_ADDRESSES).toContain(frame.ip[0]?.source);
      expect(frame.ip[0]?.destination).toBe("10.3.0.11");
    }
  });

  test("arrives under NAT from the client, at the real server's address and port", async () => {
    const { after } = await capture(methods.nat, "client", "outside", "inside", "tcp port 8080");
    expect(after.length).toBeGreaterThan(4);
    for (const frame of after) {
      expect(frame.ip[0]).toMatchObject({ source: "10.1.0.2", destination: "10.2.0.11", ttl: 63 });
      expect(frame.tcp?.destination).toBe(8080);
    }
  });
});

/** One curl through a method with one dest: the request's packets on their way to the director, and at the real server. */
async function capture(method: Method, upstream: string, near: string, far: string, filter: string) {
  const lab = await startLab(method.topology);
  try {
    const { client, director, rs1 } = lab.hosts;
    await startNginx(lab, rs1, [`0.0.0.0:${method.port}`]);
    await prepareRealServers(lab, method);
    await startLvsd(director);
    await serve(lab, method, "rr", [1]);
    const before = await startCapture(lab, (lab.hosts as Record<string, typeof client>)[upstream]!, {
      interface: near,
      filter: `dst host ${method.vip} and tcp`,
      direction: "out",
    });
    const after = await startCapture(lab, rs1, { interface: far, filter, direction: "in" });
    await client.run(`curl -sS --max-time 5 http://${method.vip}/`);
    const frames = { before: await before.stop(), after: await after.stop() };
    expect(frames.after.flatMap((frame) => frame.badChecksums)).toEqual([]);
    return frames;
  } finally {
    await lab.close();
  }
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
