import { describe, expect, test } from "vitest";
import { ip } from "../net/ip.ts";
import { findMark, type MarkedPacket, type MarkRule, markProblems, markRuleText } from "./marks.ts";

const packet: MarkedPacket = {
  protocol: "tcp",
  source: { addr: ip("10.1.2.3"), port: 4000 },
  destination: { addr: ip("192.0.2.1"), port: 443 },
  interface: "eth0",
};
const rule = (more: Partial<MarkRule> = {}): MarkRule => ({ mark: 5, family: "ipv4", ...more });
const net = (addr: string, length: number) => ({ addr: ip(addr), length });

describe("a rule", () => {
  test.each<[string, Partial<MarkRule>, boolean]>([
    ["without conditions fits", {}, true],
    ["of the other family does not", { family: "ipv6" }, false],
    ["of the protocol fits", { protocol: "tcp" }, true],
    ["of another protocol does not", { protocol: "udp" }, false],
    ["with the network of the source fits, whatever its host bits", { source: net("10.1.99.99", 16) }, true],
    ["with a network beside the source's does not", { source: net("10.1.3.0", 24) }, false],
    ["with a prefix within a byte looks at those bits", { source: net("10.1.2.2", 31) }, true],
    ["with a prefix within a byte looks at all of them", { source: net("10.1.2.0", 31) }, false],
    ["with no bits fits every address", { destination: net("0.0.0.0", 0) }, true],
    ["with the whole destination fits", { destination: net("192.0.2.1", 32) }, true],
    ["with a range of ports takes its ends", { destinationPorts: { first: 443, last: 500 } }, true],
    ["with a range below the port does not fit", { destinationPorts: { first: 1, last: 442 } }, false],
    ["looks at source ports too", { sourcePorts: { first: 4001, last: 4001 } }, false],
    ["with the interface fits", { interface: "eth0" }, true],
    ["with another interface does not", { interface: "eth1" }, false],
  ])("%s", (_name, more, fits) => {
    expect(findMark([rule(more)], packet) !== undefined).toBe(fits);
  });

  test("that asks for an interface does not fit when none is known", () => {
    expect(findMark([rule({ interface: "eth0" })], { ...packet, interface: undefined })).toBeUndefined();
  });

  test("of IPv6 fits by its prefix", () => {
    const six = { ...packet, source: { addr: ip("2001:db8:1::9"), port: 1 }, destination: { addr: ip("2001:db8::1"), port: 80 } };
    expect(findMark([rule({ family: "ipv6", source: net("2001:db8:1::", 48) })], six)?.at).toBe(0);
    expect(findMark([rule({ family: "ipv6", source: net("2001:db8:2::", 47) })], six)).toBeUndefined();
  });
});

test("the first rule that fits counts, also one that takes the mark away", () => {
  const rules = [
    rule({ protocol: "udp", mark: 1 }),
    rule({ mark: 0, sourcePorts: { first: 4000, last: 4000 } }),
    rule({ mark: 2 }),
  ];
  expect(findMark(rules, packet)).toEqual({ at: 1, rule: rules[1] });
  expect(findMark(rules.slice(2), packet)?.rule.mark).toBe(2);
});

test("rules that contradict themselves are named by their places", () => {
  const ports = (first: number, last: number) => rule({ destinationPorts: { first, last } });
  const wrong = [rule({ source: net("::1", 128) }), rule({ source: net("10.0.0.0", 33) }), ports(0, 5), ports(9, 8)];
  expect(markProblems([rule(), ...wrong, ports(1, 65535)])).toEqual([
    { index: 1, code: "EINVAL", message: "rule 2: ::1/128 is no prefix of ipv4" },
    { index: 2, code: "EINVAL", message: "rule 3: 10.0.0.0/33 is longer than an address" },
    { index: 3, code: "EINVAL", message: "rule 4: ports 0-5 are not an ascending range within 1-65535" },
    { index: 4, code: "EINVAL", message: "rule 5: ports 9-8 are not an ascending range within 1-65535" },
  ]);
});

test("there is room for so many rules and no more", () => {
  expect(markProblems(new Array<MarkRule>(1024).fill(rule()))).toEqual([]);
  expect(markProblems(new Array<MarkRule>(1025).fill(rule()))).toMatchObject([{ code: "ENOSPC" }]);
  const names = Array.from({ length: 65 }, (_, i) => rule({ interface: `eth${i}` }));
  expect(markProblems(names)).toMatchObject([{ code: "ENOSPC" }]);
});

test("a rule as text", () => {
  const all = rule({ protocol: "tcp", interface: "eth0", source: net("10.0.0.0", 8), sourcePorts: { first: 1, last: 2 } });
  expect(markRuleText({ ...all, destination: net("192.0.2.1", 32), destinationPorts: { first: 80, last: 80 } })).toBe(
    "mark 5 ipv4 tcp in by eth0 from 10.0.0.0/8 source port 1-2 to 192.0.2.1/32 port 80",
  );
});
