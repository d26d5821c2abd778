import type { ParseResult } from "../../config/parse.ts";
import { UNDONE_WORDS } from "../vrrp/undone.ts";

/** Words that are read and not carried out; who uses one is told. */
const UNDONE: ReadonlySet<string> = new Set([
  ...UNDONE_WORDS,
  ...["lvs_sync_daemon"],
  ...["enable_snmp_keepalived", "enable_snmp_vrrp", "enable_snmp_checker", "enable_snmp_rfc", "enable_traps", "enable_dbus"],
  ...["net_namespace_ipvs"],
  ...["syn_proxy", "establish_timeout", "expire_quiescent_conn"],
]);

/** One note per word, with its first place. */
export function undoneWords({ lines }: Pick<ParseResult, "lines">): readonly string[] {
  const notes = new Map<string, string>();
  for (const { words, file, line } of lines) {
    const word = words[0]?.text ?? "";
    if (UNDONE.has(word) && !notes.has(word)) notes.set(word, `${file}:${line}: ${word} is read and not carried out`);
  }
  return [...notes.values()];
}
