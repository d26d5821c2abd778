import { randomBytes } from "node:crypto";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { operationsOf } from "../../../cases/lines.ts";
import { enterNetwork } from "../../../cases/namespace.ts";
import { CLIENT_SIDE, macOf, ownMac, SERVER_SIDE } from "../../../cases/network.ts";
import { XdpPlane } from "../../../cases/xdp-plane.ts";
import { ip } from "../../net/ip.ts";
import type { BpfMap } from "../../platform/bpf-map.ts";
import { ensureBpffs } from "../../platform/bpffs.ts";
import { eth } from "../../wire/build.ts";
import { findMark, type MarkRule } from "../marks.ts";
import * as abi from "./abi.gen.ts";
import { Attachments } from "./attach.ts";
import { protocolName } from "./keys.ts";
import { type DataPath, loadDataPath } from "./loader.ts";
import { MarkTable } from "./mark-table.ts";
import { addr, port, u32, viewOf } from "./memory.ts";
import { type HopSource, XdpCore } from "./xdp-director.ts";

/** What the core writes into the data path's maps besides services and dests. */

/** "tcp 10.2.0.11:80": who speaks as a NAT dest. */
function natDests(map: BpfMap): string[] {
  const keys = new Uint8Array(64 * abi.serviceKey.size);
  const values = new Uint8Array(64 * 4);
  const count = map.lookupBatch(map.newCursor(), keys, values);
  return Array.from({ length: count }, (_, i) => {
    const at = i * abi.serviceKey.size;
    const family = keys[at + abi.serviceKey.family] ?? 0;
    const place = `${addr(keys, at, family)}:${port(viewOf(keys), at + abi.serviceKey.port)}`;
    expect(u32(viewOf(values), i * 4), place).toBeGreaterThan(0); // the id of such a dest
    return `${protocolName(keys[at + abi.serviceKey.protocol] ?? 0)} ${place}`;
  }).toSorted();
}

const defenceOf = ({ memory: { settings } }: DataPath) => ({
  dropEntry: u32(settings.view, abi.settings.dropEntry),
  dropRate: u32(settings.view, abi.settings.dropRate),
  secureTcp: u32(settings.view, abi.settings.secureTcp),
});

describe("NAT dests in the data path", () => {
  let plane: XdpPlane;
  beforeAll(() => {
    plane = new XdpPlane(64);
  });
  afterEach(() => plane.reset());
  afterAll(() => plane.close());
  const apply = async (lines: string) => plane.apply(await operationsOf(lines));
  const there = () => natDests(plane.path.natDests);

  test("stand there under their services' protocol, once for each service that has them", async () => {
    await apply(`
      -A -t 10.1.0.100:80
      -A -t 10.1.0.100:81
      -A -u 10.1.0.100:53
      -a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m
      -a -t 10.1.0.100:81 -r 10.2.0.11:8080 -m
      -a -t 10.1.0.100:81 -r 10.2.0.12:8080 -g
      -a -u 10.1.0.100:53 -r 10.2.0.11:53 -m`);
    expect(there()).toEqual(["tcp 10.2.0.11:8080", "udp 10.2.0.11:53"]);
    await apply("-D -t 10.1.0.100:80");
    expect(there()).toEqual(["tcp 10.2.0.11:8080", "udp 10.2.0.11:53"]);
    await apply("-d -t 10.1.0.100:81 -r 10.2.0.11:8080");
    expect(there()).toEqual(["udp 10.2.0.11:53"]);
  });

  test("of a fwmark service stand there for every protocol, IPv6 as IPv4", async () => {
    await apply(`
      -A -f 5
      -a -f 5 -r 10.2.0.11:0 -m
      -A -f 5 -6
      -a -f 5 -6 -r [2001:db8:2::11]:80 -m`);
    const each = (place: string) => ["sctp", "tcp", "udp"].map((protocol) => `${protocol} ${place}`);
    expect(there()).toEqual([...each("10.2.0.11:0"), ...each("2001:db8:2::11:80")].toSorted());
    await apply("-C");
    expect(there()).toEqual([]);
  });

  test("come and go with the method, and with a return from the trash by another", async () => {
    await apply(`
      -A -t 10.1.0.100:80
      -a -t 10.1.0.100:80 -r 10.2.0.11:80 -g
      -e -t 10.1.0.100:80 -r 10.2.0.11:80 -m`);
    expect(there()).toEqual(["tcp 10.2.0.11:80"]);
    await apply(`
      -d -t 10.1.0.100:80 -r 10.2.0.11:80
      -a -t 10.1.0.100:80 -r 10.2.0.11:80 -g`);
    expect(there()).toEqual([]);
    await apply("-e -t 10.1.0.100:80 -r 10.2.0.11:80 -m");
    expect(there()).toEqual(["tcp 10.2.0.11:80"]);
    await apply("-e -t 10.1.0.100:80 -r 10.2.0.11:80 -m -w 5");
    expect(there()).toEqual(["tcp 10.2.0.11:80"]);
  });
});

describe("mark rules in the data path", () => {
  let plane: XdpPlane;
  beforeAll(async () => {
    plane = new XdpPlane(64);
    plane.core.writeDevices([
      { ifindex: CLIENT_SIDE, mac: ownMac("client"), name: "c0" },
      { ifindex: SERVER_SIDE, mac: ownMac("server"), name: "s0" },
    ]);
    for (const mark of [1, 2, 3]) for (const six of ["", " -6"]) plane.apply(await operationsOf(`-A -f ${mark}${six} -s rr`));
  });
  afterAll(() => plane.close());

  /** Not asked for its dest, which there is none: a marked packet leaves as "no-dest", another as "no-service". */
  const isMarked = (frame: Uint8Array) => plane.send(frame, "client").reason.startsWith("no-dest");

  const nets = [
    "10.1.0.0/24",
    "10.1.0.2/31",
    "10.1.0.100/32",
    "10.0.0.0/8",
    "10.1.0.101/32",
    "2001:db8:1::/64",
    "2001:db8:1::100/127",
  ];
  const netOf = (text: string) => {
    const [address = "", length] = text.split("/");
    return { addr: ip(address), length: Number(length) };
  };
  const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined, freq: 2 });
  const arbitraryRule = fc
    .record({
      mark: fc.constantFrom(0, 1, 2, 3, 4),
      isIpv6: fc.boolean(),
      protocol: optional(fc.constantFrom("tcp", "udp", "sctp")),
      source: optional(fc.constantFrom(...nets)),
      destination: optional(fc.constantFrom(...nets)),
      sourcePorts: optional(fc.constantFrom({ first: 1, last: 1000 }, { first: 1000, last: 1000 })),
      destinationPorts: optional(fc.constantFrom({ first: 80, last: 80 }, { first: 81, last: 65535 })),
      interface: optional(fc.constantFrom("c0", "s0", "gone")),
    })
    .map(({ isIpv6, source, destination, ...rest }): MarkRule => {
      const fits = (net: string | undefined) => (net !== undefined && net.includes(":") === isIpv6 ? netOf(net) : undefined);
      const all = { ...rest, family: isIpv6 ? "ipv6" : "ipv4", source: fits(source), destination: fits(destination) };
      return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as unknown as MarkRule;
    });

  test("fit the packets that they fit by their definition, and survive being read back", () => {
    const host = fc.constantFrom(2, 3, 4);
    const to = fc.constantFrom(100, 101);
    const port = fc.constantFrom(80, 81, 1000, 1001);
    const arbitraryPacket = fc.record({ isIpv6: fc.boolean(), isUdp: fc.boolean(), host, to, sport: port, dport: port });
    fc.assert(
      fc.property(
        fc.array(arbitraryRule, { maxLength: 5 }),
        fc.array(arbitraryPacket, { minLength: 5, maxLength: 10 }),
        (rules, packets) => {
          expect(plane.core.setMarks(rules)).toEqual([]);
          expect(new MarkTable(plane.path, [...new Set(rules.flatMap((rule) => rule.interface ?? []))]).rules).toEqual(rules);
          for (const { isIpv6, isUdp, host, to, sport, dport } of packets) {
            const net = isIpv6 ? "2001:db8:1::" : "10.1.0.";
            const start = eth(macOf(ip(`10.1.0.${host}`)), ownMac("client"));
            const layer = isIpv6 ? start.ipv6(`${net}${host}`, `${net}${to}`) : start.ipv4(`${net}${host}`, `${net}${to}`);
            const frame = isUdp ? layer.udp(sport, dport) : layer.tcp(sport, dport, "S");
            const found = findMark(rules, {
              ...{ protocol: isUdp ? "udp" : "tcp", interface: "c0" },
              source: { addr: ip(`${net}${host}`), port: sport },
              destination: { addr: ip(`${net}${to}`), port: dport },
            });
            const mark = found?.rule.mark ?? 0;
            expect(isMarked(frame.bytes())).toBe(mark >= 1 && mark <= 3);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test("give a conn its mark, and the mark its service", async () => {
    plane.core.setMarks([{ mark: 2, family: "ipv4", destinationPorts: { first: 80, last: 90 } }]);
    plane.apply(await operationsOf("-a -f 2 -r 10.2.0.11:0 -m"));
    const syn = eth(macOf(ip("10.1.0.2")), ownMac("client"))
      .ipv4("10.1.0.2", "10.1.0.100")
      .tcp(1000, 85, "S");
    expect(plane.send(syn.bytes(), "client").reason).toBe("nat");
    expect(plane.conns()).toMatchObject([{ fwmark: 2, dest: { addr: "10.2.0.11", port: 85 } }]);
    plane.apply(await operationsOf("-d -f 2 -r 10.2.0.11:0"));
  });

  test("that name an interface follow it when it comes, goes or is numbered anew", () => {
    plane.core.setMarks([{ mark: 1, family: "ipv4", interface: "bond0" }]);
    const frame = eth(macOf(ip("10.1.0.2")), ownMac("client"))
      .ipv4("10.1.0.2", "10.1.0.100")
      .udp(1, 2)
      .bytes();
    const link = (ifindex: number) => plane.core.writeDevices([{ ifindex, mac: ownMac("client"), name: "bond0" }]);
    expect(isMarked(frame)).toBe(false);
    link(CLIENT_SIDE);
    expect(isMarked(frame)).toBe(true);
    link(99);
    expect(isMarked(frame)).toBe(false);
  });

  test("of a list with a mistake are not taken, and those before stay", () => {
    const rule: MarkRule = { mark: 1, family: "ipv4" };
    plane.core.setMarks([rule]);
    expect(
      plane.core.setMarks([
        { ...rule, mark: 2 },
        { ...rule, source: netOf("::1/128") },
      ]),
    ).toMatchObject([{ index: 1 }]);
    expect(plane.core.marks()).toEqual([rule]);
  });
});

describe("run_estimation", () => {
  test("0 stops the rates; 1 lets them go on, with what was missed", async () => {
    const plane = new XdpPlane(64);
    const apply = async (lines: string) => plane.apply(await operationsOf(lines));
    const packets = (count: number) => {
      const frame = eth(macOf(ip("10.1.0.2")), ownMac("client"))
        .ipv4("10.1.0.2", "10.1.0.100")
        .udp(1000, 53)
        .bytes();
      for (let i = 0; i < count; i++) expect(plane.send(frame, "client").reason).toBe("route");
    };
    const rate = () => plane.services()[0]?.rates.inPps;
    try {
      await apply("-A -u 10.1.0.100:53\n-a -u 10.1.0.100:53 -r 10.2.0.11:53 -g");
      plane.wait(4000);
      await apply("run_estimation=0");
      packets(400);
      plane.wait(10_000);
      expect(rate()).toBe(0);
      await apply("run_estimation=1");
      plane.wait(1000);
      expect(rate()).toBe(50); // a quarter of 400 packets in 2 s
    } finally {
      plane.close();
    }
  });
});

describe("a core whose maps are pinned", () => {
  const hops: HopSource = { resolve: () => ({ state: "unreachable", reason: "no-route" }), want() {}, close() {} };
  let network: { leave(): void };
  let directory: string;
  let pages: number;
  let core: XdpCore;

  const open = (): XdpCore => {
    const path = loadDataPath({ capacity: 64, maxServices: 64, maxDests: 256 }, directory);
    return new XdpCore({ path, attachments: new Attachments(undefined), hops, availablePages: () => pages });
  };
  const reopen = (): void => {
    core.stop({ leave: true });
    core = open();
    expect(core.path.adopted).toBe(true);
  };
  const apply = async (lines: string) => expect(core.apply(await operationsOf(lines))).toEqual([]);
  beforeEach(() => {
    network = enterNetwork();
    directory = join(ensureBpffs().path, `lvsd-test-${process.pid}-${randomBytes(4).toString("hex")}`);
    pages = 1_000_000;
    core = open();
  });
  afterEach(() => {
    core.stop({ leave: false });
    network.leave();
  });

  test("finds its settings again, and the defences they stand for", async () => {
    await apply("drop_packet=3\nam_droprate=7\nsecure_tcp=3\ndrop_entry=3\ncache_bypass=1\nnat_icmp_send=5\nconn_reuse_mode=0");
    const before = core.settings();
    reopen();
    expect(core.settings()).toEqual(before);
    expect(defenceOf(core.path)).toEqual({ dropEntry: 1, dropRate: 7, secureTcp: 1 });
    const { view } = core.path.memory.settings;
    const fields = [abi.settings.cacheBypass, abi.settings.natIcmpSend, abi.settings.connReuseMode];
    expect(fields.map((field) => u32(view, field))).toEqual([1, 1, 0]);
  });

  test("finds its mark rules again, interfaces by their names", async () => {
    const rules: MarkRule[] = [
      { mark: 5, family: "ipv4", protocol: "tcp", source: { addr: ip("10.0.0.0"), length: 8 }, interface: "eth7" },
      { mark: 0, family: "ipv6", destination: { addr: ip("2001:db8::"), length: 33 }, sourcePorts: { first: 1, last: 9 } },
      { mark: 0xffffffff, family: "ipv4", destinationPorts: { first: 80, last: 65535 }, interface: "lo" },
    ];
    core.setMarks(rules);
    reopen();
    expect(core.marks()).toEqual(rules);
    core.setMarks([]);
    reopen();
    expect(core.marks()).toEqual([]);
  });

  test("counts its NAT dests anew", async () => {
    await apply("-A -t 10.1.0.100:80\n-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m");
    const stale = new Uint8Array(abi.serviceKey.size);
    for (let i = 0; i < 5000; i++) {
      viewOf(stale).setUint32(0, i);
      core.path.natDests.update(stale, new Uint8Array(4));
    }
    reopen();
    expect(natDests(core.path.natDests)).toEqual(["tcp 10.2.0.11:80"]);
    await apply("-d -t 10.1.0.100:80 -r 10.2.0.11:80");
    expect(natDests(core.path.natDests)).toEqual([]);
  });

  test("turns automatic defences on and off with the memory, and the modes with them", async () => {
    await apply("drop_entry=1\ndrop_packet=1\nsecure_tcp=1\namemthresh=1000");
    const modes = () => ["drop_entry", "drop_packet", "secure_tcp"].map((name) => core.settings()[name]);
    const off = { dropEntry: 0, dropRate: 0, secureTcp: 0 };
    core.tick(1000);
    expect([modes(), defenceOf(core.path)]).toEqual([["1", "1", "1"], off]);
    pages = 750;
    core.tick(1500); // a second is not over
    expect(defenceOf(core.path)).toEqual(off);
    core.tick(2000);
    expect([modes(), defenceOf(core.path)]).toEqual([["2", "2", "2"], { dropEntry: 1, dropRate: 4, secureTcp: 1 }]);
    reopen();
    expect(modes()).toEqual(["2", "2", "2"]);
    pages = 1000;
    core.tick(1000);
    expect([modes(), defenceOf(core.path)]).toEqual([["1", "1", "1"], off]);
  });

  test("evaluates a mode that is written at once: 2 with enough memory reads back 1", async () => {
    await apply("drop_packet=2");
    expect([core.settings().drop_packet, defenceOf(core.path).dropRate]).toEqual(["1", 0]);
    reopen();
    expect(core.settings().drop_packet).toBe("1");
  });
});
