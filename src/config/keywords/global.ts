import {
  bool,
  count,
  flag,
  int,
  MICRO,
  multicast,
  nothing,
  onlyText,
  optionalText,
  path,
  script,
  seconds,
  shortText,
  text,
  uint,
  userGroup,
} from "../args.ts";
import { nameEntry } from "../entries/track.ts";
import { def, entries, many, opt } from "../table.ts";
import {
  bytes,
  chainPriority,
  cpuList,
  dynamicInterfaces,
  extraInterface,
  flushOnStop,
  includeCheck,
  lvsTimeouts,
  mailServer,
  maxAutoPriority,
  parentScript,
  realTimePriority,
  rxPolicy,
  syncDaemon,
  umask,
} from "./global-args.ts";

/** global_defs (spec 2.8). Times are seconds unless the usage says otherwise. */

const SECONDS_32 = 4294.967295;
const whole = int(0, 4294);
const process = shortText(15);
const rtTime = { ...int(1, 4294967295), usage: "MICROSECONDS" };
const nice = int(-20, 19);

export const globalDefs = {
  header: nothing,
  settings: {
    // identity and mail
    routerId: opt("router_id", text, "Name of this machine in mail subjects and SNMP.", { standard: "the host name" }),
    notificationEmail: entries("notification_email", nameEntry("ADDRESS"), "Who gets mail, one address per line.", {
      filled: true,
    }),
    notificationEmailFrom: opt("notification_email_from", text, "Sender of mail.", { standard: "user@host" }),
    smtpServer: opt(
      "smtp_server",
      mailServer,
      "Mail server; no mail is sent without one. The only keyword that takes a host name.",
    ),
    smtpHeloName: opt("smtp_helo_name", optionalText("NAME"), "Name said in HELO.", { standard: "the host name" }),
    smtpConnectTimeout: def(
      "smtp_connect_timeout",
      { ...count, usage: "SECONDS (1..4294)", read: (r) => timeout(r) },
      30,
      "Seconds to wait for the mail server.",
    ),
    smtpAlert: opt("smtp_alert", bool, "Default for every smtp_alert.", { standard: "on for real servers, off for the rest" }),
    smtpAlertVrrp: opt("smtp_alert_vrrp", bool, "Default for instances and groups."),
    smtpAlertChecker: opt("smtp_alert_checker", bool, "Default for virtual and real servers."),
    noEmailFaults: def("no_email_faults", flag, false, "No mail for FAULT."),
    noCheckerEmails: def("no_checker_emails", bool, false, "Mail only when a server is added or removed, not for each check."),
    checkerLogAllFailures: def("checker_log_all_failures", bool, false, "Log every failed try, not only the last."),
    rsInitNotifies: def("rs_init_notifies", bool, false, "Run notify scripts at start for servers that come up."),

    // scripts
    scriptUser: opt("script_user", userGroup, "Who runs scripts.", {
      standard: "keepalived_script if it exists, else the daemon's user",
    }),
    enableScriptSecurity: def("enable_script_security", flag, false, "Refuse to run as root a script that others may write."),
    setSupplementaryGroups: def("set_supplementary_groups", flag, false, "Scripts get the supplementary groups of their user.", {
      since: "2.4.4",
    }),
    useSymlinkPaths: def("use_symlink_paths", bool, false, "Keep symbolic links in script paths.", { since: "2.3.0" }),
    startupScript: opt("startup_script", parentScript, "Run once before anything else starts.", { once: true }),
    shutdownScript: opt("shutdown_script", parentScript, "Run once after everything has ended.", { once: true }),
    startupScriptTimeout: def("startup_script_timeout", int(1, 1000), 10, "Seconds the startup script may take."),
    shutdownScriptTimeout: def("shutdown_script_timeout", int(1, 1000), 10, "Seconds the shutdown script may take."),
    notifyFifo: opt("notify_fifo", path, "FIFO for all state changes.", { once: true }),
    vrrpNotifyFifo: opt("vrrp_notify_fifo", path, "FIFO for changes of instances and groups.", { once: true }),
    lvsNotifyFifo: opt("lvs_notify_fifo", path, "FIFO for changes of virtual and real servers.", { once: true }),
    notifyFifoScript: opt("notify_fifo_script", script, "Reader of notify_fifo, started with the path as last argument.", {
      once: true,
    }),
    vrrpNotifyFifoScript: opt("vrrp_notify_fifo_script", script, "Reader of vrrp_notify_fifo.", { once: true }),
    lvsNotifyFifoScript: opt("lvs_notify_fifo_script", script, "Reader of lvs_notify_fifo.", { once: true }),
    vrrpNotifyPriorityChanges: def("vrrp_notify_priority_changes", bool, false, "Tell FIFOs about changes of priority."),
    fifoWriteVrrpStatesOnReload: def(
      "fifo_write_vrrp_states_on_reload",
      flag,
      false,
      "Write all states to the FIFOs after a reload.",
    ),

    // processes
    processNames: def("process_names", flag, false, "Give processes their usual names."),
    processName: opt("process_name", process, "Name of the parent process."),
    vrrpProcessName: opt("vrrp_process_name", process, "Name of the VRRP process."),
    checkerProcessName: opt("checker_process_name", process, "Name of the checkers process.", { aliases: ["lvs_process_name"] }),
    bfdProcessName: opt("bfd_process_name", process, "Name of the BFD process."),
    umask: def("umask", umask, 0o177, "Mask for files that are created."),
    randomSeed: opt("random_seed", uint, "Seed of the random numbers of definitions.", { standard: "the time" }),
    defaultInterface: def("default_interface", text, "eth0", "Device of static addresses that name none."),
    iprouteUsrDir: opt("iproute_usr_dir", path, "Where iproute2's tables of names are.", { since: "2.3.2" }),
    iprouteEtcDir: opt("iproute_etc_dir", path, "Where the administrator's tables of names are.", { since: "2.3.2" }),

    // VRRP
    vrrpVersion: def("vrrp_version", int(2, 3), 2, "VRRP version of instances that name none; IPv6 uses 3."),
    vrrpMcastGroup4: def("vrrp_mcast_group4", multicast("ipv4"), "224.0.0.18" as never, "Where IPv4 adverts go."),
    vrrpMcastGroup6: def("vrrp_mcast_group6", multicast("ipv6"), "ff02::12" as never, "Where IPv6 adverts go."),
    vrrpGarpMasterDelay: def("vrrp_garp_master_delay", whole, 5, "Seconds until the second block of gratuitous ARPs; 0: none."),
    vrrpGarpMasterRepeat: def("vrrp_garp_master_repeat", count, 5, "Gratuitous ARPs in a block."),
    vrrpGarpMasterRefresh: def("vrrp_garp_master_refresh", uint, 0, "Seconds between refreshing blocks; 0: none."),
    vrrpGarpMasterRefreshRepeat: def("vrrp_garp_master_refresh_repeat", count, 1, "Gratuitous ARPs in a refreshing block."),
    vrrpGarpLowerPrioDelay: opt("vrrp_garp_lower_prio_delay", whole, "Seconds until the second block after a lower advert.", {
      standard: "vrrp_garp_master_delay",
    }),
    vrrpGarpLowerPrioRepeat: opt("vrrp_garp_lower_prio_repeat", uint, "Gratuitous ARPs after a lower advert.", {
      standard: "vrrp_garp_master_repeat",
    }),
    vrrpGarpInterval: def(
      "vrrp_garp_interval",
      seconds(MICRO, SECONDS_32),
      0,
      "Seconds between gratuitous ARPs on an interface.",
    ),
    vrrpGnaInterval: def(
      "vrrp_gna_interval",
      seconds(MICRO, SECONDS_32),
      0,
      "Seconds between neighbour advertisements on an interface.",
    ),
    vrrpMinGarp: def("vrrp_min_garp", bool, false, "One gratuitous ARP, no second block, no repeated refresh."),
    vrrpGarpExtraIf: opt("vrrp_garp_extra_if", extraInterface(1), "Refresh also on other interfaces of the addresses."),
    vrrpDownTimerAdverts: def("vrrp_down_timer_adverts", int(1, 100), 3, "Adverts to miss before a backup takes over."),
    vrrpLowerPrioNoAdvert: opt("vrrp_lower_prio_no_advert", bool, "Do not answer lower adverts at once."),
    vrrpHigherPrioSendAdvert: opt("vrrp_higher_prio_send_advert", bool, "Send one more advert when yielding to a higher one."),
    vrrpCheckUnicastSrc: def("vrrp_check_unicast_src", flag, false, "Accept unicast adverts from configured peers only."),
    vrrpSkipCheckAdvAddr: def("vrrp_skip_check_adv_addr", flag, false, "Check the address list once per sender only."),
    vrrpStrict: def("vrrp_strict", flag, false, "Follow the RFCs to the letter; blocks ping to the addresses."),
    vrrpOwnerIgnoreAdverts: def("vrrp_owner_ignore_adverts", bool, false, "An address owner does not look at adverts.", {
      since: "2.3.3",
    }),
    v3ChecksumAsV2: def("v3_checksum_as_v2", flag, false, "VRRPv3 checksums over IPv4 without a pseudo header.", {
      since: "2.2.8",
    }),
    logUnknownVrids: def("log_unknown_vrids", flag, false, "Log adverts of unknown virtual routers."),
    dynamicInterfaces: opt(
      "dynamic_interfaces",
      dynamicInterfaces,
      "Interfaces may come later, and with allow_if_changes differ.",
    ),
    disableLocalIgmp: def("disable_local_igmp", flag, false, "No IGMP for link-local groups."),
    vrrpStartupDelay: def("vrrp_startup_delay", seconds(0.001, SECONDS_32), 0, "Seconds to wait before instances start."),
    vrrpDelayAfterBoot: def(
      "vrrp_delay_after_boot",
      seconds(0.001, SECONDS_32),
      0,
      "Seconds after boot before instances start.",
      { since: "2.4.0" },
    ),
    vmacPrefix: def("vmac_prefix", text, "vrrp", "How generated VMAC names start.", { once: true }),
    vmacAddrPrefix: opt("vmac_addr_prefix", text, "How names of VMACs of addresses start.", {
      standard: "vmac_prefix",
      once: true,
    }),
    vrrpRxBufsPolicy: opt("vrrp_rx_bufs_policy", rxPolicy, "Size of receive buffers.", { standard: "the system's" }),
    vrrpRxBufsMultiplier: def(
      "vrrp_rx_bufs_multiplier",
      { ...onlyNumber(), usage: "N (1..)" },
      3,
      "Packets that fit a receive buffer.",
    ),
    vrrpIptables: many("vrrp_iptables", optionalText("IN [OUT]"), "Chains of iptables.", {
      deprecated: "nftables",
      ignored: "nftables is used",
    }),
    nftables: opt("nftables", optionalText("TABLE"), "Firewall table for no_accept and VMACs.", { standard: "keepalived" }),
    nftablesPriority: def("nftables_priority", chainPriority, -1, "Priority of the chains."),
    nftablesCounters: def("nftables_counters", flag, false, "Counters in the rules."),
    nftablesIfindex: def("nftables_ifindex", flag, false, "Match interfaces by index."),

    // LVS
    lvsSyncDaemon: opt("lvs_sync_daemon", syncDaemon, "Connection synchronisation; it follows the state of INSTANCE.", {
      once: true,
    }),
    lvsTimeouts: opt("lvs_timeouts", lvsTimeouts, "Timeouts of connections.", { standard: "unchanged" }),
    lvsFlush: def("lvs_flush", flag, false, "Empty the table at start."),
    lvsFlushOnStop: opt("lvs_flush_on_stop", flushOnStop, "Empty the table at stop, or delete services as a whole.", {
      aliases: ["lvs_flush_onstop"],
    }),
    nftablesIpvs: opt("nftables_ipvs", optionalText("TABLE"), "Groups become one mark and nftables rules."),
    nftablesIpvsPriority: opt("nftables_ipvs_priority", chainPriority, "Priority of those chains."),
    nftablesIpvsStartFwmark: def("nftables_ipvs_start_fwmark", int(1, 4294967295), 1000, "First mark used."),

    // scheduling and memory of processes
    maxAutoPriority: opt("max_auto_priority", maxAutoPriority, "How far a late process may raise its own scheduling; -1: never."),
    minAutoPriorityDelay: def("min_auto_priority_delay", int(1, 10_000_000), 1_000_000, "Microseconds late before that."),
    vrrpPriority: def("vrrp_priority", nice, 0, "Nice value of the VRRP process."),
    checkerPriority: def("checker_priority", nice, 0, "Nice value of the checkers process."),
    bfdPriority: def("bfd_priority", nice, 0, "Nice value of the BFD process."),
    vrrpRtPriority: def("vrrp_rt_priority", realTimePriority, 0, "Real-time priority of the VRRP process; 0: none."),
    checkerRtPriority: def("checker_rt_priority", realTimePriority, 0, "Real-time priority of the checkers process."),
    bfdRtPriority: def("bfd_rt_priority", realTimePriority, 0, "Real-time priority of the BFD process."),
    vrrpRlimitRttime: def("vrrp_rlimit_rttime", rtTime, 10_000, "Longest real-time burst of the VRRP process.", {
      aliases: ["vrrp_rlimit_rtime"],
    }),
    checkerRlimitRttime: def("checker_rlimit_rttime", rtTime, 10_000, "Longest real-time burst of the checkers process.", {
      aliases: ["checker_rlimit_rtime"],
    }),
    bfdRlimitRttime: def("bfd_rlimit_rttime", rtTime, 10_000, "Longest real-time burst of the BFD process.", {
      aliases: ["bfd_rlimit_rtime"],
    }),
    vrrpNoSwap: def("vrrp_no_swap", flag, false, "Keep the VRRP process in memory."),
    checkerNoSwap: def("checker_no_swap", flag, false, "Keep the checkers process in memory."),
    bfdNoSwap: def("bfd_no_swap", flag, false, "Keep the BFD process in memory."),
    vrrpCpuAffinity: opt("vrrp_cpu_affinity", cpuList, "Processors of the VRRP process."),
    checkerCpuAffinity: opt("checker_cpu_affinity", cpuList, "Processors of the checkers process."),
    bfdCpuAffinity: opt("bfd_cpu_affinity", cpuList, "Processors of the BFD process."),
    vrrpNetlinkCmdRcvBufs: opt("vrrp_netlink_cmd_rcv_bufs", bytes, "Receive buffer of the VRRP process's netlink commands."),
    vrrpNetlinkCmdRcvBufsForce: def("vrrp_netlink_cmd_rcv_bufs_force", bool, false, "That buffer may exceed the system's limit."),
    vrrpNetlinkMonitorRcvBufs: opt(
      "vrrp_netlink_monitor_rcv_bufs",
      bytes,
      "Receive buffer of the VRRP process's netlink events.",
    ),
    vrrpNetlinkMonitorRcvBufsForce: def(
      "vrrp_netlink_monitor_rcv_bufs_force",
      bool,
      false,
      "That buffer may exceed the system's limit.",
    ),
    lvsNetlinkCmdRcvBufs: opt("lvs_netlink_cmd_rcv_bufs", bytes, "Receive buffer of the checkers process's netlink commands."),
    lvsNetlinkCmdRcvBufsForce: def("lvs_netlink_cmd_rcv_bufs_force", bool, false, "That buffer may exceed the system's limit."),
    lvsNetlinkMonitorRcvBufs: opt(
      "lvs_netlink_monitor_rcv_bufs",
      bytes,
      "Receive buffer of the checkers process's netlink events.",
    ),
    lvsNetlinkMonitorRcvBufsForce: def(
      "lvs_netlink_monitor_rcv_bufs_force",
      bool,
      false,
      "That buffer may exceed the system's limit.",
    ),
    processMonitorRcvBufs: opt("process_monitor_rcv_bufs", bytes, "Receive buffer of the process monitor."),
    processMonitorRcvBufsForce: def("process_monitor_rcv_bufs_force", bool, false, "That buffer may exceed the system's limit."),

    // SNMP and DBus
    snmpSocket: def("snmp_socket", onlyText, "unix:/var/agentx/master", "Where the SNMP agent listens.", { once: true }),
    enableTraps: def("enable_traps", flag, false, "Send SNMP traps."),
    enableSnmpVrrp: def("enable_snmp_vrrp", flag, false, "SNMP for VRRP.", { aliases: ["enable_snmp_keepalived"] }),
    enableSnmpChecker: def("enable_snmp_checker", flag, false, "SNMP for virtual servers."),
    enableSnmpRfc: def("enable_snmp_rfc", flag, false, "Both RFC MIBs of VRRP."),
    enableSnmpRfcv2: def("enable_snmp_rfcv2", flag, false, "The MIB of RFC 2787."),
    enableSnmpRfcv3: def("enable_snmp_rfcv3", flag, false, "The MIB of RFC 6527."),
    snmpVsStatsUpdateInterval: def("snmp_vs_stats_update_interval", seconds(0.001, 30), 5, "Age of service statistics.", {
      since: "2.3.0",
    }),
    snmpRsStatsUpdateInterval: def("snmp_rs_stats_update_interval", seconds(0.001, 30), 5, "Age of server statistics.", {
      since: "2.3.0",
    }),
    enableDbus: def("enable_dbus", flag, false, "The DBus interface."),
    dbusServiceName: def("dbus_service_name", text, "org.keepalived.Vrrp1", "Name on the bus."),
    dbusNoInterfaceName: def("dbus_no_interface_name", text, "none", "Stands for the interface of instances without one.", {
      since: "2.3.0",
    }),

    // reload and dumps
    reloadCheckConfig: opt(
      "reload_check_config",
      optionalText("LOGFILE"),
      "Try a new file before a reload; a bad one changes nothing.",
    ),
    reloadTimeFile: opt("reload_time_file", onlyText, "File with the time of the next reload."),
    reloadRepeat: def("reload_repeat", flag, false, "Keep that file, reload every day."),
    reloadFile: opt("reload_file", optionalText("PATH"), "Exists while files are being read.", {
      standard: "keepalived.reload beside the pid file",
    }),
    includeCheck: opt("include_check", includeCheck, "Which failures of include are errors."),
    configSaveDir: opt("config_save_dir", path, "Copies of the files before and after each reload."),
    tmpConfigDirectory: opt("tmp_config_directory", path, "Where the joined copy of the files is kept."),
    dataUseInstance: def("data_use_instance", bool, false, "Names of dump files contain the instance."),
    stateDumpFile: opt("state_dump_file", path, "Where SIGUSR1 dumps.", { since: "2.3.3" }),
    statsDumpFile: opt("stats_dump_file", path, "Where SIGUSR2 dumps.", { since: "2.3.3" }),
    jsonDumpFile: opt("json_dump_file", path, "Where the JSON dump goes.", { since: "2.3.3" }),
    jsonVersion: def("json_version", int(1, 2), 1, "Shape of the JSON dump.", { since: "2.2.8" }),
  },
};

function timeout(r: Parameters<typeof count.read>[0]): number | undefined {
  const n = int(0, 4294).read(r);
  if (n === 0) r.error(r.args[0], "0 seconds is no time, 1 is used");
  return n === 0 ? 1 : n;
}

function onlyNumber() {
  const number = int(1, 4294967295);
  return {
    read: (r: Parameters<typeof count.read>[0]) =>
      r.args.length > 1 ? r.error(r.args[1], `'${r.keyword.text}' takes one value`) : number.read(r),
  };
}
