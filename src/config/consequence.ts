import { NO_SCRIPT_SECURITY } from "./checks/scripts.ts";
import type { Problem } from "./source.ts";

/** What a problem does to keepalived 2.2.7, so that lvsd starts with the files that keepalived starts with (spec 2.6). */

/**
 * `ends`: it reads no further, and ends. `refuses`: it reads on, and a child ends with "permanent error CONFIG", which ends
 * all. `told`: a line in the log; what is wrong is left out, and it runs.
 */
export type Consequence = "ends" | "refuses" | "told";

const NO_VALUE = /^'(.*)' needs a value$/;
/** Words whose missing value it notices; at all others it ends. */
const NOTICED: ReadonlySet<string> = new Set([
  ...["instance", "track_group", "vrrp_sync_group", "vrrp_instance", "router_id", "script_user", "default_interface", "label"],
  ...["vrrp_priority", "checker_priority", "bfd_priority", "vrrp_rt_priority", "checker_rt_priority", "bfd_rt_priority"],
  ...["vrrp_cpu_affinity", "checker_cpu_affinity", "bfd_cpu_affinity", "min_auto_priority_delay", "process_monitor_rcv_bufs"],
  ...["vrrp_netlink_cmd_rcv_bufs", "vrrp_netlink_monitor_rcv_bufs", "lvs_netlink_cmd_rcv_bufs", "lvs_netlink_monitor_rcv_bufs"],
  ...["snmp_socket", "snmp_name", "dbus_service_name", "reload_time_file", "tmp_config_directory", "notification_email_from"],
  ...["startup_script", "shutdown_script", "startup_script_timeout", "shutdown_script_timeout", "lvs_sync_daemon"],
  ...["notify_fifo", "vrrp_notify_fifo", "lvs_notify_fifo"],
  ...["notify_fifo_script", "vrrp_notify_fifo_script", "lvs_notify_fifo_script"],
  ...["kernel_rx_buf_size", "vrrp_rx_bufs_policy", "vrrp_rx_bufs_multiplier", "file", "password", "ca", "certificate", "key"],
  ...["virtualhost", "http_protocol", "helo_name", "payload"],
]);
const REFUSES = [
  /^interface '.*' does not exist$/,
  /, and the default interface '.*' does not exist$/,
  /^vrrp_instance '.*' has no (virtual_router_id|interface)$/,
  /^'.*' has virtual_router_id \d+ on .* too$/,
];

export function consequenceOf({ severity, message }: Problem): Consequence {
  if (severity === "warning") return "told";
  const word = NO_VALUE.exec(message)?.[1];
  if (word !== undefined) return NOTICED.has(word) ? "told" : "ends";
  return REFUSES.some((pattern) => pattern.test(message)) ? "refuses" : "told";
}

/** Whether keepalived does not run with such a file. */
export const isFatal = (problems: readonly Problem[]): boolean => problems.some((p) => consequenceOf(p) !== "told");

/** The exit code of `keepalived -t` (spec 1.6): 0 in order, 2 a value is missing, 5 findings, 6 scripts without script security. */
export function testExitCode(problems: readonly Problem[]): 0 | 2 | 5 | 6 {
  if (problems.some((p) => consequenceOf(p) === "ends")) return 2;
  if (problems.some((p) => p.message === NO_SCRIPT_SECURITY)) return 6;
  return problems.some((p) => p.severity === "error") ? 5 : 0;
}
