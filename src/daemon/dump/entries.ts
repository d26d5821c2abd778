import type { Address } from "../../config/entries/address.ts";
import type { NextHop, Route } from "../../config/entries/route.ts";
import type { Rule } from "../../config/entries/rule.ts";
import { familyOf, type Ip } from "../../net/ip.ts";
import { broadcastOf, FIRST_PREFERENCE, scopeNumber, tableNumber } from "../vrrp/from-routes.ts";

/** Addresses, routes and rules as keepalived writes them in its dumps. */

const SCOPES: Readonly<Record<number, string>> = { 0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere" };
/** RTPROT_KEEPALIVED. */
const KEEPALIVED = 18;
const PROTOCOLS: Readonly<Record<string, number>> = { kernel: 2, boot: 3, static: 4, keepalived: KEEPALIVED };

const words = (...all: readonly (string | false | undefined)[]): string => all.filter((word) => word).join(" ");
const pair = (word: string, value: string | number | undefined): string | undefined =>
  value === undefined ? undefined : `${word} ${value}`;
/** Lengths that are those of the whole address are left out. */
export const prefixText = ({ ip, length }: { readonly ip: Ip; readonly length: number }): string =>
  length === fullLength(ip) ? ip : `${ip}/${length}`;
const fullLength = (ip: Ip): number => (familyOf(ip) === "ipv4" ? 32 : 128);

/** @param dev where it goes when it names no device; @param isSet it is on the interface */
export function addressText(a: Address, dev: string | undefined, isSet: boolean): string {
  const scope = scopeNumber(a.scope) ?? 0;
  return words(
    prefixText(a),
    pair("brd", broadcastOf(a)),
    pair("dev", a.dev ?? dev),
    a.useVmac && "use_vmac",
    `scope ${SCOPES[scope] ?? scope}`,
    pair("label", a.label),
    a.peer !== undefined && `peer ${a.peer}/${a.length}`,
    a.home && "home",
    a.dad && "-nodad",
    a.mngtmpaddr && "mngtmpaddr",
    a.noprefixroute && "noprefixroute",
    a.autojoin && "autojoin",
    lifetimeText(a),
    a.noTrack && "no_track",
    pair("track_group", a.trackGroup),
    isSet && "set",
  );
}

/** A /128 is deprecated, so that it is not taken as a source. */
function lifetimeText({ ip, length, preferredLifetime }: Address): string | undefined {
  if (familyOf(ip) === "ipv4") return undefined;
  const seconds = preferredLifetime ?? (length === 128 ? 0 : "forever");
  return seconds === 0 ? "deprecated" : `preferred_lft ${seconds}`;
}

export function routeText(r: Route): string {
  const destination = r.destination === "default" ? (r.family === "ipv4" ? "0.0.0.0/0" : "::/0") : plainPrefix(r.destination);
  const { realms, ...metrics } = r.metrics;
  const protocol = protocolOf(r);
  return words(
    r.type === "unicast" ? r.mode : `add ${r.type}`,
    destination,
    r.from && `from ${prefixText(r.from)}`,
    pair("src", r.source),
    pair("tos", r.tos),
    viaText(r),
    pair("dev", r.dev),
    r.table !== undefined && `table ${tableNumber(r.table)}`,
    pair("proto", protocol),
    r.scope !== undefined && `scope ${scopeNumber(r.scope) ?? r.scope}`,
    pair("metric", r.metric),
    r.onlink && "onlink",
    pair("realms", realms),
    ...Object.entries(metrics).map(([name, value]) => `${name} ${value}${name === "expires" ? "sec" : ""}`),
    ...r.nextHops.map(hopText),
    (r.noTrack || r.dev === undefined) && "no_track",
    pair("track_group", r.trackGroup),
  );
}

const plainPrefix = ({ ip, length }: { readonly ip: Ip; readonly length: number }): string => `${ip}/${length}`;
const viaText = ({ via }: { readonly via?: Ip }): string | undefined =>
  via && `via inet${familyOf(via) === "ipv6" ? "6" : ""} ${via}`;

function hopText(hop: NextHop): string {
  return words("nexthop", viaText(hop), pair("dev", hop.dev), pair("weight", hop.weight), hop.onlink && "onlink");
}

/** What nobody tracks has no number of ours unless one is written. */
function protocolOf({ protocol, noTrack }: Route): string | number | undefined {
  if (protocol === undefined) return noTrack ? undefined : KEEPALIVED;
  return typeof protocol === "number" ? protocol : (PROTOCOLS[protocol] ?? protocol);
}

/** Those without a preference are numbered as they are set. */
export function ruleTexts(rules: readonly Rule[]): string[] {
  let next = FIRST_PREFERENCE;
  return rules.map((rule) => ruleText(rule, rule.preference === 0 ? next-- : rule.preference));
}

function ruleText(r: Rule, preference: number): string {
  const { selectors: s } = r;
  const from = r.from === undefined || r.from === "all" ? "all" : prefixText(r.from);
  return words(
    r.not && "not",
    `from ${from}`,
    r.to !== undefined && `to ${r.to === "all" ? "all" : prefixText(r.to)}`,
    `priority ${preference}`,
    `tos 0x${Number(s.tos ?? 0).toString(16)}`,
    s.fwmark && `fwmark ${s.fwmark.split("/").map(hex).join("/")}`,
    pair("iif", r.iif),
    pair("oif", r.oif),
    pair("suppress_prefixlen", s.suppress_prefixlength),
    pair("suppress_ifgroup", s.suppress_ifgroup),
    pair("realms", s.realms),
    r.action.type === "l3mdev" && "l3mdev",
    pair("uidrange", s.uidrange),
    !r.noTrack && `protocol ${s.protocol ?? KEEPALIVED}`,
    pair("ipproto", s.ipproto ?? s.ip_proto),
    pair("sport", s.sport),
    pair("dport", s.dport),
    actionText(r.action),
    r.noTrack && "no_track",
    pair("track_group", r.trackGroup),
  );
}

const hex = (number: string): string => `0x${Number(number || 0).toString(16)}`;

function actionText(action: Rule["action"]): string {
  switch (action.type) {
    case "table":
      return `lookup ${tableNumber(action.table)}`;
    case "goto":
      return `goto ${action.preference}`;
    case "l3mdev":
      return "lookup 0";
    case "nop":
      return "nop";
    default:
      return `type ${action.type}`;
  }
}
