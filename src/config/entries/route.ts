import { familyOf, type Ip } from "../../net/ip.ts";
import type { Arg, Reading } from "../table.ts";
import type { Word } from "../tokens.ts";
import { readTrackGroup } from "./address.ts";
import { Cursor, cNumber, type Prefix, readPrefix } from "./cursor.ts";

/** A route to be set (spec 2.9). Metrics that only pass through to the kernel stand in `metrics`, as they are written. */
export interface Route {
  readonly type: string;
  readonly destination: Prefix | "default";
  readonly family: "ipv4" | "ipv6";
  readonly via?: Ip;
  readonly source?: Ip;
  readonly from?: Prefix;
  readonly dev?: string;
  readonly table?: string | number;
  readonly protocol?: string | number;
  readonly scope?: string | number;
  readonly metric?: number;
  readonly tos?: number;
  readonly onlink?: true;
  readonly vrf?: string;
  readonly encap?: readonly string[];
  readonly metrics: Readonly<Record<string, string>>;
  readonly mode: "prepend" | "append" | "add";
  readonly nextHops: readonly NextHop[];
  readonly noTrack?: true;
  readonly trackGroup?: string;
}

export interface NextHop {
  readonly via?: Ip;
  readonly dev?: string;
  readonly weight?: number;
  readonly onlink?: true;
  readonly realms?: string;
  readonly encap?: readonly string[];
}

type Draft = { -readonly [K in keyof Route]?: Route[K] } & { metrics: Record<string, string>; nextHops: NextHop[]; bad?: true };

const KEEPALIVED_PROTOCOL = 18;

export const routeEntry = (of: "static" | "virtual"): Arg<Route> => ({
  usage: `[TYPE] DEST[/LENGTH]|default [via IP] [dev IF] [src IP] [table T] … ${of === "static" ? "[track_group G]" : "[no_track]"}`,
  read: (r) => readRoute(r, of),
});

const TYPES = new Set("unicast local broadcast anycast multicast blackhole unreachable prohibit throw nat xresolve".split(" "));
/** Options whose value is a number, after an optional `lock`. */
const LOCKED = new Set("mtu advmss rtt rttvar reordering window cwnd ssthresh rto_min initcwnd initrwnd".split(" "));
const TIMES = new Set(["rtt", "rttvar", "rto_min"]);
const EVERYWHERE = new Set(["default", "all", "any"]);

function readRoute(r: Reading, of: "static" | "virtual"): Route | undefined {
  const c = new Cursor(r);
  const d: Draft = { metrics: {}, nextHops: [], mode: "prepend" };
  for (let word = c.next(); word !== undefined; word = c.next()) {
    if (word.text === "nexthop") {
      readNextHops(c, d);
      break;
    }
    readOption(c, d, word, of);
  }
  return finish(r, d);
}

function finish(r: Reading, d: Draft): Route | undefined {
  if (d.destination === undefined) return d.bad ? undefined : r.error(r.keyword, "a route needs a destination");
  const place = d.destination === "default" ? d.via : d.destination.ip;
  const family = d.family ?? (place === undefined ? "ipv4" : familyOf(place));
  const mixed = [d.destination === "default" ? undefined : d.destination.ip, d.via, d.source, d.from?.ip];
  if (mixed.some((ip) => ip !== undefined && familyOf(ip) !== family))
    r.error(r.keyword, "IPv4 and IPv6 cannot be mixed in one route");
  if (d.nextHops.some((hop) => hop.via !== undefined && familyOf(hop.via) !== family)) {
    r.error(r.keyword, "a next hop is of the other family");
  }
  if (family === "ipv4") checkIpv4(r, d);
  checkTracking(r, d);
  return { ...d, destination: d.destination, type: d.type ?? "unicast", mode: d.mode ?? "prepend", family };
}

function checkIpv4(r: Reading, d: Draft): void {
  if (d.from !== undefined) r.error(r.keyword, "'from' is only for IPv6 routes");
  for (const option of ["expires", "pref"]) {
    if (d.metrics[option] !== undefined) r.error(r.keyword, `'${option}' is only for IPv6 routes`);
  }
}

/** keepalived notices the loss of a route by its interface and its own protocol number. */
function checkTracking(r: Reading, d: Draft): void {
  if (d.noTrack) return;
  if (d.dev === undefined) r.error(r.keyword, "a route without 'dev' cannot be tracked; say no_track");
  const own = d.protocol === undefined || d.protocol === KEEPALIVED_PROTOCOL || d.protocol === "keepalived";
  if (!own && d.dev !== undefined) r.error(r.keyword, "a route of another protocol cannot be tracked; say no_track");
}

function readOption(c: Cursor, d: Draft, word: Word, of: "static" | "virtual"): void {
  const option = word.text;
  const handler = OPTIONS[option];
  if (LOCKED.has(option)) readLocked(c, d, word);
  else if (handler !== undefined) handler(c, d, word);
  else if (option === "track_group" && of === "static") readTrackGroup(c, d, word);
  else if (TYPES.has(option)) {
    d.type = option;
    destination(c, d, c.value(word));
  } else destination(c, d, word);
}

function destination(c: Cursor, d: Draft, word: Word | undefined): void {
  if (word === undefined) return;
  if (EVERYWHERE.has(word.text)) {
    d.destination = "default";
    return;
  }
  const prefix = /^[\d.]+(\/|$)|:/.test(word.text)
    ? readPrefix(c.r, word)
    : c.r.error(word, `'${word.text}' is not an option of a route`);
  if (prefix !== undefined) d.destination = prefix;
  else d.bad = true;
}

function via(c: Cursor, d: { via?: Ip }, word: Word): void {
  const family = c.peek()?.text;
  if (family === "inet" || family === "inet6") c.next();
  const ip = c.ip(word);
  if (ip !== undefined) d.via = ip;
}

function deprecated(c: Cursor, word: Word, instead: string): void {
  c.r.error(word, `'${word.text}' in a route is deprecated`, instead);
}

function family(c: Cursor, d: Draft, word: Word): void {
  const wanted = word.text === "inet6" ? "ipv6" : "ipv4";
  const ip = d.destination !== undefined && d.destination !== "default" ? d.destination.ip : undefined;
  if (ip !== undefined && familyOf(ip) !== wanted) c.r.error(word, `${word.text} does not fit ${ip}`);
  d.family = wanted;
}

function source(c: Cursor, d: Draft, word: Word): void {
  const ip = c.ip(word);
  if (ip !== undefined) d.source = ip;
}

/** A number that goes to the kernel as it is. */
const number = (min: number, max: number) => (c: Cursor, d: Draft, word: Word) => {
  const n = c.int(word, min, max);
  if (n !== undefined) d.metrics[word.text] = String(n);
};

const enumeration =
  (words: readonly string[]) =>
  (c: Cursor, d: Draft, word: Word): void => {
    const value = c.value(word);
    if (value === undefined) return;
    if (words.includes(value.text)) d.metrics[word.text] = value.text;
    else c.r.error(value, `'${value.text}' is not one of ${words.join(", ")}`);
  };

function metric(c: Cursor, d: Draft, word: Word): void {
  const n = c.int(word, 0, 4294967295);
  if (n !== undefined) d.metric = n;
}

function named(field: "table" | "protocol" | "scope", names: string, max: number) {
  return (c: Cursor, d: Draft, word: Word): void => {
    const value = c.named(word, names, max);
    if (value !== undefined) d[field] = value;
  };
}

function tos(c: Cursor, d: Draft, word: Word): void {
  const value = c.value(word);
  if (value === undefined) return;
  const n = cNumber(value.text);
  if (n >= 0 && n <= 255) d.tos = n;
  else c.r.error(value, `TOS '${value.text}' is not in 0..255`);
}

function dev(c: Cursor, d: { dev?: string }, word: Word): void {
  const name = c.interface(word);
  if (name !== undefined) d.dev = name;
}

/** `table`: any 32-bit number, and -1, as strtoul takes it. */
function table(c: Cursor, d: Draft, word: Word): void {
  const n = cNumber(c.peek()?.text ?? "");
  if (Number.isNaN(n)) named("table", "rt_tables", 0)(c, d, word);
  else {
    c.next();
    d.table = n >>> 0;
  }
}

export function readRealms(c: Cursor, word: Word): string | undefined {
  const value = c.value(word);
  if (value === undefined) return undefined;
  const good = value.text
    .split("/")
    .every((part) => (cNumber(part) >= 0 && cNumber(part) <= 255) || c.isKnown(part, "rt_realms"));
  return good ? value.text : c.r.error(value, `'${value.text}' is not a realm`);
}

const OPTIONS: Readonly<Record<string, (c: Cursor, d: Draft, word: Word) => void>> = {
  to: (c, d, w) => destination(c, d, c.value(w)),
  inet: family,
  inet6: family,
  via,
  gw: (c, d, w) => {
    deprecated(c, w, "via");
    via(c, d, w);
  },
  or: (c, d, w) => {
    deprecated(c, w, "nexthop");
    const hop: { via?: Ip } = {};
    via(c, hop, w);
    d.nextHops.push(hop);
  },
  src: source,
  as: (c, d, w) => {
    deprecated(c, w, "src");
    source(c, d, w);
  },
  from: (c, d, w) => {
    const value = c.value(w);
    const prefix = value && readPrefix(c.r, value);
    if (prefix !== undefined) d.from = prefix;
  },
  tos,
  dsfield: tos,
  table,
  protocol: named("protocol", "rt_protos", 255),
  scope: named("scope", "rt_scopes", 255),
  metric,
  priority: metric,
  preference: metric,
  dev,
  oif: dev,
  onlink: (_, d) => (d.onlink = true),
  expires: number(0, 4294967295),
  hoplimit: number(0, 255),
  quickack: number(0, 1),
  fastopen_no_cookie: number(0, 1),
  features: enumeration(["ecn"]),
  pref: enumeration(["low", "medium", "high"]),
  "ttl-propagate": enumeration(["enabled", "disabled"]),
  realms: (c, d, w) => {
    const value = readRealms(c, w);
    if (value !== undefined) d.metrics.realms = value;
  },
  congctl: (c, d, w) => {
    const lock = c.peek()?.text === "lock" ? c.next() : undefined;
    const value = c.value(lock ?? w);
    if (value !== undefined) d.metrics.congctl = lock === undefined ? value.text : `lock ${value.text}`;
  },
  vrf: (c, d, w) => {
    const name = c.interface(w);
    if (name !== undefined) d.vrf = name;
  },
  encap: (c, d) => {
    d.encap = readEncap(c);
  },
  add: (_, d) => (d.mode = "add"),
  append: (_, d) => (d.mode = "append"),
  prepend: (_, d) => (d.mode = "prepend"),
  no_track: (_, d) => (d.noTrack = true),
};

function readLocked(c: Cursor, d: Draft, word: Word): void {
  const lock = c.peek()?.text === "lock" ? c.next() : undefined;
  const value = c.value(lock ?? word);
  if (value === undefined) return;
  const pattern = TIMES.has(word.text) ? /^\+?\d+(\.\d*)?(s|ms)?$/ : /^\+?\d+$/;
  const fits = pattern.test(value.text) && Number.parseFloat(value.text) <= 4294967295;
  if (!fits) c.r.error(value, `'${value.text}' is not a value for ${word.text}`);
  else d.metrics[word.text] = lock === undefined ? value.text : `lock ${value.text}`;
}

const ENCAPS: Readonly<Record<string, ReadonlySet<string>>> = {
  ip: new Set(["id", "dst", "src", "tos", "dsfield", "ttl", "flags"]),
  ip6: new Set(["id", "dst", "src", "tc", "hoplimit", "flags"]),
};

function readEncap(c: Cursor): readonly string[] {
  const kind = c.next();
  if (kind === undefined) {
    c.r.error(c.r.args.at(-1), "'encap' needs a kind: ip, ip6, mpls or ila");
    return [];
  }
  if (kind.text === "mpls" || kind.text === "ila") return readLabelEncap(c, kind);
  const options = ENCAPS[kind.text];
  if (options === undefined) {
    c.r.error(kind, `'${kind.text}' is not one of ip, ip6, mpls, ila`);
    return [];
  }
  const out: string[] = [kind.text];
  while (options.has(c.peek()?.text ?? "")) readEncapOption(c, kind.text, out);
  if (!out.includes("id") && !out.includes("dst")) c.r.error(kind, `encap ${kind.text} needs an address or an id`);
  return out;
}

function readLabelEncap(c: Cursor, kind: Word): readonly string[] {
  const value = c.value(kind);
  const pattern = kind.text === "mpls" ? /^\d+(\/\d+)*$/ : /^[0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4}){3}$/;
  if (value !== undefined && !pattern.test(value.text)) c.r.error(value, `'${value.text}' is not a value for ${kind.text}`);
  return value === undefined ? [] : [kind.text, value.text];
}

function readEncapOption(c: Cursor, kind: string, out: string[]): void {
  const option = c.next()!;
  if (option.text === "dst" || option.text === "src") {
    const ip = c.ip(option);
    if (ip !== undefined && (familyOf(ip) === "ipv6") !== (kind === "ip6"))
      c.r.error(option, `${ip} is of the wrong family for ${kind}`);
    out.push(option.text, ip ?? "");
    return;
  }
  const value = c.value(option);
  const n = cNumber(value?.text ?? "");
  const most = option.text === "id" ? Number.MAX_SAFE_INTEGER : option.text === "flags" ? 65535 : 255;
  if (value !== undefined && !(n >= 0 && n <= most)) c.r.error(value, `'${value.text}' is not a value for ${option.text}`);
  out.push(option.text, value?.text ?? "");
}

function readNextHops(c: Cursor, d: Draft): void {
  let hop: { -readonly [K in keyof NextHop]: NextHop[K] } = {};
  d.nextHops.push(hop);
  for (let word = c.next(); word !== undefined; word = c.next()) {
    if (word.text === "nexthop") {
      hop = {};
      d.nextHops.push(hop);
    } else if (word.text === "via") via(c, hop, word);
    else if (word.text === "dev" || word.text === "oif") dev(c, hop, word);
    else if (word.text === "onlink") hop.onlink = true;
    else if (word.text === "encap") hop.encap = readEncap(c);
    else if (word.text === "realms") {
      const realms = readRealms(c, word);
      if (realms !== undefined) hop.realms = realms;
    } else if (word.text === "weight") {
      const n = c.int(word, 1, 256);
      if (n !== undefined) hop.weight = n;
    } else {
      c.r.error(word, `'${word.text}' is not an option of a next hop`);
      return;
    }
  }
}
