import { familyOf, type Ip, parseIp } from "../../net/ip.ts";
import type { Arg, Reading } from "../table.ts";
import type { Word } from "../tokens.ts";
import { Cursor, readPrefix } from "./cursor.ts";

/** An address to be set (spec 2.9). */
export interface Address {
  readonly ip: Ip;
  /** Prefix length in bits; the full length when none is written. */
  readonly length: number;
  readonly dev?: string;
  readonly broadcast?: Ip | "+" | "-";
  readonly scope?: string | number;
  readonly label?: string;
  readonly peer?: Ip;
  readonly trackGroup?: string;
  /** Seconds; undefined: keepalived's rule (0 for /128). */
  readonly preferredLifetime?: number | "forever";
  readonly useVmac?: true;
  readonly home?: true;
  readonly mngtmpaddr?: true;
  readonly noprefixroute?: true;
  readonly autojoin?: true;
  readonly noTrack?: true;
  /** Duplicate address detection is on (`-nodad`). */
  readonly dad?: true;
}

type Draft = { -readonly [K in keyof Address]: Address[K] };

const LONGEST_LABEL = 15;

/** `of` is where the line stands: static addresses know track groups, virtual ones VMACs. */
export const addressEntry = (of: "static" | "virtual"): Arg<Address> => ({
  usage: `IP[/LENGTH] [dev IF] [brd IP|+|-] [scope S] [label L] [peer IP] … ${of === "static" ? "[track_group G]" : "[use_vmac]"}`,
  read: (r) => readAddress(r, of),
});

function readAddress(r: Reading, of: "static" | "virtual"): Address | undefined {
  const cursor = new Cursor(r);
  const start = cursor.next();
  const prefix = start && readPrefix(r, start);
  if (prefix === undefined) return undefined;
  const draft: Draft = { ...prefix };
  for (let option = cursor.next(); option !== undefined; option = cursor.next()) readOption(cursor, draft, option, of);
  return draft;
}

const FLAGS: Readonly<Record<string, (d: Draft) => void>> = {
  home: (d) => (d.home = true),
  "-nodad": (d) => (d.dad = true),
  mngtmpaddr: (d) => (d.mngtmpaddr = true),
  noprefixroute: (d) => (d.noprefixroute = true),
  autojoin: (d) => (d.autojoin = true),
  no_track: (d) => (d.noTrack = true),
};

const OPTIONS: Readonly<Record<string, (c: Cursor, d: Draft, option: Word) => void>> = {
  dev: readDev,
  brd: readBroadcast,
  broadcast: readBroadcast,
  scope: readScope,
  label: readLabel,
  peer: readPeer,
  preferred_lft: readLifetime,
};

function readOption(c: Cursor, d: Draft, option: Word, of: "static" | "virtual"): void {
  const flag = FLAGS[option.text];
  const handler = OPTIONS[option.text];
  if (flag !== undefined) flag(d);
  else if (handler !== undefined) handler(c, d, option);
  else if (option.text === "track_group" && of === "static") readTrackGroup(c, d, option);
  else if (option.text === "use_vmac" && of === "virtual") d.useVmac = true;
  else c.r.error(option, `'${option.text}' is not an option of an address`);
}

/** The name of a track_group that stands above. */
export function readTrackGroup(c: Cursor, d: { trackGroup?: string }, option: Word): void {
  const name = c.value(option);
  const groups = (c.r.top.trackGroup ?? []) as readonly { readonly header: string }[];
  if (name !== undefined && !groups.some((g) => g.header === name.text))
    c.r.error(name, `there is no track_group '${name.text}' before this line`);
  else if (name !== undefined) d.trackGroup = name.text;
}

function readDev(c: Cursor, d: Draft, option: Word): void {
  if (d.dev !== undefined) c.r.error(option, "an address has one device");
  const dev = c.interface(option);
  if (dev !== undefined) d.dev = dev;
}

function readBroadcast(c: Cursor, d: Draft, option: Word): void {
  const word = c.value(option);
  if (word === undefined) return;
  if (familyOf(d.ip) === "ipv6") c.r.error(option, "IPv6 has no broadcast addresses");
  else if (word.text === "+" || word.text === "-") {
    if (d.length > 30) c.r.error(word, `prefix length ${d.length} is too long for a broadcast address`);
    d.broadcast = word.text;
  } else {
    const ip = parseIp(word.text);
    if (ip === undefined || familyOf(ip) === "ipv6") c.r.error(word, `'${word.text}' is not an IPv4 address`);
    else d.broadcast = ip;
  }
}

function readScope(c: Cursor, d: Draft, option: Word): void {
  const scope = c.named(option, "rt_scopes", 255);
  if (familyOf(d.ip) === "ipv6") c.r.error(option, "IPv6 addresses have no scope option, it is ignored");
  else if (scope !== undefined) d.scope = scope;
}

function readLabel(c: Cursor, d: Draft, option: Word): void {
  const word = c.value(option);
  if (word === undefined) return;
  if (familyOf(d.ip) === "ipv6") c.r.error(option, "IPv6 addresses have no label, it is ignored");
  else if (word.text.length > LONGEST_LABEL) c.r.error(word, `a label has at most ${LONGEST_LABEL} characters`);
  else d.label = word.text;
}

function readPeer(c: Cursor, d: Draft, option: Word): void {
  const peer = c.ip(option);
  if (peer === undefined) return;
  if (familyOf(peer) !== familyOf(d.ip)) c.r.error(option, `the peer ${peer} is of the other family`);
  else d.peer = peer;
}

function readLifetime(c: Cursor, d: Draft, option: Word): void {
  if (c.peek()?.text === "forever") {
    c.next();
    d.preferredLifetime = "forever";
    return;
  }
  const lifetime = c.int(option, 0, 4294967295);
  if (lifetime !== undefined) d.preferredLifetime = lifetime;
}
