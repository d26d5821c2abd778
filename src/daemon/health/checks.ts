import type { GlobalDefs, HttpGet, KeepalivedConfig, RealServer, VirtualServer } from "../../config/keywords.ts";
import { checksOf, type Check as FileCheck } from "../../config/values.ts";
import type { DestSpec } from "../../director/director.ts";
import type { CertificateRule, Check, Connection, Flap, Page, PagePattern, Probe, Script } from "../../health/config.ts";
import { defaultPayload } from "../../health/protocols/udp.ts";
import { familyOf } from "../../net/ip.ts";
import { firstPort } from "./services.ts";
import { hostOf } from "./tls.ts";

/** The checks of a real server with what they inherit (spec 2.18, 4.2). */

export interface Place {
  readonly config: KeepalivedConfig;
  readonly vs: VirtualServer;
  readonly rs: RealServer;
  readonly dest: DestSpec;
  /** What cannot be done is told here. */
  note(text: string): void;
}

const ms = (seconds: number): number => Math.round(seconds * 1000);
/** How often a file is read, ms. */
const FILE_LOOP = 1000;

export const checksFor = (p: Place): Check[] => checksOf(p.rs).flatMap((check) => checkOf(p, check));

/** None: it lacks what it needs. Several: an SMTP_CHECK with hosts. */
function checkOf(p: Place, check: FileCheck): Check[] {
  switch (check.type) {
    case "TCP_CHECK":
    case "PING_CHECK":
      return [timed(p, check.value, { type: check.type, to: connectionOf(p, check.value) })];
    case "HTTP_GET":
      return httpOf(p, check.type, check.value);
    case "SSL_GET":
      return httpOf(p, check.type, check.value, check.value);
    case "SMTP_CHECK": {
      const hosts = check.value.host.length > 0 ? check.value.host : [check.value];
      const helo = check.value.heloName;
      return hosts.map((host) => timed(p, check.value, { type: "SMTP_CHECK", to: connectionOf(p, host), helo }));
    }
    case "DNS_CHECK": {
      const { type, name } = check.value;
      return [timed(p, check.value, { type: "DNS_CHECK", to: connectionOf(p, check.value), query: type, name })];
    }
    case "UDP_CHECK": {
      const { payload, requireReply, minReplyLength: minLength, maxReplyLength: maxLength } = check.value;
      const reply = requireReply === undefined ? undefined : { pattern: requireReply, minLength, maxLength };
      return [
        timed(p, check.value, { type: "UDP_CHECK", to: connectionOf(p, check.value), payload: payload ?? defaultPayload, reply }),
      ];
    }
    case "MISC_CHECK":
      return miscOf(p, check.value);
    case "FILE_CHECK":
      return fileOf(p, check.value);
    case "BFD_CHECK":
      return bfdOf(p, check.value);
  }
}

/** Words that a check may have, and a real server or virtual server for its checks. */
type Damping = Pick<VirtualServer, "rise" | "fall" | "flapLimit" | "flapWindow" | "flapHold">;

type Timing = Partial<Pick<Check, "retry" | "alpha" | "logAllFailures">> & {
  readonly delayBeforeRetry: number | undefined;
  readonly warmup: number | undefined;
  readonly delayLoop: number | undefined;
};
type Timed = { readonly [K in keyof Timing]: Timing[K] | undefined } & Partial<Damping> & { readonly retry?: number | undefined };

/** checker ← real server ← virtual server ← the default of its kind. */
function timed({ config, vs, rs }: Place, c: Timed, probe: Probe): Check {
  const { type } = probe;
  const isHttp = type === "HTTP_GET" || type === "SSL_GET";
  const delayLoop = c.delayLoop ?? rs.delayLoop ?? vs.delayLoop;
  const usualDelay = isHttp ? 3 : type === "DNS_CHECK" ? delayLoop : 1;
  const usualRetry = type === "MISC_CHECK" ? 0 : type === "DNS_CHECK" ? 3 : 1;
  return {
    ...{ type, probe, pages: 1, fastRecovery: false },
    retry: retryOf(c) ?? retryOf(rs) ?? retryOf(vs) ?? usualRetry,
    rise: c.rise ?? rs.rise ?? vs.rise ?? 1,
    flap: flapOf(c, rs, vs),
    delayBeforeRetry: ms(c.delayBeforeRetry ?? rs.delayBeforeRetry ?? vs.delayBeforeRetry ?? usualDelay),
    delayLoop: ms(delayLoop),
    warmup: ms(c.warmup ?? rs.warmup ?? vs.warmup ?? delayLoop),
    alpha: c.alpha ?? rs.alpha ?? vs.alpha,
    logAllFailures: c.logAllFailures ?? config.globalDefs?.checkerLogAllFailures ?? false,
  };
}

/** `fall` says the same as `retry` and counts the last try too. */
const retryOf = ({ fall, retry }: Pick<Timed, "fall" | "retry">): number | undefined => (fall === undefined ? retry : fall - 1);

const FLAP = { window: 300, hold: 60 }; // seconds

function flapOf(c: Partial<Damping>, rs: Damping, vs: Damping): Flap | undefined {
  const limit = c.flapLimit ?? rs.flapLimit ?? vs.flapLimit ?? 0;
  const window = c.flapWindow ?? rs.flapWindow ?? vs.flapWindow ?? FLAP.window;
  const hold = c.flapHold ?? rs.flapHold ?? vs.flapHold ?? FLAP.hold;
  return limit === 0 ? undefined : { limit, window: ms(window), hold: ms(hold) };
}

type Connecting = Pick<
  RealServer["tcpCheck"][number],
  "connectIp" | "connectPort" | "bindto" | "bindPort" | "bindIf" | "connectTimeout" | "fwmark"
>;

/** `bind_port` without `bindto` means nothing to keepalived. */
const connectionOf = ({ config, vs, rs, dest }: Place, c: Connecting): Connection => ({
  ip: c.connectIp ?? dest.addr,
  port: c.connectPort ?? (rs.header.port || dest.port || firstPort(config, vs)),
  timeout: ms(c.connectTimeout ?? rs.connectTimeout ?? vs.connectTimeout ?? 5),
  ...{ fromIp: c.bindto, fromPort: c.bindto && c.bindPort, interface: c.bindIf, fwmark: c.fwmark },
});

function httpOf(p: Place, type: "HTTP_GET" | "SSL_GET", c: HttpGet, ssl?: RealServer["sslGet"][number]): Check[] {
  const to = connectionOf(p, c);
  const good = c.url.filter((url) => url.path !== undefined);
  if (good.length === 0) p.note(`${type} of ${p.dest.addr} is left out: it has no url with a path`);
  if (good.length === 0) return [];
  const own = c.virtualhost ?? p.rs.virtualhost ?? p.vs.virtualhost;
  const pages = good.map((url) => pageOf(p, url, url.virtualhost ?? own ?? hostText(to)));
  const sni = good.map((url) => (c.enableSni ? (c.sniName ?? url.virtualhost ?? own) : undefined));
  const certificates = ssl && good.map((url, i) => ruleOf(ssl, ssl.tlsName ?? sni[i] ?? url.virtualhost ?? own ?? to.ip));
  const probe = { type, to, version: c.httpProtocol, pages, sni, ...(certificates && { certificates }) };
  const check = timed(p, { ...c, retry: c.retry ?? c.nbGetRetry }, probe);
  return [{ ...check, pages: pages.length, fastRecovery: c.fastRecovery }];
}

const ruleOf = (c: RealServer["sslGet"][number], name: string): CertificateRule => ({
  ...{ verify: c.tlsVerify, ca: c.tlsCa, name: hostOf(name), expiryDays: c.tlsExpiryDays },
});

const hostText = ({ ip, port }: Connection): string => (familyOf(ip) === "ipv6" ? `[${ip}]:${port}` : `${ip}:${port}`);

type Url = HttpGet["url"][number];

/** Without a status, a digest or an expression 200 to 299 is wanted; with one of the others any status is good. */
function pageOf(p: Place, url: Url, host: string): Page {
  const digests = url.digest.map((entry) => entry.value);
  const regex = patternOf(p, url);
  const usual = digests.length === 0 && regex === undefined ? [200, 299] : [0, 999];
  const statuses = url.statusCode === undefined || url.statusCode.length === 0 ? [usual as [number, number]] : url.statusCode;
  return { path: url.path!, host, statuses, digests, regex };
}

const FLAGS: Readonly<Record<string, string>> = { caseless: "i", multiline: "m", dotall: "s" };

/** PCRE2's expressions as JavaScript's, which most are. One that is not is left out with a note. */
function patternOf(p: Place, url: Url): PagePattern | undefined {
  const written = url.regex ?? (url.regexNoMatch || undefined);
  if (written === undefined) return undefined;
  const [, inside = "", text = ""] = /^(?:\(\?([ims]+)\))?(.*)$/s.exec(written)!; // PCRE2 may have options in front
  const flags = new Set([...inside, ...(url.regexOptions ?? []).flatMap((word) => FLAGS[word.toLowerCase()] ?? [])]);
  const offset = (words: readonly string[] | undefined): number | undefined => {
    const n = Number(words?.[0] ?? "x");
    return Number.isInteger(n) && n >= 0 ? n : undefined;
  };
  try {
    return {
      source: new RegExp(text, [...flags].join("")).source,
      flags: [...flags].join(""),
      not: url.regexNoMatch !== undefined,
      minOffset: offset(url.regexMinOffset) ?? 0,
      maxOffset: offset(url.regexMaxOffset),
    };
  } catch {
    p.note(`regex '${text}' is left out: it is not an expression that can be used here`);
    return undefined;
  }
}

function miscOf(p: Place, c: RealServer["miscCheck"][number]): Check[] {
  if (c.miscPath === undefined || c.miscPath.length === 0) {
    p.note(`MISC_CHECK of ${p.dest.addr} is left out: it has no misc_path`);
    return [];
  }
  const script = scriptOf(p.config.globalDefs, { command: c.miscPath, ...c.user })!;
  const timeout = ms(c.miscTimeout === undefined || c.miscTimeout === 0 ? p.vs.delayLoop : c.miscTimeout);
  return [timed(p, c, { type: "MISC_CHECK", script, timeout, dynamic: c.miscDynamic, weight: p.dest.weight })];
}

function fileOf(p: Place, c: RealServer["fileCheck"][number]): Check[] {
  const file = p.config.trackFile.find((f) => f.header === c.trackFile);
  if (file?.file === undefined) {
    p.note(`FILE_CHECK of ${p.dest.addr} is left out: it has no file`);
    return [];
  }
  const { weight, reverse } = c.weight ?? file.weight;
  const probe = { type: "FILE_CHECK", path: file.file, weight, reverse } as const;
  const none = { delayBeforeRetry: 0, warmup: 0, delayLoop: FILE_LOOP / 1000, retry: 0, rise: 1, alpha: false };
  return [timed(p, { ...none, logAllFailures: undefined }, probe)];
}

/** Nothing is tried: the session tells, once for each turn. One that tells only VRRP tells nothing here. */
function bfdOf(p: Place, { name, alpha }: RealServer["bfdCheck"][number]): Check[] {
  const bfd = p.config.bfdInstance.find((b) => b.header === name);
  if (name === undefined || bfd === undefined || (bfd.vrrp && !bfd.checker)) {
    p.note(`BFD_CHECK of ${p.dest.addr} is left out: no bfd_instance '${name}' tells the checkers`);
    return [];
  }
  const none = { delayBeforeRetry: 0, warmup: 0, delayLoop: 0, retry: 0, rise: 1, flapLimit: 0 };
  return [timed(p, { ...none, alpha, logAllFailures: undefined }, { type: "BFD_CHECK", name })];
}

/** A script with who runs it. */
export function scriptOf(
  g: GlobalDefs | undefined,
  s: { readonly command: readonly string[]; readonly user?: string; readonly group?: string } | undefined,
): Script | undefined {
  if (s === undefined || s.command.length === 0) return undefined;
  const { user, group } = s.user === undefined ? (g?.scriptUser ?? { user: undefined, group: undefined }) : s;
  return { command: s.command, user, group };
}
