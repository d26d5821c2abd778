import fc from "fast-check";
import { expect, test } from "vitest";
import { ip } from "../../net/ip.ts";
import { eth, type Frame, ipv4, ipv6 } from "../../wire/build.ts";
import { crc32c, fold, pseudoSum, sumOf } from "../../wire/checksum.ts";
import { Ipv4View, PROTOCOL } from "../../wire/ipv4.ts";
import { Ipv6View, upperOf } from "../../wire/ipv6.ts";
import type { Method, Operation, ServiceKey, TunnelType } from "../director.ts";
import type { Outcome } from "./outcome.ts";
import {
  addDest,
  addService,
  CLIENT,
  CLIENT_MAC,
  CLIENT6,
  DIRECTOR_MAC1,
  DIRECTOR_MAC2,
  destMac,
  editDest,
  Lab,
  set,
  VIP,
  VIP6,
} from "./testing.ts";

/** Checks every checksum of a frame, tunnels and quotes included. "" or what is wrong. */
function complaint(frame: Uint8Array): string {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  return view.getUint16(12) === 0x0800 ? complaint4(view, 14) : complaint6(view, 14);
}

function complaint4(view: DataView, at: number): string {
  const packet = new Ipv4View(view, at);
  if (packet.problem() !== undefined) return `IPv4: ${packet.problem()}`;
  if (!packet.isChecksumRight) return "IPv4 checksum";
  if (packet.fragmentOffset > 0 || packet.moreFragments) return "";
  const pseudo = (length: number) => pseudoSum(packet.src, packet.dst, packet.protocol, length);
  return complaintUpper(view, packet.protocol, packet.payloadAt, at + packet.totalLength, pseudo);
}

function complaint6(view: DataView, at: number): string {
  const packet = new Ipv6View(view, at);
  const upper = packet.problem() === undefined ? upperOf(packet) : "truncated";
  if (upper === "truncated") return `IPv6: ${packet.problem()}`;
  const pseudo = (length: number) => pseudoSum(packet.src, packet.dst, upper.protocol, length);
  return complaintUpper(view, upper.protocol, upper.at, at + packet.totalLength, pseudo);
}

function complaintUpper(view: DataView, protocol: number, at: number, end: number, pseudo: (length: number) => number): string {
  const length = end - at;
  const isRight = (start: number): boolean => fold(start + sumOf(view, at, length)) === 0xffff;
  switch (protocol) {
    case PROTOCOL.tcp:
    case PROTOCOL.icmpv6:
      return isRight(pseudo(length)) ? "" : `checksum of protocol ${protocol}`;
    case PROTOCOL.icmp:
      return isRight(0) ? "" : "ICMP checksum";
    case PROTOCOL.udp:
      if (view.getUint16(at + 6) !== 0 && !isRight(pseudo(length))) return "UDP checksum";
      return view.getUint16(at + 2) === 6080 ? complaintInner(view, view.getUint8(at + 9), at + 12) : "";
    case PROTOCOL.sctp: {
      const bytes = new Uint8Array(view.buffer, view.byteOffset + at, length).slice();
      bytes.fill(0, 8, 12);
      return view.getUint32(at + 8, true) === crc32c(bytes) ? "" : "SCTP CRC";
    }
    case PROTOCOL.gre: {
      const hasChecksum = view.getUint16(at) === 0x8000;
      if (hasChecksum && !isRight(0)) return "GRE checksum";
      return complaintInner(view, view.getUint16(at + 2) === 0x0800 ? 4 : 41, at + (hasChecksum ? 8 : 4));
    }
    default:
      return complaintInner(view, protocol, at);
  }
}

const complaintInner = (view: DataView, protocol: number, at: number): string =>
  protocol === 4 ? complaint4(view, at) : complaint6(view, at);

const protocols = ["tcp", "udp", "sctp"] as const;
const keys: ServiceKey[] = [VIP, VIP6].flatMap((addr) => protocols.map((protocol) => ({ protocol, addr: ip(addr), port: 80 })));
keys.push({ fwmark: 3, family: "ipv4" }, { fwmark: 3, family: "ipv6" });
const isSix = (key: ServiceKey): boolean => (key.fwmark === undefined ? key.addr === VIP6 : key.family === "ipv6");

const schedulerName = fc.constantFrom(
  "rr",
  "wrr",
  "lc",
  "wlc",
  "lblc",
  "lblcr",
  "dh",
  "sh",
  "sed",
  "nq",
  "fo",
  "ovf",
  "mh",
  "twos",
);
const service = fc.record({
  scheduler: schedulerName,
  persistSeconds: fc.constantFrom(0, 0, 5),
  onePacket: fc.constantFrom(false, false, true),
});
const dest = fc.record({
  n: fc.integer({ min: 11, max: 13 }),
  isOther: fc.boolean(),
  port: fc.constantFrom(0, 80, 8080),
  method: fc.constantFrom<Method>("nat", "route", "tunnel", "fullnat"),
  weight: fc.nat(3),
  upper: fc.constantFrom(0, 0, 2),
  type: fc.constantFrom<TunnelType>("ipip", "gue", "gre"),
  checksum: fc.constantFrom("none" as const, "csum" as const),
  toa: fc.boolean(),
});
type DestChoice = typeof dest extends fc.Arbitrary<infer T> ? T : never;

function destOperation(key: ServiceKey, choice: DestChoice, isEdit: boolean): Operation {
  const { n, isOther, method, type, checksum, ...rest } = choice;
  const isIpv6 = isSix(key) !== (isOther && method === "tunnel");
  const addr = isIpv6 ? `2001:db8:2::${n}` : `10.2.0.${n}`;
  const spec = { ...rest, method, tunnel: { type, port: type === "gue" ? 6080 : 0, checksum } };
  return isEdit ? editDest(key, addr, spec) : addDest(key, addr, spec);
}

const operation = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom(...keys), service).map(([key, more]) => addService(key, more)) },
  { weight: 8, arbitrary: fc.tuple(fc.constantFrom(...keys), dest, fc.boolean()).map((args) => destOperation(...args)) },
  { weight: 1, arbitrary: fc.constantFrom(...keys).map((key): Operation => ({ op: "delete-service", key })) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom(...keys), fc.integer({ min: 11, max: 13 })).map(([key, n]): Operation => {
      return { op: "delete-dest", key, dest: { addr: ip(isSix(key) ? `2001:db8:2::${n}` : `10.2.0.${n}`), port: 80 } };
    }),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(...keys)
      .map((key): Operation => ({ op: "add-laddr", key, addr: ip(isSix(key) ? "2001:db8:2::1" : "10.2.0.1") })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.constantFrom(
          "expire_nodest_conn",
          "conn_reuse_mode",
          "schedule_icmp",
          "nat_icmp_send",
          "sloppy_tcp",
          "sloppy_sctp",
          "secure_tcp",
          "drop_entry",
        ),
        fc.integer({ min: 0, max: 3 }),
      )
      .map(([name, value]) => set(name, String(value))),
  },
);

const packet = fc.record({
  six: fc.boolean(),
  side: fc.constantFrom<"client" | "dest">("client", "client", "dest"),
  protocol: fc.constantFrom(...protocols, "error" as const),
  port: fc.integer({ min: 1000, max: 1003 }),
  n: fc.integer({ min: 11, max: 13 }),
  servicePort: fc.constantFrom(80, 80, 80, 8080, 5000, 5001),
  flags: fc.constantFrom("S", "SA", "A", "A", "FA", "R", "P"),
  chunk: fc.integer({ min: 0, max: 14 }),
  ttl: fc.constantFrom(64, 64, 64, 2, 1),
  mark: fc.constantFrom(0, 0, 3),
  size: fc.constantFrom(0, 1, 20, 1440),
  padding: fc.constantFrom(0, 0, 6),
});
type PacketChoice = typeof packet extends fc.Arbitrary<infer T> ? T : never;

function frameOf(choice: PacketChoice): Uint8Array {
  const { six, side, n, ttl, port, servicePort, padding } = choice;
  const client = six ? CLIENT6 : CLIENT;
  const vip = six ? VIP6 : VIP;
  const rip = six ? `2001:db8:2::${n}` : `10.2.0.${n}`;
  const local = six ? "2001:db8:2::1" : "10.2.0.1";
  const isReply = side === "dest";
  const src = isReply ? rip : client;
  const dst = isReply ? (servicePort >= 5000 && servicePort < 6000 ? local : client) : vip;
  const base = isReply ? eth(destMac(n), DIRECTOR_MAC2) : eth(CLIENT_MAC, DIRECTOR_MAC1);
  const [from, to] = isReply ? [80, servicePort >= 5000 && servicePort < 6000 ? servicePort : port] : [port, servicePort];
  const layers = six ? base.ipv6(src, dst, { hopLimit: ttl }) : base.ipv4(src, dst, { ttl });
  const frame =
    choice.protocol === "error"
      ? error(choice, layers, isReply ? client : vip, isReply ? rip : client)
      : transport(choice, layers, from, to);
  const bytes = frame.bytes();
  return Uint8Array.from([...bytes, ...new Uint8Array(padding)]);
}

function transport({ protocol, flags, chunk, size }: PacketChoice, frame: Frame, from: number, to: number): Frame {
  const payload = new Uint8Array(size).fill(7);
  if (protocol === "tcp") return frame.tcp(from, to, flags, { payload });
  return protocol === "udp"
    ? frame.udp(from, to, { payload })
    : frame.sctp(from, to, { chunks: [{ type: chunk, body: payload }] });
}

/** About a packet that the receiver's side sent. */
function error({ six, port, side }: PacketChoice, frame: Frame, src: string, dst: string): Frame {
  const [from, to] = side === "client" ? [80, port] : [port, 80];
  const payload = (six ? ipv6(src, dst) : ipv4(src, dst)).tcp(from, to, "A").bytes();
  return six ? frame.icmpv6(2, 0, { rest: 1300, payload }) : frame.icmp(3, 4, { rest: 1300, payload });
}

const step = fc.oneof(
  { weight: 3, arbitrary: operation.map((operation) => ({ operation })) },
  { weight: 10, arbitrary: packet.map((packet) => ({ packet })) },
  { weight: 2, arbitrary: fc.constantFrom(0.001, 1, 30, 200).map((seconds) => ({ seconds })) },
);

/** A dest's counts are those of its conns. */
function expectBalance(lab: Lab): void {
  const conns = lab.conns();
  for (const { key, dests } of lab.model.services()) {
    for (const dest of dests) {
      expect(
        Math.min(dest.activeConns, dest.inactiveConns, dest.persistConns),
        `${JSON.stringify(key)} ${dest.addr}`,
      ).toBeGreaterThanOrEqual(0);
    }
  }
  const listed = lab.model.services().flatMap((each) => each.dests);
  const sum = (of: (dest: (typeof listed)[number]) => number): number => listed.reduce((total, dest) => total + of(dest), 0);
  expect(sum((dest) => dest.persistConns)).toBeLessThanOrEqual(conns.filter((conn) => conn.template).length);
  expect(sum((dest) => dest.activeConns)).toBeLessThanOrEqual(conns.filter((conn) => conn.active).length);
}

/** Most services are there from the start, each with a few dests and a local address. */
const beginning = fc.tuple(...keys.map((key) => fc.tuple(fc.constant(key), service, fc.array(dest, { maxLength: 4 }))));

test("whatever comes, frames leave with right checksums, the one that came is untouched, and counts stay in balance", () => {
  const reasons = new Set<string>();
  fc.assert(
    fc.property(beginning, fc.array(step, { minLength: 10, maxLength: 80, size: "max" }), (services, steps) => {
      const lab = new Lab();
      for (const [key, more, dests] of services) {
        const pool: Operation = { op: "add-laddr", key, addr: ip(isSix(key) ? "2001:db8:2::1" : "10.2.0.1") };
        for (const operation of [addService(key, more), pool, ...dests.map((each) => destOperation(key, each, false))])
          lab.model.apply([operation]);
      }
      for (const each of steps) {
        if ("operation" in each) lab.model.apply([each.operation]);
        else if ("seconds" in each) lab.wait(each.seconds);
        else reasons.add(send(lab, each.packet).reason);
      }
      expectBalance(lab);
      lab.apply({ op: "flush" });
      lab.wait(1100);
      expect(lab.conns()).toEqual([]);
    }),
    { numRuns: 100 },
  );
  const common = ["nat", "route", "tunnel", "fullnat", "no-dest", "ttl", "too-big", "not-scheduled", "icmp"];
  expect([...reasons]).toEqual(expect.arrayContaining(common));
}, 60_000);

function send(lab: Lab, choice: PacketChoice): Outcome {
  const frame = frameOf(choice);
  const copy = frame.slice();
  const ifindex = choice.side === "dest" ? 2 : 1;
  const outcome = lab.model.receive(frame, { ifindex, now: lab.now, mark: choice.mark });
  expect(Buffer.compare(frame, copy)).toBe(0);
  if (outcome.frame !== undefined) expect([outcome.reason, complaint(outcome.frame)]).toEqual([outcome.reason, ""]);
  return outcome;
}

test("no bytes at all make it fail", () => {
  const lab = new Lab([
    addService({ protocol: "tcp", addr: ip(VIP), port: 80 }),
    addDest({ protocol: "tcp", addr: ip(VIP), port: 80 }, "10.2.0.11"),
  ]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), packet, fc.nat(100), (noise, choice, at) => {
      const frame = frameOf({ ...choice, size: 0 });
      frame.set(noise.subarray(0, Math.max(0, frame.length - at)), Math.min(at, frame.length));
      lab.model.receive(frame, { ifindex: 1, now: lab.now });
      lab.model.receive(frame.subarray(0, at), { ifindex: 1, now: lab.now });
      lab.model.receive(noise, { ifindex: 1, now: lab.now });
    }),
    { numRuns: 3000 },
  );
  expect(Object.keys(lab.model.exits())).toEqual(expect.arrayContaining(["malformed", "bad-checksum", "not-ip", "nat"]));
}, 60_000);
