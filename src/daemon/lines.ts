import { appendFileSync } from "node:fs";
import { sendDatagram } from "../platform/notify.ts";

/** Where a process writes its lines of text: with the time to standard error, or as keepalived does, to syslog and files. */

export interface Lines {
  /** keepalived's names: Keepalived, Keepalived_vrrp, Keepalived_healthcheckers. */
  readonly ident: string;
  /** Number of syslog's facility; absent: no syslog. */
  readonly facility?: number;
  readonly console: boolean;
  readonly file?: string;
}

/** Children read theirs from here, as JSON. */
export const LINES = "LVSD_LINES";

const SYSLOG = "/dev/log";
const INFO = 6;

/** What it cannot write is lost: a log that is gone stops nobody. */
export function openLines(to: Lines | undefined = wished()): (text: string) => void {
  if (to === undefined) return (text) => void process.stderr.write(`${new Date().toISOString()} ${text}\n`);
  return (text) => {
    const now = new Date();
    if (to.facility !== undefined) toSyslog(to.ident, to.facility, text, now);
    if (to.console) process.stderr.write(`${ctime(now)}: ${text}\n`);
    if (to.file !== undefined) quietly(() => appendFileSync(to.file!, `${ctime(now)}: ${text}\n`));
  };
}

const wished = (): Lines | undefined => {
  const text = process.env[LINES];
  return text === undefined ? undefined : (JSON.parse(text) as Lines);
};

function toSyslog(ident: string, facility: number, text: string, now: Date): void {
  const line = `<${facility * 8 + INFO}>${ctime(now).slice(4, 19)} ${ident}[${process.pid}]: ${text}`;
  quietly(() => sendDatagram(SYSLOG, new TextEncoder().encode(line)));
}

function quietly(write: () => void): void {
  try {
    write();
  } catch {
    // nobody listens
  }
}

/** "Fri Nov 20 08:12:02 2026", in local time. */
export function ctime(at: Date): string {
  const [day, month, date, year, time] = at.toString().split(" ");
  return `${day} ${month} ${String(Number(date)).padStart(2)} ${time} ${year}`;
}
