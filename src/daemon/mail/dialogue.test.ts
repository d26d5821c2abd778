import { expect, test } from "vitest";
import { dateText, type Letter, mailDialogue } from "./dialogue.ts";

const date = new Date(2026, 10, 20, 8, 18, 34);
const letter: Letter = {
  from: "k@example.com",
  to: ["a@example.com", "b@example.com"],
  subject: "[R1] x",
  body: "=> y <=",
  date,
};

/** What is said to a server that answers so, and what comes of it. */
function talk(replies: readonly string[], what = letter) {
  const dialogue = mailDialogue(what, "me.example");
  const turns = replies.map((reply) => dialogue.read(Buffer.from(reply)));
  return {
    said: turns.map(({ send }) => (send === undefined ? "" : Buffer.from(send).toString("latin1"))),
    result: turns.at(-1)?.result,
  };
}

test("a mail is handed over line by line, with the headers and the body of keepalived", () => {
  const { said, result } = talk([
    "220-mx\r\n",
    "220 mx\r\n",
    "250-a\r\n250 b\r\n",
    ...Array(3).fill("250 ok\r\n"),
    "354 go\r\n",
    "250 queued\r\n",
  ]);
  expect(said).toEqual([
    ...["", "HELO me.example\r\n", "MAIL FROM:<k@example.com>\r\n", "RCPT TO:<a@example.com>\r\n", "RCPT TO:<b@example.com>\r\n"],
    "DATA\r\n",
    `Date: ${dateText(date)}\r\nFrom: k@example.com\r\nSubject: [R1] x\r\nX-Mailer: Keepalived\r\nTo: a@example.com, b@example.com\r\n\r\n=> y <=\r\n\r\n.\r\n`,
    "QUIT\r\n",
  ]);
  expect(result).toEqual({ type: "ok" });
});

test("a refusal ends it, in the server's words", () => {
  const { said, result } = talk(["220 mx\r\n", "250 hi\r\n", "550 not you\r\n"]);
  expect([said.at(-1), result]).toEqual(["QUIT\r\n", { type: "failed", reason: "the mail server says: 550 not you" }]);
  expect(mailDialogue(letter, "me").ended()).toMatchObject({ type: "failed" });
});

test("no subject adds a header, and no body ends the mail before its end", () => {
  const said = talk(["220 a\r\n", "250 a\r\n", "250 a\r\n", "250 a\r\n", "250 a\r\n", "354 a\r\n"], {
    ...letter,
    ...{ subject: "x\r\nBcc: z@example.com", body: "a\n.\nb" },
  }).said.at(-1)!;
  expect(said).toContain("Subject: x Bcc: z@example.com\r\n");
  expect(said).toContain("\r\na\r\n..\r\nb\r\n\r\n.\r\n");
});

test("the date is that of RFC 5322, in this machine's zone", () => {
  expect(dateText(date)).toMatch(/^Fri, 20 Nov 2026 08:18:34 [+-]\d{4}$/);
  expect(new Date(dateText(date)).getTime()).toBe(date.getTime());
});
