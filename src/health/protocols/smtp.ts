import { bad, type Dialogue, good, latin1, type Turn } from "../dialogue.ts";

/** SMTP_CHECK (spec 4.7): 220, HELO, 250, QUIT; the answer to QUIT is not waited for. */

/** Longest line that is waited for, bytes (RFC 5321 section 4.5.3.1.5 has 512). */
const LONGEST = 4096;

export function smtpDialogue(helo: string): Dialogue {
  let rest = "";
  let wanted = 220;
  const answer = (line: string): Turn | undefined => {
    const code = Number(/^(\d{3})(?:[ ]|$)/.exec(line)?.[1]);
    if (/^\d{3}-/.test(line)) return undefined; // more lines of this reply
    if (code !== wanted) return { result: bad(`bad greeting or reply: ${line.slice(0, 80)}`) };
    if (wanted === 250) return { send: latin1("QUIT\r\n"), result: good };
    wanted = 250;
    return { send: latin1(`HELO ${helo}\r\n`) };
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
    ended: () => bad("connection closed in the middle of the dialogue"),
  };
}
