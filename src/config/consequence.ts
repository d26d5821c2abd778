import type { Problem, ProblemKind } from "./source.ts";
import type { Line, Word } from "./tokens.ts";

/** What a problem does to keepalived 2.2.7 (spec 1.6, 2.6), found by trying every word of the table. */

/**
 * `ends`: it reads no further, and ends. `refuses`: it reads on, and a child ends with "permanent error CONFIG", which ends
 * all. `told`: a line in the log; what is wrong is left out, and it runs.
 */
export type Consequence = "ends" | "refuses" | "told";

const consequences: Readonly<Partial<Record<ProblemKind, Consequence>>> = {
  argument: "ends",
  interface: "refuses",
  "spare-interface": "refuses",
  instance: "refuses",
};

export const consequenceOf = ({ severity, kind }: Problem): Consequence =>
  (severity === "error" && kind !== undefined ? consequences[kind] : undefined) ?? "told";

/** Whether keepalived does not run with such a file. */
export const isFatal = (problems: readonly Problem[]): boolean => problems.some((p) => consequenceOf(p) !== "told");

/** The exit code of `keepalived -t`. 0: in order; 2: a value is missing, keepalived ends there; 4: only spare interfaces; 6: scripts without security; 5: the rest. */
export function testExitCode(problems: readonly Problem[]): 0 | 2 | 4 | 5 | 6 {
  const errors = problems.filter(({ severity }) => severity === "error");
  const kinds = new Set(errors.map(({ kind }) => kind));
  if (errors.length === 0) return 0;
  if (kinds.has("argument")) return 2;
  // Without its interface the VRRP process ends before it looks at scripts.
  if (kinds.has("check-security") || (kinds.has("security") && !kinds.has("interface"))) return 6;
  return errors.every(({ kind }) => kind === "spare-interface") ? 4 : 5;
}

/** Words without a value at which keepalived goes on, with the block where other blocks have a stricter one. */
const patient = new Set([
  ...["instance", "track_group", "vrrp_instance", "vrrp_sync_group"],
  ...["BFD_CHECK name", "FILE_CHECK weight", "vrrp_track_process weight", "track_file weight", "vrrp_track_file weight"],
  ...["http_protocol", "virtualhost", "MISC_CHECK user", "helo_name", "payload", "snmp_name", "kernel_rx_buf_size"],
  ...["ca", "certificate", "key", "password", "file"],
  ...["bfd_cpu_affinity", "bfd_priority", "bfd_rt_priority", "checker_cpu_affinity", "checker_priority", "checker_rt_priority"],
  ...["vrrp_cpu_affinity", "vrrp_priority", "vrrp_rt_priority", "min_auto_priority_delay"],
  ...["dbus_service_name", "default_interface", "lvs_netlink_cmd_rcv_bufs", "lvs_netlink_monitor_rcv_bufs", "lvs_notify_fifo"],
  ...["lvs_notify_fifo_script", "lvs_sync_daemon", "notification_email_from", "notify_fifo", "notify_fifo_script"],
  ...["process_monitor_rcv_bufs", "reload_time_file", "router_id", "script_user", "shutdown_script", "shutdown_script_timeout"],
  ...["snmp_socket", "startup_script", "startup_script_timeout", "tmp_config_directory", "vrrp_netlink_cmd_rcv_bufs"],
  ...["vrrp_netlink_monitor_rcv_bufs", "vrrp_notify_fifo", "vrrp_notify_fifo_script", "vrrp_rx_bufs_multiplier"],
  ...["vrrp_rx_bufs_policy"],
]);

/** Blocks whose options have values that may not be left out; other entries forgive it. */
const strictEntries = new Set(["static_routes", "static_rules", "virtual_routes", "virtual_rules"]);

/**
 * @param within word of the enclosing block
 * @param word the one without a value: the first of the line, or an option after it
 */
export function forgives(within: string, { words, isOpen }: Line, word: Word): boolean {
  if (word !== words[0]) return !strictEntries.has(within) && word.text !== "inst";
  if (isOpen && /^(notify|quorum_(up|down)$)/.test(word.text)) return true;
  return patient.has(word.text) || patient.has(`${within} ${word.text}`);
}
