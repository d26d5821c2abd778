import { describe, expect, test } from "vitest";
import type { Result } from "../checker.ts";
import type { Page } from "../config.ts";
import type { Dialogue } from "../dialogue.ts";
import { dnsQuery, judgeDns } from "./dns.ts";
import { httpDialogue, httpRequest } from "./http.ts";
import { echoRequest, isEchoReply } from "./ping.ts";
import { smtpDialogue } from "./smtp.ts";
import { defaultPayload, judgeUdp, silentUdp } from "./udp.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const word = (result: Result | undefined): string =>
  result === undefined ? "waiting" : result.type === "failed" ? result.reason : result.type;

/** Says these texts to it, each in a piece of its own, then ends: what it sent, and the verdict. */
function converse(d: Dialogue, said: readonly string[]): { sent: string[]; verdict: string } {
  const sent = [Buffer.from(d.opening).toString("latin1")];
  for (const text of said) {
    const turn = d.read(bytes(text));
    if (turn.send) sent.push(Buffer.from(turn.send).toString("latin1"));
    if (turn.result) return { sent, verdict: word(turn.result) };
  }
  return { sent, verdict: `end: ${word(d.ended())}` };
}

const page: Page = { path: "/", host: "www", statuses: [[200, 299]], digests: [], regex: undefined };
const hello = "5d41402abc4b2a76b9719d911017c592";
const look = (source: string, more: Partial<NonNullable<Page["regex"]>> = {}): Page["regex"] => ({
  ...{ source, flags: "", not: false, minOffset: 0, maxOffset: undefined },
  ...more,
});

describe("a GET", () => {
  test("has its lines in keepalived's order", () => {
    const request = (version: "1.0" | "1.0C" | "1.1") => httpRequest({ path: "/a?b", host: "[::1]:80" }, version).split("\r\n");
    expect(request("1.0")).toEqual(["GET /a?b HTTP/1.0", "User-Agent: KeepAliveClient", "Host: [::1]:80", "", ""]);
    expect(request("1.0C").slice(0, 3)).toEqual(["GET /a?b HTTP/1.0", "User-Agent: KeepAliveClient", "Connection: close"]);
    expect(request("1.1")[0]).toBe("GET /a?b HTTP/1.1");
    expect(request("1.1")[2]).toBe("Connection: close");
  });

  const cases: [name: string, page: Partial<Page>, said: string[], verdict: string][] = [
    ["200 with a length is good before the end", {}, ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"], "ok"],
    ["204 has no body to wait for", {}, ["HTTP/1.1 204 No Content\r\n\r\n"], "ok"],
    ["without a length the end decides", {}, ["HTTP/1.0 200 OK\r\n\r\n", "hello"], "end: ok"],
    ["301 is not good when nothing is said", {}, ["HTTP/1.0 301 Moved\r\n\r\n"], "end: HTTP status code 301"],
    [
      "301 is good when it is asked for",
      {
        statuses: [
          [200, 200],
          [301, 302],
        ],
      },
      ["HTTP/1.0 301 Moved\r\n\r\n"],
      "end: ok",
    ],
    ["404 fails", {}, ["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"], "HTTP status code 404"],
    ["a status without a phrase counts", {}, ["HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"], "ok"],
    ["the head may come in pieces", {}, ["HT", "TP/1.0 200 OK\r", "\n\r", "\n"], "end: ok"],
    ["lines may end without CR", {}, ["HTTP/1.0 200 OK\nContent-Length: 1\n\nx"], "ok"],
    ["no answer is bad", {}, [], "end: no complete HTTP response"],
    ["half a head is bad", {}, ["HTTP/1.0 200 OK\r\n"], "end: no complete HTTP response"],
    ["another protocol is bad", {}, ["SSH-2.0-OpenSSH\r\n\r\n"], "the answer is not HTTP"],
    ["the MD5 of the body", { digests: [hello] }, ["HTTP/1.0 200 OK\r\n\r\nhel", "lo"], "end: ok"],
    ["another MD5", { digests: [hello] }, ["HTTP/1.0 200 OK\r\n\r\nhell"], "end: MD5 digest 4229d691b07b13341da53f17ab9f2416"],
    ["one of several MD5 is enough", { digests: ["0".repeat(32), hello] }, ["HTTP/1.0 200 OK\r\n\r\nhello"], "end: ok"],
    [
      "what is beyond the length does not count",
      { digests: [hello] },
      ["HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello!!"],
      "ok",
    ],
    [
      "a body in chunks ends with the empty one",
      { digests: [hello] },
      ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", "2;x\r\nlo\r\n", "0\r\n\r\n"],
      "ok",
    ],
    ["a body that has what is looked for", { regex: look("l+o") }, ["HTTP/1.0 200 OK\r\n\r\nhello"], "end: ok"],
    ["a body that has not", { regex: look("bye") }, ["HTTP/1.0 200 OK\r\n\r\nhello"], "end: regex"],
    ["a body that must not have it", { regex: look("ell", { not: true }) }, ["HTTP/1.0 200 OK\r\n\r\nhello"], "end: regex"],
    ["a match before the least offset", { regex: look("hel", { minOffset: 1 }) }, ["HTTP/1.0 200 OK\r\n\r\nhello"], "end: regex"],
    ["a match at the greatest offset", { regex: look("o", { maxOffset: 4 }) }, ["HTTP/1.0 200 OK\r\n\r\nhello"], "end: ok"],
    [
      "a match beyond the greatest offset",
      { regex: look("o", { maxOffset: 3 }) },
      ["HTTP/1.0 200 OK\r\n\r\nhello"],
      "end: regex",
    ],
  ];
  for (const [name, more, said, verdict] of cases) {
    test(`${name}: ${verdict}`, () => expect(converse(httpDialogue({ ...page, ...more }, "1.0"), said).verdict).toBe(verdict));
  }
  test("is not ended by a chunk that looks like the last one", () => {
    const d = httpDialogue({ ...page, digests: [hello] }, "1.1");
    expect(d.read(bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n0\r\n\r\n")).result).toBeUndefined();
  });
  test("that is fed a byte at a time comes to the same end", () => {
    const said = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    expect(converse(httpDialogue({ ...page, digests: [hello] }, "1.1"), [...said]).verdict).toBe("ok");
  });
});

describe("an SMTP check", () => {
  const cases: [name: string, said: string[], sent: number, verdict: string][] = [
    ["says HELO and QUIT", ["220 mx ESMTP\r\n", "250 hello\r\n"], 3, "ok"],
    ["reads replies of several lines", ["220-mx\r\n220-more\r\n", "220 mx\r\n", "250-a\r\n250 b\r\n"], 3, "ok"],
    ["reads replies in pieces", ["22", "0 mx\r", "\n", "250\r\n"], 3, "ok"],
    ["takes no 554 for a greeting", ["554 go away\r\n"], 1, "bad greeting or reply: 554 go away"],
    ["takes no 502 for an answer to HELO", ["220 mx\r\n", "502 what\r\n"], 2, "bad greeting or reply: 502 what"],
    ["fails when the other side hangs up", ["220 mx\r\n"], 2, "end: connection closed in the middle of the dialogue"],
  ];
  for (const [name, said, sent, verdict] of cases) {
    test(name, () => {
      const got = converse(smtpDialogue("me.example"), said);
      expect(got.sent).toEqual(["", "HELO me.example\r\n", "QUIT\r\n"].slice(0, sent));
      expect(got.verdict).toBe(verdict);
    });
  }
});

describe("a DNS check", () => {
  test("asks one question with recursion", () => {
    expect(Buffer.from(dnsQuery(0x1234, "SOA", ".")).toString("hex")).toBe("123401000001000000000000" + "0000060001");
    const named = Buffer.from(dnsQuery(1, "AAAA", "www.example")).toString("hex");
    expect(named.slice(24)).toBe("03777777076578616d706c6500001c0001");
  });
  const cases: [name: string, answer: string, verdict: string][] = [
    ["without an error is good", "123481800001000000000000", "ok"],
    ["NXDOMAIN is bad", "123481830001000000000000", "error code 3"],
    ["of another question is left alone", "123581800001000000000000", "waiting"],
    ["that is a question is left alone", "123401000001000000000000", "waiting"],
    ["that is cut short is left alone", "12348180", "waiting"],
  ];
  for (const [name, answer, verdict] of cases) {
    test(`an answer ${name}`, () => expect(word(judgeDns(Buffer.from(answer, "hex"), 0x1234))).toBe(verdict));
  }
});

describe("a UDP check", () => {
  const rule = (pattern: string, minLength = 0, maxLength = 255) => ({ pattern, minLength, maxLength });
  const cases: [name: string, reply: string, rule: ReturnType<typeof rule> | undefined, verdict: string][] = [
    ["any answer is good when none is asked for", "00", undefined, "ok"],
    ["the bytes that are asked for", "0aff", rule("0a ff"), "ok"],
    ["more bytes than asked for", "0aff01", rule("0aff"), "ok"],
    ["other bytes", "0afe", rule("0aff"), "reply data mismatch"],
    ["bytes that are not compared", "1f7e", rule("1X X e"), "ok"],
    ["a nibble that is", "2f", rule("1X"), "reply data mismatch"],
    ["too few bytes for the pattern", "0a", rule("0aff"), "reply data mismatch"],
    ["too short", "0a", rule("", 2), "reply of 1 bytes"],
    ["too long", "0a0b", rule("", 0, 1), "reply of 2 bytes"],
    ["an empty pattern", "", rule(""), "ok"],
  ];
  for (const [name, reply, wanted, verdict] of cases) {
    test(`${name}: ${verdict}`, () => expect(word(judgeUdp(Buffer.from(reply, "hex"), wanted))).toBe(verdict));
  }
  test("silence is good unless an answer is asked for", () => {
    expect([silentUdp(undefined), silentUdp(rule(""))].map(word)).toEqual(["ok", "timeout"]);
    expect(Buffer.from(defaultPayload, "hex").toString()).toBe("keepalived check - keepalived ch");
  });
});

describe("a ping", () => {
  test("is answered by the reply with its id and sequence only", () => {
    const request = echoRequest("ipv4", 7, 9);
    expect(Buffer.from(request.subarray(0, 8)).toString("hex")).toMatch(/^0800....00070009$/);
    const reply = Uint8Array.from(request);
    expect(isEchoReply(reply, "ipv4", 7, 9)).toBe(false); // our own request
    reply[0] = 0;
    expect(isEchoReply(reply, "ipv4", 7, 9)).toBe(true);
    expect(isEchoReply(reply, "ipv4", undefined, 9)).toBe(true);
    expect(isEchoReply(reply, "ipv4", 8, 9)).toBe(false);
    expect(isEchoReply(reply, "ipv4", 7, 10)).toBe(false);
    expect(isEchoReply(reply.subarray(0, 7), "ipv4", 7, 9)).toBe(false);
    expect(echoRequest("ipv6", 7, 9)[0]).toBe(128);
  });
});
