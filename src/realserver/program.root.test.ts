import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ip } from "../net/ip.ts";
import type { BpfMap } from "../platform/bpf-map.ts";
import { BpfObject } from "../platform/bpf-object.ts";
import { testRun } from "../platform/test-run.ts";
import { eth, type Frame, fragments } from "../wire/build.ts";
import { addressKey, objectPath } from "./decap.ts";
import { exits } from "./exits.ts";

/** The decapsulation program under BPF_PROG_TEST_RUN: a frame in, a verdict, a frame and a counter out. */

const macs = ["02:00:00:00:00:01", "02:00:00:00:00:02"] as const;
const director = { 4: "10.0.0.1", 6: "fd00::1" } as const;
const rip = { 4: "10.0.0.11", 6: "fd00::11" } as const;
const client = { 4: "192.0.2.7", 6: "2001:db8::7" } as const;
const vip = { 4: "10.0.0.100", 6: "fd00::100" } as const;
const GUE_PORT = 6080;
type Family = 4 | 6;
const families: readonly Family[] = [4, 6];

/** A tos is the same eight bits in either family. */
const ipLayer = (frame: Frame, family: Family, from: string, to: string, tos = 0): Frame =>
  family === 4 ? frame.ipv4(from, to, { tos }) : frame.ipv6(from, to, { trafficClass: tos });
const outer = (family: Family, tos?: number, to: string = rip[family]) =>
  ipLayer(eth(...macs), family, director[family], to, tos);
const inner = (frame: Frame, family: Family, tos?: number, to: string = vip[family]) =>
  ipLayer(frame, family, client[family], to, tos).tcp(40000, 80, "S", { payload: "GET / HTTP/1.0" }).bytes();

const tunnels: Record<string, (frame: Frame) => Frame> = {
  ipip: (frame) => frame,
  gre: (frame) => frame.gre(),
  "gre with checksum": (frame) => frame.gre({ checksum: true }),
  gue: (frame) => frame.udp(40001, GUE_PORT).gue(),
  "gue without UDP checksum": (frame) => frame.udp(40001, GUE_PORT, { checksum: 0 }).gue(),
};
const wordOf = (tunnel: string) => tunnel.split(" ")[0]!;

interface Loaded {
  readonly object: BpfObject;
  readonly counters: BpfMap;
}

/** @param old as on a kernel before 6.3 */
function load(old: boolean): Loaded {
  const object = BpfObject.open(objectPath(), { name: "rs" });
  object.setInitialValue(".rodata", Uint8Array.of(old ? 1 : 0, ...object.initialValue(".rodata").subarray(1)));
  object.load();
  const addresses = object.map("rs_addresses");
  for (const family of families) {
    addresses.update(addressKey(ip(rip[family])), Uint8Array.of(1, 0, 0, 0));
    addresses.update(addressKey(ip(vip[family])), Uint8Array.of(2, 0, 0, 0));
  }
  addresses.close();
  const port = object.map("rs_gue_port");
  port.update(new Uint8Array(4), new Uint8Array(Uint32Array.of(GUE_PORT).buffer));
  port.close();
  return { object, counters: object.map("rs_exits") };
}

let now: Loaded;
let before63: Loaded;
beforeAll(() => {
  now = load(false);
  before63 = load(true);
});
afterAll(() => {
  for (const { object, counters } of [now, before63]) {
    counters.close();
    object.close();
  }
});

function counts({ counters }: Loaded): number[] {
  const value = new Uint8Array(counters.valueBytes);
  return exits.map((_, i) => {
    counters.lookup(new Uint8Array(Uint32Array.of(i).buffer), value);
    return new BigUint64Array(value.buffer).reduce((sum, n) => sum + Number(n), 0);
  });
}

const hooks = [
  { name: "xdp", program: "rs_xdp", loaded: () => now, pass: 2, stripped: 2, drop: 1 },
  { name: "tc", program: "rs_tc", loaded: () => now, pass: 0xffffffff, stripped: 0, drop: 2 },
  {
    name: "tc before kernel 6.3",
    program: "rs_tc",
    loaded: () => before63,
    shortest: 15,
    pass: 0xffffffff,
    stripped: 0,
    drop: 2,
  },
] as const;

for (const hook of hooks) {
  /** The verdict's word, the frame that came out, and the exits it was counted under. */
  const run = (data: Uint8Array) => {
    const loaded = hook.loaded();
    const earlier = counts(loaded);
    const { retval, dataOut } = testRun(loaded.object.programFd(hook.program), { data, dataOut: new Uint8Array(4096) });
    const counted = counts(loaded).flatMap((n, i) => Array.from({ length: n - earlier[i]! }, () => exits[i]!.word));
    return { retval, frame: dataOut.slice(), counted };
  };
  const stripped = (frame: Uint8Array, word: string) => ({ retval: hook.stripped, frame, counted: [word] });
  const untouched = (frame: Uint8Array, word: string) => ({ retval: hook.pass, frame, counted: [word] });

  describe(hook.name, () => {
    for (const [name, tunnel] of Object.entries(tunnels))
      for (const out of families)
        for (const within of families) {
          test(`${name}: IPv${within} comes out of IPv${out} as it went in`, () => {
            expect(run(inner(tunnel(outer(out)), within))).toEqual(stripped(inner(eth(...macs), within), wordOf(name)));
          });

          test(`${name}: IPv${within} in IPv${out} that is cut off anywhere does no harm`, () => {
            const whole = inner(tunnel(outer(out)), within);
            // On tc the kernel's test run wants the first IP header whole.
            for (let length = hook.name === "xdp" ? 14 : out === 4 ? 34 : 54; length < whole.length; length++) {
              const cut = whole.slice(0, length);
              const ran = run(cut);
              expect([length, ran.retval, ran.counted.length]).toEqual([length, hook.pass, 1]);
              expect(["truncated", "no-tunnel"]).toContain(ran.counted[0]);
              expect(ran.frame).toEqual(cut);
            }
          });
        }

    for (const family of families) {
      test(`IPv${family}: an inner packet for another address stays wrapped up`, () => {
        const frame = inner(outer(family), family, 0, rip[family]);
        expect(run(frame)).toEqual(untouched(frame, "not-a-vip"));
      });

      test(`IPv${family}: a tunnel to somebody else is left alone`, () => {
        const frame = inner(outer(family, 0, family === 4 ? "10.0.0.12" : "fd00::12"), family);
        expect(run(frame)).toEqual(untouched(frame, "not-ours"));
      });

      test(`IPv${family}: a tunnel to a VIP is left alone`, () => {
        const frame = inner(outer(family, 0, vip[family]), family);
        expect(run(frame)).toEqual(untouched(frame, "not-ours"));
      });

      test(`IPv${family}: an ordinary packet passes`, () => {
        const frame = inner(eth(...macs), family, 0, rip[family]);
        expect(run(frame)).toEqual(untouched(frame, "no-tunnel"));
      });

      test(`IPv${family}: UDP to another port than GUE's passes`, () => {
        const frame = inner(outer(family).udp(40001, 53).gue(), family);
        expect(run(frame)).toEqual(untouched(frame, "no-tunnel"));
      });
    }

    test("a fragment of the outer packet is left to the stack", () => {
      const pieces = fragments(inner(outer(4), 4), 32);
      expect(pieces.length).toBeGreaterThan(1);
      for (const piece of pieces) expect(run(piece)).toEqual(untouched(piece, "fragment"));
    });

    test("a fragment of the inner packet is stripped as any packet", () => {
      const [first, second] = fragments(inner(eth(...macs), 4), 16) as [Uint8Array, Uint8Array];
      for (const piece of [first, second]) {
        const wrapped = eth(...macs)
          .ipv4(director[4], rip[4], { protocol: 4 })
          .payload(piece.subarray(14))
          .bytes();
        expect(run(wrapped)).toEqual(stripped(piece, "ipip"));
      }
    });

    test("an outer header with options goes whole", () => {
      const frame = eth(...macs).ipv4(director[4], rip[4], { options: [7, 7, 4, 0, 0, 0, 0, 1] });
      expect(run(inner(frame, 4))).toEqual(stripped(inner(eth(...macs), 4), "ipip"));
      expect(run(inner(frame.gre(), 6))).toEqual(stripped(inner(eth(...macs), 6), "gre"));
    });

    test("an outer header whose checksum is wrong is left to the stack, which drops it", () => {
      const frame = inner(eth(...macs).ipv4(director[4], rip[4], { checksum: 0x1234 }), 4);
      expect(run(frame)).toEqual(untouched(frame, "outer-header"));
    });

    test("bytes behind the packet, as short frames have them, stay where they are", () => {
      const padding = new Uint8Array(9).fill(0xee);
      const frame = Uint8Array.of(...inner(outer(4), 4), ...padding);
      expect(run(frame)).toEqual(stripped(Uint8Array.of(...inner(eth(...macs), 4), ...padding), "ipip"));
    });

    const changed: [name: string, frame: Uint8Array, at: number, byte: number, word: string][] = [
      ["GRE with a key", inner(outer(4).gre(), 4), 34, 0x20, "gre-options"],
      ["GRE version 1", inner(outer(4).gre(), 4), 35, 0x01, "gre-options"],
      ["GRE with an Ethernet frame in it", inner(outer(4).gre(), 4), 36, 0x65, "inner-protocol"],
      ["a GUE control message", inner(outer(4).udp(40001, GUE_PORT).gue(), 4), 42, 0x20, "gue-options"],
      ["GUE with optional fields", inner(outer(4).udp(40001, GUE_PORT).gue(), 4), 42, 0x01, "gue-options"],
      ["GUE version 1", inner(outer(4).udp(40001, GUE_PORT).gue(), 4), 42, 0x45, "gue-options"],
      ["GUE with TCP in it", inner(outer(4).udp(40001, GUE_PORT).gue(), 4), 43, 6, "inner-protocol"],
      ["an inner header of version 5", inner(outer(4), 4), 34, 0x55, "inner-header"],
      ["an inner header of four words", inner(outer(4), 4), 34, 0x44, "inner-header"],
      ["IPv4 where IPv6 is announced", inner(outer(6), 6), 54, 0x45, "inner-header"],
      ["an inner packet longer than the outer one", inner(outer(4), 4), 36, 0x01, "truncated"],
      ["an inner IPv6 packet longer than the outer one", inner(outer(4), 6), 38, 0x01, "truncated"],
      ["ARP", inner(outer(4), 4), 13, 0x06, "no-tunnel"],
    ];
    for (const [name, whole, at, byte, word] of changed) {
      test(`${name} passes untouched, as ${word}`, () => {
        const frame = whole.slice();
        frame[at] = byte;
        expect(run(frame)).toEqual(untouched(frame, word));
      });
    }

    /** RFC 6040 figure 4: rows inner, columns outer; 0 not ECT, 1 ECT(1), 2 ECT(0), 3 CE. */
    const ecn: Record<number, readonly (number | "ecn")[]> = {
      0: [0, 0, 0, "ecn"],
      1: [1, 1, 1, 3],
      2: [2, 1, 2, 3],
      3: [3, 3, 3, 3],
    };
    for (const out of families)
      for (const within of families) {
        test(`ECN of IPv${within} in IPv${out} comes out as RFC 6040 has it, with a right checksum`, () => {
          const dscp = 0xb8;
          for (const [innerEcn, row] of Object.entries(ecn))
            row.forEach((merged, outerEcn) => {
              const frame = inner(outer(out, outerEcn), within, dscp | Number(innerEcn));
              const ran = run(frame);
              if (merged === "ecn") expect(ran).toEqual({ retval: hook.drop, frame, counted: ["ecn"] });
              else expect(ran).toEqual(stripped(inner(eth(...macs), within, dscp | merged), "ipip"));
            });
        });
      }

    test("a packet of 1500 bytes comes out whole", () => {
      const big = (frame: Frame) =>
        frame
          .ipv4(client[4], vip[4])
          .udp(40000, 53, { payload: new Uint8Array(1400).fill(0x5a) })
          .bytes();
      expect(run(big(outer(6).udp(40001, GUE_PORT).gue()))).toEqual(stripped(big(eth(...macs)), "gue"));
    });
  });
}
