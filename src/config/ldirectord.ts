import { familyOf, type Ip, parseIp } from "../net/ip.ts";
import { nearest, type Origin, type Problem } from "./source.ts";

/** Reader of ldirectord.cf (spec 6.2 to 6.5): a file of directives, and blocks of indented lines under `virtual`. */

export interface LdirectordConfig {
  readonly directives: Directives;
  readonly virtuals: readonly LdirectordVirtual[];
}

/** Directives by name, each with its value and place. The last one wins. */
export type Directives = Readonly<Record<string, Directive>>;
export interface Directive {
  readonly value: string;
  readonly origin: Origin;
}

export type LdirectordService =
  | { readonly by: "address"; readonly host: string; readonly ip?: Ip; readonly port: number | string }
  | { readonly by: "fwmark"; readonly fwmark: number; readonly family: "ipv4" | "ipv6" };

export interface LdirectordVirtual {
  readonly service: LdirectordService;
  readonly origin: Origin;
  readonly directives: Directives;
  readonly reals: readonly LdirectordReal[];
}

export interface LdirectordReal {
  readonly first: string;
  /** The end of a range of addresses. */
  readonly last?: string;
  readonly port?: number | string;
  readonly method: "route" | "nat" | "tunnel";
  readonly weight: number;
  readonly request?: string;
  readonly receive?: string;
  /** Connections; 0: no limit. */
  readonly lowerThreshold: number;
  readonly upperThreshold: number;
  readonly origin: Origin;
}

const NUMBERS = ["checktimeout", "negotiatetimeout", "checkinterval", "checkcount", "failurecount"];
const SWITCHES = ["autoreload", "supervised", "fork", "quiescent", "readdquiescent", "cleanstop", "ops"];
const QUOTED = ["callback", "logfile", "request", "receive", "login", "passwd", "database", "secret", "load"];
const BOTH = [
  ...[
    "checktimeout",
    "negotiatetimeout",
    "checkinterval",
    "checkcount",
    "failurecount",
    "fallback",
    "fallback6",
    "fallbackcommand",
  ],
  ...["emailalert", "emailalertfreq", "emailalertstatus", "smtp", "quiescent", "cleanstop"],
];
const GLOBAL = [
  ...BOTH,
  "autoreload",
  "callback",
  "logfile",
  "emailalertfrom",
  "execute",
  "supervised",
  "fork",
  "readdquiescent",
  "maintenancedir",
];
const VIRTUAL = [
  ...[
    ...BOTH,
    "real",
    "real6",
    "checktype",
    "service",
    "checkcommand",
    "checkport",
    "request",
    "receive",
    "httpmethod",
    "virtualhost",
  ],
  ...[
    "login",
    "passwd",
    "database",
    "secret",
    "load",
    "scheduler",
    "persistent",
    "netmask",
    "schedflags",
    "ops",
    "protocol",
    "monitorfile",
    "servicename",
    "comment",
  ],
];
const METHODS: Readonly<Record<string, LdirectordReal["method"]>> = { gate: "route", masq: "nat", ipip: "tunnel" };

export interface LdirectordResult {
  readonly config: LdirectordConfig;
  readonly problems: readonly Problem[];
}

type MutableVirtual = LdirectordVirtual & { directives: Record<string, Directive>; reals: LdirectordReal[] };

export function parseLdirectord(text: string, file = "ldirectord.cf"): LdirectordResult {
  const reader = new Reader(file);
  text.split("\n").forEach((line, i) => {
    reader.line(line.replace(/\r$/, ""), i + 1);
  });
  reader.end();
  return { config: { directives: reader.directives, virtuals: reader.virtuals }, problems: reader.problems };
}

class Reader {
  readonly directives: Record<string, Directive> = {};
  readonly virtuals: MutableVirtual[] = [];
  readonly problems: Problem[] = [];
  private readonly file: string;
  private current: MutableVirtual | undefined;
  private text = "";
  private number = 0;

  constructor(file: string) {
    this.file = file;
  }

  line(raw: string, number: number): void {
    this.text = raw;
    this.number = number;
    if (/^\s*#/.test(raw)) return;
    const indent = /^[ \t]*/.exec(raw)![0].replaceAll("\t", "    ").length;
    if (this.current !== undefined && indent >= 4 && raw.trim() !== "")
      this.inVirtual(raw.replace(/#.*$/, "").trim(), this.current);
    else {
      this.current = undefined; // an empty line ends a block
      if (raw.trim() !== "") this.atRoot(raw, indent);
    }
  }

  end(): void {
    for (const v of this.virtuals) {
      if (v.reals.length === 0 && v.directives.fallback === undefined && this.directives.fallback === undefined) {
        this.add("warning", v.origin, "virtual without a real server and without fallback");
      }
    }
  }

  private atRoot(raw: string, indent: number): void {
    const match = /^(\w+)\s*(?:=\s*(.*))?$/.exec(raw.trim());
    const name = match?.[1];
    if (indent > 0) this.error(1, "a directive outside a virtual block starts in the first column");
    else if (name === undefined) this.error(1, `unknown command "${raw.trim()}"`);
    else if (name === "virtual" || name === "virtual6") this.virtual(name, match?.[2] ?? "");
    else if (name === "timeout" || name === "connecttimeout")
      this.error(1, `${name} is deprecated`, name === "timeout" ? "negotiatetimeout" : "checktimeout");
    else this.set(name, match?.[2], GLOBAL, this.directives);
  }

  private virtual(name: string, value: string): void {
    const service = this.service(value, name === "virtual6");
    if (service === undefined) return;
    const key = JSON.stringify(service);
    if (this.virtuals.some((v) => JSON.stringify(v.service) === key && v.directives.protocol?.value === undefined))
      this.error(1, "duplicate virtual server");
    this.current = { service, origin: this.origin(1), directives: {}, reals: [] };
    this.virtuals.push(this.current);
  }

  private service(value: string, six: boolean): LdirectordService | undefined {
    if (/^\d+$/.test(value)) return { by: "fwmark", fwmark: Number(value), family: six ? "ipv6" : "ipv4" };
    const [, bracketed, host, port] = /^(?:\[([^\]]+)\]|([^:\s]+)):([\w-]+)$/.exec(value) ?? [];
    const name = bracketed ?? host;
    if (name === undefined || port === undefined) return this.error(1, `'${value}' is not ADDRESS:PORT or a mark`);
    const ip = parseIp(name);
    if (ip !== undefined && (familyOf(ip) === "ipv6") !== six)
      return this.error(1, `${ip} belongs under ${six ? "virtual" : "virtual6"}`);
    return { by: "address", host: name, ...(ip !== undefined && { ip }), port: /^\d+$/.test(port) ? Number(port) : port };
  }

  private inVirtual(body: string, virtual: MutableVirtual): void {
    const match = /^(\w+)\s*(?:=\s*(.*))?$/.exec(body);
    const column = this.text.length - this.text.trimStart().length + 1;
    if (match?.[1] === undefined) this.error(column, `unknown command "${body}"`);
    else if (match[1] === "real" || match[1] === "real6") this.real(match[2] ?? "", virtual, column);
    else this.set(match[1], match[2], VIRTUAL, virtual.directives);
  }

  /** `real = HOST[->HOST][:PORT] gate|masq|ipip [WEIGHT] ["REQUEST", "RECEIVE"] [l:N] [u:N]` (spec 6.5). */
  private real(value: string, virtual: MutableVirtual, column: number): void {
    const match = /^(\S+)\s+(\w+)(?:\s+(-?\d+)(?=\s|$))?\s*(.*)$/.exec(value);
    const address = /^(?:\[([^\]]+)\]|([^:[\]]+?))(?:->(?:\[([^\]]+)\]|([^:[\]]+)))?(?::([\w-]+))?$/.exec(match?.[1] ?? "");
    const method = METHODS[match?.[2] ?? ""];
    const rest = /^(?:"([^"]*)"(?:\s*[,\s]\s*"([^"]*)")?)?\s*(?:l:(\d+))?\s*(?:u:(\d+))?$/.exec(match?.[4] ?? "");
    if (match === null || address === null) this.error(column, `'${value}' is not HOST[:PORT] gate|masq|ipip [WEIGHT]`);
    else if (method === undefined)
      this.error(column, `'${match[2]}' is not one of gate, masq, ipip`, nearest(match[2]!, Object.keys(METHODS)));
    else if (rest === null) this.error(column, `'${match[4]}' is not understood`);
    else {
      const [, request, receive, lower, upper] = rest;
      const last = address[3] ?? address[4];
      const port = address[5];
      virtual.reals.push({
        first: address[1] ?? address[2]!,
        ...(last !== undefined && { last }),
        ...(port !== undefined && { port: /^\d+$/.test(port) ? Number(port) : port }),
        method,
        weight: Number(match[3] ?? 1),
        ...(request !== undefined && { request: request.startsWith("/") ? request : `/${request}` }),
        ...(receive !== undefined && { receive }),
        lowerThreshold: Number(lower ?? 0),
        upperThreshold: Number(upper ?? 0),
        origin: this.origin(column),
      });
    }
  }

  private set(name: string, value: string | undefined, known: readonly string[], into: Record<string, Directive>): void {
    const column = this.text.length - this.text.trimStart().length + 1;
    if (!known.includes(name)) this.error(column, `unknown command "${this.text.trim()}"`, nearest(name, known));
    else if (value === undefined && name !== "supervised") this.error(column, `${name} needs a value`);
    else {
      const plain = this.checked(name, (value ?? "yes").trim(), column);
      if (plain !== undefined) into[name] = { value: plain, origin: this.origin(column) };
    }
  }

  private checked(name: string, value: string, column: number): string | undefined {
    if (NUMBERS.includes(name) && !/^[1-9]\d*$/.test(value)) return this.error(column, `${name} is a number from 1`);
    if (SWITCHES.includes(name) && value !== "yes" && value !== "no") return this.error(column, `${name} is yes or no`);
    const quoted = /^"(.*)"$/.exec(value);
    if (QUOTED.includes(name) && quoted === null) return this.error(column, `the value of ${name} stands in quotes`);
    return name === "fallbackcommand" ? value : (quoted?.[1] ?? value);
  }

  private origin(column: number): Origin {
    return { file: this.file, line: this.number, column };
  }

  private error(column: number, message: string, suggestion?: string): undefined {
    this.add("error", this.origin(column), message, suggestion);
  }

  private add(severity: Problem["severity"], origin: Origin, message: string, suggestion?: string): void {
    const word = /^\S+/.exec(this.text.slice(origin.column - 1));
    const base: Problem = {
      severity,
      origin,
      message,
      text: origin.line === this.number ? this.text : "",
      length: word?.[0].length ?? 1,
    };
    this.problems.push(suggestion === undefined ? base : { ...base, suggestion });
  }
}
