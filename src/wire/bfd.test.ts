import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BFD_STATES, type Bfd, emitBfd, parseBfd } from "./bfd.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const packets: fc.Arbitrary<Bfd> = fc
  .record({
    diagnostic: fc.integer({ min: 0, max: 31 }),
    state: fc.constantFrom(...BFD_STATES),
    ...{ poll: fc.boolean(), final: fc.boolean(), controlPlaneIndependent: fc.boolean(), demand: fc.boolean() },
    authenticated: fc.constant(false),
    multiplier: fc.integer({ min: 1, max: 255 }),
    myDiscriminator: fc.integer({ min: 1, max: 0xffff_ffff }),
    ...{ yourDiscriminator: u32, desiredMinTx: u32, requiredMinRx: u32, requiredMinEchoRx: u32 },
  })
  .filter((p) => !(p.poll && p.final));

const plain: Bfd = {
  ...{ diagnostic: 0, state: "Up", poll: false, final: false, controlPlaneIndependent: false, authenticated: false },
  ...{ demand: false, multiplier: 3, myDiscriminator: 0x02a75b0d, yourDiscriminator: 0x133ee6ff },
  ...{ desiredMinTx: 100_000, requiredMinRx: 100_000, requiredMinEchoRx: 0 },
};
const changed = (at: number, value: number): Uint8Array => {
  const bytes = emitBfd(plain);
  bytes[at] = value;
  return bytes;
};

test("a packet is written as RFC 5880 section 4.1 draws it", () => {
  const hex = Buffer.from(emitBfd({ ...plain, diagnostic: 3, state: "Init", poll: true })).toString("hex");
  expect(hex).toBe("23a0031802a75b0d133ee6ff000186a0000186a000000000");
});

test("what is written is read back", () => {
  fc.assert(fc.property(packets, (p) => void expect(parseBfd(emitBfd(p))).toEqual(p)));
});

test("bytes after the length of the packet are not looked at, as the RFC wants", () => {
  expect(parseBfd(Uint8Array.from([...emitBfd(plain), 1, 2, 3]))).toEqual(plain);
});

describe("malformed packets are refused by the first rule that they break", () => {
  const cases: [what: string, bytes: Uint8Array, problem: string][] = [
    ["nothing", new Uint8Array(0), "length"],
    ["another version", changed(0, 0), "version"],
    ["another version though too short", Uint8Array.of(0x40), "version"],
    ["too short", emitBfd(plain).subarray(0, 23), "length"],
    ["a length below the least", changed(3, 23), "length"],
    ["a length beyond the payload", changed(3, 25), "length"],
    ["authentication that does not fit", changed(1, 0xc4), "length"],
    ["multiplier 0", changed(2, 0), "multiplier"],
    ["multiplier 0 and multipoint", Uint8Array.from([...changed(1, 0xc1)].map((b, i) => (i === 2 ? 0 : b))), "multiplier"],
    ["multipoint", changed(1, 0xc1), "multipoint"],
    ["my discriminator 0", emitBfd(plain).fill(0, 4, 8), "my-discriminator"],
    ["poll and final", changed(1, 0xf0), "poll-and-final"],
  ];
  for (const [what, bytes, problem] of cases) test(what, () => expect(parseBfd(bytes)).toBe(problem));
});

test("an authentication section that fits is seen", () => {
  const bytes = Uint8Array.from([...changed(1, 0xc4), 1, 3, 0]);
  bytes[3] = 27;
  expect(parseBfd(bytes)).toMatchObject({ authenticated: true, state: "Up" });
});

test("no bytes make the reader throw, and what it reads is within bounds", () => {
  const arbitrary = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.tuple(packets, fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 255 })).map(([p, at, value]) => {
      const bytes = emitBfd(p);
      bytes[at] = value;
      return bytes;
    }),
  );
  fc.assert(
    fc.property(arbitrary, (bytes) => {
      const read = parseBfd(bytes);
      if (typeof read === "string") return;
      expect(BFD_STATES).toContain(read.state);
      expect(read.multiplier).toBeGreaterThan(0);
      expect(read.myDiscriminator).toBeGreaterThan(0);
      expect(read.poll && read.final).toBe(false);
    }),
    { numRuns: 2000 },
  );
});

test("what no packet of ours may hold is a RangeError", () => {
  for (const wrong of [
    { multiplier: 0 },
    { myDiscriminator: 0 },
    { desiredMinTx: -1 },
    { requiredMinRx: 0.5 },
    { diagnostic: 32 },
    { authenticated: true },
    { poll: true, final: true },
  ])
    expect(() => emitBfd({ ...plain, ...wrong }), JSON.stringify(wrong)).toThrow(RangeError);
});
