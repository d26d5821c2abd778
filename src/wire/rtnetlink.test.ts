import fc from "fast-check";
import { expect, test } from "vitest";
import { anyOf, type Family, type Ip, ipFromBytes } from "../net/ip.ts";
import { mac, macFromBytes } from "../net/mac.ts";
import { NLM_F_REPLACE } from "./netlink.ts";
import { parseRtEvent } from "./rtnetlink.ts";
import { emitAddress, type InterfaceAddress, parseAddress } from "./rtnetlink-address.ts";
import { emitLink, emitLinkChange, type Link, parseLink } from "./rtnetlink-link.ts";
import { emitNeighbour, type Neighbour, parseNeighbour } from "./rtnetlink-neighbour.ts";
import { emitRoute, parseRoute, type Route } from "./rtnetlink-route.ts";

const bytesOf = (n: number) => fc.uint8Array({ minLength: n, maxLength: n });
const address = (family: Family) => bytesOf(family === "ipv4" ? 4 : 16).map(ipFromBytes);
const macs = bytesOf(6).map((bytes) => macFromBytes(bytes)!);
const uint8 = fc.integer({ min: 0, max: 255 });
const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const ifindex = fc.integer({ min: 0, max: 0x7fffffff });
const names = fc.stringMatching(/^[a-z0-9.]{1,15}$/);
const may = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const families = fc.constantFrom<Family>("ipv4", "ipv6");

const link: fc.Arbitrary<Link> = fc
  .record({ ifindex, name: names, flags: uint32, hardware: fc.constantFrom(1, 772, 65534), mac: may(macs), mtu: uint32 })
  .chain((some) =>
    fc
      .record({ master: ifindex, lower: ifindex, kind: fc.constantFrom("", "veth", "vlan") })
      .map((rest) => ({ ...some, ...rest })),
  )
  .map((each) => (each.hardware === 1 ? each : { ...each, mac: undefined }));

const interfaceAddress: fc.Arbitrary<InterfaceAddress> = families.chain((family) =>
  fc
    .record({
      family: fc.constant(family),
      ifindex,
      address: address(family),
      prefixLength: uint8,
      peer: may(address(family)),
      broadcast: may(address(family)),
      scope: uint8,
      flags: uint32,
      label: fc.oneof(fc.constant(""), names),
      preferredSeconds: uint32,
      validSeconds: uint32,
    })
    .map((each) => (each.peer === each.address ? { ...each, peer: undefined } : each)),
);

const neighbour: fc.Arbitrary<Neighbour> = families.chain((family) =>
  fc.record({
    family: fc.constant(family),
    ifindex,
    address: address(family),
    mac: may(macs),
    state: fc.integer({ min: 0, max: 0xffff }),
    flags: uint8,
    managed: fc.boolean(),
  }),
);

const nextHop = (family: Family) =>
  fc.record({
    ifindex,
    gateway: may(family === "ipv4" ? fc.oneof(address("ipv4"), address("ipv6")) : address("ipv6")),
    flags: uint8,
    weight: fc.integer({ min: 1, max: 256 }),
  });
const route: fc.Arbitrary<Route> = families.chain((family) =>
  fc
    .record({
      family: fc.constant(family),
      table: uint32,
      prefix: address(family),
      prefixLength: fc.integer({ min: 0, max: family === "ipv4" ? 32 : 128 }),
      tos: uint8,
      protocol: uint8,
      scope: uint8,
      type: uint8,
      metric: uint32,
      prefSource: may(address(family)),
      mtu: may(uint32),
      nextHops: fc.array(nextHop(family), { maxLength: 4 }),
    })
    .map((each) => ({
      ...each,
      prefix: each.prefixLength === 0 ? anyOf(family) : each.prefix,
      nextHops: each.nextHops.length === 1 ? each.nextHops.map((hop) => ({ ...hop, weight: 1 })) : each.nextHops,
    })),
);

const both = <T>(values: fc.Arbitrary<T>, emit: (value: T) => Uint8Array, parse: (bytes: Uint8Array) => T | undefined) =>
  fc.assert(
    fc.property(values, (value) => {
      expect(parse(emit(value))).toEqual(value);
    }),
    { numRuns: 300 },
  );
test("a link that is written is read back", () => both(link, emitLink, parseLink));
test("an address that is written is read back", () => both(interfaceAddress, emitAddress, parseAddress));
test("a neighbour that is written is read back", () => both(neighbour, emitNeighbour, parseNeighbour));
test("a route that is written is read back", () => both(route, emitRoute, parseRoute));

test("random bytes in any rtnetlink message are read without a throw and to the end", () => {
  const payload = fc
    .tuple(fc.constantFrom(0, 2, 7, 10), fc.uint8Array({ maxLength: 200 }))
    .map(([family, bytes]) => Uint8Array.of(family, ...bytes));
  fc.assert(
    fc.property(fc.integer({ min: 15, max: 31 }), payload, (type, bytes) => {
      parseRtEvent({ type, flags: 0, sequence: 0, port: 0, payload: bytes });
    }),
    { numRuns: 3000 },
  );
});

test("a damaged route is read without a throw", () => {
  fc.assert(
    fc.property(route, fc.nat(), uint8, fc.nat(), (value, at, byte, cut) => {
      const bytes = emitRoute(value);
      bytes[at % bytes.length] = byte;
      parseRoute(bytes.subarray(0, cut % (bytes.length + 1)));
    }),
    { numRuns: 1000 },
  );
});

test("what a bridge says about its ports and its forwarding table is not taken for links and neighbours", () => {
  const port = emitLink({
    ifindex: 3,
    name: "p",
    flags: 1,
    hardware: 1,
    mac: undefined,
    mtu: 1500,
    master: 0,
    lower: 0,
    kind: "",
  });
  const entry = emitNeighbour({
    family: "ipv4",
    ifindex: 3,
    address: "10.0.0.1" as Ip,
    mac: undefined,
    state: 2,
    flags: 0,
    managed: false,
  });
  port[0] = 7;
  entry[0] = 7;
  expect(parseRtEvent({ type: 17, flags: 0, sequence: 0, port: 0, payload: port })).toBeUndefined();
  expect(parseRtEvent({ type: 28, flags: 0, sequence: 0, port: 0, payload: entry })).toBeUndefined();
});

test("a route message says whether it is gone and where it goes among its like", () => {
  const value = parseRoute(hex("021800 00 fe 02 fd 01 00000000 0800 0100 0a000000 0800 0400 02000000 0800 0700 0a000001"));
  expect(value).toMatchObject({
    prefix: "10.0.0.0",
    prefixLength: 24,
    scope: 253,
    prefSource: "10.0.0.1",
    nextHops: [{ ifindex: 2 }],
  });
  const message = { type: 24, flags: NLM_F_REPLACE, sequence: 0, port: 0, payload: emitRoute(value!) };
  expect(parseRtEvent(message)).toEqual({ kind: "route", gone: false, placement: "instead", value });
  expect(parseRtEvent({ ...message, type: 25, flags: 0 })).toEqual({ kind: "route", gone: true, placement: "first", value });
});

test("a change of a link names only what changes", () => {
  expect(emitLinkChange(5, { up: true })).toEqual(hex("0000 0000 05000000 01000000 01000000"));
  expect(emitLinkChange(5, { mtu: 9000 })).toEqual(hex("0000 0000 05000000 00000000 00000000 0800 0400 28230000"));
  expect(emitLinkChange(5, { up: false, mac: mac("02:00:00:00:00:01") })).toEqual(
    hex("0000 0000 05000000 00000000 01000000 0a00 0100 020000000001 0000"),
  );
});

/** The bytes as a little-endian machine has them. */
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
