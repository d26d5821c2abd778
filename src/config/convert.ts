import { familyOf, type Ip, ipFromUint32, parseIp, uint32FromIp } from "../net/ip.ts";
import type { LdirectordConfig, LdirectordReal, LdirectordVirtual } from "./ldirectord.ts";
import type { Origin } from "./source.ts";

/** ldirectord.cf as a keepalived.conf: the same services, servers and checks, as far as keepalived has words for them. */

export interface Converted {
  readonly text: string;
  /** What could not be said in keepalived's words. */
  readonly notes: readonly { readonly origin: Origin; readonly message: string }[];
}

/** Ports by their names in /etc/services. */
export type PortOf = (name: string, protocol: string) => number | undefined;

export function convertLdirectord(config: LdirectordConfig, portOf: PortOf = () => undefined): Converted {
  const writer = new Writer(config, portOf);
  writer.globals();
  for (const virtual of config.virtuals) writer.virtual(virtual);
  return { text: writer.text(), notes: writer.notes };
}

const KINDS = { route: "DR", nat: "NAT", tunnel: "TUN" } as const;
const FALLBACKS: Readonly<Record<string, string>> = { gate: "DR", masq: "NAT", ipip: "TUN" };
/** Addresses that one `->` may stand for. */
const MOST = 1024;
/** The service that is checked when none is named (spec 6.4). */
const SERVICES: Readonly<Record<number, string>> = {
  ...{ 21: "ftp", 25: "smtp", 53: "dns", 80: "http", 110: "pop", 119: "nntp", 143: "imap", 389: "ldap", 443: "https" },
  ...{ 587: "submission", 636: "ldaps", 993: "imaps", 995: "pops", 1521: "oracle", 1812: "radius", 3128: "http_proxy" },
  ...{ 3306: "mysql", 5060: "sip", 5432: "pgsql" },
};
/** Directives that are about ldirectord itself. */
const OWN = [
  "callback",
  "logfile",
  "execute",
  "supervised",
  "fork",
  "autoreload",
  "maintenancedir",
  "readdquiescent",
  "cleanstop",
];

/** What a virtual block means with its defaults. */
interface Meaning {
  readonly virtual: LdirectordVirtual;
  readonly protocol: "tcp" | "udp" | undefined;
  readonly port: number;
  /** As ldirectord tells it to scripts: "10.0.0.1", or the mark. */
  readonly address: string;
  get(name: string): string | undefined;
}

class Writer {
  readonly notes: { origin: Origin; message: string }[] = [];
  private readonly lines: string[] = [];
  private depth = 0;
  private readonly config: LdirectordConfig;
  private readonly portOf: PortOf;

  constructor(config: LdirectordConfig, portOf: PortOf) {
    this.config = config;
    this.portOf = portOf;
  }

  text = (): string => `${this.lines.join("\n").trimEnd()}\n`;

  private put(...words: readonly (string | number)[]): void {
    this.lines.push("    ".repeat(this.depth) + words.join(" "));
  }

  private block(head: string, body: () => void): void {
    this.put(head, "{");
    this.depth++;
    body();
    this.depth--;
    this.put("}");
  }

  private note(origin: Origin, message: string): undefined {
    this.notes.push({ origin, message });
    this.put(`# ${message}`);
  }

  globals(): void {
    const { emailalert, emailalertfrom, smtp } = this.config.directives;
    for (const name of OWN) {
      const directive = this.config.directives[name];
      if (directive !== undefined) this.note(directive.origin, `${name} is ldirectord's own and left out`);
    }
    if (emailalert === undefined) return;
    this.block("global_defs", () => {
      this.block("notification_email", () => {
        for (const address of emailalert.value.split(/[\s,]+/)) this.put(address);
      });
      if (emailalertfrom !== undefined) this.put("notification_email_from", emailalertfrom.value);
      this.put("smtp_server", smtp?.value ?? "127.0.0.1");
      this.put("smtp_alert_checker");
    });
    this.put("");
  }

  virtual(virtual: LdirectordVirtual): void {
    const meaning = this.meaningOf(virtual);
    if (meaning === undefined) return;
    const { service } = virtual;
    const head = service.by === "fwmark" ? `fwmark ${service.fwmark}` : `${meaning.address} ${meaning.port}`;
    this.block(`virtual_server ${head}`, () => {
      if (service.by === "fwmark" && service.family === "ipv6") this.put("ip_family inet6");
      this.service(meaning);
      for (const real of virtual.reals) this.reals(meaning, real);
    });
    this.put("");
  }

  private meaningOf(virtual: LdirectordVirtual): Meaning | undefined {
    const { service, directives, origin } = virtual;
    const get = (name: string): string | undefined => (directives[name] ?? this.config.directives[name])?.value;
    if (service.by === "fwmark") return { virtual, protocol: undefined, port: 0, address: String(service.fwmark), get };
    const isDns = service.port === 53 || service.port === "domain";
    const protocol = (directives.protocol?.value ?? (isDns ? "udp" : "tcp")) === "udp" ? "udp" : "tcp";
    const port = this.port(service.port, protocol);
    if (service.ip === undefined)
      return this.note(origin, `virtual ${service.host}: keepalived resolves no names, write its address`);
    if (port === undefined)
      return this.note(origin, `virtual ${service.host}: the port '${service.port}' is not in /etc/services`);
    return { virtual, protocol, port, address: service.ip, get };
  }

  private readonly port = (port: number | string, protocol: string): number | undefined =>
    typeof port === "number" ? port : this.portOf(port, protocol);

  private service(meaning: Meaning): void {
    const { virtual, protocol, get } = meaning;
    const { directives } = virtual;
    if (protocol !== undefined) this.put("protocol", protocol.toUpperCase());
    this.put("lb_algo", get("scheduler") ?? "wrr");
    for (const flag of directives.schedflags?.value.split(/[\s,]+/) ?? []) this.put(flag);
    this.put("lb_kind", kindOf(virtual));
    this.put("delay_loop", get("checkinterval") ?? 10);
    const retry = retriesOf(meaning);
    if (retry > 0) this.put("retry", retry); // 0 is for checks only
    if (retry > 0) this.put("delay_before_retry", get("checkinterval") ?? 10);
    this.put("connect_timeout", timeoutOf(meaning));
    if (directives.persistent !== undefined) this.put("persistence_timeout", directives.persistent.value);
    if (directives.netmask !== undefined) this.put("persistence_granularity", directives.netmask.value);
    if (directives.ops?.value === "yes" && protocol === "udp") this.put("ops");
    if (get("quiescent") === "yes") this.put("inhibit_on_failure");
    this.fallback(meaning);
  }

  private fallback({ virtual, address, port, protocol, get }: Meaning): void {
    const isSix = virtual.service.by === "fwmark" ? virtual.service.family === "ipv6" : address.includes(":");
    const fallback = get(isSix ? "fallback6" : "fallback");
    const origin = (virtual.directives.fallback ?? virtual.directives.fallback6 ?? virtual).origin;
    const command = get("fallbackcommand")?.replace(/^"(.*)"$/, "$1");
    const target = protocol === undefined ? `FWM:${address}` : `${address}:${port} ${protocol}`;
    if (command !== undefined) {
      this.put(`quorum_down "${command} start ${target}"`);
      this.put(`quorum_up "${command} stop ${target}"`);
    }
    if (fallback === undefined) return;
    const [, six, four, name, method] = /^(?:\[([^\]]+)\]|([^:\s]+))(?::([\w-]+))?(?:\s+(gate|masq|ipip))?$/.exec(fallback) ?? [];
    const ip = parseIp(six ?? four ?? "");
    const own = name === undefined ? port : this.port(/^\d+$/.test(name) ? Number(name) : name, protocol ?? "tcp");
    if (ip === undefined || own === undefined) {
      this.note(origin, `fallback ${fallback}: keepalived wants an address and a port`);
      return;
    }
    this.put("sorry_server", ip, ...(own > 0 ? [own] : []));
    const kind = FALLBACKS[method ?? "gate"]!;
    if (kind !== kindOf(virtual)) this.put("sorry_server_lvs_method", kind);
  }

  private reals(meaning: Meaning, real: LdirectordReal): void {
    const protocol = meaning.protocol ?? "tcp";
    const port = this.port(real.port ?? 0, protocol);
    const [first, last] = [parseIp(real.first), parseIp(real.last ?? real.first)];
    if (first === undefined || last === undefined)
      this.note(real.origin, `real ${real.first}: keepalived resolves no names, write its address`);
    else if (port === undefined) this.note(real.origin, `real ${real.first}: the port '${real.port}' is not in /etc/services`);
    else for (const ip of rangeOf(first, last)) this.real(meaning, real, ip, port);
  }

  private real(meaning: Meaning, real: LdirectordReal, ip: Ip, port: number): void {
    // DR and TUN leave the port as it is, and a mark knows none.
    const own = real.method === "nat" ? port : meaning.port;
    this.block(`real_server ${ip}${own > 0 ? ` ${own}` : ""}`, () => {
      if (KINDS[real.method] !== kindOf(meaning.virtual)) this.put("lvs_method", KINDS[real.method]);
      this.put("weight", real.weight);
      if (real.upperThreshold > 0) this.put("uthreshold", real.upperThreshold);
      if (real.lowerThreshold > 0) this.put("lthreshold", real.lowerThreshold);
      this.check(meaning, real, ip, port || meaning.port);
    });
  }

  private check(meaning: Meaning, real: LdirectordReal, ip: Ip, port: number): void {
    const { directives, origin } = meaning.virtual;
    const type = directives.checktype?.value ?? "negotiate";
    const checkport = directives.checkport === undefined ? port : Number(directives.checkport.value);
    if (type === "on" || type === "off") return;
    if (type === "external" || type === "external-perl") this.external(meaning, ip, port, type);
    else if (type === "ping" || (type === "connect" && meaning.protocol === "udp")) this.simple(meaning, "PING_CHECK", undefined);
    else if (type === "connect") this.simple(meaning, "TCP_CHECK", checkport);
    else this.negotiate(meaning, real, checkport);
    if (/^\d+$/.test(type)) this.note(origin, `checktype ${type} becomes negotiate: keepalived does the same check every time`);
  }

  /** One failure is enough where ldirectord says so; keepalived forgives one. */
  private checkBlock(meaning: Meaning, type: string, body: () => void): void {
    this.block(type, () => {
      if (retriesOf(meaning) === 0) this.put("retry 0");
      body();
    });
  }

  private simple(meaning: Meaning, type: string, port: number | undefined): void {
    this.checkBlock(meaning, type, () => {
      if (port !== undefined && port > 0) this.put("connect_port", port);
    });
  }

  private external(meaning: Meaning, ip: Ip, port: number, type: string): void {
    const { virtual, address, port: vport, get } = meaning;
    const command = (virtual.directives.checkcommand?.value ?? "/bin/true").replace(/^"(.*)"$/, "$1");
    const program = type === "external-perl" ? `/usr/bin/perl ${command}` : command;
    this.checkBlock(meaning, "MISC_CHECK", () => {
      this.put(`misc_path "${program} ${address} ${vport} ${ip} ${port}"`);
      this.put("misc_timeout", get("checktimeout") ?? get("negotiatetimeout") ?? 5);
    });
  }

  private negotiate(meaning: Meaning, real: LdirectordReal, port: number): void {
    const { directives } = meaning.virtual;
    const service = directives.service?.value ?? SERVICES[port] ?? "none";
    const request = real.request ?? directives.request?.value ?? "/";
    if (service === "http" || service === "https")
      this.page(service === "http" ? "HTTP_GET" : "SSL_GET", meaning, real, request, port);
    else if (service === "smtp" || service === "submission") this.simple(meaning, "SMTP_CHECK", port);
    else if (service === "dns") this.dns(meaning, request, port);
    else if (service !== "none") this.stranger(meaning, service, port);
  }

  private dns(meaning: Meaning, request: string, port: number): void {
    const { virtual, protocol } = meaning;
    if (protocol === "tcp") this.note(virtual.origin, "dns over TCP becomes a DNS_CHECK, which asks over UDP");
    this.checkBlock(meaning, "DNS_CHECK", () => {
      this.put("type A");
      this.put("name", request.replace(/^\//, "") || ".");
      if (port > 0) this.put("connect_port", port);
    });
  }

  /** A service that keepalived has no check for. */
  private stranger(meaning: Meaning, service: string, port: number): void {
    const { virtual, protocol } = meaning;
    const type = protocol === "udp" ? "PING_CHECK" : "TCP_CHECK";
    this.note(virtual.origin, `the check of ${service} becomes a ${type}; a MISC_CHECK with a script can do more`);
    this.simple(meaning, type, protocol === "udp" ? undefined : port);
  }

  private page(type: string, meaning: Meaning, real: LdirectordReal, request: string, port: number): void {
    const { directives } = meaning.virtual;
    const receive = real.receive ?? directives.receive?.value ?? "";
    const path = `/${request.replace(/^\w+:\/\/[^/]*/, "").replace(/^\/+/, "")}`;
    if (directives.httpmethod?.value.toUpperCase() === "HEAD") this.note(directives.httpmethod.origin, "HEAD becomes GET");
    this.checkBlock(meaning, type, () => {
      if (directives.virtualhost !== undefined) this.put("virtualhost", directives.virtualhost.value.replaceAll('"', ""));
      if (type === "SSL_GET" && directives.virtualhost !== undefined) this.put("enable_sni");
      this.block("url", () => {
        this.put("path", /[\s{}"#!]/.test(path) ? `"${path}"` : path);
        if (receive !== "") this.put(`regex "${receive.replaceAll(/["\\]/g, "\\$&")}"`);
      });
      if (port > 0) this.put("connect_port", port);
    });
  }
}

const retriesOf = ({ get }: Meaning): number => Number(get("failurecount") ?? 1) - 1;

const kindOf = (virtual: LdirectordVirtual): string => KINDS[virtual.reals[0]?.method ?? "route"];

/** Each of the two timeouts defaults to the other (spec 6.3). */
function timeoutOf({ virtual, get }: Meaning): string | number {
  const negotiates = (virtual.directives.checktype?.value ?? "negotiate") === "negotiate";
  const [first, second] = negotiates ? ["negotiatetimeout", "checktimeout"] : ["checktimeout", "negotiatetimeout"];
  return get(first!) ?? get(second!) ?? (negotiates ? 30 : 5);
}

function rangeOf(first: Ip, last: Ip): Ip[] {
  if (familyOf(first) === "ipv6" || familyOf(last) === "ipv6") return [first];
  const [from, to] = [uint32FromIp(first), uint32FromIp(last)];
  return Array.from({ length: Math.max(1, Math.min(to - from + 1, MOST)) }, (_, i) => ipFromUint32(from + i));
}
