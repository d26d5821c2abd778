import { type Family, familyOf, type Ip, ipBytes } from "../net/ip.ts";
import type { Protocol, Refusal } from "./director.ts";

/**
 * Mark rules: they give packets the marks that fwmark services go by. XDP sees packets before iptables and nftables do, so
 * marks set there come too late. The first rule that fits counts.
 */
export interface MarkRule {
  /** 0: no mark, so that packets of a later rule can be exempted. */
  readonly mark: number;
  readonly family: Family;
  /** Whatever is absent fits every packet. */
  readonly protocol?: Protocol;
  readonly source?: Net;
  readonly destination?: Net;
  readonly sourcePorts?: PortRange;
  readonly destinationPorts?: PortRange;
  /** The interface it comes in by. */
  readonly interface?: string;
}

/** Bits beyond `length` do not matter. */
export interface Net {
  readonly addr: Ip;
  readonly length: number;
}

/** 1..65535, both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** What rules look at. */
export interface MarkedPacket {
  readonly protocol: Protocol;
  readonly source: { readonly addr: Ip; readonly port: number };
  readonly destination: { readonly addr: Ip; readonly port: number };
  /** undefined: not known, and rules that ask for one do not fit. */
  readonly interface: string | undefined;
}

/** Rules that one data path holds. */
export const MAX_MARK_RULES = 1024;
/** Different interfaces that they may name. */
export const MAX_MARK_INTERFACES = 64;

/** The first rule that fits, and its place. */
export function findMark(rules: readonly MarkRule[], packet: MarkedPacket): { at: number; rule: MarkRule } | undefined {
  const at = rules.findIndex((rule) => isFitting(rule, packet));
  const rule = rules[at];
  return rule && { at, rule };
}

function isFitting(rule: MarkRule, packet: MarkedPacket): boolean {
  if (rule.family !== familyOf(packet.source.addr)) return false;
  if (rule.protocol !== undefined && rule.protocol !== packet.protocol) return false;
  if (rule.interface !== undefined && rule.interface !== packet.interface) return false;
  return (
    isWithin(rule.source, packet.source.addr) &&
    isWithin(rule.destination, packet.destination.addr) &&
    isPortWithin(rule.sourcePorts, packet.source.port) &&
    isPortWithin(rule.destinationPorts, packet.destination.port)
  );
}

const isPortWithin = (range: PortRange | undefined, port: number): boolean =>
  range === undefined || (port >= range.first && port <= range.last);

function isWithin(net: Net | undefined, address: Ip): boolean {
  if (net === undefined) return true;
  const [there, here, mask] = [ipBytes(net.addr), ipBytes(address), maskBytes(net)];
  return here.length === there.length && here.every((byte, i) => ((byte ^ there[i]!) & mask[i]!) === 0);
}

/** 4 or 16 bytes in network order. */
export const maskBytes = ({ addr, length }: Net): Uint8Array =>
  Uint8Array.from({ length: familyOf(addr) === "ipv4" ? 4 : 16 }, (_, i) => 0xff00 >>> Math.min(8, Math.max(0, length - 8 * i)));

/** "10.0.0.0/8" */
export const netText = ({ addr, length }: Net): string => `${addr}/${length}`;
/** "80", "1000-1999" */
export const portsText = ({ first, last }: PortRange): string => (first === last ? `${first}` : `${first}-${last}`);

/** "mark 5 ipv4 tcp to 10.0.0.0/8 ports 80" */
export function markRuleText(rule: MarkRule): string {
  const { mark, family, protocol, source, destination, sourcePorts, destinationPorts } = rule;
  return [
    `mark ${mark}`,
    family,
    ...(protocol === undefined ? [] : [protocol]),
    ...(rule.interface === undefined ? [] : [`in by ${rule.interface}`]),
    ...(source === undefined ? [] : [`from ${netText(source)}`]),
    ...(sourcePorts === undefined ? [] : [`source port ${portsText(sourcePorts)}`]),
    ...(destination === undefined ? [] : [`to ${netText(destination)}`]),
    ...(destinationPorts === undefined ? [] : [`port ${portsText(destinationPorts)}`]),
  ].join(" ");
}

/** What is wrong with a list, by the places of its rules. */
export function markProblems(rules: readonly MarkRule[]): readonly Refusal[] {
  if (rules.length > MAX_MARK_RULES)
    return [
      { index: MAX_MARK_RULES, code: "ENOSPC", message: `there is room for ${MAX_MARK_RULES} mark rules, not ${rules.length}` },
    ];
  const interfaces = new Set(rules.flatMap((rule) => rule.interface ?? []));
  if (interfaces.size > MAX_MARK_INTERFACES)
    return [{ index: 0, code: "ENOSPC", message: `the rules name more than ${MAX_MARK_INTERFACES} interfaces` }];
  return rules.flatMap((rule, index) => {
    const message = problemOf(rule);
    return message === undefined ? [] : [{ index, code: "EINVAL", message: `rule ${index + 1}: ${message}` }];
  });
}

function problemOf(rule: MarkRule): string | undefined {
  for (const net of [rule.source, rule.destination]) {
    if (net === undefined) continue;
    if (familyOf(net.addr) !== rule.family) return `${netText(net)} is no prefix of ${rule.family}`;
    if (net.length > (rule.family === "ipv4" ? 32 : 128)) return `${netText(net)} is longer than an address`;
  }
  for (const range of [rule.sourcePorts, rule.destinationPorts])
    if (range !== undefined && (range.first < 1 || range.first > range.last || range.last > 65535))
      return `ports ${portsText(range)} are not an ascending range within 1-65535`;
  return undefined;
}
