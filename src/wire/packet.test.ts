import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ip } from "../net/ip.ts";
import { eth, type Frame, fragments, ipv4, ipv6 } from "./build.ts";
import { change16, change32, checksumOf, crc32c, fold, pseudoSum, sumOf, updated } from "./checksum.ts";
import { ETHERTYPE_IPV4, EthView } from "./eth.ts";
import { IcmpView } from "./icmp.ts";
import { Ipv4View, PROTOCOL } from "./ipv4.ts";
import { Ipv6View, upperOf } from "./ipv6.ts";
import { SctpView } from "./sctp.ts";
import { TCP_FLAG, TcpView } from "./tcp.ts";
import { GreView, GueView } from "./tunnel.ts";
import { UdpView } from "./udp.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const A = "02:00:00:00:00:0a";
const B = "02:00:00:00:00:0b";

describe("the builder makes what a kernel sent (spec A.5)", () => {
  const dr = ipv4("10.1.0.3", "10.1.0.100", { ttl: 63, id: 0x1234, df: true });
  const rows: [name: string, frame: Frame, bytes: string][] = [
    [
      "a NAT request",
      ipv4("10.1.0.3", "10.2.0.11", { ttl: 63, id: 0x1234, df: true }).tcp(1004, 80, "S", { seq: 1000 }),
      "45000028123440003f06158c0a0100030a02000b03ec0050000003e8000000005002200073ae0000",
    ],
    [
      "a NAT reply",
      ipv4("10.1.0.100", "10.1.0.3", { ttl: 63, id: 0x1234 }).tcp(80, 1004, "SA", { seq: 1000 }),
      "45000028123400003f0655340a0100640a010003005003ec000003e8000000005012200073460000",
    ],
    [
      "a DR request",
      dr.tcp(2001, 81, "S", { seq: 1000 }),
      "45000028123440003f0615340a0100030a01006407d10051000003e80000000050022000",
    ],
  ];
  for (const [name, frame, bytes] of rows) {
    test(name, () => expect(hex(frame.bytes()).slice(0, bytes.length)).toBe(bytes));
  }
});

test("a frame reads back as it was written", () => {
  const options = [2, 4, 5, 180, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
  const frame = eth(A, B)
    .ipv4("192.0.2.7", "10.0.0.100", { ttl: 33, tos: 0x28, id: 7, df: true })
    .tcp(40000, 80, "SA", { seq: 1, ack: 0xffffffff, window: 512, options, payload: "hello" })
    .bytes();
  const view = viewOf(frame);
  const ether = new EthView(view);
  expect([ether.problem(), ether.src, ether.dst, ether.type, ether.isMulticast]).toEqual([
    undefined,
    A,
    B,
    ETHERTYPE_IPV4,
    false,
  ]);
  const packet = new Ipv4View(view, 14);
  expect(packet.problem()).toBeUndefined();
  expect([packet.ttl, packet.tos, packet.id, packet.dontFragment, packet.protocol]).toEqual([33, 0x28, 7, true, PROTOCOL.tcp]);
  expect([packet.src, packet.dst, packet.totalLength, packet.isChecksumRight]).toEqual(["192.0.2.7", "10.0.0.100", 61, true]);
  const tcp = new TcpView(view, packet.payloadAt, view.byteLength);
  expect([tcp.problem(), tcp.seq, tcp.ack, tcp.window, tcp.headerLength]).toEqual([undefined, 1, 0xffffffff, 512, 36]);
  expect(tcp.flags).toBe(TCP_FLAG.syn | TCP_FLAG.ack);
  expect([...tcp.options()].map(({ kind, length }) => [kind, length])).toEqual([
    [2, 4],
    [8, 10],
  ]);
  expect(Buffer.from(frame.subarray(tcp.payloadAt)).toString()).toBe("hello");
});

describe("transport checksums are right", () => {
  const rows: [name: string, frame: Frame, src: string, dst: string, protocol: number, header: number][] = [
    ["TCP over IPv4", ipv4("192.0.2.7", "10.0.0.100").tcp(1, 2, "A", { payload: "odd" }), "192.0.2.7", "10.0.0.100", 6, 20],
    ["UDP over IPv4", ipv4("192.0.2.7", "10.0.0.100").udp(1, 2, { payload: "even" }), "192.0.2.7", "10.0.0.100", 17, 20],
    ["TCP over IPv6", ipv6("2001:db8::7", "2001:db8::100").tcp(1, 2, "S"), "2001:db8::7", "2001:db8::100", 6, 40],
    ["ICMPv6", ipv6("2001:db8::7", "2001:db8::100").icmpv6(128, 0), "2001:db8::7", "2001:db8::100", 58, 40],
  ];
  for (const [name, frame, src, dst, protocol, header] of rows) {
    test(name, () => {
      const bytes = frame.bytes();
      const length = bytes.length - header;
      expect(fold(pseudoSum(ip(src), ip(dst), protocol, length) + sumOf(viewOf(bytes), header, length))).toBe(0xffff);
    });
  }

  test("a computed UDP checksum of 0 is sent as ffff, a wanted one stays 0", () => {
    const sent = (port: number) => new UdpView(viewOf(ipv4("1.2.3.4", "5.6.7.8").udp(port, 2).bytes()), 20, 28).checksum;
    expect(Array.from({ length: 65536 }, (_, port) => sent(port))).not.toContain(0);
    expect(new UdpView(viewOf(ipv4("1.2.3.4", "5.6.7.8").udp(1, 2, { checksum: 0 }).bytes()), 20, 28).checksum).toBe(0);
  });

  test("SCTP's is the CRC32c, little-endian", () => {
    expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
    const bytes = ipv4("192.0.2.7", "10.0.0.100")
      .sctp(1, 2, { chunks: [{ type: 1, body: [1, 2, 3] }, { type: 6 }] })
      .bytes();
    const sctp = new SctpView(viewOf(bytes), 20, bytes.length);
    expect([...sctp.chunks()]).toEqual([1, 6]);
    const zeroed = bytes.slice(20);
    zeroed.fill(0, 8, 12);
    expect(sctp.checksum).toBe(crc32c(zeroed));
  });
});

test("a checksum updated by difference is the one computed anew", () => {
  const word = fc.nat(0xffff);
  fc.assert(
    fc.property(fc.array(word, { minLength: 4, maxLength: 40 }), fc.nat(0xffffffff), word, (words, address, port) => {
      // an all-zero packet is the one case that the two ways write differently; no IP packet is that
      words[0] = 0x4500;
      const view = new DataView(new ArrayBuffer(words.length * 2));
      words.forEach((each, i) => void view.setUint16(i * 2, each));
      const before = checksumOf(sumOf(view, 0, view.byteLength));
      const changes = change32(view.getUint32(2), address) + change16(view.getUint16(6), port);
      view.setUint32(2, address);
      view.setUint16(6, port);
      expect(updated(before, changes)).toBe(checksumOf(sumOf(view, 0, view.byteLength)));
    }),
  );
});

test("tunnels nest", () => {
  const inner = ipv4("192.0.2.7", "10.0.0.100").tcp(1, 80, "S").bytes();
  const ipip = ipv4("10.9.0.1", "10.9.0.2").ipv4("192.0.2.7", "10.0.0.100").tcp(1, 80, "S").bytes();
  expect(new Ipv4View(viewOf(ipip), 0).protocol).toBe(PROTOCOL.ipip);
  expect(hex(ipip.subarray(20))).toBe(hex(inner));
  const sixInFour = ipv4("10.9.0.1", "10.9.0.2").ipv6("2001:db8::1", "2001:db8::2").udp(1, 2).bytes();
  expect(new Ipv4View(viewOf(sixInFour), 0).protocol).toBe(PROTOCOL.ipv6);

  const gre = ipv4("10.9.0.1", "10.9.0.2").gre({ checksum: true }).ipv4("192.0.2.7", "10.0.0.100").tcp(1, 80, "S").bytes();
  const header = new GreView(viewOf(gre), 20);
  expect([header.problem(), header.flags, header.protocol, header.payloadAt]).toEqual([undefined, 0x8000, ETHERTYPE_IPV4, 28]);
  expect(fold(sumOf(viewOf(gre), 20, gre.length - 20))).toBe(0xffff);

  const gue = ipv4("10.9.0.1", "10.9.0.2")
    .udp(40000, 6080, { checksum: 0 })
    .gue()
    .ipv4("192.0.2.7", "10.0.0.100")
    .tcp(1, 80, "S")
    .bytes();
  expect(hex(gue.subarray(20, 32))).toBe("9c4017c00034000000040000");
  const guide = new GueView(viewOf(gue), 28);
  expect([guide.problem(), guide.protocol, guide.payloadAt]).toEqual([undefined, PROTOCOL.ipip, 32]);
  expect(hex(gue.subarray(32))).toBe(hex(inner));
});

test("extension headers are walked to the transport header", () => {
  const extensions = [
    { type: 0, body: new Uint8Array(6) },
    { type: 60, body: new Uint8Array(14) },
  ];
  const bytes = ipv6("2001:db8::7", "2001:db8::100", { extensions, hopLimit: 3, trafficClass: 0xb8, flowLabel: 0xabcde })
    .udp(5, 6)
    .bytes();
  const packet = new Ipv6View(viewOf(bytes), 0);
  expect([packet.problem(), packet.hopLimit, packet.trafficClass, packet.flowLabel]).toEqual([undefined, 3, 0xb8, 0xabcde]);
  expect([packet.src, packet.dst]).toEqual(["2001:db8::7", "2001:db8::100"]);
  expect(upperOf(packet)).toEqual({ protocol: PROTOCOL.udp, at: 64, fragment: undefined });
});

test("a fragment header tells offset and more, and ends the walk when it is not the first", () => {
  const fragment = (word: number) =>
    ipv6("2001:db8::7", "2001:db8::100", { extensions: [{ type: 44, body: [word >> 8, word & 255, 0, 0, 0, 1] }] });
  const first = upperOf(new Ipv6View(viewOf(fragment(1).udp(5, 6).bytes()), 0));
  expect(first).toEqual({ protocol: PROTOCOL.udp, at: 48, fragment: { offset: 0, more: true } });
  const later = upperOf(new Ipv6View(viewOf(fragment(1448).udp(5, 6).bytes()), 0));
  expect(later).toEqual({ protocol: PROTOCOL.udp, at: 48, fragment: { offset: 1448, more: false } });
});

test("fragments carry the payload in order and only the last has no more", () => {
  const whole = eth(A, B)
    .ipv4("192.0.2.7", "10.0.0.100", { id: 9 })
    .udp(5, 6, { payload: new Uint8Array(100).map((_, i) => i) })
    .bytes();
  const pieces = fragments(whole, 48).map((piece) => ({ piece, packet: new Ipv4View(viewOf(piece), 14) }));
  expect(
    pieces.map(({ packet }) => [packet.problem(), packet.isChecksumRight, packet.fragmentOffset, packet.moreFragments]),
  ).toEqual([
    [undefined, true, 0, true],
    [undefined, true, 48, true],
    [undefined, true, 96, false],
  ]);
  expect(hex(Buffer.concat(pieces.map(({ piece }) => piece.subarray(34))))).toBe(hex(whole.subarray(34)));
});

test("an ICMP error quotes a packet", () => {
  const quoted = ipv4("10.2.0.11", "10.1.0.3").tcp(80, 1004, "A").bytes();
  const bytes = ipv4("10.2.0.1", "10.1.0.100").icmp(3, 4, { rest: 1000, payload: quoted }).bytes();
  const error = new IcmpView(viewOf(bytes), 20, bytes.length);
  expect([error.problem(), error.type, error.code, error.mtu]).toEqual([undefined, 3, 4, 1000]);
  expect(hex(bytes.subarray(error.quoteAt))).toBe(hex(quoted));
  expect(fold(sumOf(viewOf(bytes), 20, bytes.length - 20))).toBe(0xffff);
});

test("no view reads outside of any bytes once it has no problem", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 80 }), fc.constantFrom(4, 6), (bytes, version) => {
      if (bytes.length > 0) bytes[0] = (version << 4) | (bytes[0]! & 15);
      const view = viewOf(bytes);
      const four = new Ipv4View(view, 0);
      if (four.problem() === undefined)
        expect([four.isChecksumRight, four.src, four.dst, four.payloadAt <= bytes.length]).toContain(true);
      const six = new Ipv6View(view, 0);
      if (six.problem() === undefined) {
        const upper = upperOf(six);
        if (upper !== "truncated") expect(upper.at).toBeLessThanOrEqual(bytes.length);
      }
      const tcp = new TcpView(view, 0, bytes.length);
      if (tcp.problem() === undefined)
        for (const option of tcp.options()) expect(option.at + option.length).toBeLessThanOrEqual(bytes.length);
      const sctp = new SctpView(view, 0, bytes.length);
      if (sctp.problem() === undefined) expect([...sctp.chunks()].length).toBeLessThanOrEqual(bytes.length / 4);
      const gre = new GreView(view, 0);
      if (gre.problem() === undefined) expect(gre.payloadAt).toBeLessThanOrEqual(bytes.length);
      const gue = new GueView(view, 0);
      if (gue.problem() === undefined) expect(gue.payloadAt).toBeLessThanOrEqual(bytes.length);
    }),
  );
});
