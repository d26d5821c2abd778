import { familyOf, type Ip, ipBytes, parseIp } from "../../net/ip.ts";
import { first, readInt, wholeNumber } from "../args.ts";
import { nearest } from "../source.ts";
import type { Arg, Reading } from "../table.ts";
import type { Word } from "../tokens.ts";
import { isOldAddress } from "./global-args.ts";

/** Argument readers of virtual servers and their checks. Here the old words are translated (style: one name per thing). */

export type Method = "nat" | "route" | "tunnel" | "fullnat";

/** How packets reach a real server. */
export interface Forwarding {
  readonly method: Method;
  readonly tunnel?: {
    readonly type: "ipip" | "gue" | "gre";
    readonly port?: number;
    readonly checksum?: "csum" | "nocsum" | "remcsum";
  };
}

const METHODS: Readonly<Record<string, Method>> = { NAT: "nat", DR: "route", TUN: "tunnel" };
/** What the FullNAT forks say (spec 2.19). */
const FORK_METHODS: Readonly<Record<string, Method>> = { FNAT: "fullnat", FULLNAT: "fullnat" };

/** `NAT|DR|TUN [type ipip|gue port N|gre] [nocsum|csum|remcsum]` (spec 2.16), and FNAT of the FullNAT forks (spec 2.19). */
export const forwarding: Arg<Forwarding> = {
  usage: "NAT|DR|TUN|FNAT [type ipip|gue port N|gre] [nocsum|csum|remcsum]",
  read(r) {
    const word = first(r);
    if (word === undefined) return undefined;
    const known = r.dialect === undefined ? { ...METHODS, ...FORK_METHODS } : METHODS;
    const method = known[word.text];
    if (method === undefined)
      return r.error(word, `'${word.text}' is not one of ${wordsOf(known)}`, nearestMethod(word.text, known));
    return r.args.length === 1 ? { method } : { method, ...tunnelOptions(r) };
  },
};

/** FULLNAT means FNAT. */
const wordsOf = (known: object): string =>
  Object.keys(known)
    .filter((word) => word !== "FULLNAT")
    .join(", ");

const nearestMethod = (word: string, known: object): string | undefined =>
  Object.keys(known).find((method) => method === word.toUpperCase()) ?? nearest(word, Object.keys(known));

interface TunnelDraft {
  type: "ipip" | "gue" | "gre";
  port?: number;
  checksum?: "csum" | "nocsum" | "remcsum";
}

function tunnelOptions(r: Reading): { tunnel: TunnelDraft } {
  const tunnel: TunnelDraft = { type: "ipip" };
  for (let i = 1; i < r.args.length; i++) {
    const word = r.args[i]!;
    const value = r.args[i + 1];
    if (word.text === "type") {
      i++;
      if (value?.text === "ipip" || value?.text === "gue" || value?.text === "gre") tunnel.type = value.text;
      else r.error(value ?? word, `a tunnel is one of ipip, gue, gre`);
    } else if (word.text === "port") {
      i++;
      const port = value && readInt(r, value, 1, 65535);
      if (value === undefined) r.lacks(word);
      if (port !== undefined) tunnel.port = port;
    } else if (word.text === "csum" || word.text === "nocsum" || word.text === "remcsum") tunnel.checksum = word.text;
    else r.error(word, `'${word.text}' is not an option of a tunnel`);
  }
  checkTunnel(r, tunnel);
  return { tunnel };
}

function checkTunnel(r: Reading, t: TunnelDraft): void {
  if ((t.type === "gue") !== (t.port !== undefined)) r.error(r.keyword, "gue tunnels need a port, others have none");
  if (t.type === "ipip" && t.checksum !== undefined && t.checksum !== "nocsum")
    r.error(r.keyword, "ipip tunnels have no checksum");
  if (t.type === "gre" && t.checksum === "remcsum") r.error(r.keyword, "gre tunnels have no remote checksum");
}

/** A port: 0 or nothing means every port. Undefined when it is wrong (reported). */
function port(r: Reading, word: Word | undefined): number | undefined {
  if (word === undefined || /^\s*\+?0+$/.test(word.text) || word.text === "") return 0;
  return readInt(r, word, 1, 65535);
}

/** Says what is wrong with an address, and with a comma or a colon in it. */
function noAddress(r: Reading, word: Word): undefined {
  const dotted = word.text.replaceAll(",", ".");
  const [, ip, colon] = /^(\d+(?:\.\d+){3}):(\d+)$/.exec(word.text) ?? [];
  if (ip !== undefined)
    return r.error(word, `'${word.text}' is not an IP address; a blank stands before the port`, `${ip} ${colon}`);
  if (dotted !== word.text && parseIp(dotted) !== undefined) return r.error(word, `'${word.text}' is not an IP address`, dotted);
  return r.error(word, `'${word.text}' is not an IP address${/[a-z]/i.test(word.text) ? "; names are never resolved" : ""}`);
}

export interface AddressPort {
  readonly ip: Ip;
  /** 0: every port of the address. */
  readonly port: number;
}

export const addressPort: Arg<AddressPort> = {
  usage: "IP [PORT]",
  read(r) {
    const word = first(r);
    const ip = word && parseIp(word.text);
    if (word === undefined) return undefined;
    const number = port(r, r.args[1]);
    if (ip === undefined) return noAddress(r, word);
    return number === undefined ? undefined : { ip, port: number };
  },
};

/** A sorry server's port may be left out, but when it is written it counts from 1. */
export const sorryServer: Arg<AddressPort> = {
  usage: "IP [PORT]",
  read(r) {
    if (r.args[1] !== undefined && readInt(r, r.args[1], 1, 65535) === undefined) return undefined;
    return addressPort.read(r);
  },
};

/** What a virtual server listens for. */
export type VirtualService =
  | { readonly by: "address"; readonly ip: Ip; readonly port: number }
  | { readonly by: "fwmark"; readonly fwmark: number }
  | { readonly by: "group"; readonly group: string };

export const virtualService: Arg<VirtualService> = {
  usage: "IP [PORT] | fwmark N | group NAME",
  read(r) {
    const word = first(r);
    const value = r.args[1];
    if (word === undefined) return undefined;
    if (word.text === "group" || word.text === "fwmark") {
      if (value === undefined) return r.lacks(word);
      if (word.text === "group") return { by: "group", group: value.text };
      const fwmark = readInt(r, value, 0, 4294967295);
      if (fwmark === 0) return r.error(value, "mark 0 is no mark");
      return fwmark === undefined ? undefined : { by: "fwmark", fwmark };
    }
    const [address = "", ...prefix] = word.text.split("/");
    if (prefix.length > 0) r.warn(word, "a prefix length means nothing here, a service is one address");
    const ip = parseIp(address);
    if (ip === undefined) return noAddress(r, word);
    const number = port(r, value);
    return number === undefined ? undefined : { by: "address", ip, port: number };
  },
};

/** One line of a virtual_server_group. A range has its last address in `last`. */
export type GroupEntry =
  | { readonly by: "address"; readonly ip: Ip; readonly last: Ip; readonly port: number }
  | { readonly by: "fwmark"; readonly fwmark: number; readonly family?: "ipv4" | "ipv6" };

export const groupEntry: Arg<GroupEntry> = {
  usage: "IP[-IP|-LAST|/LENGTH] [PORT] | fwmark N [inet|inet6]",
  read(r) {
    const word = r.args[0];
    if (word === undefined) return undefined;
    if (word.text === "fwmark") return groupMark(r);
    const range = addressRange(r, word);
    const number = port(r, r.args[1]);
    return range === undefined || number === undefined ? undefined : { by: "address", ...range, port: number };
  },
};

/** Addresses of the director that FullNAT sends from. The forks name a device after them, where the address is set. */
export interface LocalAddresses {
  readonly ip: Ip;
  readonly last: Ip;
  readonly device?: string;
}

export const localAddresses: Arg<LocalAddresses> = {
  usage: "IP[-IP|-LAST|/LENGTH] [IF]",
  read(r) {
    const [word, device] = r.args;
    const range = word && addressRange(r, word);
    return range && { ...range, ...(device !== undefined && { device: device.text }) };
  },
};

function groupMark(r: Reading): GroupEntry | undefined {
  const [word, value, family] = r.args;
  if (value === undefined) return r.lacks(word ?? r.keyword);
  const fwmark = readInt(r, value, 0, 4294967295);
  if (fwmark === undefined) return undefined;
  if (family === undefined) return { by: "fwmark", fwmark };
  if (family.text === "inet" || family.text === "inet6")
    return { by: "fwmark", fwmark, family: family.text === "inet" ? "ipv4" : "ipv6" };
  return r.error(family, `'${family.text}' is not one of inet, inet6`);
}

function addressRange(r: Reading, word: Word): { ip: Ip; last: Ip } | undefined {
  const [, start = "", sign, end = ""] = /^([^-/]*)([-/])?(.*)$/.exec(word.text)!;
  const ip = parseIp(start);
  if (ip === undefined) return r.error(word, `'${word.text}' is not an IP address or a range`);
  if (sign === undefined) return { ip, last: ip };
  const last = sign === "/" ? endOfPrefix(r, word, ip, end) : endOfRange(r, word, ip, end);
  return last === undefined ? undefined : { ip, last };
}

function endOfPrefix(r: Reading, word: Word, ip: Ip, bits: string): Ip | undefined {
  const size = familyOf(ip) === "ipv4" ? 32 : 128;
  const length = wholeNumber(bits);
  if (!(length >= 1 && length <= size) || bits === "") return r.error(word, `prefix length '${bits}' is not in 1..${size}`);
  const hostBits = BigInt(size - length);
  const value = toBigInt(ip);
  if ((value >> hostBits) << hostBits !== value) return r.error(word, `${word.text} has bits set below its prefix`);
  return fromBigInt(value | ((1n << hostBits) - 1n), size);
}

function endOfRange(r: Reading, word: Word, ip: Ip, end: string): Ip | undefined {
  const size = familyOf(ip) === "ipv4" ? 32 : 128;
  const whole = parseIp(end);
  const start = toBigInt(ip);
  if (whole !== undefined && familyOf(whole) === familyOf(ip)) {
    return toBigInt(whole) >= start ? whole : r.error(word, "the range ends before it starts");
  }
  const [pattern, base, mask] = size === 32 ? [/^\d+$/, 10, 0xffn] : [/^[0-9a-fA-F]+$/, 16, 0xffffn];
  if (!pattern.test(end)) return r.error(word, `'${end}' is not the end of a range`);
  const tail = BigInt(Number.parseInt(end, base));
  if (tail > mask) return r.error(word, `the end '${end}' of the range is too large`);
  if (tail <= (start & mask)) return r.error(word, "the range ends before it starts");
  return fromBigInt((start & ~mask) | tail, size);
}

const toBigInt = (ip: Ip): bigint => ipBytes(ip).reduce((n, byte) => (n << 8n) | BigInt(byte), 0n);

function fromBigInt(value: bigint, size: 32 | 128): Ip {
  const parts: string[] = [];
  const step = size === 32 ? 8n : 16n;
  for (let shift = BigInt(size) - step; shift >= 0n; shift -= step) {
    parts.push(((value >> shift) & ((1n << step) - 1n)).toString(size === 32 ? 10 : 16));
  }
  return parseIp(parts.join(size === 32 ? "." : ":"))!;
}

const SH_ONLY = "only means something after lb_algo sh or mh";

/** A flag of the sh and mh schedulers; it must come after `lb_algo`. */
export const scheduledFlag: Arg<boolean> = {
  usage: "",
  read(r) {
    const scheduler = r.block.lbAlgo;
    return scheduler === "sh" || scheduler === "mh" ? true : r.error(r.keyword, `'${r.keyword.text}' ${SH_ONLY}`);
  },
};

export const persistence: Arg<number> = {
  usage: "[SECONDS (1..2678400)]",
  read: (r) => (r.args[0] === undefined ? 360 : readInt(r, r.args[0], 1, 2678400)),
};

/** Failures of a second: SYNs that a server leaves unanswered or answers with RST. */
export const passiveCheck: Arg<number> = {
  usage: "[FAILURES (1..)]",
  read: (r) => (r.args[0] === undefined ? 1 : readInt(r, r.args[0], 1, 4294967295)),
};

/** IPv4: a netmask; IPv6: a prefix length. The family is checked when the service is known. */
export const granularity: Arg<string> = {
  usage: "NETMASK|1..128",
  read(r) {
    const word = first(r);
    if (word === undefined) return undefined;
    const fits = isOldAddress(word.text) || (wholeNumber(word.text) >= 1 && wholeNumber(word.text) <= 128);
    return fits ? word.text : r.error(word, `'${word.text}' is not a netmask or a prefix length`);
  },
};

export const sorryWord = <T>(arg: Arg<T>): Arg<T> => ({
  usage: arg.usage,
  read(r) {
    if (r.block.sorryServer === undefined) return r.error(r.keyword, `'${r.keyword.text}' must follow sorry_server`);
    return arg.read(r);
  },
});

/** A quorum of 0 becomes 1 with a problem. */
export const quorum: Arg<number> = {
  usage: "N (1..)",
  read(r) {
    const word = first(r);
    return word && readInt(r, word, 1, 4294967295);
  },
};

/** `200`, `200-299`, several of them. */
export const statusCodes: Arg<readonly (readonly [number, number])[]> = {
  usage: "CODE|CODE-CODE… (100..599)",
  read(r) {
    return r.args.flatMap((word) => {
      const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(word.text) ?? [];
      const low = Number(from);
      const high = Number(to ?? from);
      if (low >= 100 && high <= 599 && low <= high) return [Object.freeze([low, high] as const)];
      r.error(word, `'${word.text}' is not a status code or a range of 100..599`);
      return [];
    });
  },
};

export const digest: Arg<string> = {
  usage: "MD5 (32 hex digits)",
  read(r) {
    const word = first(r);
    if (word === undefined) return undefined;
    if (word.text.length !== 32) return r.error(word, `an MD5 digest has 32 hex digits, this one has ${word.text.length}`);
    return /^[0-9a-fA-F]{32}$/.test(word.text) ? word.text.toLowerCase() : r.error(word, "an MD5 digest has hex digits only");
  },
};

/** Bytes as hex digits with spaces anywhere; with `mask`, X stands for four bits that are not compared. */
export const hexBytes = (mask: boolean, optional: boolean): Arg<string> => ({
  usage: optional ? "[HEX]" : "HEX",
  read(r) {
    if (r.args.length === 0) return optional ? "" : r.lacks(r.keyword);
    const text = r.args
      .map((w) => w.text)
      .join(" ")
      .trim();
    if (text === "") return r.error(r.args[0], "this is no byte at all");
    const pattern = mask ? /^[0-9a-fA-FxX\s]*$/ : /^[0-9a-fA-F\s]+$/;
    return pattern.test(text) ? text : r.error(r.args[0], `'${text}' is not hexadecimal`);
  },
});

/** A domain name; keepalived 2.2.7 wants the final dot left out and every label filled. */
export const domainName: Arg<string> = {
  usage: "NAME",
  read: (r) => first(r)?.text,
};

export const dnsTypes = ["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY"] as const;

export const regexText: Arg<string> = { usage: "REGEX", read: (r) => r.args.map((w) => w.text).join(" ") };
export const anyWords: Arg<readonly string[]> = { usage: "WORD…", read: (r) => r.args.map((w) => w.text) };
