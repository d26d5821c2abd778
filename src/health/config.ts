import type { DestSpec, ServiceSpec } from "../director/director.ts";
import type { Ip } from "../net/ip.ts";
import type { Tuning } from "../tuning.ts";

/**
 * What is to be checked and what follows from it (spec 2.16 to 2.18), with every default filled in. Times are milliseconds.
 * Plain values only: a configuration goes to another process as JSON.
 */

export type Millis = number;

export interface Script {
  readonly command: readonly string[];
  readonly user: string | undefined;
  readonly group: string | undefined;
}

export interface HealthConfig {
  readonly services: readonly Service[];
  /** Client certificate of SSL_GET, paths. */
  readonly tls: { readonly key?: string; readonly cert?: string; readonly ca?: string; readonly passphrase?: string };
  /** `rs_init_notifies`: a server that is good at its first check is told of too. */
  readonly initNotifies: boolean;
  /** Scripts that others may write to are not run as root. */
  readonly scriptSecurity: boolean;
  /** Of the process; absent: it is left as it is. */
  readonly tuning?: Tuning;
}

export interface Service {
  /** "[192.0.2.1]:tcp:80", "FWM 5" or "[GROUP]:0" (spec 4.1). */
  readonly name: string;
  /** The director's services: one, or those of a group. */
  readonly specs: readonly ServiceSpec[];
  readonly quorum: number;
  readonly hysteresis: number;
  /** Run down scripts at stop. */
  readonly omega: boolean;
  readonly quorumUp: Script | undefined;
  readonly quorumDown: Script | undefined;
  readonly sorry: Sorry | undefined;
  /** Mail about the quorum. */
  readonly alert: boolean;
  /** `passive_check`: failed connections of a second to one server that have it checked at once; undefined: none do. */
  readonly passive: number | undefined;
  /** `ha_suspend`: its checks run only while one of these addresses is on this host. */
  readonly suspendWithout: readonly Ip[] | undefined;
  /** Addresses of the director that FullNAT sends from. */
  readonly localAddresses?: readonly Ip[];
  readonly servers: readonly Server[];
}

export interface Sorry {
  readonly name: string;
  readonly dest: DestSpec;
  /** It stays in the table with weight 0 while it is not needed. */
  readonly inhibit: boolean;
}

export interface Server {
  readonly name: string;
  /** Its weight is the one it has before a check changes it. */
  readonly dest: DestSpec;
  /** Weight 0 when it fails, instead of being taken out. */
  readonly inhibit: boolean;
  /** Its weight grows to what it should be within this time after it has recovered; 0: at once. */
  readonly slowStart: Millis;
  /** Mail about each of its checks that changes, or only when it changes itself. */
  readonly alerts: "none" | "checks" | "changes";
  readonly notifyUp: Script | undefined;
  readonly notifyDown: Script | undefined;
  readonly checks: readonly Check[];
}

export interface Check {
  readonly type: Probe["type"];
  /** Failed tries that are forgiven. */
  readonly retry: number;
  readonly delayBeforeRetry: Millis;
  /** Good tries in a row that make it up again. */
  readonly rise: number;
  readonly flap: Flap | undefined;
  readonly delayLoop: Millis;
  /** The first try comes at random within this time. */
  readonly warmup: Millis;
  /** Counts as failed until its first success. */
  readonly alpha: boolean;
  readonly logAllFailures: boolean;
  /** HTTP: one page per run, all must be good. Else 1. */
  readonly pages: number;
  /** While it is down the next page follows at once. */
  readonly fastRecovery: boolean;
  readonly probe: Probe;
}

/** Who goes down more than `limit` times within `window` is up again only after `hold` without a failed try. */
export interface Flap {
  readonly limit: number;
  readonly window: Millis;
  readonly hold: Millis;
}

/** Where a check over the network goes and how. */
export interface Connection {
  readonly ip: Ip;
  readonly port: number;
  readonly timeout: Millis;
  readonly fromIp: Ip | undefined;
  readonly fromPort: number | undefined;
  readonly interface: string | undefined;
  /** 0: none. */
  readonly fwmark: number;
}

export interface Page {
  readonly path: string;
  readonly host: string;
  /** Statuses that are good, as ranges. */
  readonly statuses: readonly (readonly [number, number])[];
  /** MD5 sums in lower-case hex, one of which the body must have; none: not looked at. */
  readonly digests: readonly string[];
  readonly regex: PagePattern | undefined;
}

export interface PagePattern {
  /** Of a RegExp. */
  readonly source: string;
  readonly flags: string;
  /** It must not be found. */
  readonly not: boolean;
  /** Where a match may begin, in bytes. */
  readonly minOffset: number;
  readonly maxOffset: number | undefined;
}

/** What the certificate of a server must be. */
export interface CertificateRule {
  readonly verify: boolean;
  /** A file of authorities of its own. */
  readonly ca: string | undefined;
  /** The name or address it must be for. */
  readonly name: string;
  /** Fewer days left are told of; 0: never. */
  readonly expiryDays: number;
}

export type HttpVersion = "1.0" | "1.0C" | "1.1";
export type DnsType = "A" | "NS" | "CNAME" | "SOA" | "MX" | "TXT" | "AAAA" | "RRSIG" | "DNSKEY";

export type Probe =
  | { readonly type: "TCP_CHECK" | "PING_CHECK"; readonly to: Connection }
  | {
      readonly type: "HTTP_GET" | "SSL_GET";
      /** SSL_GET: of each page. */
      readonly certificates?: readonly CertificateRule[];
      readonly to: Connection;
      readonly version: HttpVersion;
      readonly pages: readonly Page[];
      /** The name told in TLS, of each page. */
      readonly sni: readonly (string | undefined)[];
    }
  | { readonly type: "SMTP_CHECK"; readonly to: Connection; readonly helo: string }
  | { readonly type: "DNS_CHECK"; readonly to: Connection; readonly query: DnsType; readonly name: string }
  | {
      readonly type: "UDP_CHECK";
      readonly to: Connection /** Hex. */;
      readonly payload: string;
      readonly reply: ReplyRule | undefined;
    }
  | {
      readonly type: "MISC_CHECK";
      readonly script: Script;
      readonly timeout: Millis;
      readonly dynamic: boolean;
      readonly weight: number;
    }
  | { readonly type: "FILE_CHECK"; readonly path: string; readonly weight: number; readonly reverse: boolean }
  /** Told by events. */
  | { readonly type: "BFD_CHECK"; readonly name: string };

/** What an answer over UDP must be. */
export interface ReplyRule {
  /** Hex, with X for four bits that are not compared. The answer may be longer. */
  readonly pattern: string;
  readonly minLength: number;
  readonly maxLength: number;
}
