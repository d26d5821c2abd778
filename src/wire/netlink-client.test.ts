import { expect, test } from "vitest";
import { Fault } from "../fault.ts";
import { attribute, concat, emitMessage, type NetlinkMessage, parseMessages, textBytes, uint32Bytes } from "./netlink.ts";
import { NetlinkClient, type NetlinkPort } from "./netlink-client.ts";

/** A kernel that answers each question with the next datagram list of a script, under the sequence number it was asked with. */
function kernel(...script: ((sequence: number) => Partial<NetlinkMessage>[][])[]) {
  const asked: NetlinkMessage[] = [];
  let datagrams: Uint8Array[] = [];
  const port: NetlinkPort = {
    send(bytes) {
      const question = parseMessages(bytes)[0]!;
      asked.push(question);
      const answer = script[asked.length - 1]!(question.sequence);
      datagrams = answer.map((messages) =>
        concat(messages.map((message) => emitMessage({ ...plain(question.sequence), ...message }))),
      );
    },
    receive() {
      const next = datagrams.shift();
      if (next === undefined) throw new Fault("receive", "EAGAIN", "timed out");
      return next;
    },
  };
  return { client: new NetlinkClient(port), asked };
}
const plain = (sequence: number): NetlinkMessage => ({
  type: 16,
  flags: 2,
  sequence,
  port: 1,
  payload: Uint8Array.of(1, 2, 3, 4),
});
const done: Partial<NetlinkMessage> = { type: 3, payload: uint32Bytes(0) };
const failed = (errno: number, text?: string): Partial<NetlinkMessage> => ({
  type: 2,
  flags: text === undefined ? 0x100 : 0x300,
  payload: concat([
    uint32Bytes(-errno),
    new Uint8Array(16),
    text === undefined ? new Uint8Array() : attribute(1, textBytes(text)),
  ]),
});

test("a dump gathers messages over several datagrams until its end", () => {
  const { client, asked } = kernel(() => [[{}, {}], [{}], [done]]);
  expect(client.dump("list links", 18, new Uint8Array(16))).toHaveLength(3);
  expect(asked[0]!.flags).toBe(0x301);
});

test("a dump that a change disturbed is repeated", () => {
  const { client } = kernel(
    () => [[{}, { flags: 0x12 }], [done]],
    () => [[{}], [done]],
  );
  expect(client.dump("list links", 18, new Uint8Array(16))).toHaveLength(1);
});

test("a dump that is disturbed for ever is taken in the end", () => {
  const { client, asked } = kernel(...new Array(9).fill(() => [[{ flags: 0x12 }, done]]));
  expect(client.dump("list links", 18, new Uint8Array(16))).toHaveLength(1);
  expect(asked).toHaveLength(5);
});

test("a refusal is a Fault with the kernel's errno and its words", () => {
  const { client } = kernel(
    () => [[failed(22, "Nexthop has invalid gateway")]],
    () => [[failed(17)]],
  );
  const add = () => client.request("add route 10.0.0.0/8", 24, 0x600, new Uint8Array(12));
  expect(add).toThrow(
    expect.objectContaining({ code: "EINVAL", message: "add route 10.0.0.0/8: Nexthop has invalid gateway (EINVAL)" }),
  );
  expect(add).toThrow(expect.objectContaining({ code: "EEXIST", message: "add route 10.0.0.0/8: refused (EEXIST)" }));
});

test("answers to a question that was given up are not taken for answers to the next", () => {
  const { client } = kernel(
    () => [[{}]],
    (sequence) => [[{ ...failed(1), sequence: sequence - 1 }], [{}], [failed(0)]],
  );
  expect(() => client.request("first", 18, 0, new Uint8Array())).toThrow(expect.objectContaining({ code: "EAGAIN" }));
  expect(client.request("second", 18, 0, new Uint8Array())).toHaveLength(1);
});
