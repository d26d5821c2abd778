import { bad, type Dialogue, good, latin1, type Turn } from "../../health/dialogue.ts";

/** Handing a mail over (spec 4.10, RFC 5321): no TLS and no AUTH, as keepalived does it, so that a relay nearby is wanted. */

export interface Letter {
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly body: string;
  readonly date: Date;
}

/** Longest line that is waited for, bytes. */
const LONGEST = 4096;

export function mailDialogue(letter: Letter, helo: string): Dialogue {
  const steps: [wanted: number, next: string][] = [
    [220, `HELO ${helo}\r\n`],
    [250, `MAIL FROM:<${letter.from}>\r\n`],
    ...letter.to.map((to): [number, string] => [250, `RCPT TO:<${to}>\r\n`]),
    [250, "DATA\r\n"],
    [354, dataOf(letter)],
    [250, "QUIT\r\n"],
  ];
  let rest = "";
  let at = 0;
  const answer = (line: string): Turn | undefined => {
    if (/^\d{3}-/.test(line)) return undefined; // more lines of this reply
    const [wanted, next] = steps[at]!;
    if (!line.startsWith(String(wanted)))
      return { send: latin1("QUIT\r\n"), result: bad(`the mail server says: ${line.slice(0, 200)}`) };
    at++;
    return at === steps.length ? { send: latin1(next), result: good } : { send: latin1(next) };
  };
  return {
    opening: latin1(""),
    read(bytes) {
      rest += Buffer.from(bytes).toString("latin1");
      for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
        const line = rest.slice(0, end).replace(/\r$/, "");
        rest = rest.slice(end + 1);
        const turn = answer(line);
        if (turn !== undefined) return turn;
      }
      return rest.length > LONGEST ? { result: bad("a line that does not end") } : {};
    },
    ended: () => bad("the mail server hung up"),
  };
}

/** The headers in keepalived's order; a line that is a dot is none of ours (RFC 5321 section 4.5.2). */
function dataOf({ from, to, subject, body, date }: Letter): string {
  const lines = [
    `Date: ${dateText(date)}`,
    `From: ${from}`,
    `Subject: ${oneLine(subject)}`,
    "X-Mailer: Keepalived",
    `To: ${to.join(", ")}`,
    "",
    ...body.split(/\r?\n/),
    "",
  ];
  return `${lines.map((line) => line.replace(/^\./, "..")).join("\r\n")}\r\n.\r\n`;
}

const oneLine = (text: string): string => text.replaceAll(/[\r\n]+/g, " ");

/** "Fri, 20 Nov 2026 08:18:34 +0000", in the zone of this machine (RFC 5322 section 3.3). */
export function dateText(date: Date): string {
  const two = (n: number): string => String(Math.floor(n)).padStart(2, "0");
  const [day, month, number, year] = date.toDateString().split(" ");
  const minutes = -date.getTimezoneOffset();
  const zone = `${minutes < 0 ? "-" : "+"}${two(Math.abs(minutes) / 60)}${two(Math.abs(minutes) % 60)}`;
  return `${day}, ${number} ${month} ${year} ${date.toTimeString().slice(0, 8)} ${zone}`;
}
