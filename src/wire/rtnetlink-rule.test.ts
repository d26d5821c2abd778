import fc from "fast-check";
import { expect, test } from "vitest";
import { type Family, ipFromBytes } from "../net/ip.ts";
import { parseMessages } from "./netlink.ts";
import { dropAddresses } from "./nftables.ts";
import { emitRule, parseRule, type RoutingRule } from "./rtnetlink-rule.ts";

const number = fc.integer({ min: 1, max: 0xffffffff });
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const prefix = (family: Family) => {
  const width = family === "ipv4" ? 4 : 16;
  const ip = fc.uint8Array({ minLength: width, maxLength: width }).map(ipFromBytes);
  return maybe(fc.record({ ip, length: fc.integer({ min: 1, max: width * 8 }) }));
};
const name = maybe(fc.constantFrom("eth0", "a-long-name-if1"));
const rule: fc.Arbitrary<RoutingRule> = fc.constantFrom<Family>("ipv4", "ipv6").chain((family) =>
  fc.record({
    family: fc.constant(family),
    ...{ preference: number, from: prefix(family), to: prefix(family), iif: name, oif: name, mark: maybe(number), table: number },
  }),
);

test("a rule is read back as it was written", () => {
  fc.assert(fc.property(rule, (value) => void expect(parseRule(emitRule(value))).toEqual(value)));
});

test("no bytes make the reader of rules throw", () => {
  fc.assert(
    fc.property(rule, fc.nat(), fc.nat(255), fc.nat(), (value, at, byte, cut) => {
      const bytes = emitRule(value);
      bytes[at % bytes.length] = byte;
      parseRule(bytes.subarray(0, cut % (bytes.length + 1)));
    }),
  );
});

test("a batch of nf_tables is one datagram, begun and ended, and counts its answers", () => {
  const address = ipFromBytes(Uint8Array.of(10, 0, 0, 1));
  const kinds = (batch: ReturnType<typeof dropAddresses>) =>
    parseMessages(batch.bytes).map((m) => (m.type < 256 ? m.type : m.type & 255));
  const [add, remove, chain, rule] = [0, 2, 3, 6];
  expect(kinds(dropAddresses("t", []))).toEqual([0x10, add, remove, 0x11]);
  const batch = dropAddresses("t", [address]);
  expect(kinds(batch)).toEqual([0x10, add, remove, add, chain, rule, rule, rule, chain, rule, rule, rule, 0x11]);
  expect(batch.answers).toBe(11);
});
