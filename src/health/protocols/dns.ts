import type { Result } from "../checker.ts";
import type { DnsType } from "../config.ts";
import { bad, good, latin1 } from "../dialogue.ts";

/** DNS_CHECK (spec 4.7, RFC 1035): one question; any answer without an error is good. */

const TYPES: Record<DnsType, number> = { A: 1, NS: 2, CNAME: 5, SOA: 6, MX: 15, TXT: 16, AAAA: 28, RRSIG: 46, DNSKEY: 48 };
const HEADER = 12; // bytes
const QR = 0x80;
const RD = 0x01;

/** @param id 0..65535 @param name "." or labels with or without a last dot, each of 1..63 bytes */
export function dnsQuery(id: number, type: DnsType, name: string): Uint8Array {
  const labels = name.split(".").filter((label) => label !== "");
  const question = [...labels.flatMap((label) => [label.length, ...latin1(label)]), 0, 0, TYPES[type], 0, 1];
  return Uint8Array.of(id >> 8, id & 255, RD, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...question);
}

/** Undefined: not the answer to this question, go on waiting. */
export function judgeDns(bytes: Uint8Array, id: number): Result | undefined {
  if (bytes.length < HEADER || ((bytes[0]! << 8) | bytes[1]!) !== id || (bytes[2]! & QR) === 0) return undefined;
  const rcode = bytes[3]! & 15;
  return rcode === 0 ? good : bad(`error code ${rcode}`);
}
