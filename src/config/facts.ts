import type { Facts } from "./table.ts";

/** Facts from the texts of a machine's files; the caller reads them. */

/** Names of the first column of /etc/passwd or /etc/group. */
export const accountNames = (text: string): ReadonlySet<string> =>
  new Set(text.split("\n").flatMap((line) => (line.includes(":") ? [line.slice(0, line.indexOf(":"))] : [])));

/** Names of a table of /etc/iproute2: "254 main". */
export const tableNames = (text: string): ReadonlySet<string> =>
  new Set(text.split("\n").flatMap((line) => /^\s*(?:0x)?[0-9a-fA-F]+\s+(\S+)/.exec(line)?.[1] ?? []));

export type { Facts };
