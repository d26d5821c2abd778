import { describe, expect, test } from "vitest";
import { ip } from "../../net/ip.ts";
import { mac } from "../../net/mac.ts";
import { eth, type Frame, fragments, ipv4, ipv6 } from "../../wire/build.ts";
import type { DestSpec } from "../director.ts";
import type { Outcome } from "./outcome.ts";
import {
  addDest,
  addService,
  CLIENT,
  CLIENT_MAC,
  CLIENT6,
  DIRECTOR_MAC1,
  dns,
  fromClient,
  fromDest,
  Lab,
  RIP,
  RIP6,
  set,
  syn,
  toClient,
  toDest,
  VIP,
  VIP6,
  web,
  web6,
} from "./testing.ts";
import { resolvedHop } from "./world.ts";

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");
const DIRECTOR2 = "10.2.0.1";
const before = { ttl: 64, id: 0x1234, df: true, tos: 0x28 };
const after = { ...before, ttl: 63 };

function expectFrame(outcome: Outcome, reason: string, frame: Frame): void {
  expect({ reason: outcome.reason, frame: hex(outcome.frame) }).toEqual({ reason, frame: hex(frame.bytes()) });
}
const labWith = (more: Partial<DestSpec>, ...rest: ConstructorParameters<typeof Lab>[0] & object): Lab =>
  new Lab([addService(web), addDest(web, RIP, more), ...rest]);

describe("a SYN leaves for the dest", () => {
  const tcp = { seq: 1000, options: [2, 4, 5, 180], payload: "early" };
  const request = fromClient().ipv4(CLIENT, VIP, before).tcp(1004, 80, "S", tcp);
  const inner = ipv4(CLIENT, VIP, after).tcp(1004, 80, "S", tcp).bytes();
  const outer = (addr: string, protocol: number) =>
    toDest(11).ipv4(DIRECTOR2, addr, { tos: 0x28, ttl: 63, id: 0x1234, df: true, protocol });
  const rows: [name: string, dest: Partial<DestSpec>, reason: string, frame: Frame][] = [
    ["nat: to the dest's address and port", { port: 8080 }, "nat", toDest(11).ipv4(CLIENT, RIP, after).tcp(1004, 8080, "S", tcp)],
    ["nat: port 0 keeps the packet's port", { port: 0 }, "nat", toDest(11).ipv4(CLIENT, RIP, after).tcp(1004, 80, "S", tcp)],
    [
      "route: untouched but for the TTL",
      { method: "route" },
      "route",
      toDest(11).ipv4(CLIENT, VIP, after).tcp(1004, 80, "S", tcp),
    ],
    ["tunnel: in IPIP", { method: "tunnel" }, "tunnel", outer(RIP, 4).payload(inner)],
    [
      "tunnel: in GRE",
      { method: "tunnel", tunnel: { type: "gre", port: 0, checksum: "none" } },
      "tunnel",
      toDest(11)
        .ipv4(DIRECTOR2, RIP, { ...after })
        .gre()
        .ipv4(CLIENT, VIP, after)
        .tcp(1004, 80, "S", tcp),
    ],
    [
      "tunnel: in GRE with a checksum",
      { method: "tunnel", tunnel: { type: "gre", port: 0, checksum: "csum" } },
      "tunnel",
      toDest(11)
        .ipv4(DIRECTOR2, RIP, { ...after })
        .gre({ checksum: true })
        .ipv4(CLIENT, VIP, after)
        .tcp(1004, 80, "S", tcp),
    ],
  ];
  for (const [name, dest, reason, frame] of rows) {
    test(name, () => {
      const outcome = labWith(dest).in(request);
      expect([outcome.verdict, outcome.ifindex]).toEqual(["redirect", 2]);
      expectFrame(outcome, reason, frame);
    });
  }

  for (const checksum of ["none", "csum"] as const) {
    test(`tunnel: in GUE, checksum ${checksum}, from one port for each flow`, () => {
      const lab = labWith({ method: "tunnel", tunnel: { type: "gue", port: 6080, checksum } });
      const outcome = lab.in(request);
      const port = new DataView(outcome.frame!.buffer).getUint16(34);
      expect(port).toBeGreaterThanOrEqual(32768);
      expect(port).toBeLessThanOrEqual(60999);
      const udp = checksum === "none" ? { checksum: 0 } : {};
      const expected = toDest(11)
        .ipv4(DIRECTOR2, RIP, after)
        .udp(port, 6080, udp)
        .gue()
        .ipv4(CLIENT, VIP, after)
        .tcp(1004, 80, "S", tcp);
      expectFrame(outcome, "tunnel", expected);
    });
  }

  test("out of the interface it came by: tx", () => {
    const lab = labWith({ method: "route" });
    lab.world.setHop(ip(RIP), resolvedHop(1, mac("02:00:00:00:01:11"), mac(DIRECTOR_MAC1), ip("10.1.0.1")));
    expect(lab.in(request).verdict).toBe("tx");
  });
});

test("NAT packets are the bytes a kernel sent (spec A.5)", () => {
  const lab = labWith({});
  const request = lab.in(fromClient().ipv4(CLIENT, VIP, { id: 0x1234, df: true }).tcp(1004, 80, "S", { seq: 1000 }));
  expect(hex(request.frame).slice(28)).toBe("45000028123440003f06158c0a0100030a02000b03ec0050000003e8000000005002200073ae0000");
  const reply = lab.out(fromDest(11).ipv4(RIP, CLIENT, { id: 0x1234 }).tcp(80, 1004, "SA", { seq: 1000 }));
  expect(hex(reply.frame).slice(28)).toBe("45000028123400003f0655340a0100640a010003005003ec000003e8000000005012200073460000");
});

test("a NAT dest's answer comes from the service, of the same ports, one hop further", () => {
  const lab = labWith({ port: 8080 });
  lab.in(syn());
  const outcome = lab.out(fromDest(11).ipv4(RIP, CLIENT, before).tcp(8080, 1004, "SA", { ack: 1, payload: "x" }));
  expectFrame(outcome, "nat-reply", toClient().ipv4(VIP, CLIENT, after).tcp(80, 1004, "SA", { ack: 1, payload: "x" }));
});

test("UDP is translated both ways, and is given a checksum where it has none", () => {
  const lab = new Lab([addService(dns), addDest(dns, RIP, { port: 5353 })]);
  expectFrame(lab.in(fromClient().ipv4(CLIENT, VIP).udp(9, 53)), "nat", toDest(11).ipv4(CLIENT, RIP, { ttl: 63 }).udp(9, 5353));
  const outcome = lab.in(fromClient().ipv4(CLIENT, VIP).udp(9, 53, { checksum: 0 }));
  expectFrame(outcome, "nat", toDest(11).ipv4(CLIENT, RIP, { ttl: 63 }).udp(9, 5353));
  expectFrame(
    lab.out(fromDest(11).ipv4(RIP, CLIENT).udp(5353, 9)),
    "nat-reply",
    toClient().ipv4(VIP, CLIENT, { ttl: 63 }).udp(53, 9),
  );
});

test("SCTP is translated, with a new CRC where a port changed", () => {
  const key = { protocol: "sctp", addr: ip(VIP), port: 7 } as const;
  const chunks = [{ type: 1, body: [0, 0, 0, 1] }];
  const lab = new Lab([addService(key), addDest(key, RIP, { port: 8 })]);
  expectFrame(
    lab.in(fromClient().ipv4(CLIENT, VIP).sctp(9, 7, { chunks })),
    "nat",
    toDest(11).ipv4(CLIENT, RIP, { ttl: 63 }).sctp(9, 8, { chunks }),
  );
});

describe("IPv6", () => {
  test("NAT there and back", () => {
    const lab = new Lab([addService(web6), addDest(web6, RIP6, { port: 8080 })]);
    const extensions = [{ type: 0, body: new Uint8Array(6) }];
    const request = fromClient().ipv6(CLIENT6, VIP6, { extensions, trafficClass: 8, flowLabel: 5 }).tcp(1004, 80, "S");
    expectFrame(
      lab.in(request),
      "nat",
      toDest(11).ipv6(CLIENT6, RIP6, { extensions, trafficClass: 8, flowLabel: 5, hopLimit: 63 }).tcp(1004, 8080, "S"),
    );
    const reply = lab.out(fromDest(11).ipv6(RIP6, CLIENT6).tcp(8080, 1004, "SA"));
    expectFrame(reply, "nat-reply", toClient().ipv6(VIP6, CLIENT6, { hopLimit: 63 }).tcp(80, 1004, "SA"));
  });

  const rows: [name: string, key: typeof web, dest: string, request: Frame, frame: Frame][] = [
    [
      "6in4",
      web6,
      RIP,
      fromClient().ipv6(CLIENT6, VIP6, { trafficClass: 3 }).tcp(1, 80, "S"),
      toDest(11).ipv4(DIRECTOR2, RIP, { ttl: 63, tos: 2 }).ipv6(CLIENT6, VIP6, { trafficClass: 3, hopLimit: 63 }).tcp(1, 80, "S"),
    ],
    [
      "4in6",
      web,
      RIP6,
      fromClient().ipv4(CLIENT, VIP, before).tcp(1, 80, "S"),
      toDest(11).ipv6("2001:db8:2::1", RIP6, { hopLimit: 63, trafficClass: 0x28 }).ipv4(CLIENT, VIP, after).tcp(1, 80, "S"),
    ],
  ];
  for (const [name, key, dest, request, frame] of rows) {
    test(`tunnel: ${name}`, () => {
      const lab = new Lab([addService(key), addDest(key, dest, { method: "tunnel" })]);
      expectFrame(lab.in(request), "tunnel", frame);
    });
  }

  test("no dest: ICMPv6 port unreachable", () => {
    const request = fromClient().ipv6(CLIENT6, VIP6).tcp(1, 80, "S");
    const quoted = ipv6(CLIENT6, VIP6).tcp(1, 80, "S").bytes();
    const answer = toClient().ipv6(VIP6, CLIENT6).icmpv6(1, 4, { payload: quoted });
    expectFrame(new Lab([addService(web6)]).in(request), "no-dest", answer);
  });
});

describe("FullNAT", () => {
  const laddr = (addr: string) => ({ op: "add-laddr", key: web, addr: ip(addr) }) as const;
  const lab = (toa: boolean, ...pool: string[]) => labWith({ method: "fullnat", toa, port: 8080 }, ...pool.map(laddr));
  const toaOption = [254, 8, 3, 236, 10, 1, 0, 3];

  test("the dest sees a local address, and its answer finds the client", () => {
    const plane = lab(false, "10.2.0.1");
    expectFrame(plane.in(syn()), "fullnat", toDest(11).ipv4("10.2.0.1", RIP, { ttl: 63 }).tcp(5000, 8080, "S"));
    const reply = plane.out(fromDest(11).ipv4(RIP, "10.2.0.1").tcp(8080, 5000, "SA"));
    expectFrame(reply, "fullnat-reply", toClient().ipv4(VIP, CLIENT, { ttl: 63 }).tcp(80, 1004, "SA"));
    expect(plane.conns()[0]).toMatchObject({
      method: "fullnat",
      local: { addr: "10.2.0.1", port: 5000 },
      client: { addr: CLIENT, port: 1004 },
    });
  });

  test("local addresses take turns and each counts its own ports", () => {
    const plane = lab(false, "10.2.0.1", "10.2.0.2");
    for (let port = 1; port <= 4; port++) plane.in(syn(port));
    expect(plane.conns().map((conn) => `${conn.local?.addr}:${conn.local?.port}`)).toEqual([
      ...["10.2.0.1:5000", "10.2.0.2:5000", "10.2.0.1:5001", "10.2.0.2:5001"],
    ]);
    expect(plane.model.service(web)?.localAddresses).toEqual([
      { addr: "10.2.0.1", conflicts: 0, conns: 2 },
      { addr: "10.2.0.2", conflicts: 0, conns: 2 },
    ]);
  });

  test("a port in use towards the same dest is a conflict and the next one is taken", () => {
    const other = { ...web, port: 81 };
    const pool = { op: "add-laddr", key: other, addr: ip("10.2.0.1") } as const;
    const plane = lab(false, "10.2.0.1");
    plane.apply(addService(other), pool, addDest(other, RIP, { method: "fullnat", port: 8080 }));
    plane.in(syn());
    plane.in(fromClient().ipv4(CLIENT, VIP).tcp(1004, 81, "S"));
    expect(plane.conns().map((conn) => conn.local?.port)).toEqual([5000, 5001]);
    expect(plane.model.service(other)?.localAddresses[0]).toMatchObject({ conflicts: 1 });
  });

  test("without a local address there is no conn", () => {
    const plane = lab(false);
    expect(plane.in(syn())).toEqual({ verdict: "drop", reason: "no-local-address" });
    expect(plane.load(web, RIP)).toBe("0/0");
  });

  test("TOA goes with the SYN and with every segment until the server's first data is acknowledged", () => {
    const plane = lab(true, "10.2.0.1");
    const sent = (flags: string, seq: number, ack: number, options: number[] = [], payload = "") =>
      plane.in(fromClient().ipv4(CLIENT, VIP, before).tcp(1004, 80, flags, { seq, ack, options, payload }));
    const seen = (flags: string, seq: number, ack: number, options: number[], payload = "") =>
      toDest(11).ipv4("10.2.0.1", RIP, after).tcp(5000, 8080, flags, { seq, ack, options, payload });
    const mss = [2, 4, 5, 180];
    expectFrame(sent("S", 100, 0, mss), "fullnat", seen("S", 100, 0, [...toaOption, ...mss]));
    plane.out(fromDest(11).ipv4(RIP, "10.2.0.1").tcp(8080, 5000, "SA", { seq: 0xffffffff, ack: 101 }));
    expectFrame(sent("A", 101, 0), "fullnat", seen("A", 101, 0, toaOption));
    expectFrame(sent("PA", 101, 0, [], "GET /"), "fullnat", seen("PA", 101, 0, toaOption, "GET /"));
    expectFrame(sent("A", 106, 50), "fullnat", seen("A", 106, 50, []));
  });

  test("TOA is left out where it would not fit", () => {
    const plane = lab(true, "10.2.0.1");
    const full = plane.in(
      fromClient()
        .ipv4(CLIENT, VIP)
        .tcp(1004, 80, "S", { options: new Uint8Array(40).fill(1) }),
    );
    expect(full.frame!.length).toBe(14 + 20 + 60);
    const long = plane.in(
      fromClient()
        .ipv4(CLIENT, VIP)
        .tcp(1005, 80, "S", { payload: new Uint8Array(1460) }),
    );
    expect(long.frame!.length).toBe(14 + 1500);
  });
});

describe("packets that cannot go on", () => {
  const quoted = (options: object, payload = "") => ipv4(CLIENT, VIP, options).tcp(1004, 80, "S", { payload }).bytes();
  const complaint = (type: number, code: number, quote: Uint8Array, rest = 0) =>
    toClient().ipv4(VIP, CLIENT, { tos: 0xc0 }).icmp(type, code, { rest, payload: quote });

  test("no dest: port unreachable from the service's address", () => {
    expectFrame(new Lab([addService(web)]).in(syn()), "no-dest", complaint(3, 3, quoted({})));
  });
  test("TTL 1: time exceeded, and the conn is there", () => {
    const lab = labWith({});
    expectFrame(
      lab.in(fromClient().ipv4(CLIENT, VIP, { ttl: 1 }).tcp(1004, 80, "S")),
      "ttl",
      complaint(11, 0, quoted({ ttl: 1 })),
    );
    expect(lab.state()).toBe("SYN_RECV 60 active");
  });
  test("too big: fragmentation needed, with the TTL already decremented", () => {
    const lab = labWith({});
    lab.world.setHop(ip(RIP), resolvedHop(2, mac("02:00:00:00:02:11"), mac(DIRECTOR_MAC1), ip(DIRECTOR2), 1000));
    const payload = "x".repeat(1200);
    const outcome = lab.in(fromClient().ipv4(CLIENT, VIP, before).tcp(1004, 80, "S", { payload }));
    expectFrame(
      outcome,
      "too-big",
      toClient()
        .ipv4(VIP, CLIENT, { tos: 0xc8 })
        .icmp(3, 4, { rest: 1000, payload: quoted(after, payload).subarray(0, 548) }),
    );
  });
  test("too big for a tunnel: by the room that is left inside", () => {
    const lab = labWith({ method: "tunnel" });
    expect(
      lab.in(
        fromClient()
          .ipv4(CLIENT, VIP)
          .tcp(1004, 80, "S", { payload: new Uint8Array(1440) }),
      ).reason,
    ).toBe("tunnel");
    const outcome = lab.in(
      fromClient()
        .ipv4(CLIENT, VIP)
        .tcp(1004, 80, "A", { payload: new Uint8Array(1441) }),
    );
    expect(outcome.reason).toBe("too-big");
    expect(new DataView(outcome.frame!.buffer).getUint16(14 + 20 + 6)).toBe(1480);
  });
  test("no route: host unreachable", () => {
    const lab = labWith({});
    lab.world.setHop(ip(RIP), { state: "unreachable" });
    expectFrame(lab.in(syn()), "unreachable", complaint(3, 1, quoted({})));
  });
  test("a dest whose MAC is not known yet: dropped", () => {
    const lab = labWith({});
    lab.world.setHop(ip(RIP), { state: "unresolved" });
    expect(lab.in(syn())).toEqual({ verdict: "drop", reason: "hop-unresolved" });
  });
  test("no more than 50 errors at once", () => {
    const lab = new Lab([addService(web)]);
    const told = Array.from({ length: 60 }, () => lab.in(syn()).reason);
    expect(told.filter((reason) => reason === "no-dest")).toHaveLength(50);
    expect(told.at(-1)).toBe("no-dest-quiet");
    lab.wait(0.01);
    expect(lab.in(syn()).reason).toBe("no-dest");
  });
});

test("padding behind a short packet stays where it was", () => {
  for (const method of ["nat", "route", "tunnel"] as const) {
    const padded = Uint8Array.from([...syn().bytes(), 1, 2, 3, 4, 5, 6]);
    expect([...(labWith({ method }).in(padded).frame ?? []).slice(-6)]).toEqual([1, 2, 3, 4, 5, 6]);
  }
});

test("two services share a real server: its answers are the newest conn's, and the older one's when that is gone", () => {
  const other = { ...web, port: 81 };
  const lab = labWith({}, addService(other), addDest(other, RIP));
  lab.in(syn());
  lab.in(fromClient().ipv4(CLIENT, VIP).tcp(1004, 81, "S"));
  const answered = () => new DataView(lab.out(fromDest(11).ipv4(RIP, CLIENT).tcp(80, 1004, "A")).frame!.buffer).getUint16(34);
  expect(answered()).toBe(81);
  lab.in(fromClient().ipv4(CLIENT, VIP).tcp(1004, 81, "R"));
  lab.in(fromClient().ipv4(CLIENT, VIP).tcp(1004, 80, "A"));
  lab.wait(11);
  expect(answered()).toBe(80);
});

describe("packets that are not ours", () => {
  const lab = () => labWith({});
  const broken = syn().bytes();
  broken[14 + 8] = 3;
  const rows: [name: string, frame: Frame | Uint8Array, reason: string][] = [
    ["for another MAC", eth(CLIENT_MAC, "02:00:00:00:09:09").ipv4(CLIENT, VIP).tcp(1, 80, "S"), "not-host"],
    ["broadcast", eth(CLIENT_MAC, "ff:ff:ff:ff:ff:ff").ipv4(CLIENT, VIP).tcp(1, 80, "S"), "not-host"],
    ["ARP", fromClient().payload(new Uint8Array(28)), "not-ip"],
    ["half a header", syn().bytes().subarray(0, 30), "malformed"],
    ["a wrong IP checksum", broken, "bad-checksum"],
    ["no service", fromClient().ipv4(CLIENT, VIP).tcp(1, 81, "S"), "no-service"],
    ["an ACK without a conn", fromClient().ipv4(CLIENT, VIP).tcp(1, 80, "A"), "not-scheduled"],
    ["a RST without a conn", fromClient().ipv4(CLIENT, VIP).tcp(1, 80, "SR"), "not-scheduled"],
    ["from port 20", fromClient().ipv4(CLIENT, VIP).tcp(20, 80, "S"), "not-scheduled"],
    ["another protocol", fromClient().ipv4(CLIENT, VIP, { protocol: 89 }).payload([1, 2, 3, 4]), "protocol"],
    ["a ping", fromClient().ipv4(CLIENT, VIP).icmp(8, 0), "icmp"],
    [
      "a later fragment of nothing we saw",
      fromClient().ipv4(CLIENT, VIP, { fragmentOffset: 8, protocol: 17 }).payload([1]),
      "fragment-unknown",
    ],
  ];
  for (const [name, frame, reason] of rows) {
    test(`${name}: passed, ${reason}`, () => expect(lab().in(frame)).toEqual({ verdict: "pass", reason }));
  }
  test("a cut TCP header is dropped", () => {
    expect(lab().in(fromClient().ipv4(CLIENT, VIP, { protocol: 6 }).payload(new Uint8Array(19)))).toEqual({
      verdict: "drop",
      reason: "truncated",
    });
  });
  test("a reply to a client that cannot be reached yet goes to the stack, translated", () => {
    const plane = lab();
    plane.in(syn(1, "10.1.0.9"));
    const outcome = plane.out(fromDest(11).ipv4(RIP, "10.1.0.9").tcp(80, 1, "SA"));
    expect(outcome.verdict).toBe("pass");
    expectFrame(outcome, "reply-slow", fromDest(11).ipv4(VIP, "10.1.0.9").tcp(80, 1, "SA"));
  });
  test("a reply with TTL 1 goes to the stack as it is", () => {
    const plane = lab();
    plane.in(syn());
    expect(plane.out(fromDest(11).ipv4(RIP, CLIENT, { ttl: 1 }).tcp(80, 1004, "SA"))).toEqual({ verdict: "pass", reason: "ttl" });
  });
});

describe("a dest on the director itself", () => {
  test("NAT translates and hands on to the stack", () => {
    const lab = new Lab([addService(web), addDest(web, "10.2.0.1", { port: 8080 })]);
    const outcome = lab.in(syn());
    expect(outcome.verdict).toBe("pass");
    expectFrame(outcome, "local", fromClient().ipv4(CLIENT, "10.2.0.1").tcp(1004, 8080, "S"));
  });
  test("route and tunnel leave the packet as it is", () => {
    for (const method of ["route", "tunnel"] as const) {
      const lab = new Lab([addService(web), addDest(web, "10.2.0.1", { method })]);
      expect(lab.in(syn())).toEqual({ verdict: "pass", reason: "local" });
      expect(lab.conns()[0]?.method).toBe("local");
    }
  });
});

test("later fragments follow the first, with addresses only, and move no state", () => {
  const lab = new Lab([addService(dns), addDest(dns, RIP, { port: 5353 })]);
  const payload = new Uint8Array(100).map((_, i) => i);
  const sent = fragments(fromClient().ipv4(CLIENT, VIP, { id: 7 }).udp(9, 53, { payload }).bytes(), 40);
  const seen = fragments(toDest(11).ipv4(CLIENT, RIP, { id: 7, ttl: 63 }).udp(9, 5353, { payload }).bytes(), 40);
  expect(sent.map((piece) => hex(lab.in(piece).frame))).toEqual(seen.map(hex));
  lab.wait(31);
  expect(lab.in(sent[1]!).reason).toBe("fragment-unknown");
});

describe("ICMP errors about a conn", () => {
  const ROUTER = "10.9.0.1";

  test("about a NAT request, from behind: on to the client, with what it had sent", () => {
    const lab = labWith({ port: 8080 });
    lab.in(syn());
    const quote = ipv4(CLIENT, RIP, after).tcp(1004, 8080, "S").bytes().subarray(0, 28);
    const outcome = lab.out(fromDest(11).ipv4(ROUTER, CLIENT).icmp(3, 4, { rest: 1000, payload: quote }));
    // the transport checksum in the quote is left as it was
    const expected = ipv4(CLIENT, VIP, after).tcp(1004, 80, "S").bytes().subarray(0, 28);
    expectFrame(outcome, "icmp-related", toClient().ipv4(VIP, CLIENT, { ttl: 63 }).icmp(3, 4, { rest: 1000, payload: expected }));
    expect(lab.model.service(web)?.counters).toMatchObject({ outPackets: 1, outBytes: 56 });
  });
  test("about a NAT reply, from the client's side: on to the dest", () => {
    const lab = labWith({ port: 8080 });
    lab.in(syn());
    const quote = ipv4(VIP, CLIENT).tcp(80, 1004, "A").bytes().subarray(0, 28);
    const expected = ipv4(RIP, CLIENT).tcp(8080, 1004, "A").bytes().subarray(0, 28);
    const outcome = lab.in(fromClient().ipv4(ROUTER, VIP).icmp(11, 0, { payload: quote }));
    expectFrame(outcome, "icmp-related", toDest(11).ipv4(ROUTER, RIP, { ttl: 63 }).icmp(11, 0, { payload: expected }));
  });
  test("about a routed dest's reply: unchanged to the dest", () => {
    const lab = labWith({ method: "route" });
    lab.in(syn());
    const payload = ipv4(VIP, CLIENT).tcp(80, 1004, "A").bytes();
    const outcome = lab.in(fromClient().ipv4(ROUTER, VIP).icmp(3, 1, { payload }));
    expectFrame(outcome, "icmp-related", toDest(11).ipv4(ROUTER, VIP, { ttl: 63 }).icmp(3, 1, { payload }));
  });
  test("about a tunnel's reply: in the tunnel to the dest, don't-fragment outside as inside", () => {
    const lab = labWith({ method: "tunnel" });
    lab.in(syn());
    const payload = ipv4(VIP, CLIENT).tcp(80, 1004, "A").bytes();
    const outcome = lab.in(fromClient().ipv4(ROUTER, VIP, { df: true }).icmp(3, 1, { payload }));
    const expected = toDest(11).ipv4(DIRECTOR2, RIP, { ttl: 63, df: true }).ipv4(ROUTER, VIP, { ttl: 63, df: true });
    expectFrame(outcome, "icmp-related", expected.icmp(3, 1, { payload }));
  });
  test("with a wrong checksum: dropped where it would be translated", () => {
    const lab = labWith({});
    lab.in(syn());
    const payload = ipv4(VIP, CLIENT).tcp(80, 1004, "A").bytes();
    const broken = fromClient().ipv4(ROUTER, VIP).icmp(3, 1, { payload, checksum: 1 });
    expect(lab.in(broken)).toEqual({ verdict: "drop", reason: "icmp-checksum" });
  });
  test("IPv6: translated with the ICMPv6 checksum", () => {
    const lab = new Lab([addService(web6), addDest(web6, RIP6, { port: 8080 })]);
    lab.in(fromClient().ipv6(CLIENT6, VIP6).tcp(1004, 80, "S"));
    const quote = (src: string, port: number) => ipv6(src, CLIENT6).tcp(port, 1004, "A", { checksum: 0x1234 }).bytes();
    const outcome = lab.in(
      fromClient()
        .ipv6("2001:db8:9::1", VIP6)
        .icmpv6(2, 0, { rest: 1300, payload: quote(VIP6, 80) }),
    );
    const expected = toDest(11)
      .ipv6("2001:db8:9::1", RIP6, { hopLimit: 63 })
      .icmpv6(2, 0, { rest: 1300, payload: quote(RIP6, 8080) });
    expectFrame(outcome, "icmp-related", expected);
  });
  for (const [name, type] of [
    ["redirect", 5],
    ["parameter problem", 12],
  ] as const) {
    test(`${name} is not one of them`, () => {
      const lab = labWith({});
      lab.in(syn());
      const payload = ipv4(VIP, CLIENT).tcp(80, 1004, "A").bytes();
      expect(lab.in(fromClient().ipv4(ROUTER, VIP).icmp(type, 0, { payload })).reason).toBe("icmp");
    });
  }
  describe("about a packet in a tunnel of ours: the client hears of what was inside", () => {
    const payload = ipv4(CLIENT, VIP, after).tcp(1004, 80, "S").bytes();
    const outer = ipv4(DIRECTOR2, RIP, after);
    const inside = (frame: Frame) => frame.ipv4(CLIENT, VIP, after).tcp(1004, 80, "S").bytes();
    const rows: [name: string, tunnel: DestSpec["tunnel"], quote: Uint8Array, mtu: number][] = [
      ["ipip", { type: "ipip", port: 0, checksum: "none" }, inside(outer), 1380],
      ["gre", { type: "gre", port: 0, checksum: "none" }, inside(outer.gre()), 1376],
      ["gre with a checksum", { type: "gre", port: 0, checksum: "csum" }, inside(outer.gre({ checksum: true })), 1372],
      ["gue", { type: "gue", port: 6080, checksum: "none" }, inside(outer.udp(40000, 6080, { checksum: 0 }).gue()), 1368],
    ];
    for (const [name, tunnel, quote, mtu] of rows) {
      test(name, () => {
        const lab = labWith({ method: "tunnel", tunnel });
        lab.in(syn());
        const told = (code: number, rest: number) => toClient().ipv4(VIP, CLIENT, { tos: 0xc8 }).icmp(3, code, { rest, payload });
        const error = (code: number, rest: number) =>
          lab.out(fromDest(11).ipv4(ROUTER, DIRECTOR2).icmp(3, code, { rest, payload: quote }));
        expectFrame(error(1, 0), "icmp-related", told(1, 0));
        expectFrame(error(4, 1400), "icmp-related", told(4, mtu));
        const short = fromDest(11)
          .ipv4(ROUTER, DIRECTOR2)
          .icmp(3, 1, { payload: quote.subarray(0, 28) });
        expect(lab.out(short)).toEqual({ verdict: "pass", reason: "icmp" });
      });
    }
    test("too big, but the client lets it be fragmented: swallowed", () => {
      const lab = labWith({ method: "tunnel" });
      lab.in(syn());
      const quote = outer.ipv4(CLIENT, VIP).tcp(1004, 80, "S").bytes();
      expect(lab.out(fromDest(11).ipv4(ROUTER, DIRECTOR2).icmp(3, 4, { rest: 1400, payload: quote })).verdict).toBe("drop");
    });
  });
  test("an error about no conn passes, unless schedule_icmp opens one in state NONE", () => {
    const payload = ipv4(VIP, CLIENT).tcp(80, 1004, "A").bytes().subarray(0, 28);
    const error = fromClient().ipv4(ROUTER, VIP).icmp(3, 1, { payload });
    expect(labWith({}).in(error)).toEqual({ verdict: "pass", reason: "icmp" });
    const lab = labWith({}, set("schedule_icmp", "1"));
    expect(lab.in(error).reason).toBe("icmp-related");
    expect(lab.state()).toBe("NONE 3");
  });
});
