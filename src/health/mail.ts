import type { Check, Server, Service } from "./config.ts";

/** What mails say of servers and services: keepalived's subjects and bodies (spec 4.10), since people filter by them. */

export interface Mail {
  /** Without the name of this machine in front. */
  readonly subject: string;
  readonly body: string;
}

const stateOf = (isUp: boolean): string => (isUp ? "UP" : "DOWN");

/** @param reason why it is down; undefined: it is up */
export const checkMail = (service: Service, server: Server, check: Check, reason: string | undefined): Mail => ({
  subject: `Realserver ${server.name} of virtual server ${service.name} - ${stateOf(reason === undefined)}`,
  body: `=> ${checkWords(check, reason)} <=`,
});

export const quorumMail = ({ name, quorum, hysteresis }: Service, isUp: boolean, sum: number, isStart: boolean): Mail => {
  const what = isStart ? `Starting with quorum ${isUp ? "up" : "down"}` : `${isUp ? "Gained" : "Lost"} quorum`;
  const limit = isUp || isStart ? quorum + hysteresis : quorum - hysteresis; // keepalived writes a plus for both
  return {
    subject: `Virtualserver ${name} - ${stateOf(isUp)}`,
    body: `=> ${what} ${quorum}+${hysteresis}=${limit} <= ${sum} <=`,
  };
};

export const removalMail = (service: Service, server: Server): Mail => ({
  subject: `Realserver ${server.name} of virtual server ${service.name} - DOWN`,
  body: "=> Removing <=",
});

export const stopMail = ({ name }: Service): Mail => ({ subject: `Virtualserver ${name} - DOWN`, body: "=> Shutting down <=" });

function checkWords({ type, probe }: Check, reason: string | undefined): string {
  const word = reason === undefined ? "succeed" : "failed";
  switch (type) {
    case "TCP_CHECK":
      return `TCP CHECK ${word} on service`;
    case "UDP_CHECK":
      return `UDP CHECK ${word} on service`;
    case "PING_CHECK":
      return `ICMP CHECK ${word} on service`;
    case "DNS_CHECK":
      return `DNS_CHECK: ${word} on service`;
    case "MISC_CHECK":
      return `MISC CHECK ${reason === undefined ? "succeeded" : reason === "timed out" ? reason : "failed"} on service`;
    case "BFD_CHECK":
      return `BFD CHECK ${probe.type === "BFD_CHECK" ? probe.name : ""} ${reason === undefined ? "succeeded" : "failed"} on service`;
    case "FILE_CHECK":
      return `FILE CHECK ${word} on service`;
    case "HTTP_GET":
    case "SSL_GET":
      return reason === undefined ? "CHECK succeed on service" : "CHECK failed on service : HTTP request failed";
    case "SMTP_CHECK":
      return reason === undefined ? "CHECK succeed on service" : `CHECK failed on service : ${reason}`;
  }
}
