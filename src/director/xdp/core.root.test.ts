import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { operationsOf } from "../../../cases/lines.ts";
import { enterNetwork } from "../../../cases/namespace.ts";
import { XdpPlane } from "../../../cases/xdp-plane.ts";
import type { BpfMap } from "../../platform/bpf-map.ts";
import { ensureBpffs } from "../../platform/bpffs.ts";
import * as abi from "./abi.gen.ts";
import { Attachments } from "./attach.ts";
import { protocolName } from "./keys.ts";
import { type DataPath, loadDataPath } from "./loader.ts";
import { addr, port, u32, viewOf } from "./memory.ts";
import { type HopSource, XdpCore } from "./xdp-director.ts";

/** What the core writes into the data path's maps besides services and dests. */

/** "tcp 10.2.0.11:80 x2": who speaks as a NAT dest, and how many services have it. */
function natDests(map: BpfMap): string[] {
  const keys = new Uint8Array(64 * abi.serviceKey.size);
  const values = new Uint8Array(64 * 4);
  const count = map.lookupBatch(map.newCursor(), keys, values);
  return Array.from({ length: count }, (_, i) => {
    const at = i * abi.serviceKey.size;
    const family = keys[at + abi.serviceKey.family] ?? 0;
    const place = `${addr(keys, at, family)}:${port(viewOf(keys), at + abi.serviceKey.port)}`;
    return `${protocolName(keys[at + abi.serviceKey.protocol] ?? 0)} ${place} x${u32(viewOf(values), i * 4)}`;
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
    expect(there()).toEqual(["tcp 10.2.0.11:8080 x2", "udp 10.2.0.11:53 x1"]);
    await apply("-D -t 10.1.0.100:80");
    expect(there()).toEqual(["tcp 10.2.0.11:8080 x1", "udp 10.2.0.11:53 x1"]);
    await apply("-d -t 10.1.0.100:81 -r 10.2.0.11:8080");
    expect(there()).toEqual(["udp 10.2.0.11:53 x1"]);
  });

  test("of a fwmark service stand there for every protocol, IPv6 as IPv4", async () => {
    await apply(`
      -A -f 5
      -a -f 5 -r 10.2.0.11:0 -m
      -A -f 5 -6
      -a -f 5 -6 -r [2001:db8:2::11]:80 -m`);
    const each = (place: string) => ["sctp", "tcp", "udp"].map((protocol) => `${protocol} ${place} x1`);
    expect(there()).toEqual([...each("10.2.0.11:0"), ...each("2001:db8:2::11:80")].toSorted());
    await apply("-C");
    expect(there()).toEqual([]);
  });

  test("come and go with the method, and with a return from the trash by another", async () => {
    await apply(`
      -A -t 10.1.0.100:80
      -a -t 10.1.0.100:80 -r 10.2.0.11:80 -g
      -e -t 10.1.0.100:80 -r 10.2.0.11:80 -m`);
    expect(there()).toEqual(["tcp 10.2.0.11:80 x1"]);
    await apply(`
      -d -t 10.1.0.100:80 -r 10.2.0.11:80
      -a -t 10.1.0.100:80 -r 10.2.0.11:80 -g`);
    expect(there()).toEqual([]);
    await apply("-e -t 10.1.0.100:80 -r 10.2.0.11:80 -m");
    expect(there()).toEqual(["tcp 10.2.0.11:80 x1"]);
    await apply("-e -t 10.1.0.100:80 -r 10.2.0.11:80 -m -w 5");
    expect(there()).toEqual(["tcp 10.2.0.11:80 x1"]);
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

  test("counts its NAT dests anew", async () => {
    await apply("-A -t 10.1.0.100:80\n-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m");
    core.path.natDests.update(new Uint8Array(abi.serviceKey.size).fill(1), new Uint8Array(4));
    reopen();
    expect(natDests(core.path.natDests)).toEqual(["tcp 10.2.0.11:80 x1"]);
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
