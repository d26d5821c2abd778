import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { operationsOf } from "../../../cases/lines.ts";
import { CLIENT_SIDE, macOf, ownMac, SERVER_SIDE } from "../../../cases/network.ts";
import { XdpPlane } from "../../../cases/xdp-plane.ts";
import { ip } from "../../net/ip.ts";
import { eth } from "../../wire/build.ts";
import type { Endpoint } from "../director.ts";
import type { ExplainQuery, Explanation } from "../status.ts";

/** What `lvsctl explain` says, held against what the compiled data path then does. */

let plane: XdpPlane;
beforeAll(() => {
  plane = new XdpPlane(256);
  plane.core.writeDevices([
    { ifindex: CLIENT_SIDE, mac: ownMac("client"), name: "c0" },
    { ifindex: SERVER_SIDE, mac: ownMac("server"), name: "s0" },
  ]);
});
afterEach(() => {
  plane.core.setMarks([]);
  plane.reset();
});
afterAll(() => plane.close());

const apply = async (lines: string) => plane.apply(await operationsOf(lines));
const at = (text: string): Endpoint => {
  const end = text.lastIndexOf(":");
  return { addr: ip(text.slice(0, end).replaceAll(/[[\]]/g, "")), port: Number(text.slice(end + 1)) };
};
const queryOf = (client: string, virtual: string, more: Partial<ExplainQuery> = {}): ExplainQuery => ({
  ...{ protocol: "tcp", client: at(client), virtual: at(virtual), interface: "c0" },
  ...more,
});

/** The packet that a query is about, from the client's side; TCP is a SYN unless told otherwise. */
function send({ protocol, client, virtual }: ExplainQuery, flags: "S" | "A" | "F" | "R" = "S"): string {
  const start = eth(macOf(ip("10.1.0.2")), ownMac("client"));
  const layer = client.addr.includes(":") ? start.ipv6(client.addr, virtual.addr) : start.ipv4(client.addr, virtual.addr);
  const frame = protocol === "udp" ? layer.udp(client.port, virtual.port) : layer.tcp(client.port, virtual.port, flags);
  return plane.send(frame.bytes(), "client").reason;
}

const connOf = ({ client }: ExplainQuery) =>
  plane.conns().find((conn) => !conn.template && conn.client.port === client.port && conn.client.addr === client.addr);

/** Explains, sends, compares: the reason and the dest must be those foretold. */
function compare(query: ExplainQuery): Explanation {
  const told = plane.core.explain(query);
  const reason = send(query);
  expect(reason.replace("-quiet", "")).toBe(told.verdict);
  const conn = connOf(query);
  if (told.dest !== undefined && conn !== undefined) expect(conn.dest).toEqual(told.dest);
  return told;
}

const text = (query: ExplainQuery): string => plane.core.explain(query).lines.join("\n");

describe("the pick is foretold", () => {
  const dests = fc.array(fc.record({ weight: fc.nat(4), upper: fc.constantFrom(0, 0, 0, 2) }), { minLength: 1, maxLength: 5 });
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("open"), client: fc.nat(200), virtual: fc.nat(20) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("F", "R", "A"), which: fc.nat(30) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("weight"), dest: fc.nat(4), weight: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("delete"), dest: fc.nat(4) }) },
  );
  const flags = fc.subarray(["flag-1", "flag-2"]);

  for (const scheduler of ["rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "sh", "dh", "mh"]) {
    test(`for ${scheduler}, whatever happened before`, async () => {
      let picks = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.boolean(),
          dests,
          flags,
          fc.array(step, { minLength: 10, maxLength: 40 }),
          async (isIpv6, list, flags, steps) => {
            plane.reset();
            plane.core.setMarks([{ mark: 7, family: isIpv6 ? "ipv6" : "ipv4" }]);
            const service = isIpv6 ? "-f 7 -6" : "-f 7";
            const place = (n: number) => (isIpv6 ? `[2001:db8:2::${n + 11}]:0` : `10.2.0.${n + 11}:0`);
            await apply(`-A ${service} -s ${scheduler}${flags.length > 0 ? ` -b ${flags.join(",")}` : ""}`);
            for (const [n, { weight, upper }] of list.entries())
              await apply(`-a ${service} -r ${place(n)} -g -w ${weight} -x ${upper}`);
            const queries: ExplainQuery[] = [];
            const there = new Set(list.keys());
            for (const each of steps) {
              if ("client" in each) {
                const port = 1000 + queries.length;
                const net = isIpv6 ? "2001:db8:16::" : "172.16.0.";
                const virtual = isIpv6 ? `[2001:db8:1::${each.virtual + 100}]:80` : `10.1.0.${each.virtual + 100}:80`;
                const query = queryOf(isIpv6 ? `[${net}${each.client}]:${port}` : `${net}${each.client}:${port}`, virtual);
                if (compare(query).dest !== undefined) picks++;
                queries.push(query);
              } else if ("which" in each) {
                const query = queries[each.which];
                if (query !== undefined && connOf(query)?.state !== "CLOSE") send(query, each.do as "F" | "R" | "A");
              } else if (!there.has(each.dest)) continue;
              else if ("weight" in each) await apply(`-e ${service} -r ${place(each.dest)} -g -w ${each.weight}`);
              else {
                await apply(`-d ${service} -r ${place(each.dest)}`);
                there.delete(each.dest);
              }
            }
          },
        ),
        { numRuns: 25 },
      );
      expect(picks).toBeGreaterThan(50);
    });
  }

  test("and where it is drawn by lot, that is said", async () => {
    await apply("-A -t 10.1.0.100:80 -s twos\n-a -t 10.1.0.100:80 -r 10.2.0.11:80 -g");
    const told = plane.core.explain(queryOf("10.1.0.2:1000", "10.1.0.100:80"));
    expect([told.verdict, told.dest]).toEqual(["schedule", undefined]);
    expect(told.lines).toContain("pick      not foreseeable");
  });
});

describe("what a scheduler goes by is told", () => {
  test("wrr: the dest before, the level, and whose weight is below it", async () => {
    await apply(`
      -A -t 10.1.0.100:80 -s wrr
      -a -t 10.1.0.100:80 -r 10.2.0.12:8080 -m -w 3
      -a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m -w 1
      -a -t 10.1.0.100:80 -r 10.2.0.13:8080 -m -w 0`);
    for (const port of [1000, 1002, 1003]) compare(queryOf(`10.1.0.2:${port}`, "10.1.0.100:80"));
    const { lines, scheduler } = plane.core.explain(queryOf("10.1.0.2:1001", "10.1.0.100:80"));
    expect(lines.slice(0, 8)).toEqual([
      "packet    tcp 10.1.0.2:1001 -> 10.1.0.100:80",
      "conn      none",
      "service   tcp 10.1.0.100:80, wrr, 3 dests",
      "opens     a SYN opens a conn; others are left to the local stack (sloppy_tcp 0)",
      "schedule  wrr: the turn goes on after 10.2.0.12:8080, at level 3 of 3",
      expect.stringContaining("10.2.0.13:8080 nat, weight 0, 0 active, 0 inactive: weight 0: drains;"),
      expect.stringContaining("10.2.0.11:8080 nat, weight 1, 1 active, 0 inactive: waits: its weight is below the level 3;"),
      expect.stringContaining(
        "10.2.0.12:8080 nat, weight 3, 2 active, 0 inactive: picked; 10.2.0.12 (02:02:00:00:00:0c) by s0, MTU 1500",
      ),
    ]);
    expect(scheduler).toMatchObject({ name: "wrr", pick: { addr: "10.2.0.12", port: 8080 } });
  });

  test("wlc: what each dest costs, and who is overloaded", async () => {
    await apply(`
      -A -t 10.1.0.100:80 -s wlc
      -a -t 10.1.0.100:80 -r 10.2.0.11:80 -g -w 2
      -a -t 10.1.0.100:80 -r 10.2.0.12:80 -g -w 1 -x 1`);
    compare(queryOf("10.1.0.2:1000", "10.1.0.100:80"));
    const { scheduler } = compare(queryOf("10.1.0.2:1001", "10.1.0.100:80"));
    expect(scheduler?.dests).toEqual([
      { addr: "10.2.0.12", port: 80, why: "overloaded: its upper threshold was reached" },
      { addr: "10.2.0.11", port: 80, why: "picked: cost (0 active * 256 + 0 conns) / 2", cost: 0 },
    ]);
  });

  test("none usable: nobody is picked and the client is told", async () => {
    await apply("-A -t 10.1.0.100:80 -s rr\n-a -t 10.1.0.100:80 -r 10.2.0.11:80 -g -w 0");
    expect(compare(queryOf("10.1.0.2:1000", "10.1.0.100:80")).lines.slice(-2)).toEqual([
      "pick      none",
      "no dest   dropped; the client is told by ICMP port unreachable",
    ]);
  });
});

describe("persistence is told", () => {
  test("who is kept for a client's network, and for how long", async () => {
    await apply(`
      -A -t 10.1.0.100:80 -s rr -p 300 -M 255.255.255.0
      -a -t 10.1.0.100:80 -r 10.2.0.11:80 -g
      -a -t 10.1.0.100:80 -r 10.2.0.12:80 -g`);
    const first = compare(queryOf("10.1.0.2:1000", "10.1.0.100:80"));
    expect(first.lines).toContain("template  none of 10.1.0.0:0: the pick is kept for 300 s");
    plane.wait(60_000);
    const second = compare(queryOf("10.1.0.3:1000", "10.1.0.100:80"));
    expect(second.template).toMatchObject({ dest: first.dest, isValid: true });
    expect([239, 240]).toContain(second.template?.expiresIn); // a jiffy may have passed
    expect(second.scheduler).toBeUndefined();
    compare(queryOf("10.1.0.4:1000", "10.1.0.100:80"));
  });

  test("a drained dest keeps its clients, unless expire_quiescent_template is on", async () => {
    await apply(`
      -A -t 10.1.0.100:80 -s rr -p 300
      -a -t 10.1.0.100:80 -r 10.2.0.11:80 -g
      -a -t 10.1.0.100:80 -r 10.2.0.12:80 -g`);
    const { dest } = compare(queryOf("10.1.0.2:1000", "10.1.0.100:80"));
    await apply(`-e -t 10.1.0.100:80 -r ${dest?.addr}:80 -g -w 0`);
    expect(compare(queryOf("10.1.0.2:1001", "10.1.0.100:80")).dest).toEqual(dest);
    await apply("expire_quiescent_template=1");
    const told = compare(queryOf("10.1.0.2:1002", "10.1.0.100:80"));
    expect(told.template?.isValid).toBe(false);
    expect(told.dest).not.toEqual(dest);
    expect(told.lines).toContain("setting   expire_quiescent_template 1: the dest drains, and its template with it");
  });

  for (const six of [false, true])
    test(`of a fwmark service, whatever the protocol and port (${six ? "IPv6" : "IPv4"})`, async () => {
      const [family, service, dests] = six
        ? (["ipv6", "-f 5 -6", ["[2001:db8:2::11]:0", "[2001:db8:2::12]:0"]] as const)
        : (["ipv4", "-f 5", ["10.2.0.11:0", "10.2.0.12:0"]] as const);
      plane.core.setMarks([{ mark: 5, family, interface: "c0" }]);
      await apply(
        `-A ${service} -s rr -p 300${six ? " -M 64" : ""}\n${dests.map((dest) => `-a ${service} -r ${dest} -g`).join("\n")}`,
      );
      const query = (n: number, more: Partial<ExplainQuery> = {}) =>
        six
          ? queryOf(`[2001:db8:1::${n}]:1000`, `[2001:db8:1::100]:${n}`, more)
          : queryOf(`10.1.0.2:100${n}`, `10.1.0.100:${n}`, more);
      const first = compare(query(2));
      expect(first.mark).toEqual({ rule: 1, mark: 5 });
      const second = compare(query(3, { protocol: "udp" }));
      expect(second.template).toMatchObject({ isValid: true });
      expect(second.dest).toEqual({ addr: first.dest?.addr, port: 3 });
    });

  test("a port-0 service keeps the packet's port", async () => {
    await apply("-A -t 10.1.0.100:0 -s rr -p 300\n-a -t 10.1.0.100:0 -r 10.2.0.11:8080 -m");
    expect(compare(queryOf("10.1.0.2:1000", "10.1.0.100:99")).dest).toEqual(at("10.2.0.11:99"));
  });
});

describe("conns are told", () => {
  const query = queryOf("10.1.0.2:1000", "10.1.0.100:80");
  const service = `
    -A -t 10.1.0.100:80 -s rr
    -a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m`;

  test("with what leaves, towards the dest and back", async () => {
    await apply(service);
    compare(query);
    const told = compare(query);
    expect(told.lines.slice(1, 4)).toEqual([
      expect.stringMatching(/^conn {6}yes: SYN_RECV, nat to 10\.2\.0\.11:8080, expires in (60|59) s$/), // a jiffy may have passed
      "leaves    10.1.0.2:1000 -> 10.2.0.11:8080, one hop older",
      "next hop  10.2.0.11 (02:02:00:00:00:0b) by s0, MTU 1500",
    ]);
    expect(told.leaves).toEqual({
      source: query.client,
      destination: at("10.2.0.11:8080"),
      hop: { interface: "s0", via: "10.2.0.11", sourceMac: ownMac("server"), destinationMac: macOf(ip("10.2.0.11")), mtu: 1500 },
    });
    const answer = plane.core.explain(queryOf("10.2.0.11:8080", "10.1.0.2:1000", { interface: "s0" }));
    expect([answer.verdict, answer.lines[2]]).toEqual(["nat-reply", "leaves    10.1.0.100:80 -> 10.1.0.2:1000, one hop older"]);
  });

  test("whose dest was removed: dropped, or opened anew by expire_nodest_conn", async () => {
    await apply(`${service}\n-a -t 10.1.0.100:80 -r 10.2.0.12:8080 -m`);
    const { dest } = compare(query);
    await apply(`-d -t 10.1.0.100:80 -r ${dest?.addr}:8080`);
    expect(compare(query).lines).toContain("setting   expire_nodest_conn 0: packets are dropped, in case it comes back");
    await apply("expire_nodest_conn=1");
    const told = compare(query);
    expect([told.verdict, told.dest]).not.toEqual(["dest-gone", dest]);
  });

  test("that are over say what a SYN would do", async () => {
    await apply(service);
    compare(query);
    send(query, "R");
    plane.send(
      eth(macOf(ip("10.2.0.11")), ownMac("server"))
        .ipv4("10.2.0.11", "10.1.0.2")
        .tcp(8080, 1000, "R")
        .bytes(),
      "server",
    );
    expect(text(query)).toContain("setting   conn_reuse_mode 1: a SYN would open another conn");
    await apply("conn_reuse_mode=0");
    expect(text(query)).toContain("setting   conn_reuse_mode 0: a SYN would go on with this conn");
  });
});

describe("what leaves is told", () => {
  test.each([
    ["-i", "tunnel", "tunnel    IPv4 10.2.0.1 -> 10.2.0.11 in front of it"],
    ["-i --tun-type gue --tun-port 6080", "tunnel", "tunnel    IPv4 10.2.0.1 -> 10.2.0.11, UDP port 6080 and GUE in front of it"],
    ["-g", "route", "leaves    10.1.0.2:1000 -> 10.1.0.100:80, one hop older, otherwise unchanged"],
    ["-m", "nat", "leaves    10.1.0.2:1000 -> 10.2.0.11:80, one hop older"],
  ])("by %s", async (method, reason, line) => {
    await apply(`-A -t 10.1.0.100:80\n-a -t 10.1.0.100:80 -r 10.2.0.11:80 ${method}`);
    const told = compare(queryOf("10.1.0.2:1000", "10.1.0.100:80"));
    expect([told.verdict, told.lines.includes(line), told.lines]).toEqual([reason, true, told.lines]);
  });

  test("and that a dest cannot be reached", async () => {
    await apply(
      "-A -t 10.1.0.100:80\n-a -t 10.1.0.100:80 -r 10.2.0.30:80 -m\n-A -t 10.1.0.100:81\n-a -t 10.1.0.100:81 -r 10.2.0.31:80 -m",
    );
    expect(compare(queryOf("10.1.0.2:1000", "10.1.0.100:80")).verdict).toBe("hop-unresolved");
    expect(compare(queryOf("10.1.0.2:1001", "10.1.0.100:81")).verdict).toBe("unreachable");
  });
});

describe("what opens no conn is told:", () => {
  test("no service, FTP data, no mark rule that fits, stray answers", async () => {
    expect(compare(queryOf("10.1.0.2:1000", "10.1.0.100:80")).verdict).toBe("no-service");
    await apply("-A -t 10.1.0.100:80\n-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m\nnat_icmp_send=1");
    expect(compare(queryOf("10.1.0.2:20", "10.1.0.100:80")).verdict).toBe("not-scheduled");
    plane.core.setMarks([
      { mark: 5, family: "ipv4", protocol: "udp" },
      { mark: 6, family: "ipv4", interface: "s0" },
    ]);
    const told = plane.core.explain({ protocol: "tcp", client: at("10.1.0.2:1000"), virtual: at("10.1.0.100:80") });
    expect(told.lines.slice(1, 3)).toEqual([
      "mark      none: of 2 rules none fits",
      "            (rules that ask for an interface do not fit: none was named)",
    ]);
    expect(plane.core.explain(queryOf("10.2.0.11:80", "10.1.0.2:1000")).verdict).toBe("nat-icmp-send");
  });

  test("a fwmark service without dest sends packets on to their own destination when cache_bypass is on", async () => {
    plane.core.setMarks([{ mark: 5, family: "ipv4" }]);
    await apply("-A -f 5 -s rr\ncache_bypass=1");
    expect(compare(queryOf("10.1.0.2:1000", "10.2.0.11:80")).verdict).toBe("bypass");
    expect(compare(queryOf("10.1.0.2:1000", "10.2.0.11:80")).lines).toContain(
      "leaves    on to 10.2.0.11:80, its own destination, by way of the stack",
    );
  });

  test("the defence that drops some", async () => {
    await apply("-A -t 10.1.0.100:80\n-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m\ndrop_packet=3\nam_droprate=7\nsloppy_tcp=1");
    const told = text(queryOf("10.1.0.2:1000", "10.1.0.100:80"));
    expect(told).toContain("defence   one of 7 new conns is dropped (drop_packet)");
    expect(told).toContain("opens     any packet but RST opens a conn (sloppy_tcp)");
  });

  test("other ports of a port-21 service are left to FTP", async () => {
    await apply("-A -t 10.1.0.100:21 -s rr\n-a -t 10.1.0.100:21 -r 10.2.0.11:21 -m");
    expect(compare(queryOf("10.1.0.2:1000", "10.1.0.100:4000")).verdict).toBe("not-scheduled");
    expect(compare(queryOf("10.1.0.2:1000", "10.1.0.100:80")).verdict).toBe("no-service");
  });
});
