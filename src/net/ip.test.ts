import fc from "fast-check";
import { expect, test } from "vitest";
import { ipBytes, ipFromBytes, ipFromUint32, parseIp, uint32FromIp } from "./ip.ts";

test.each([
  ["10.0.0.1", "10.0.0.1"],
  ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
])("%s is written %s", (text, canonical) => {
  expect(parseIp(text)).toBe(canonical);
});

test.each(["", "10.0.0", "10.0.0.256", "fe80::1%eth0", "1:2:3", "localhost"])("%j is no address", (text) => {
  expect(parseIp(text)).toBeUndefined();
});

test("bytes and text undo each other", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      const address = ipFromBytes(bytes);
      expect(ipBytes(address)).toEqual(bytes);
      expect(parseIp(address)).toBe(address);
    }),
  );
});

test("a number and an IPv4 address undo each other", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), (n) => {
      expect(uint32FromIp(ipFromUint32(n))).toBe(n);
    }),
  );
});
