import { expect, test } from "vitest";
import type { Conn, Endpoint } from "../../director/director.ts";
import { ip } from "../../net/ip.ts";
import { connLines, connTitle } from "./conns.ts";
import { largeNumber } from "./format.ts";
import { mergeSort } from "./sort.ts";

const at = (addr: string, port: number): Endpoint => ({ addr: ip(addr), port });
const conn: Conn = {
  protocol: "tcp",
  client: at("10.1.0.3", 2009),
  virtual: at("10.1.0.100", 80),
  dest: at("10.2.0.11", 8080),
  method: "nat",
  state: "ESTABLISHED",
  expiresIn: 898,
  active: true,
  template: false,
  fwmark: 0,
};

const numbers: [n: number, cut: string, exact: string][] = [
  [0, "        0", "        0"],
  [99_999_999, " 99999999", " 99999999"],
  [100_000_000, "  100000K", " 100000000"],
  [999_999_999, "  999999K", " 999999999"],
  [1_000_000_000, "    1000M", " 1000000000"],
  [99_999_999_999, "   99999M", " 99999999999"],
  [100_000_000_000, "     100G", " 100000000000"],
  [99_999_999_999_999, "   99999G", " 99999999999999"],
  [100_000_000_000_000, "     100T", " 100000000000000"],
  [Number.MAX_SAFE_INTEGER, "    9007T", " 9007199254740991"],
];
for (const [n, cut, exact] of numbers) {
  test(`${n} is listed as "${cut}", exactly as "${exact}"`, () => {
    expect(largeNumber(n, false)).toBe(cut);
    expect(largeNumber(n, true)).toBe(exact);
  });
}

/** The sample of spec 9.4, which a kernel printed. */
test("conns are listed as the kernel's ipvsadm lists them, engines on request", async () => {
  const conns: Conn[] = [
    conn,
    { ...conn, client: at("10.1.0.0", 0), state: "NONE", expiresIn: 99, template: true },
    {
      ...conn,
      protocol: "ip",
      client: at("10.1.0.3", 0),
      virtual: at("0.0.0.0", 0),
      dest: at("10.2.0.17", 0),
      state: "NONE",
      expiresIn: 58,
      template: true,
      fwmark: 5,
    },
    {
      ...conn,
      protocol: "udp",
      client: at("10.1.0.3", 0),
      virtual: at("10.1.0.100", 5060),
      dest: at("10.2.0.18", 5060),
      state: "NONE",
      expiresIn: 59,
      pe: { name: "sip", data: "bbb@x y" },
    },
    {
      ...conn,
      client: at("fd00::1", 43432),
      virtual: at("fd00::1", 443),
      dest: at("fd00::9", 443),
      state: "CLOSE",
      expiresIn: 60000,
    },
  ];
  expect(connTitle(true) + (await connLines(conns, true, undefined))).toBe(`IPVS connection entries
pro expire state       source             virtual            destination        pe name          pe_data
TCP 14:58  ESTABLISHED 10.1.0.3:2009      10.1.0.100:80      10.2.0.11:8080
TCP 01:39  NONE        10.1.0.0:0         10.1.0.100:80      10.2.0.11:8080
IP  00:58  NONE        10.1.0.3:0         0.0.0.5:0          10.2.0.17:0
UDP 00:59  NONE        10.1.0.3:0         10.1.0.100:5060    10.2.0.18:5060   sip                bbb@x
TCP 1000:00 CLOSE       [fd00::1]:43432    [fd00::1]:443      [fd00::9]:443
`);
  expect(connTitle(false) + (await connLines(conns.slice(3, 4), false, undefined))).toBe(`IPVS connection entries
pro expire state       source             virtual            destination
UDP 00:59  NONE        10.1.0.3:0         10.1.0.100:5060    10.2.0.18:5060
`);
});

test("the sort keeps equals in order and follows an order that goes round as glibc does", () => {
  const rock = (a: string, b: string) => (a === b ? 0 : "RPS RSP".indexOf(a + b) >= 0 ? -1 : 1);
  expect(mergeSort(["a2", "b1", "a1", "b2", "a3"], (a, b) => (a[0]! < b[0]! ? -1 : a[0]! > b[0]! ? 1 : 0))).toEqual([
    "a2",
    "a1",
    "a3",
    "b1",
    "b2",
  ]);
  expect(mergeSort([5, 3, 9, 1, 1, 7], (a, b) => a - b)).toEqual([1, 1, 3, 5, 7, 9]);
  expect(mergeSort(["R", "S", "P"], rock)).toHaveLength(3);
});
