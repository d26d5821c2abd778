import type { Family, Ip } from "../net/ip.ts";
import { ipBytes } from "../net/ip.ts";
import { attribute, concat, optional, parseAttributes, readText, readUint32, textBytes, uint32Bytes } from "./netlink.ts";
import { familyFromNumber, familyNumber, readIp } from "./rtnetlink-values.ts";

/** Rules of policy routing (fib_rules): which table is asked for which packets. */

export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
export const RTM_GETRULE = 34;
export const RTNLGRP_IPV4_RULE = 8;
export const RTNLGRP_IPV6_RULE = 19;

const FIB_RULE_HEADER = 12; // bytes
const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_TABLE = 15;
const FRA_OIFNAME = 17;
const FR_ACT_TO_TBL = 1;

export interface Prefix {
  readonly ip: Ip;
  readonly length: number;
}

export interface RoutingRule {
  readonly family: Family;
  /** The lower one is asked first. */
  readonly preference: number;
  readonly from: Prefix | undefined;
  readonly to: Prefix | undefined;
  readonly iif: string | undefined;
  readonly oif: string | undefined;
  readonly mark: number | undefined;
  readonly table: number;
}

export function emitRule(r: RoutingRule): Uint8Array {
  const header = new Uint8Array(FIB_RULE_HEADER);
  const table = r.table < 256 ? r.table : 0;
  header.set([familyNumber(r.family), r.to?.length ?? 0, r.from?.length ?? 0, 0, table, 0, 0, FR_ACT_TO_TBL]);
  return concat([
    header,
    optional(r.to, ({ ip }) => attribute(FRA_DST, ipBytes(ip))),
    optional(r.from, ({ ip }) => attribute(FRA_SRC, ipBytes(ip))),
    optional(r.iif, (name) => attribute(FRA_IIFNAME, textBytes(name))),
    optional(r.oif, (name) => attribute(FRA_OIFNAME, textBytes(name))),
    optional(r.mark, (mark) => attribute(FRA_FWMARK, uint32Bytes(mark))),
    attribute(FRA_PRIORITY, uint32Bytes(r.preference)),
    attribute(FRA_TABLE, uint32Bytes(r.table)),
  ]);
}

/** undefined: malformed, of another family, or a rule that does something else than ask a table. */
export function parseRule(payload: Uint8Array): RoutingRule | undefined {
  const family = familyFromNumber(payload[0]);
  if (payload.length < FIB_RULE_HEADER || family === undefined || payload[7] !== FR_ACT_TO_TBL) return undefined;
  const attributes = parseAttributes(payload, FIB_RULE_HEADER);
  const prefix = (type: number, length: number): Prefix | undefined => {
    const ip = readIp(family, attributes.get(type));
    return ip === undefined ? undefined : { ip, length };
  };
  return {
    family,
    preference: readUint32(attributes.get(FRA_PRIORITY)) ?? 0,
    from: prefix(FRA_SRC, payload[2]!),
    to: prefix(FRA_DST, payload[1]!),
    iif: readText(attributes.get(FRA_IIFNAME)) || undefined,
    oif: readText(attributes.get(FRA_OIFNAME)) || undefined,
    mark: readUint32(attributes.get(FRA_FWMARK)),
    table: readUint32(attributes.get(FRA_TABLE)) ?? payload[4]!,
  };
}

/** The payload of RTM_GETRULE. */
export function ruleQuery(family: Family): Uint8Array {
  const header = new Uint8Array(FIB_RULE_HEADER);
  header[0] = familyNumber(family);
  return header;
}
