import fc from "fast-check";
import { expect, test } from "vitest";
import { type Ip, ip, ipFromBytes, ipFromUint32 } from "./ip.ts";
import { commonBits, holds, RouteTable } from "./route.ts";

test("the longest network that holds an address comes first", () => {
  const table = new RouteTable<string>();
  for (const [prefix, length] of [
    ["0.0.0.0", 0],
    ["10.0.0.0", 8],
    ["10.1.0.0", 16],
    ["10.1.2.3", 32],
    ["::", 0],
    ["2001:db8::", 32],
  ] as const)
    table.set(ip(prefix), length, `${prefix}/${length}`);
  expect([...table.matches(ip("10.1.2.3"))]).toEqual(["10.1.2.3/32", "10.1.0.0/16", "10.0.0.0/8", "0.0.0.0/0"]);
  expect(table.lookup(ip("192.0.2.1"))).toBe("0.0.0.0/0");
  expect(table.lookup(ip("2001:db8:1::1"))).toBe("2001:db8::/32");
  expect(table.lookup(ip("2001:db9::"))).toBe("::/0");
});

test("a deleted network is no longer found, and deleting it again says so", () => {
  const table = new RouteTable<number>();
  table.set(ip("10.0.0.0"), 8, 1);
  expect(table.delete(ip("10.0.0.0"), 8)).toBe(true);
  expect(table.lookup(ip("10.0.0.1"))).toBeUndefined();
  expect(table.delete(ip("10.0.0.0"), 8)).toBe(false);
});

const ipv4 = fc.integer({ min: 0, max: 0xffffffff }).map(ipFromUint32);
const ipv6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(ipFromBytes);
const prefixes = (address: fc.Arbitrary<Ip>, bits: number) =>
  fc.array(fc.tuple(address, fc.integer({ min: 0, max: bits })), { maxLength: 30 });

test.each([
  ["ipv4", ipv4, 32],
  ["ipv6", ipv6, 128],
] as const)("an %s table agrees with a walk over all of its networks", (_family, address, bits) => {
  fc.assert(
    fc.property(prefixes(address, bits), address, fc.nat(), (list, other, pick) => {
      const table = new RouteTable<string>();
      for (const [prefix, length] of list) table.set(prefix, length, `${prefix}/${length}`);
      // Half of the time an address near one of the networks, else nothing but the short ones would ever match.
      const wanted = pick % 2 === 0 ? other : (list[pick % Math.max(1, list.length)]?.[0] ?? other);
      const lengths = list.filter(([prefix, length]) => holds(prefix, length, wanted)).map(([, length]) => length);
      const found = [...table.matches(wanted)].map((text) => Number(text.split("/")[1]));
      expect(found).toEqual([...new Set(lengths)].sort((a, b) => b - a));
    }),
  );
});

test.each([
  ["10.0.0.0", "10.0.0.0", 32],
  ["10.0.0.0", "10.0.0.1", 31],
  ["0.0.0.0", "128.0.0.0", 0],
  ["fe80::", "fe80::1", 127],
  ["2001:db8::", "2001:db9::", 31],
])("%s and %s share %i bits", (a, b, bits) => {
  expect(commonBits(ip(a), ip(b))).toBe(bits);
});
