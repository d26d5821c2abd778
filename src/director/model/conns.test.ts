import { describe, expect, test } from "vitest";
import { ip } from "../../net/ip.ts";
import type { Frame } from "../../wire/build.ts";
import type { Operation, ServiceKey } from "../director.ts";
import { addDest, addService, CLIENT, dns, editDest, fromClient, fromDest, Lab, RIP, set, syn, VIP, web } from "./testing.ts";

const A = "10.2.0.11";
const B = "10.2.0.12";
const C = "10.2.0.13";

/** "A" for a dest by the MAC a frame leaves to, "-" when it does not. */
function picked(lab: Lab, frame: Frame, mark = 0): string {
  const { frame: out, reason } = lab.in(frame, mark);
  if (!["nat", "route", "tunnel", "fullnat"].includes(reason) || out === undefined) return "-";
  return "ABC"[out[5]! - 0x11] ?? "?";
}
const picks = (lab: Lab, frames: Frame[], mark = 0): string => frames.map((frame) => picked(lab, frame, mark)).join(" ");
const syns = (count: number, from = CLIENT, first = 2000): Frame[] =>
  Array.from({ length: count }, (_, i) => syn(first + i, from));
const three = (key: ServiceKey, more: Parameters<typeof addDest>[2] = {}): Operation[] =>
  [A, B, C].map((addr) => addDest(key, addr, more));
const clientTcp = (flags: string, port = 1004): Frame => fromClient().ipv4(CLIENT, VIP).tcp(port, 80, flags);
const destTcp = (flags: string): Frame => fromDest(11).ipv4(RIP, CLIENT).tcp(80, 1004, flags);

describe("a TCP conn moves as in the kernel (spec 4.5)", () => {
  const rows: [name: string, method: "nat" | "route", settings: Operation[], steps: string][] = [
    [
      "NAT, closed by the client",
      "nat",
      [],
      "i S SYN_RECV 60 active, o SA SYN_RECV 60 active, i A ESTABLISHED 900 active, i FA CLOSE_WAIT 60, o A CLOSE_WAIT 60, o FA TIME_WAIT 120, i A TIME_WAIT 120",
    ],
    [
      "NAT, closed by the server",
      "nat",
      [],
      "i S SYN_RECV 60 active, o SA SYN_RECV 60 active, i A ESTABLISHED 900 active, o FA FIN_WAIT 120, i A FIN_WAIT 120, i FA TIME_WAIT 120, o A TIME_WAIT 120",
    ],
    [
      "NAT, reset by the client",
      "nat",
      [],
      "i S SYN_RECV 60 active, o SA SYN_RECV 60 active, i A ESTABLISHED 900 active, i R CLOSE 10",
    ],
    [
      "NAT, reset by the client before it is established: a guess does not close it",
      "nat",
      [],
      "i S SYN_RECV 60 active, i R SYN_RECV 60 active",
    ],
    [
      "NAT, the same after the server spoke",
      "nat",
      [],
      "i S SYN_RECV 60 active, o SA SYN_RECV 60 active, i R SYN_RECV 60 active",
    ],
    ["NAT, refused by the server", "nat", [], "i S SYN_RECV 60 active, o RA CLOSE 10"],
    [
      "DR",
      "route",
      [],
      "i S SYN_RECV 60 active, i A ESTABLISHED 900 active, i FA FIN_WAIT 120, i A FIN_WAIT 120, i S SYN_RECV 60 active",
    ],
    ["DR, reset", "route", [], "i S SYN_RECV 60 active, i A ESTABLISHED 900 active, i R CLOSE 10"],
    ["DR, a segment without flags", "route", [], "i S SYN_RECV 60 active, i P CLOSE 10"],
    [
      "NAT, secure_tcp",
      "nat",
      [set("secure_tcp", "3")],
      "i S SYN_RECV 60 active, o SA SYNACK 120 active, i A SYNACK 120 active, o A ESTABLISHED 900 active",
    ],
    ["DR, secure_tcp", "route", [set("secure_tcp", "3")], "i S SYNACK 120 active, i A ESTABLISHED 900 active"],
    ["NAT, sloppy_tcp", "nat", [set("sloppy_tcp", "1")], "i A ESTABLISHED 900 active"],
    [
      "NAT, timeouts set",
      "nat",
      [{ op: "set-timeouts", timeouts: { tcp: 5, tcpFin: 6 } }],
      "i S SYN_RECV 60 active, i A ESTABLISHED 5 active, o F FIN_WAIT 6",
    ],
  ];
  for (const [name, method, settings, steps] of rows) {
    test(name, () => {
      const lab = new Lab([addService(web), addDest(web, RIP, { method }), ...settings]);
      const seen = steps.split(", ").map((step) => {
        const [side, flags = ""] = step.split(" ");
        side === "i" ? lab.in(clientTcp(flags)) : lab.out(destTcp(flags));
        return `${side} ${flags} ${lab.state()}`;
      });
      expect(seen.join(", ")).toBe(steps);
    });
  }
});

test("an SCTP conn moves as in the kernel (spec 4.7)", () => {
  const key = { protocol: "sctp", addr: ip(VIP), port: 7 } as const;
  const lab = new Lab([addService(key), addDest(key, RIP, { port: 7 })]);
  const chunk = (side: string, ...types: number[]) => {
    const chunks = types.map((type) => ({ type }));
    if (side === "i") lab.in(fromClient().ipv4(CLIENT, VIP).sctp(9, 7, { chunks }));
    else lab.out(fromDest(11).ipv4(RIP, CLIENT).sctp(7, 9, { chunks }));
    return lab.state();
  };
  const steps: [string, number, string][] = [
    ["i", 0, "none"],
    ["i", 1, "INIT1 4"],
    ["i", 1, "INIT 61"],
    ["o", 2, "C-SENT 61"],
    ["i", 10, "C-REPLIED 61"],
    ["o", 11, "ESTABLISHED 900 active"],
    ["i", 0, "ESTABLISHED 900 active"],
    ["i", 7, "S-RECEIVED 61"],
    ["o", 8, "S-ACK-SENT 61"],
    ["i", 14, "CLOSED 61"],
  ];
  for (const [side, type, state] of steps) expect(chunk(side, type)).toBe(state);
});

test("a UDP conn is inactive for as long as it lives", () => {
  const lab = new Lab([addService(dns), addDest(dns, RIP, { port: 53 })]);
  const query = fromClient().ipv4(CLIENT, VIP).udp(9, 53);
  lab.in(query);
  lab.wait(100);
  expect(lab.state()).toBe("UDP 200");
  lab.out(fromDest(11).ipv4(RIP, CLIENT).udp(53, 9));
  expect([lab.state(), lab.load(dns, RIP)]).toEqual(["UDP 300", "0/1"]);
  lab.wait(300);
  expect([lab.state(), lab.load(dns, RIP)]).toEqual(["none", "0/0"]);
});

test("counters follow packets and IP bytes, on the dest, the service and the whole", () => {
  const lab = new Lab([addService(web), addDest(web, RIP)]);
  lab.in(syn());
  lab.out(fromDest(11).ipv4(RIP, CLIENT).tcp(80, 1004, "SA", { payload: "12345" }));
  lab.in(clientTcp("A"));
  const counters = { conns: 1, inPackets: 2, outPackets: 1, inBytes: 80, outBytes: 45 };
  const service = lab.model.service(web)!;
  expect([service.counters, service.dests[0]!.counters, lab.model.total().counters]).toEqual([counters, counters, counters]);
  lab.apply({ op: "zero", key: web });
  expect(lab.model.service(web)?.dests[0]?.counters).toEqual({ conns: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 });
  expect(lab.model.total().counters).toEqual(counters);
  expect(lab.load(web, RIP)).toBe("1/0");
});

test("rates follow every two seconds", () => {
  const lab = new Lab([addService(web), addDest(web, RIP)]);
  for (let i = 0; i < 100; i++) lab.in(syn(2000 + i));
  const shown = Array.from({ length: 5 }, () => {
    lab.wait(2);
    return lab.model.service(web)?.rates.cps;
  });
  expect(shown).toEqual([12, 9, 7, 5, 4]);
});

describe("schedulers walk the list newest first", () => {
  const rows: [scheduler: string, expected: string][] = [
    ["rr", "C B A C B A"],
    ["wrr", "C B A A B A C B A A B A"],
    ["wlc", "C B A A B A C B"],
    ["sed", "A B A C B A A B"],
    ["ovf", "A A A A B B B C C -"],
    ["none", "- -"],
  ];
  for (const [scheduler, expected] of rows) {
    test(scheduler, () => {
      const dests = [addDest(web, A, { weight: 3 }), addDest(web, B, { weight: 2 }), addDest(web, C, { weight: 1 })];
      const lab = new Lab([addService(web, { scheduler }), ...dests]);
      expect(picks(lab, syns(expected.split(" ").length))).toBe(expected);
    });
  }
  test("a change of the scheduler starts it anew with the dests that are there", () => {
    const lab = new Lab([addService(web), addDest(web, A, { weight: 3 }), addDest(web, B, { weight: 2 }), addDest(web, C)]);
    const edited = addService(web, { scheduler: "wrr" });
    if (edited.op === "add-service") lab.apply({ op: "edit-service", service: edited.service });
    expect(picks(lab, syns(12))).toBe("A B A C B A A B A C B A");
  });
});

describe("thresholds (spec 2.4)", () => {
  test("a full dest takes no more until it is back below three quarters", () => {
    const lab = new Lab([addService(dns), addDest(dns, A, { port: 53, upper: 4 })]);
    const query = (port: number) => fromClient().ipv4(CLIENT, VIP).udp(port, 53);
    expect(picks(lab, [1, 2, 3, 4, 5, 6].map(query))).toBe("A A A A - -");
    lab.wait(200);
    for (const port of [1, 2, 3]) lab.in(query(port));
    lab.wait(100);
    expect([lab.load(dns, A), picked(lab, query(7))]).toEqual(["0/3", "-"]);
    lab.wait(100);
    lab.in(query(1));
    expect(lab.load(dns, A)).toBe("0/3");
    lab.wait(100);
    expect([lab.load(dns, A), picked(lab, query(8))]).toEqual(["0/1", "A"]);
  });
  test("rr passes over a full dest", () => {
    const lab = new Lab([addService(web), addDest(web, A, { upper: 2 }), addDest(web, B), addDest(web, C)]);
    expect(picks(lab, syns(10))).toBe("C B A C B A C B C B");
    lab.apply(editDest(web, A));
    expect(picks(lab, syns(3, CLIENT, 3000))).toContain("A");
  });
});

describe("weight 0", () => {
  test("takes no new conns and keeps the ones it has", () => {
    const lab = new Lab([addService(web), ...three(web)]);
    expect(picks(lab, syns(3))).toBe("C B A");
    lab.apply(editDest(web, B, { weight: 0 }));
    expect(picks(lab, syns(4, CLIENT, 3000))).toBe("C A C A");
    expect(picked(lab, clientTcp("A", 2001))).toBe("B");
  });
  test("everywhere: no dest", () => {
    const lab = new Lab([addService(web), addDest(web, A, { weight: 0 })]);
    expect(lab.in(syn()).reason).toBe("no-dest");
  });
});

describe("a deleted dest (spec 2.5)", () => {
  const deleteDest = (addr: string): Operation => ({ op: "delete-dest", key: web, dest: { addr: ip(addr), port: 80 } });
  const start = (...settings: Operation[]) => {
    const lab = new Lab([addService(web), addDest(web, A), ...settings]);
    lab.in(syn());
    lab.in(clientTcp("A"));
    return lab;
  };
  test("its packets are dropped, and its conn's timer runs on", () => {
    const lab = start();
    lab.apply(deleteDest(A));
    lab.wait(100);
    expect([lab.in(clientTcp("A")), lab.state()]).toEqual([{ verdict: "drop", reason: "dest-gone" }, "ESTABLISHED 800 active"]);
  });
  test("added again within the trash time its conns go on, and count", () => {
    const lab = start();
    lab.apply(deleteDest(A));
    lab.wait(170);
    lab.apply(addDest(web, A));
    expect([lab.in(clientTcp("A")).reason, lab.load(web, A)]).toEqual(["nat", "1/0"]);
    expect(lab.model.service(web)?.counters.inPackets).toBe(3);
  });
  test("so when the service was deleted too; its statistics begin anew", () => {
    const lab = start();
    lab.apply({ op: "delete-service", key: web }, addService(web), addDest(web, A));
    lab.in(clientTcp("A"));
    const service = lab.model.service(web)!;
    expect([service.counters.inPackets, service.dests[0]!.counters.inPackets, lab.load(web, A)]).toEqual([1, 1, "1/0"]);
  });
  test("expire_nodest_conn: its conns are gone at once", () => {
    const lab = start(set("expire_nodest_conn", "1"));
    lab.apply(addDest(web, B), deleteDest(A));
    expect([lab.state(), lab.in(clientTcp("A")).reason, picked(lab, syn())]).toEqual(["none", "not-scheduled", "B"]);
  });
  test("expire_nodest_conn: a SYN leaves a drained dest, other packets stay", () => {
    const lab = start(set("expire_nodest_conn", "1"));
    lab.apply(addDest(web, B), editDest(web, A, { weight: 0 }));
    expect([picked(lab, clientTcp("A")), picked(lab, syn())]).toEqual(["A", "B"]);
  });
});

describe("conn_reuse_mode: a SYN on an old conn (spec 5.2)", () => {
  const rows: [mode: string, ending: string, next: string][] = [
    ["0", "F", "B"],
    ["1", "F", "B"],
    ["2", "F", "A"],
    ["3", "F", "A"],
    ["0", "R", "B"],
    ["1", "R", "A"],
    ["2", "R", "A"],
  ];
  for (const [mode, ending, next] of rows) {
    test(`mode ${mode}, after ${ending}: dest ${next}`, () => {
      const dests = [addDest(web, A, { method: "route" }), addDest(web, B, { method: "route" })];
      const lab = new Lab([addService(web), ...dests, set("conn_reuse_mode", mode)]);
      expect(picks(lab, [syn(), clientTcp("A"), clientTcp(ending)])).toBe("B B B");
      expect(picked(lab, syn())).toBe(next);
    });
  }
});

describe("persistence (spec 4.9)", () => {
  const persistent = { persistSeconds: 100 };
  const templates = (lab: Lab) => lab.conns().filter((conn) => conn.template);

  test("a client stays with its dest, on any port of its own", () => {
    const lab = new Lab([addService(web, persistent), ...three(web)]);
    expect(picks(lab, [...syns(3), ...syns(2, "10.1.0.4"), syn(3000)])).toBe("C C C B B C");
    expect(templates(lab)[0]).toMatchObject({
      client: { addr: CLIENT, port: 0 },
      virtual: { addr: VIP, port: 80 },
      state: "NONE",
      dest: { port: 80 },
    });
  });
  test("so does its whole network under a mask", () => {
    const lab = new Lab([addService(web, { ...persistent, netmask: 0xffffff00 }), ...three(web)]);
    expect(picks(lab, [syn(1), syn(1, "10.1.0.4"), syn(2, "10.1.0.200")])).toBe("C C C");
    expect(templates(lab).map((conn) => conn.client.addr)).toEqual(["10.1.0.0"]);
  });
  test("a template counts as persistent, its conns count as usual", () => {
    const lab = new Lab([addService(web, persistent), addDest(web, A)]);
    lab.in(syn());
    expect(lab.model.service(web)?.dests[0]).toMatchObject({
      activeConns: 1,
      inactiveConns: 0,
      persistConns: 1,
      counters: { conns: 1 },
    });
  });
  test("a template outlives its time in steps of a minute while it has conns, and is ended after them", () => {
    const lab = new Lab([addService(web, { persistSeconds: 10 }), addDest(web, A)]);
    lab.in(syn());
    lab.in(clientTcp("A"));
    lab.wait(11);
    expect(templates(lab)[0]?.expiresIn).toBe(59);
    lab.in(clientTcp("R"));
    lab.wait(11);
    expect(templates(lab)[0]?.expiresIn).toBe(48);
    lab.in(syn(2000));
    expect(templates(lab)[0]?.expiresIn).toBe(60);
    lab.wait(200);
    expect(lab.conns()).toEqual([]);
  });
  test("a template is assured by an established conn", () => {
    const lab = new Lab([addService(web, persistent), addDest(web, A)]);
    lab.in(syn());
    lab.in(clientTcp("A"));
    expect(templates(lab)[0]?.state).toBe("ASSURED");
  });
  test("a drained dest keeps its clients, unless expire_quiescent_template", () => {
    const lab = new Lab([addService(web, persistent), ...three(web)]);
    lab.in(syn());
    lab.apply(editDest(web, C, { weight: 0 }));
    expect(picked(lab, syn(2000))).toBe("C");
    lab.apply(set("expire_quiescent_template", "1"));
    expect(picked(lab, syn(2001))).toBe("B");
    expect(templates(lab).map((conn) => [conn.virtual.port, conn.dest.port])).toEqual([
      [65535, 65535],
      [80, 80],
    ]);
  });
  test("port 0: all ports of a client share a template, and ports are kept", () => {
    const any = { ...web, port: 0 };
    const lab = new Lab([addService(any, persistent), addDest(any, A, { port: 0 }), addDest(any, B, { port: 8080 })]);
    const to = (port: number) => fromClient().ipv4(CLIENT, VIP).tcp(port, port, "S");
    expect(picks(lab, [to(80), to(443)])).toBe("B B");
    expect(lab.conns().map((conn) => [conn.virtual.port, conn.dest.port, conn.template])).toEqual([
      [0, 0, true],
      [80, 80, false],
      [443, 443, false],
    ]);
  });
  test("FTP: data connections to high ports follow the control connection", () => {
    const ftp = { ...web, port: 21 };
    const lab = new Lab([
      addService(ftp, persistent),
      addDest(ftp, A, { port: 21, method: "route" }),
      addDest(ftp, B, { port: 21, method: "route" }),
    ]);
    const to = (port: number, own: number) => fromClient().ipv4(CLIENT, VIP).tcp(own, port, "S");
    expect(picks(lab, [to(21, 1), to(30000, 2), to(1000, 3)])).toBe("B B -");
  });
  test("a mark groups services of several ports and protocols, under protocol ip", () => {
    const key = { fwmark: 5, family: "ipv4" } as const;
    const lab = new Lab([addService(key, persistent), ...[A, B, C].map((addr) => addDest(key, addr, { port: 0 }))]);
    expect(picks(lab, [syn(1), fromClient().ipv4(CLIENT, VIP).udp(2, 53)], 5)).toBe("C C");
    expect(templates(lab)[0]).toMatchObject({ protocol: "ip", virtual: { addr: "0.0.0.5", port: 0 }, dest: { port: 0 } });
  });
});

describe("fwmark services", () => {
  const key = { fwmark: 7, family: "ipv4" } as const;
  test("take packets of any address, and the dest's port where it has one", () => {
    const lab = new Lab([addService(key), addDest(key, A, { port: 8080 })]);
    lab.in(fromClient().ipv4(CLIENT, "192.0.2.1").tcp(1, 9999, "S"), 7);
    expect(lab.conns()[0]).toMatchObject({
      virtual: { addr: "192.0.2.1", port: 9999 },
      dest: { addr: A, port: 8080 },
      fwmark: 7,
    });
  });
  test("come before address services", () => {
    const lab = new Lab([addService(web), addDest(web, B), addService(key), addDest(key, A)]);
    expect([picked(lab, syn(1), 7), picked(lab, syn(2), 8)]).toEqual(["A", "B"]);
  });
  test("without a dest and with cache_bypass packets go on to their own destination", () => {
    const lab = new Lab([addService(key), set("cache_bypass", "1")]);
    const request = (flags: string) => fromClient().ipv4(CLIENT, C).tcp(1, 80, flags);
    expect([lab.in(request("S"), 7).reason, lab.state()]).toEqual(["bypass", "SYN_RECV 60 active"]);
    expect(lab.conns()[0]).toMatchObject({ method: "bypass", dest: { addr: "0.0.0.0", port: 0 } });
    lab.in(request("A"), 7);
    lab.in(request("F"), 7);
    expect([lab.state(), lab.model.total().counters.inPackets]).toEqual(["CLOSE_WAIT 60", 0]);
    expect(lab.in(syn(2), 7).reason).toBe("no-dest");
  });
});

describe("one-packet services", () => {
  const query = fromClient().ipv4(CLIENT, VIP).udp(9, 53);
  test("schedule every datagram anew and leave no conn", () => {
    const lab = new Lab([addService(dns, { onePacket: true }), ...three(dns, { port: 53 })]);
    expect(picks(lab, [query, query, query, query])).toBe("C B A C");
    expect([lab.conns(), lab.load(dns, C), lab.model.service(dns)?.counters.conns]).toEqual([[], "0/0", 4]);
    expect(lab.out(fromDest(13).ipv4(C, CLIENT).udp(53, 9)).reason).toBe("no-service");
  });
  test("with persistence only the template is seen", () => {
    const lab = new Lab([addService(dns, { onePacket: true, persistSeconds: 100 }), ...three(dns, { port: 53 })]);
    expect(picks(lab, [query, query])).toBe("C C");
    expect(lab.conns().map((conn) => conn.template)).toEqual([true]);
  });
  test("for TCP the flag has no effect", () => {
    const lab = new Lab([addService(web, { onePacket: true }), addDest(web, A)]);
    lab.in(syn());
    expect(lab.conns()).toHaveLength(1);
  });
});

describe("defences (spec 7.2)", () => {
  test("drop_packet drops one of am_droprate packets that would open a conn", () => {
    const lab = new Lab([addService(web), addDest(web, A), set("am_droprate", "3"), set("drop_packet", "3")]);
    expect(
      syns(12)
        .map((frame) => (lab.in(frame).reason === "drop-packet" ? "x" : "."))
        .join(""),
    ).toBe("x..x..x..x..");
    expect(lab.in(clientTcp("A", 2001)).reason).toBe("nat");
  });
  test("drop_entry drops half-open conns, one in 32 a second, and keeps established ones", () => {
    let turn = 0;
    const random = () => (turn++ % 32) / 32;
    const lab = new Lab([addService(web), addDest(web, A), set("drop_entry", "3")], { random });
    for (const frame of syns(320)) lab.in(frame);
    for (let port = 5000; port < 5032; port++) for (const flags of ["S", "A"]) lab.in(clientTcp(flags, port));
    lab.wait(1);
    expect(lab.conns().filter((conn) => conn.state === "SYN_RECV")).toHaveLength(310);
    expect(lab.conns().filter((conn) => conn.state === "ESTABLISHED")).toHaveLength(32);
  });
  test("the automatic modes follow the memory", () => {
    let pages = 700;
    const lab = new Lab([addService(web), addDest(web, A), set("secure_tcp", "1"), set("drop_packet", "1")], {
      availablePages: () => pages,
    });
    expect(lab.model.settings()).toMatchObject({ secure_tcp: "2", drop_packet: "2" });
    lab.in(syn());
    lab.in(syn());
    lab.out(destTcp("SA"));
    expect(lab.state()).toBe("SYNACK 120 active");
    pages = 1024;
    lab.wait(1);
    expect(lab.model.settings()).toMatchObject({ secure_tcp: "1", drop_packet: "1" });
  });
  test("nat_icmp_send answers a stray packet of a real server", () => {
    const stray = fromDest(11).ipv4(RIP, CLIENT).tcp(80, 4444, "A");
    const lab = new Lab([addService(web), addDest(web, RIP)]);
    expect(lab.out(stray)).toEqual({ verdict: "pass", reason: "no-service" });
    lab.apply(set("nat_icmp_send", "1"));
    expect(lab.out(stray)).toMatchObject({ verdict: "tx", reason: "nat-icmp-send" });
    expect(lab.out(fromDest(11).ipv4(RIP, CLIENT).tcp(80, 4444, "R")).reason).toBe("no-service");
  });
  test("backup_only ignores requests while a backup daemon runs", () => {
    const lab = new Lab([addService(web), addDest(web, A), set("backup_only", "1")]);
    lab.apply({ op: "start-daemon", daemon: { state: "backup", interface: "eth0", syncId: 1 } });
    expect(lab.in(syn()).verdict).toBe("pass");
    lab.apply({ op: "stop-daemon", state: "backup" });
    expect(lab.in(syn()).reason).toBe("nat");
  });
});

test("a full table refuses new conns and keeps the old", () => {
  const lab = new Lab([addService(web), addDest(web, A)], { capacity: 2 });
  expect(syns(3).map((frame) => lab.in(frame).reason)).toEqual(["nat", "nat", "table-full"]);
  expect(lab.in(clientTcp("A", 2000)).reason).toBe("nat");
  expect(lab.load(web, A)).toBe("2/0");
});

test("a port-0 service without persistence schedules nothing", () => {
  const any = { ...web, port: 0 };
  const lab = new Lab([addService(any), addDest(any, A)]);
  expect(lab.in(syn()).reason).toBe("no-dest");
});

test("every exit is counted under its reason", () => {
  const lab = new Lab([addService(web), addDest(web, A)]);
  lab.in(syn());
  lab.in(clientTcp("A"));
  lab.in(fromClient().ipv4(CLIENT, VIP).icmp(8, 0));
  expect(lab.model.exits()).toEqual({ nat: 2, icmp: 1 });
});
