import fc from "fast-check";
import { expect, test } from "vitest";
import { type Ip, ip, ipFromBytes } from "../net/ip.ts";
import {
  CTRL_CMD_GETFAMILY,
  CTRL_CMD_NEWFAMILY,
  emitFamily,
  emitGenl,
  findFamily,
  type GenlMessage,
  parseFamily,
  parseGenl,
} from "./genl.ts";
import {
  ipvsCommand as command,
  emitConfig,
  emitDaemon,
  emitDest,
  emitInfo,
  emitService,
  type IpvsDaemon,
  type IpvsServiceKey,
  parseConfig,
  parseDaemon,
  parseDest,
  parseInfo,
  parseService,
} from "./ipvs-netlink.ts";
import { emitStats, emitStats64, type IpvsStats, parseStats } from "./ipvs-stats.ts";
import {
  attribute,
  emitMessage,
  NLM_F_ACK,
  NLM_F_REQUEST,
  NLMSG_ERROR,
  nested,
  parseAttributes,
  parseMessages,
} from "./netlink.ts";
import { NetlinkClient } from "./netlink-client.ts";
import { uint64Bytes } from "./netlink-numbers.ts";

/** Bytes of spec 9.1, as a little-endian kernel and ipvsadm exchange them. */

const bytes = (hex: string): Uint8Array =>
  Uint8Array.from(hex.replaceAll(/[\s|]/g, "").match(/../g) ?? [], (two) => Number.parseInt(two, 16));
const hex = (from: Uint8Array): string => Buffer.from(from).toString("hex");
const same = (made: Uint8Array, words: string) => expect(hex(made)).toBe(hex(bytes(words)));
const read = (payload: Uint8Array): GenlMessage["attributes"] => parseGenl(payload)!.attributes;

const addService = `01010000 | 54000180 | 06000100 02000000 | 06000200 06000000 |
  14000300 0a010064 000000000000000000000000 | 06000400 005a0000 | 08000600 776c6300 |
  0c000700 01000000 ffffffff | 08000800 2c010000 | 08000900 ffffffff`;
const key: IpvsServiceKey = { family: "ipv4", protocol: 6, addr: ip("10.1.0.100"), port: 90 };
const settings = { scheduler: "wlc", pe: "", flags: 1, timeout: 300, netmask: 0xffff_ffff };

test("ipvsadm -A -t 10.1.0.100:90 -s wlc -p 300", () => {
  const payload = emitGenl(command.newService, 1, [emitService(key, settings)]);
  same(payload, addService);
  const flags = NLM_F_REQUEST | NLM_F_ACK;
  same(emitMessage({ type: 0x1c, flags, sequence: 2, port: 3, payload }), `68000000 1c000500 02000000 03000000 ${addService}`);
  expect(parseService(read(payload))).toMatchObject({ key, ...settings });
});

const addDest = `60000280 | 06000b00 02000000 | 14000100 0a02000e 000000000000000000000000 | 06000200 005a0000 |
  08000300 00000000 | 08000400 05000000 | 05000d00 00000000 | 06000e00 00000000 | 06000f00 00000000 |
  08000500 0a000000 | 08000600 00000000`;
const destKey = { addr: ip("10.2.0.14"), port: 90 };
const destSettings = { method: 0, weight: 5, tunnelType: 0, tunnelPort: 0, tunnelFlags: 0, upper: 10, lower: 0 };

test("the dest of ipvsadm -a ... -r 10.2.0.14:90 -m -w 5 -x 10", () => {
  same(emitDest(destKey, destSettings), addDest);
  expect(parseDest(parseAttributes(bytes(addDest)), "ipv4")).toMatchObject({ ...destKey, ...destSettings });
});

test("the answer to GET_CONFIG", () => {
  const config = "08000400 84030000 08000500 78000000 08000600 2c010000";
  same(emitConfig({ tcp: 900, tcpFin: 120, udp: 300 }), config);
  expect(parseConfig(parseAttributes(bytes(config)))).toEqual({ tcp: 900, tcpFin: 120, udp: 300 });
  expect(emitConfig({}).length).toBe(0);
});

test("a record of GET_DAEMON: nested without the flag, its port in host order", () => {
  const record = `3c000300 | 08000100 01000000 | 08000200 64633000 | 08000300 2a000000 | 06000400 c0050000 |
    06000700 90220000 | 05000800 01000000 | 08000500 e0000051`;
  const daemon: IpvsDaemon = {
    ...{ state: "master", interface: "dc0", syncId: 42, maxLen: 1472, port: 8848, ttl: 1, group: ip("224.0.0.81") },
  };
  expect(parseDaemon(parseAttributes(bytes(record)))).toEqual(daemon);
  same(emitDaemon(daemon), record.replace("3c000300", "3c000380"));
  same(emitDaemon({ state: "backup" }), "0c000380 08000100 02000000");
  const six: IpvsDaemon = { state: "backup", interface: "eth0", syncId: 1, group: ip("ff05::1") };
  expect(parseDaemon(parseAttributes(emitDaemon(six)))).toEqual(six);
});

test("the answer to GET_INFO", () => {
  const info = { version: 0x10201, connTableSize: 4096 };
  same(emitInfo(info), "08000100 01020100 08000200 00100000");
  expect(parseInfo(parseAttributes(emitInfo(info)))).toEqual(info);
});

const stats: IpvsStats = {
  ...{ conns: 1, inPackets: 2, outPackets: 3, inBytes: 2 ** 40, outBytes: 5, cps: 6, inPps: 7, outPps: 8, inBps: 9, outBps: 10 },
};

test("statistics are read from either nest, the wide one first, past padding and unknown attributes", () => {
  const padded = nested(12, attribute(11, bytes("")), attribute(1, uint64Bytes(2 ** 33)), attribute(99, bytes("00")));
  expect(parseStats(parseAttributes(padded).get(12))).toMatchObject({ conns: 2 ** 33, outBps: 0 });
  expect(parseStats(parseAttributes(emitStats64(12, stats)).get(12))).toEqual(stats);
  expect(parseStats(parseAttributes(emitStats(10, stats)).get(10))).toEqual(stats);
  const narrow = emitStats(10, { ...stats, conns: 99 });
  const service = (...nests: Uint8Array[]) => {
    const named = parseAttributes(emitService(key, settings)).get(1)!;
    return parseService(parseAttributes(nested(1, named, ...nests)));
  };
  expect(service(narrow)?.stats.conns).toBe(99);
  expect(service(narrow, emitStats64(12, stats))?.stats).toEqual(stats);
});

test("a service's address may have four bytes, and a mark stands for protocol, address and port", () => {
  const short = nested(1, ...["06000100 02000000", "06000200 11000000", "08000300 0a000001", "06000400 00350000"].map(bytes));
  expect(parseService(parseAttributes(short))?.key).toEqual({ family: "ipv4", protocol: 17, addr: "10.0.0.1", port: 53 });
  const marked = { family: "ipv6", fwmark: 0xffff_fffe } as const;
  same(emitService(marked), "14000180 06000100 0a000000 08000500 feffffff");
  expect(parseService(parseAttributes(emitService(marked, { ...settings, netmask: 64 })))).toMatchObject({
    key: marked,
    netmask: 64,
  });
});

test("a dest is of its service's family unless it says otherwise; its weight has a sign", () => {
  const plain = nested(2, ...["08000100 0a000001", "06000200 00350000", "08000400 ffffffff"].map(bytes));
  expect(parseDest(parseAttributes(plain), "ipv4")).toMatchObject({ addr: "10.0.0.1", port: 53, weight: -1 });
  expect(parseDest(parseAttributes(plain), "ipv6")).toBeUndefined();
  expect(parseDest(parseAttributes(emitDest(destKey)), "ipv6")?.addr).toBe("10.2.0.14");
});

const anyIp = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map(ipFromBytes);
const u32 = fc.nat(0xffff_ffff);
const port = fc.nat(65535);
const word = fc.string({ maxLength: 15, unit: fc.constantFrom(..."abcdefgh0123_-") });
const wide = fc.nat(Number.MAX_SAFE_INTEGER);
const anyStats = fc.record(
  Object.fromEntries(Object.keys(stats).map((name) => [name, wide])),
) as unknown as fc.Arbitrary<IpvsStats>;
const familyOf = (address: Ip) => (address.includes(":") ? "ipv6" : "ipv4") as "ipv4" | "ipv6";
const anyKey = fc.oneof(
  fc.record({ addr: anyIp, protocol: port, port }).map((given) => ({ family: familyOf(given.addr), ...given })),
  fc.record({ family: fc.constantFrom("ipv4" as const, "ipv6" as const), fwmark: u32 }),
);

test("services and dests come back as they went", () => {
  const anySettings = fc.record({ scheduler: word, pe: word, flags: u32, timeout: u32, netmask: u32 });
  const anyDest = fc.record({
    ...{ addr: anyIp, port, method: fc.nat(7), weight: fc.integer(), upper: u32, lower: u32 },
    ...{ tunnelType: fc.nat(255), tunnelPort: port, tunnelFlags: port },
    ...{ activeConns: u32, inactiveConns: u32, persistConns: u32, stats: anyStats },
  });
  fc.assert(
    fc.property(anyKey, anySettings, anyStats, anyDest, (of, given, counted, dest) => {
      const payload = emitGenl(command.newDest, 1, [emitService(of, given, counted), emitDest(dest, dest, dest)]);
      expect(parseService(read(payload))).toEqual({ key: of, ...given, stats: counted });
      expect(parseDest(read(payload), of.family)).toEqual(dest);
    }),
  );
});

test("any bytes end in a value or in nothing", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(4), (noise, type) => {
      const attributes = parseAttributes(nested(type, noise));
      parseService(attributes);
      parseDest(attributes, "ipv6");
      parseDaemon(attributes);
      parseStats(noise);
      expect(parseGenl(noise)?.command).toBe(noise.length < 4 ? undefined : noise[0]);
    }),
  );
  expect(parseService(new Map())).toBeUndefined();
  expect(parseDest(new Map(), "ipv4")).toBeUndefined();
  expect(parseDaemon(new Map())).toBeUndefined();
});

/** A kernel of one answer. */
function client(answer: (payload: Uint8Array) => Uint8Array): NetlinkClient {
  let sent = new Uint8Array(0);
  return new NetlinkClient({
    send(request) {
      sent = request as Uint8Array<ArrayBuffer>;
    },
    receive: () => {
      const request = parseMessages(sent)[0]!;
      const reply = (type: number, payload: Uint8Array) => emitMessage({ ...request, type, flags: 0, payload });
      return Buffer.concat([reply(16, answer(request.payload)), reply(NLMSG_ERROR, new Uint8Array(20))]);
    },
  });
}

test("a family is found by its name, and asked by its number", () => {
  same(emitFamily(CTRL_CMD_GETFAMILY, { name: "IPVS" }), "03020000 09000200 49505653 00000000");
  const family = emitFamily(CTRL_CMD_NEWFAMILY, { id: 0x1c, name: "IPVS" });
  expect(parseFamily(parseGenl(family)!)).toEqual({ id: 0x1c, name: "IPVS" });
  const asked: string[] = [];
  const found = findFamily(
    client((payload) => {
      asked.push(hex(payload));
      return asked.length === 1 ? family : emitGenl(command.setInfo, 1, [emitInfo({ version: 1, connTableSize: 2 })]);
    }),
    "IPVS",
    1,
  );
  const [answer] = found.request("ask", command.getInfo);
  expect(asked[1]).toBe("0f010000");
  expect(parseInfo(answer!.attributes)).toEqual({ version: 1, connTableSize: 2 });
  expect(() =>
    findFamily(
      client(() => emitFamily(CTRL_CMD_NEWFAMILY, { name: "IPVS" })),
      "IPVS",
      1,
    ),
  ).toThrow("without its number");
});
