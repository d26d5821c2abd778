import type { RealServer } from "./keywords.ts";

/** Views of the values that spare their readers a walk. */

const FIELDS = {
  TCP_CHECK: "tcpCheck",
  HTTP_GET: "httpGet",
  SSL_GET: "sslGet",
  SMTP_CHECK: "smtpCheck",
  DNS_CHECK: "dnsCheck",
  MISC_CHECK: "miscCheck",
  UDP_CHECK: "udpCheck",
  PING_CHECK: "pingCheck",
  BFD_CHECK: "bfdCheck",
  FILE_CHECK: "fileCheck",
} as const;

export type CheckType = keyof typeof FIELDS;
const TYPES = Object.keys(FIELDS) as CheckType[];
export type Check = { [T in CheckType]: { readonly type: T; readonly value: RealServer[(typeof FIELDS)[T]][number] } }[CheckType];

/** All checks of a real server, one list. */
export function checksOf(rs: RealServer): readonly Check[] {
  const checks: Check[] = [];
  for (const type of TYPES) for (const value of rs[FIELDS[type]]) checks.push({ type, value } as Check);
  return checks;
}
