import { familyOf, type Ip } from "../../net/ip.ts";
import type { Arg, Reading } from "../table.ts";
import type { Word } from "../tokens.ts";
import { readTrackGroup } from "./address.ts";
import { Cursor, cNumber, type Prefix, readPrefix } from "./cursor.ts";
import { readRealms } from "./route.ts";

/** A rule of policy routing (spec 2.9). */
export interface Rule {
  readonly family: "ipv4" | "ipv6";
  readonly action: RuleAction;
  readonly not?: true;
  readonly from?: Prefix | "all";
  readonly to?: Prefix | "all";
  /** 0: keepalived picks numbers from 16384 downwards. */
  readonly preference: number;
  readonly iif?: string;
  readonly oif?: string;
  readonly noTrack?: true;
  readonly trackGroup?: string;
  /** Selectors that pass through to the kernel as they are written. */
  readonly selectors: Readonly<Record<string, string>>;
}

export type RuleAction =
  | { readonly type: "table"; readonly table: string | number }
  | { readonly type: "goto"; readonly preference: number }
  | { readonly type: "nop" | "blackhole" | "prohibit" | "unreachable" | "l3mdev" };

type Draft = { -readonly [K in keyof Rule]?: Rule[K] } & { selectors: Record<string, string> };

export const ruleEntry = (of: "static" | "virtual"): Arg<Rule> => ({
  usage: `[not] [from P] [to P] [table T] [preference N] … ${of === "static" ? "[track_group G]" : "[no_track]"}`,
  read: (r) => readRule(r, of),
});

const PLAIN_ACTIONS = new Set(["nop", "blackhole", "prohibit", "unreachable"]);

function readRule(r: Reading, of: "static" | "virtual"): Rule | undefined {
  const c = new Cursor(r);
  const d: Draft = { selectors: {} };
  for (let word = c.next(); word !== undefined; word = c.next()) {
    const handler = OPTIONS[word.text];
    if (handler !== undefined) handler(c, d, word);
    else if (PLAIN_ACTIONS.has(word.text)) act(c, d, word, { type: word.text as "nop" });
    else if (word.text === "track_group" && of === "static") readTrackGroup(c, d, word);
    else return r.error(word, `'${word.text}' is not an option of a rule`);
  }
  return finish(r, d);
}

function finish(r: Reading, d: Draft): Rule | undefined {
  const ip = known(d)[0];
  const family = d.family ?? (ip === undefined ? "ipv4" : familyOf(ip));
  if (ip !== undefined && familyOf(ip) !== family) r.error(r.keyword, `${ip} is not of the family of the rule`);
  if (d.action === undefined)
    return r.error(r.keyword, "a rule needs an action: table, goto, nop, blackhole, prohibit or unreachable");
  if (d.action.type === "goto") checkGoto(r, d.action.preference, d.preference);
  else if (d.preference === undefined) r.error(r.keyword, "a rule should have a preference; one counted down from 16384 is used");
  if (d.action.type !== "table" && Object.keys(d.selectors).some((word) => word === "realms" || word.startsWith("suppress_")))
    return r.error(r.keyword, "realms, suppress_prefixlength and suppress_ifgroup go with a table only");
  return { ...d, family, action: d.action, preference: d.preference ?? 0 };
}

/** The addresses read so far. */
const known = (d: Draft): readonly Ip[] => [d.from, d.to].flatMap((p) => (p === undefined || p === "all" ? [] : [p.ip]));

function checkGoto(r: Reading, target: number, preference: number | undefined): void {
  if (preference === undefined) r.error(r.keyword, "'goto' needs a preference");
  else if (preference >= target) r.error(r.keyword, `'goto' goes forward only: preference ${preference}, target ${target}`);
}

function act(c: Cursor, d: Draft, word: Word, action: RuleAction): void {
  if (d.action !== undefined) c.r.error(word, "a rule has one action");
  d.action = action;
}

function prefix(field: "from" | "to") {
  return (c: Cursor, d: Draft, word: Word): void => {
    const value = c.value(word);
    if (value === undefined) return;
    if (["all", "any", "default"].includes(value.text)) {
      if (known(d).length > 0) c.r.error(value, `'${value.text}' does not fit the other addresses of the rule`);
      d[field] = "all";
    } else {
      const read = readPrefix(c.r, value);
      if (read !== undefined && known(d).some((ip) => familyOf(ip) !== familyOf(read.ip)))
        c.r.error(value, "IPv4 and IPv6 cannot be mixed in one rule");
      else if (read !== undefined) d[field] = read;
    }
  };
}

function table(c: Cursor, d: Draft, word: Word): void {
  const n = cNumber(c.peek()?.text ?? "");
  const value = Number.isNaN(n) ? c.named(word, "rt_tables", 0) : n >>> 0;
  if (!Number.isNaN(n)) c.next();
  if (value === 0) c.r.error(word, "table 0 is not a table");
  else if (value !== undefined) act(c, d, word, { type: "table", table: value });
}

function preference(c: Cursor, d: Draft, word: Word): void {
  const n = c.int(word, 0, 4294967295);
  if (n !== undefined) d.preference = n;
}

/** A selector whose value only has to look right. */
const selector = (pattern: RegExp) => (c: Cursor, d: Draft, word: Word) => {
  const value = c.value(word);
  if (value === undefined) return;
  if (pattern.test(value.text)) d.selectors[word.text] = value.text;
  else c.r.error(value, `'${value.text}' is not a value for ${word.text}`);
};

function tos(c: Cursor, d: Draft, word: Word): void {
  const value = c.value(word);
  if (value === undefined) return;
  const n = cNumber(value.text);
  if (n >= 0 && n <= 255) d.selectors.tos = value.text;
  else c.r.error(value, `TOS '${value.text}' is not in 0..255`);
}

function interfaceOption(field: "iif" | "oif") {
  return (c: Cursor, d: Draft, word: Word): void => {
    const name = c.interface(word);
    if (name !== undefined) d[field] = name;
  };
}

function family(c: Cursor, d: Draft, word: Word): void {
  const wanted = word.text === "inet6" ? "ipv6" : "ipv4";
  if (known(d).some((ip) => familyOf(ip) !== wanted)) c.r.error(word, `${word.text} does not fit the addresses of the rule`);
  d.family = wanted;
}

const OPTIONS: Readonly<Record<string, (c: Cursor, d: Draft, word: Word) => void>> = {
  not: (_, d) => (d.not = true),
  inet: family,
  inet6: family,
  from: prefix("from"),
  to: prefix("to"),
  table,
  lookup: table,
  preference,
  priority: preference,
  order: preference,
  tos,
  dsfield: tos,
  fwmark: selector(/^(0[xX][0-9a-fA-F]+|\d+)(\/(0[xX][0-9a-fA-F]+|\d*))?$/),
  realms: (c, d, w) => {
    const value = readRealms(c, w);
    if (value !== undefined) d.selectors.realms = value;
  },
  dev: interfaceOption("iif"),
  iif: interfaceOption("iif"),
  oif: interfaceOption("oif"),
  suppress_prefixlength: selector(/^\+?\d+$/),
  suppress_ifgroup: (c, d, w) => {
    const value = c.named(w, "group", 4294967295);
    if (value !== undefined) d.selectors.suppress_ifgroup = String(value);
  },
  "tunnel-id": selector(/^\+?\d+$/),
  uidrange: selector(/^\d+-\d+$/),
  l3mdev: (c, d, w) => act(c, d, w, { type: "l3mdev" }),
  protocol: (c, d, w) => {
    const n = c.int(w, 0, 255);
    if (n === undefined) return;
    if (n !== 18) c.r.error(w, "a rule of another protocol cannot be tracked; say no_track");
    d.selectors.protocol = String(n);
  },
  ipproto: selector(/^[A-Za-z][A-Za-z0-9-]*$|^\d{1,3}$/),
  ip_proto: selector(/^[A-Za-z][A-Za-z0-9-]*$|^\d{1,3}$/),
  sport: selector(/^\d{1,5}-\d{1,5}$/),
  dport: selector(/^\d{1,5}-\d{1,5}$/),
  type: (c, d, w) => {
    const value = c.value(w);
    if (value === undefined) return;
    if (PLAIN_ACTIONS.has(value.text)) act(c, d, w, { type: value.text as "nop" });
    else c.r.error(value, `'${value.text}' is not one of ${[...PLAIN_ACTIONS].join(", ")}`);
  },
  goto: (c, d, w) => {
    const n = c.int(w, 0, 4294967295);
    if (n !== undefined) act(c, d, w, { type: "goto", preference: n });
  },
  no_track: (_, d) => (d.noTrack = true),
};
