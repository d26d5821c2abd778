import { familyOf, type Ip, parseIp } from "../../net/ip.ts";
import { wholeNumber } from "../args.ts";
import type { Reading } from "../table.ts";
import type { Word } from "../tokens.ts";

/** Walks over the words of an entry line (an address, a route, a rule) and reports what it does not get. */
export class Cursor {
  readonly r: Reading;
  private at = 0;

  constructor(r: Reading) {
    this.r = r;
  }

  next(): Word | undefined {
    return this.r.args[this.at++];
  }

  peek(): Word | undefined {
    return this.r.args[this.at];
  }

  /** The value of an option, or a problem at the option. */
  value(option: Word): Word | undefined {
    const word = this.r.args[this.at++];
    return word ?? this.r.lacks(option);
  }

  int(option: Word, min: number, max: number): number | undefined {
    const word = this.value(option);
    if (word === undefined) return undefined;
    const n = wholeNumber(word.text);
    if (n >= min && n <= max) return n;
    return this.r.error(
      word,
      Number.isNaN(n) ? `'${word.text}' is not a whole number` : `${word.text} is outside ${min}..${max}`,
    );
  }

  /** A number, or a name of a table of /etc/iproute2. Numbers take C's prefixes and are cut to 32 bits. */
  named(option: Word, table: string, max: number): string | number | undefined {
    const word = this.value(option);
    if (word === undefined) return undefined;
    const n = cNumber(word.text);
    if (!Number.isNaN(n)) return n >= 0 && n <= max ? n : this.r.error(word, `${word.text} is outside 0..${max}`);
    return this.isKnown(word.text, table) ? word.text : this.r.error(word, `'${word.text}' is not in ${table}`);
  }

  isKnown(name: string, table: string): boolean {
    const names = this.r.facts.names?.[table] ?? STANDARD[table];
    return names === undefined || names.has(name);
  }

  ip(option: Word): Ip | undefined {
    const word = this.value(option);
    return word && (parseIp(word.text) ?? this.r.error(word, `'${word.text}' is not an IP address`));
  }

  interface(option: Word): string | undefined {
    const word = this.value(option);
    if (word === undefined) return undefined;
    const known = this.r.facts.interfaces;
    if (known !== undefined && !known.has(word.text)) this.r.absent(word, word.text);
    return word.text;
  }
}

/** An address with its prefix length; the full length when none is written. */
export interface Prefix {
  readonly ip: Ip;
  readonly length: number;
}

/** `IP[/LENGTH]`, `default` and its names. Problems are reported; undefined when there is no address at all. */
export function readPrefix(r: Reading, word: Word, family?: "ipv4" | "ipv6"): Prefix | undefined {
  const [address = "", bits, ...more] = word.text.split("/");
  const ip = more.length > 0 ? undefined : parseIp(address);
  if (ip === undefined || (family !== undefined && familyOf(ip) !== family)) {
    return r.error(word, `'${word.text}' is not an ${family ?? "IP"} address`);
  }
  const most = familyOf(ip) === "ipv4" ? 32 : 128;
  if (bits === undefined) return { ip, length: most };
  const length = wholeNumber(bits);
  if (length >= 0 && length <= most && !bits.startsWith("-")) return { ip, length };
  r.error(word, `prefix length '${bits}' is not in 0..${most}`);
  return { ip, length: most };
}

/** Decimal, 0x and 0 prefixes; an empty text and trailing letters are NaN. */
export function cNumber(text: string): number {
  if (/^[+-]?0[xX][0-9a-fA-F]+$/.test(text)) return Number.parseInt(text, 16);
  if (/^[+-]?0[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  return /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
}

/** What iproute2 ships, used when the machine's own tables are not given. */
const STANDARD: Readonly<Record<string, ReadonlySet<string>>> = {
  rt_tables: new Set(["local", "main", "default", "unspec"]),
  rt_scopes: new Set(["global", "nowhere", "host", "link", "site"]),
  rt_realms: new Set(["cosmos"]),
  group: new Set(["default"]),
  rt_protos: new Set(
    (
      "unspec redirect kernel boot static gated ra mrt zebra bird dnrouted xorp ntk dhcp keepalived babel openr bgp isis ospf rip " +
      "eigrp"
    ).split(" "),
  ),
};
