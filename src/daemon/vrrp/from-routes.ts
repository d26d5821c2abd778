import type { Address } from "../../config/entries/address.ts";
import type { Route } from "../../config/entries/route.ts";
import type { Rule } from "../../config/entries/rule.ts";
import type { Entry } from "../../config/table.ts";
import { type Ip, ipFromUint32, uint32FromIp } from "../../net/ip.ts";
import type { VirtualRoute, VirtualRule } from "../../vrrp/config.ts";

/** Routes, rules and scopes of a keepalived.conf as the kernel's numbers (spec 2.9). */

const TABLES: Readonly<Record<string, number>> = { default: 253, main: 254, local: 255 };
const SCOPES: Readonly<Record<string, number>> = { global: 0, site: 200, link: 253, host: 254, nowhere: 255 };
const MAIN = 254;
/** Without a preference numbers are taken from here downwards. */
export const FIRST_PREFERENCE = 16384;

const numbered = (names: Readonly<Record<string, number>>, word: string | number | undefined): number | undefined =>
  typeof word === "number"
    ? word
    : word === undefined
      ? undefined
      : (names[word] ?? (/^\d+$/.test(word) ? Number(word) : undefined));

export const scopeNumber = (word: string | number | undefined): number | undefined => numbered(SCOPES, word);
/** The number of a routing table. */
export const tableNumber = (word: string | number | undefined): number => numbered(TABLES, word) ?? MAIN;

/** "+": all host bits set; "-": none. */
export function broadcastOf(a: Address): Ip | undefined {
  if (a.broadcast === undefined) return undefined;
  if (a.broadcast !== "+" && a.broadcast !== "-") return a.broadcast;
  const hosts = a.length === 0 ? 0xffffffff : 0xffffffff >>> a.length;
  const net = (uint32FromIp(a.ip) & ~hosts) >>> 0;
  return ipFromUint32(a.broadcast === "+" ? (net | hosts) >>> 0 : net);
}

const PLAIN = new Set(["unicast", "blackhole", "unreachable", "prohibit", "throw"]);

/** Those whose kind is known; of what else is left out undone.ts tells. */
export function routesOf(routes: readonly Route[]): VirtualRoute[] {
  return routes.flatMap((r): VirtualRoute[] => {
    if (!isPlain(r)) return [];
    const hop = r.nextHops[0];
    const prefix = r.destination === "default" ? undefined : r.destination;
    return [
      {
        family: r.family,
        prefix: prefix?.ip,
        length: prefix?.length ?? 0,
        via: r.via ?? hop?.via,
        dev: r.dev ?? hop?.dev,
        source: r.source,
        table: tableNumber(r.table),
        metric: r.metric ?? 0,
        scope: scopeNumber(r.scope),
        type: r.type as VirtualRoute["type"],
        onlink: r.onlink ?? hop?.onlink ?? false,
        tos: r.tos ?? 0,
        mtu: Number(/\d+$/.exec(r.metrics.mtu ?? "")?.[0]) || undefined,
        hops: r.nextHops.map(({ via, dev, onlink = false, weight = 1 }) => ({ via, dev, onlink, weight })),
      },
    ];
  });
}

export const isPlain = (r: Route): boolean => PLAIN.has(r.type);
/** One that asks a table, without exceptions. */
export const isQuestion = (r: Rule): boolean => r.action.type === "table" && !r.not;

/** The numbers of rules that say none: counted through the whole file, as keepalived does. */
export function preferencesOf(rules: readonly Entry<Rule>[]): ReadonlyMap<Rule, number> {
  const isOneFile = new Set(rules.map(({ origin }) => origin.file)).size <= 1;
  const inOrder = isOneFile ? rules.toSorted((a, b) => a.origin.line - b.origin.line) : rules;
  const silent = inOrder.filter(({ value }) => value.preference === 0);
  return new Map(silent.map(({ value }, i) => [value, FIRST_PREFERENCE - i]));
}

/** Rules that ask a table. */
export function rulesOf(rules: readonly Rule[], preferences: ReadonlyMap<Rule, number>): VirtualRule[] {
  return rules.flatMap((r): VirtualRule[] => {
    if (!isQuestion(r) || r.action.type !== "table") return [];
    const mark = r.selectors.fwmark?.split("/")[0];
    return [
      {
        family: r.family,
        preference: preferences.get(r) ?? r.preference,
        from: r.from === "all" ? undefined : r.from,
        to: r.to === "all" ? undefined : r.to,
        iif: r.iif,
        oif: r.oif,
        mark: mark === undefined ? undefined : Number(mark),
        table: tableNumber(r.action.table),
      },
    ];
  });
}
