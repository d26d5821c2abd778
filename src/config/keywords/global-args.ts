import { type Ip, parseIp } from "../../net/ip.ts";
import { checkUser, first, int, isMulticast, readInt, type Script, script, wholeNumber } from "../args.ts";
import { nearest } from "../source.ts";
import type { Arg, Reading } from "../table.ts";
import type { Word } from "../tokens.ts";

/** Argument readers that only global_defs has. */

export interface MailServer {
  readonly host: string;
  readonly port: number;
}

/** The one place where a host name is allowed (spec 2.8). */
export const mailServer: Arg<MailServer> = {
  usage: "HOST|IP [PORT]",
  read(r) {
    const host = first(r);
    if (host === undefined) return undefined;
    const port = r.args[1] === undefined ? 25 : readInt(r, r.args[1], 1, 65535);
    const numeric = isOldAddress(host.text) || parseIp(host.text) !== undefined;
    const known = numeric || (host.text !== "" && (r.facts.resolves?.(host.text) ?? true));
    if (!known) return r.error(host, `mail server '${host.text}' is not found`);
    return port === undefined ? undefined : { host: host.text, port };
  },
};

/** A number, or up to four with dots: what inet_aton takes for an IPv4 address. */
export function isOldAddress(text: string): boolean {
  const parts = text.split(".");
  return parts.length <= 4 && parts.every((part) => /^(\d+|0[xX][0-9a-fA-F]+)$/.test(part) && Number(part) <= 4294967295);
}

/** A script of the parent process: there is no running without its user. */
export const parentScript: Arg<Script> = {
  usage: script.usage,
  read(r) {
    const word = first(r);
    if (word === undefined) return undefined;
    if (word.text === "") return r.error(word, "the script has no name");
    return checkUser(r, r.args[1], r.args[2]) ? script.read(r) : undefined;
  },
};

/** A real-time priority: outside 1..99 it is moved inside, with a problem. */
export const realTimePriority: Arg<number> = {
  usage: "N (1..99)",
  read(r) {
    const word = first(r);
    const n = word && readInt(r, word, -2147483648, 2147483647);
    if (n === undefined) return undefined;
    if (n < 1 || n > 99) r.error(word, `${word?.text} is outside 1..99`);
    return Math.min(99, Math.max(1, n));
  },
};

export const cpuList: Arg<readonly number[]> = {
  usage: "CPU…",
  read(r) {
    if (first(r) === undefined) return undefined;
    const most = (r.facts.cpus ?? 1024) - 1;
    return r.args.flatMap((word) => readInt(r, word, 0, most) ?? []);
  },
};

const MASK_BITS = /^I[RWX](USR|GRP|OTH)$/;

/** A number with C's prefixes up to 0777, or bits like IRUSR|IWUSR. */
export const umask: Arg<number> = {
  usage: "NUMBER|BITS",
  read(r) {
    const word = first(r);
    if (word === undefined) return undefined;
    if (/^\d/.test(word.text)) return numericMask(r, word);
    const text = r.args.map((w) => w.text).join("");
    const bits = text.split("|");
    const wrong = bits.find((bit) => !MASK_BITS.test(bit));
    return wrong === undefined
      ? bits.reduce((mask, bit) => mask | bitOf(bit), 0)
      : r.error(word, `'${wrong}' is not a bit like IRUSR`);
  },
};

function numericMask(r: Reading, word: Word): number | undefined {
  const base = /^0[xX]/.test(word.text) ? 16 : word.text.startsWith("0") ? 8 : 10;
  const digits = base === 16 ? word.text.slice(2) : word.text;
  const pattern = base === 16 ? /^[0-9a-fA-F]+$/ : base === 8 ? /^[0-7]+$/ : /^\d+$/;
  if (r.args.length > 1) return r.error(r.args[1], "umask takes one number");
  const mask = Number.parseInt(digits, base);
  return pattern.test(digits) && mask <= 0o777 ? mask : r.error(word, `'${word.text}' is not a file mode mask`);
}

function bitOf(bit: string): number {
  const shift = { USR: 6, GRP: 3, OTH: 0 }[bit.slice(2)] ?? 0;
  return ({ R: 4, W: 2, X: 1 }[bit[1]!] ?? 0) << shift;
}

export interface LvsTimeouts {
  readonly tcp?: number;
  readonly tcpfin?: number;
  readonly udp?: number;
}

export const lvsTimeouts: Arg<LvsTimeouts> = {
  usage: "[tcp SECONDS] [tcpfin SECONDS] [udp SECONDS] (0..2678400)",
  read(r) {
    const out: { tcp?: number; tcpfin?: number; udp?: number } = {};
    if (r.args.length < 2) return r.error(r.keyword, "lvs_timeouts needs at least one of tcp, tcpfin, udp");
    for (let i = 0; i < r.args.length; i += 2) {
      const option = r.args[i]!;
      const value = r.args[i + 1];
      const known = option.text === "tcp" || option.text === "tcpfin" || option.text === "udp" ? option.text : undefined;
      if (known === undefined) r.error(option, `'${option.text}' is not one of tcp, tcpfin, udp`);
      else if (value === undefined) r.lacks(option);
      else {
        const n = readInt(r, value, 0, 2678400);
        if (n !== undefined) out[known] = n;
      }
    }
    return out;
  },
};

/** Which instance the sync daemon follows, and how it sends (spec 4.12). */
export interface SyncDaemon {
  readonly interface: string;
  readonly instance?: string;
  readonly id?: number;
  readonly maxlen?: number;
  readonly port?: number;
  readonly ttl?: number;
  readonly group?: Ip;
}

const SYNC_RANGES: Readonly<Record<string, readonly [number, number]>> = {
  id: [0, 255],
  maxlen: [1, 65507],
  port: [1, 65535],
  ttl: [1, 255],
};

export const syncDaemon: Arg<SyncDaemon> = {
  usage: "IF [[inst] INSTANCE] [id 0..255] [maxlen 1..65507] [port 1..65535] [ttl 1..255] [group IP]",
  read(r) {
    const dev = first(r);
    if (dev === undefined) return undefined;
    if (dev.text.length > 15) return r.error(dev, "an interface name has at most 15 characters");
    const out: Record<string, unknown> = { interface: dev.text };
    for (let i = 1; i < r.args.length; ) i = syncOption(r, out, i);
    return out as unknown as SyncDaemon;
  },
};

/** Reads the option at `i` and returns where the next one stands. */
function syncOption(r: Reading, out: Record<string, unknown>, i: number): number {
  const option = r.args[i]!;
  const value = r.args[i + 1];
  const range = SYNC_RANGES[option.text];
  if (range !== undefined || option.text === "group" || option.text === "inst") {
    if (value === undefined) r.lacks(option);
    else if (option.text === "inst") out.instance = value.text;
    else if (option.text === "group") out.group = syncGroup(r, value);
    else if (range !== undefined) out[option.text] = readInt(r, value, range[0], range[1]);
    return i + 2;
  }
  if (i > 1)
    r.error(
      option,
      `'${option.text}' is not an option of lvs_sync_daemon`,
      nearest(option.text, [...Object.keys(SYNC_RANGES), "group"]),
    );
  out.instance = option.text;
  return i + 1;
}

function syncGroup(r: Reading, value: Word): Ip | undefined {
  const ip = parseIp(value.text);
  if (ip === undefined) return r.error(value, `'${value.text}' is not an IP address`);
  return isMulticast(ip) ? ip : r.error(value, `${ip} is not a multicast address`);
}

export const maxAutoPriority: Arg<number> = {
  usage: "[N (-1..99)]",
  read: (r) => (r.args[0] === undefined ? 99 : readInt(r, r.args[0], -1, 99)),
};

export const rxPolicy: Arg<"MTU" | "ADVERT" | number> = {
  usage: "MTU|ADVERT|BYTES",
  read(r) {
    const word = first(r);
    const upper = word?.text.toUpperCase();
    return upper === "MTU" || upper === "ADVERT" ? upper : int(0, 4294967295).read(r);
  },
};

/** `[all] SECONDS`. */
export interface ExtraInterface {
  readonly all: boolean;
  /** 0 turns it off. */
  readonly seconds: number;
}

export const extraInterface = (min: number): Arg<ExtraInterface> => ({
  usage: `[all] SECONDS (${min}..86400)`,
  read(r) {
    const all = r.args[0]?.text === "all";
    const word = r.args[all ? 1 : 0];
    if (word === undefined) return r.error(r.keyword, `'${r.keyword.text}' needs seconds`);
    if (r.args.length > (all ? 2 : 1)) return r.error(r.args[0], `'${r.args[0]?.text}' is not 'all'`);
    const seconds = readInt(r, word, min, min === 0 ? 4294967295 : 86400);
    return seconds === undefined ? undefined : { all, seconds };
  },
});

export const dynamicInterfaces: Arg<"" | "allow_if_changes"> = {
  usage: "[allow_if_changes]",
  read(r) {
    const word = r.args[0];
    if (word === undefined || word.text === "allow_if_changes") return word === undefined ? "" : "allow_if_changes";
    return r.error(word, `'${word.text}' is not 'allow_if_changes'`);
  },
};

export const flushOnStop: Arg<"all" | "VS"> = {
  usage: "[VS]",
  read(r) {
    const word = r.args[0];
    return word === undefined ? "all" : word.text === "VS" ? "VS" : r.error(word, `'${word.text}' is not 'VS'`);
  },
};

const INCLUDE_CHECKS = ["read", "match", "wildcard_match", "brace_match"];

/** Which failures of `include` count; the reader of lines handles the suffixes, this only checks the words. */
export const includeCheck: Arg<readonly string[]> = {
  usage: "[[+|-]read|match|wildcard_match|brace_match]…",
  read(r) {
    if (r.args.length === 0) return INCLUDE_CHECKS;
    for (const word of r.args) {
      const name = word.text.replace(/^[+-]/, "");
      if (!INCLUDE_CHECKS.includes(name))
        r.error(word, `'${word.text}' is not one of ${INCLUDE_CHECKS.join(", ")}`, nearest(name, INCLUDE_CHECKS));
    }
    return r.args.map((w) => w.text);
  },
};

/** `priority` of a firewall chain: any 32-bit number. */
export const chainPriority: Arg<number> = { ...int(-2147483648, 2147483647), usage: "N" };

/** A number of bytes, alone. */
export const onlyBytes: Arg<number> = {
  usage: "BYTES",
  read: (r) => (r.args.length > 1 ? r.error(r.args[1], `'${r.keyword.text}' takes one value`) : bytes.read(r)),
};

/** A number of bytes. */
export const bytes: Arg<number> = {
  usage: "BYTES",
  read(r) {
    const word = first(r);
    if (word === undefined) return undefined;
    const n = wholeNumber(word.text);
    return n >= 0 && n <= 4294967295 ? n : r.error(word, `'${word.text}' is not a number of bytes`);
  },
};
