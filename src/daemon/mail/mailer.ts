import { lookup } from "node:dns/promises";
import type { Log } from "../../director/engine.ts";
import { explain } from "../../fault.ts";
import type { Result } from "../../health/checker.ts";
import type { Mail } from "../../health/mail.ts";
import { ip, parseIp } from "../../net/ip.ts";
import { converse } from "../health/stream.ts";
import type { MailConfig } from "./config.ts";
import { mailDialogue } from "./dialogue.ts";

/** Sends mails, a connection for each and a few at a time; one that cannot be sent is told of and not tried again. */

const AT_ONCE = 4;
/** Beyond this many that wait, mails are dropped. */
const MOST = 1000;

export interface Mailer {
  send(mail: Mail): void;
  /** Until all have gone, or so many ms. */
  settled(ms: number): Promise<void>;
}

/** @param config asked for each mail, since it may change */
export function openMailer(config: () => MailConfig | undefined, log: Log): Mailer {
  const waiting: Mail[] = [];
  let running = 0;
  let dropped = 0;
  const idle = new Set<() => void>();
  const next = (): void => {
    while (running < AT_ONCE && waiting.length > 0) {
      const mail = waiting.shift()!;
      const to = config();
      if (to === undefined) continue;
      running++;
      deliver(to, mail, log).finally(() => {
        running--;
        next();
      });
    }
    if (waiting.length === 0) dropped = 0;
    if (running === 0) for (const done of idle) done();
  };
  return {
    send(mail) {
      if (waiting.length < MOST) waiting.push(mail);
      else if (dropped++ === 0) log.warn("mails dropped", { reason: "too many wait" });
      next();
    },
    settled: (ms) =>
      new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          idle.delete(done);
          resolve();
        };
        const timer = setTimeout(done, ms);
        if (running === 0) done();
        else idle.add(done);
      }),
  };
}

async function deliver(config: MailConfig, { subject, body }: Mail, log: Log): Promise<void> {
  const { server, from, to, helo, timeout, routerId } = config;
  const letter = { from, to, subject: `[${routerId}] ${subject}`, body, date: new Date() };
  try {
    const address = parseIp(server.host) ?? ip((await lookup(server.host)).address);
    const none = { fromIp: undefined, fromPort: undefined, interface: undefined, fwmark: 0 };
    const result = await new Promise<Result>((resolve) =>
      converse({ ip: address, port: server.port, timeout, ...none }, mailDialogue(letter, helo), undefined, resolve),
    );
    if (result.type === "ok") log.info("mail sent", { subject: letter.subject });
    else log.warn("mail not sent", { subject: letter.subject, reason: result.reason });
  } catch (error) {
    log.warn("mail not sent", { subject: letter.subject, reason: explain(error) });
  }
}
