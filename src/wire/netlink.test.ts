import fc from "fast-check";
import { expect, test } from "vitest";
import {
  attribute,
  attributeList,
  concat,
  emitMessage,
  NLMSG_DONE,
  NLMSG_ERROR,
  nested,
  parseAnswer,
  parseAttributes,
  parseMessages,
  readText,
  readUint32,
  textBytes,
  uint32Bytes,
} from "./netlink.ts";

const uint16 = fc.integer({ min: 0, max: 0xffff });
const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const message = fc.record({
  type: uint16,
  flags: uint16,
  sequence: uint32,
  port: uint32,
  payload: fc.uint8Array({ maxLength: 99 }),
});

test("messages that are written one after the other are read back", () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), (messages) => {
      expect(parseMessages(concat(messages.map(emitMessage)))).toEqual(messages);
    }),
  );
});

test("attributes that are written are read back in order", () => {
  const list = fc.array(fc.tuple(fc.integer({ min: 0, max: 0x3fff }), fc.uint8Array({ maxLength: 20 })), { maxLength: 8 });
  fc.assert(
    fc.property(list, (attributes) => {
      expect(attributeList(concat(attributes.map(([type, value]) => attribute(type, value))))).toEqual(attributes);
    }),
  );
});

test("random bytes are read without a throw and to the end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const messages = parseMessages(bytes);
      expect(messages.length * 16).toBeLessThanOrEqual(bytes.length);
      for (const each of messages) parseAnswer(each);
      parseAnswer({ type: NLMSG_ERROR, flags: 0x200, sequence: 0, port: 0, payload: bytes });
      expect(attributeList(bytes).length * 4).toBeLessThanOrEqual(bytes.length);
    }),
    { numRuns: 2000 },
  );
});

test("a message whose length is shorter than its header or longer than the datagram ends the reading", () => {
  const whole = emitMessage({ type: 20, flags: 0, sequence: 1, port: 0, payload: uint32Bytes(7) });
  for (const length of [0, 15, 21, 0xffffffff]) {
    const broken = whole.slice();
    broken.set(uint32Bytes(length));
    expect(parseMessages(concat([whole, broken]))).toHaveLength(1);
  }
});

test("a nested attribute keeps its number, and a number said twice counts as said last", () => {
  const inner = [attribute(1, textBytes("veth")), attribute(2, uint32Bytes(1)), attribute(2, uint32Bytes(2))];
  const info = parseAttributes(nested(18, ...inner)).get(18);
  const members = parseAttributes(info ?? new Uint8Array());
  expect(readText(members.get(1))).toBe("veth");
  expect(readUint32(members.get(2))).toBe(2);
});

const EEXIST = uint32Bytes(-17);
const request = emitMessage({ type: 24, flags: 5, sequence: 9, port: 0, payload: new Uint8Array(12) });
const said = attribute(1, textBytes("Nexthop has invalid gateway"));
const text = "Nexthop has invalid gateway";
test.each([
  ["an acknowledgement", NLMSG_ERROR, 0x100, [uint32Bytes(0), request.subarray(0, 16)], { errno: 0, text: "" }],
  ["an error that repeats the request", NLMSG_ERROR, 0x200, [EEXIST, request, said], { errno: 17, text }],
  ["an error that repeats the header only", NLMSG_ERROR, 0x300, [EEXIST, request.subarray(0, 16), said], { errno: 17, text }],
  ["an error without words", NLMSG_ERROR, 0, [EEXIST, request], { errno: 17, text: "" }],
  ["the end of a dump", NLMSG_DONE, 0, [uint32Bytes(0)], { errno: 0, text: "" }],
  ["a dump that failed", NLMSG_DONE, 0x200, [EEXIST, said], { errno: 17, text }],
  ["an answer cut short", NLMSG_ERROR, 0x200, [EEXIST, request.subarray(0, 8)], { errno: 17, text: "" }],
] as const)("%s is understood", (_name, type, flags, parts, answer) => {
  expect(parseAnswer({ type, flags, sequence: 9, port: 0, payload: concat(parts) })).toEqual(answer);
});
