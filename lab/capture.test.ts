import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCapture } from "./capture.ts";
import { type Lab, startLab } from "./lab.ts";
import { missing } from "./needs.ts";
import { startNginx } from "./nginx.ts";
import { readPcap } from "./pcap.ts";
import { dr } from "./topologies/dr.ts";

describe.skipIf(missing() !== undefined)(`a capture (${missing() ?? "here"})`, () => {
  let lab: Lab<"client" | "router" | "director" | "rs1" | "rs2" | "rs3">;
  beforeAll(async () => {
    lab = await startLab(dr);
    await startNginx(lab, lab.hosts.rs1, ["10.2.0.11:80", "[fd00:2::11]:80"]);
  });
  afterAll(() => lab?.close());

  test("shows a connection as values, from the SYN on", async () => {
    const { client, router, rs1 } = lab.hosts;
    const capture = await startCapture(lab, rs1, { interface: "front", filter: "tcp port 80", direction: "in" });
    await client.run("curl -s http://10.2.0.11/");
    const frames = await capture.stop();
    const syn = frames[0]!;
    expect(syn.layers).toBe("eth:ethertype:ip:tcp");
    expect(syn.macSource).toBe(router.mac("front"));
    expect(syn.macDestination).toBe(rs1.mac("front"));
    expect(syn.ip).toMatchObject([{ source: "10.1.0.2", destination: "10.2.0.11", ttl: 63, protocol: 6, at: 14 }]);
    expect(syn.tcp).toMatchObject({ destination: 80, flags: "S" });
    expect(frames.some((frame) => frame.tcp?.flags.includes("F"))).toBe(true);
    expect(frames.flatMap((frame) => frame.badChecksums)).toEqual([]);
  });

  test("shows IPv6 alike", async () => {
    const { client, rs1 } = lab.hosts;
    const capture = await startCapture(lab, rs1, { interface: "front", filter: "ip6 and tcp", direction: "in", frames: 1 });
    await client.run("curl -s -g http://[fd00:2::11]/");
    const [syn] = await capture.full();
    expect(syn?.ip).toMatchObject([{ source: "fd00:1::2", destination: "fd00:2::11", ttl: 63, protocol: 6 }]);
    expect(syn?.badChecksums).toEqual([]);
  });

  test("finds a wrong checksum", async () => {
    const { client, router } = lab.hosts;
    await client.run("ethtool -K outside tx on"); // the stack leaves the sum to the interface: on the wire it is partial
    const capture = await startCapture(lab, router, { interface: "outside", filter: "udp port 9", direction: "in", frames: 1 });
    await client.run("echo x > /dev/udp/10.1.0.1/9", { shell: "bash" });
    const [datagram] = await capture.full();
    await client.run("ethtool -K outside tx off");
    expect(datagram?.badChecksums).toHaveLength(1);
    expect(datagram?.badChecksums[0]).toMatch(/^udp \d+ > 9$/);
  });

  test("shows the packet inside an ICMP error", async () => {
    const { client } = lab.hosts;
    const capture = await startCapture(lab, client, { interface: "outside", filter: "icmp", direction: "in", frames: 1 });
    await client.run("echo x > /dev/udp/10.2.0.2/9", { shell: "bash" });
    const [error] = await capture.full();
    expect(error?.ip.map(({ source, destination, protocol }) => [source, destination, protocol])).toEqual([
      ["10.2.0.2", "10.1.0.2", 1],
      ["10.1.0.2", "10.2.0.2", 17],
    ]);
    expect(error?.bytes[error.ip[1]!.at]).toBe(0x45);
  });

  test("ends by itself when its time is up", async () => {
    const capture = await startCapture(lab, lab.hosts.rs2, { interface: "front", filter: "tcp port 9", timeout: 300 });
    expect(await capture.full()).toEqual([]);
  });
});

test("a pcap whose last record was cut off gives the records before it", () => {
  const header = [0xd4, 0xc3, 0xb2, 0xa1, ...new Array<number>(20).fill(0)];
  const record = (bytes: number[], length = bytes.length) => [
    ...new Array<number>(8).fill(0),
    length,
    0,
    0,
    0,
    length,
    0,
    0,
    0,
    ...bytes,
  ];
  expect(readPcap(Uint8Array.from([...header, ...record([1, 2]), ...record([3], 60)]))).toEqual([Uint8Array.of(1, 2)]);
  expect(() => readPcap(Uint8Array.of(1, 2, 3))).toThrow("not a pcap file");
});
