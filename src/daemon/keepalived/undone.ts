import { root } from "../../config/keywords.ts";
import type { ParseResult } from "../../config/parse.ts";
import { everySetting, type Settings } from "../../config/table.ts";
import { UNDONE_WORDS } from "../vrrp/undone.ts";

/** Words that are read and not carried out; who uses one is told. */
const UNDONE: ReadonlySet<string> = new Set([
  ...UNDONE_WORDS,
  ...["lvs_sync_daemon"],
  ...["enable_snmp_keepalived", "enable_snmp_vrrp", "enable_snmp_checker", "enable_snmp_rfc", "enable_traps", "enable_dbus"],
  ...["enable_snmp_rfcv2", "enable_snmp_rfcv3", "snmp_vs_stats_update_interval", "snmp_rs_stats_update_interval", "snmp_socket"],
  ...["dbus_service_name", "dbus_no_interface_name", "random_seed", "iproute_usr_dir", "iproute_etc_dir", "include_check"],
  ...["config_save_dir", "nftables_ipvs", "nftables_ipvs_priority", "nftables_ipvs_start_fwmark", "track_src_ip", "snmp_name"],
  ...["vrrp_netlink_cmd_rcv_bufs_force", "vrrp_netlink_monitor_rcv_bufs_force", "tmp_config_directory"],
  ...["lvs_netlink_cmd_rcv_bufs", "lvs_netlink_monitor_rcv_bufs"],
  ...["lvs_netlink_cmd_rcv_bufs_force", "lvs_netlink_monitor_rcv_bufs_force"],
  ...["net_namespace_ipvs"],
  ...["syn_proxy", "establish_timeout", "expire_quiescent_conn"],
]);

export const isUndone = (word: string): boolean => UNDONE.has(word);

/** One note per word, with its first place. */
export function undoneWords({ lines }: Pick<ParseResult, "lines">): readonly string[] {
  const notes = new Map<string, string>();
  for (const { words, file, line } of lines) {
    const word = words[0]?.text ?? "";
    if (notes.has(word)) continue;
    const why = withoutEffect().get(word);
    if (UNDONE.has(word)) notes.set(word, `${file}:${line}: ${word} is read and not carried out`);
    else if (why !== undefined) notes.set(word, `${file}:${line}: ${word} has no effect: ${why}`);
  }
  return [...notes.values()];
}

let ignored: ReadonlyMap<string, string> | undefined;

/** Words that mean nothing here, and why. */
function withoutEffect(): ReadonlyMap<string, string> {
  ignored ??= new Map(
    everySetting(root.settings as Settings).flatMap(({ setting }) =>
      setting.ignored === undefined ? [] : [[setting.word, setting.ignored] as const],
    ),
  );
  return ignored;
}
