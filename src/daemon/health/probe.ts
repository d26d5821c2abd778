import type { Result } from "../../health/checker.ts";
import type { CertificateRule, HealthConfig, Probe } from "../../health/config.ts";
import { httpDialogue } from "../../health/protocols/http.ts";
import { smtpDialogue } from "../../health/protocols/smtp.ts";
import { askDns, askUdp, ping } from "./datagram.ts";
import { fileResult } from "./file.ts";
import { runMisc } from "./misc.ts";
import { converse } from "./stream.ts";
import { touch } from "./touch.ts";

/** One try of a check against the world. */

export type Done = (result: Result) => void;
/** Gives a try up: `done` is not called any more. May be called when it is over. */
export type Cancel = () => void;

/** All but what is told by events. */
export type TriedProbe = Exclude<Probe, { type: "BFD_CHECK" }>;

const ANY_CERTIFICATE: CertificateRule = { verify: false, ca: undefined, name: "", expiryDays: 0 };

/** `done` is called once and never within this call. */
export function startProbe(probe: TriedProbe, page: number, tls: HealthConfig["tls"], done: Done): Cancel {
  switch (probe.type) {
    case "TCP_CHECK":
      return touch(probe.to, done);
    case "HTTP_GET":
    case "SSL_GET": {
      const wanted = probe.pages[page]!;
      const talk = httpDialogue(wanted, probe.version);
      const rule = { ...ANY_CERTIFICATE, ...probe.certificates?.[page], files: tls, servername: probe.sni[page] ?? "" };
      return converse(probe.to, talk, probe.type === "SSL_GET" ? rule : undefined, done);
    }
    case "SMTP_CHECK":
      return converse(probe.to, smtpDialogue(probe.helo), undefined, done);
    case "DNS_CHECK":
      return askDns(probe, done);
    case "UDP_CHECK":
      return askUdp(probe, done);
    case "PING_CHECK":
      return ping(probe.to, done);
    case "MISC_CHECK":
      return runMisc(probe, done);
    case "FILE_CHECK": {
      const timer = setImmediate(() => done(fileResult(probe)));
      return () => clearImmediate(timer);
    }
  }
}
