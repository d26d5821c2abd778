import type { CheckerEffect } from "./checker.ts";
import type { Check, Server, Service } from "./config.ts";

/** keepalived's words about checks (spec 4.2), since people search their logs for them. */

type Told = Exclude<CheckerEffect, { type: "start" | "weight" }>;

/** Undefined: nothing is said of this. */
export function wordsOf(service: Service, server: Server, check: Check, effect: Told): string | undefined {
  const about = { place: server.name, subject: subjectOf(service, server, check), check };
  switch (effect.type) {
    case "up":
      return successOf(about);
    case "flapping":
      return flappingOf(about, effect.times);
    case "warning":
      return `${nameOf(check)} on service ${about.place}: ${effect.warning}`;
    case "forgiven":
      return check.logAllFailures ? `${nameOf(check)} on service ${about.place}: ${effect.reason}` : undefined;
    case "unknown":
      return `${nameOf(check)} on service ${about.place}: ${effect.reason}. Rescheduling.`;
    case "down":
      return failureOf(about, effect.retries, effect.reason);
  }
}

interface About {
  readonly place: string;
  readonly subject: string;
  readonly check: Check;
}

function successOf({ place, subject, check }: About): string {
  switch (check.type) {
    case "TCP_CHECK":
      return `TCP connection to ${place} success.`;
    case "UDP_CHECK":
      return `UDP connection to ${place} success.`;
    case "PING_CHECK":
      return `ICMP connection to ${place} success.`;
    case "HTTP_GET":
    case "SSL_GET":
      return `Remote Web server ${place} succeed on service.`;
    case "SMTP_CHECK":
      return `Remote SMTP server ${place} succeed on service.`;
    case "MISC_CHECK":
      return `Misc check for ${subject} succeeded.`;
    case "DNS_CHECK":
      return `DNS_CHECK (${place}) success.`;
    case "BFD_CHECK":
      return `BFD check of [${bfdOf(check)}] RS(${place}) is UP`;
    case "FILE_CHECK":
      return `FILE_CHECK on service ${place} success.`;
  }
}

function failureOf({ place, subject, check }: About, retries: number, reason: string): string {
  // keepalived says "1 retries" of all but scripts
  const after = retries === 0 ? "" : ` after ${retries} ${retries === 1 && check.type === "MISC_CHECK" ? "retry" : "retries"}`;
  if (check.type === "MISC_CHECK") return `Misc check for ${subject} failed${after || " with retry disabled"} (${reason}).`;
  if (check.type === "BFD_CHECK") return `BFD check of [${bfdOf(check)}] RS(${place}) is DOWN`;
  return `${nameOf(check)} on service ${place} failed${after} (${reason}).`;
}

const bfdOf = ({ probe }: Check): string => (probe.type === "BFD_CHECK" ? probe.name : "");

function flappingOf({ place, check }: About, times: number): string {
  const { window = 0, hold = 0 } = check.flap ?? {};
  const [within, for_] = [window / 1000, hold / 1000];
  return `${nameOf(check)} on service ${place} went down ${times} times within ${within} s: up again after ${for_} s without a failure`;
}

const nameOf = ({ type }: Check): string => (type === "HTTP_GET" ? "HTTP_CHECK" : type === "SSL_GET" ? "SSL_CHECK" : type);

const subjectOf = (service: Service, server: Server, { probe }: Check): string =>
  `[${server.name} VS ${service.name}] by [${probe.type === "MISC_CHECK" ? probe.script.command[0] : ""}]`;
