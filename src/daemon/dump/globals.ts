import type { GlobalDefs } from "../../config/keywords.ts";
import { parseText } from "../../config/parse.ts";
import type { Facts } from "./facts.ts";
import { commandText, fixed6, identityText, scriptText, title } from "./words.ts";

/** The section of `global_defs`, in keepalived's order; it is the same in the dumps of all processes but for a few lines. */

export type Process = "parent" | "vrrp" | "checker" | "bfd";

/** What keepalived prints where the VRRP process would work out a default. */
const UNSET = 4294967295;

/** As written, or all defaults. */
export function globalsOf({ config }: Pick<Facts, "config">): GlobalDefs {
  if (config.globalDefs !== undefined) return config.globalDefs;
  defaults ??= parseText("global_defs {\n}\n").config.globalDefs!;
  return defaults;
}
let defaults: GlobalDefs | undefined;

export function globalLines(facts: Facts, process: Process): string[] {
  const g = globalsOf(facts);
  const lines = [
    ...identity(facts, g),
    ...reloads(g),
    ...(process === "parent" ? parentScripts(facts, g) : []),
    ...machines(g, process),
    ...fifos(facts, g, process),
    ...announcing(g, process),
    ...firewall(facts, g, process),
    ...checks(g),
    ...scheduling(g),
    ...services(facts, g),
    ...buffers(g),
    ...startup(g, process),
  ];
  return [title("Global definitions"), ...lines.map((line) => ` ${line}`)];
}

const onOff = (is: boolean | undefined): string => (is === undefined ? "unset" : is ? "on" : "off");
const given = <T>(label: string, value: T | undefined, text: (value: T) => string = String): string[] =>
  value === undefined ? [] : [`${label} = ${text(value)}`];

function identity({ config, machine }: Facts, g: GlobalDefs): string[] {
  const name = (own: string | undefined, usual: string): string | undefined => own ?? (g.processNames ? usual : undefined);
  const mails = g.notificationEmail.map(({ value }) => value);
  return [
    `Network namespace = ${config.netNamespace ?? "(default)"}`,
    `Network namespace ipvs = ${config.netNamespaceIpvs ?? "(main namespace)"}`,
    ...given("Instance name", config.instance),
    ...given("Parent process name", g.processName),
    ...given("VRRP process name", name(g.vrrpProcessName, "keepalived_vrrp")),
    ...given("LVS process name", name(g.checkerProcessName, "keepalived_lvs")),
    ...given("BFD process name", name(g.bfdProcessName, "keepalived_bfd")),
    `Router ID = ${g.routerId ?? machine.hostName}`,
    ...(g.smtpServer === undefined
      ? []
      : [
          `Smtp server = ${g.smtpServer.host}`,
          `Smtp server port = ${g.smtpServer.port}`,
          `Smtp HELO name = ${g.smtpHeloName ?? machine.hostName}`,
          `Smtp server connection timeout = ${g.smtpConnectTimeout}`,
          `Email notification from = ${g.notificationEmailFrom ?? `${machine.user}@${machine.hostName}`}`,
        ]),
    ...(mails.length === 0 ? [] : ["Email notification to:", ...mails.map((mail) => `  ${mail}`)]),
    `Default smtp_alert = ${onOff(g.smtpAlert)}`,
    `Default smtp_alert_vrrp = ${onOff(g.smtpAlertVrrp)}`,
    `Default smtp_alert_checker = ${onOff(g.smtpAlertChecker)}`,
    `Checkers log all failures = ${g.checkerLogAllFailures}`,
  ];
}

function reloads(g: GlobalDefs): string[] {
  return [
    g.reloadCheckConfig === undefined
      ? "No test config before reload"
      : `Test config before reload, log to ${g.reloadCheckConfig || "/dev/null"}`,
    ...(g.reloadTimeFile === undefined
      ? []
      : [`Reload time file = ${g.reloadTimeFile}${g.reloadRepeat ? " (repeat)" : ""}`, "No reload scheduled"]),
    ...given("Reload_file", g.reloadFile || undefined),
    ...given("config save directory", g.tmpConfigDirectory),
    ...(g.dataUseInstance ? ["Use instance name in data dumps"] : []),
  ];
}

function parentScripts(facts: Facts, g: GlobalDefs): string[] {
  const { startupScript, shutdownScript } = g;
  return [
    ...given("Startup script", startupScript, (s) => `${scriptText(s, facts)}, timeout ${g.startupScriptTimeout}`),
    ...given("Shutdown script", shutdownScript, (s) => `${scriptText(s, facts)} timeout ${g.shutdownScriptTimeout}`),
  ];
}

function machines(g: GlobalDefs, process: Process): string[] {
  return [
    `Dynamic interfaces = ${g.dynamicInterfaces !== undefined}`,
    ...(g.dynamicInterfaces === undefined ? [] : [`Allow interface changes = ${g.dynamicInterfaces === "allow_if_changes"}`]),
    ...(g.noEmailFaults ? ["Send emails for fault transitions = off"] : []),
    ...given("LVS TCP timeout", g.lvsTimeouts?.tcp),
    ...given("LVS TCP FIN timeout", g.lvsTimeouts?.tcpfin),
    ...given("LVS TCP timeout", g.lvsTimeouts?.udp), // keepalived's word for UDP too
    ...(process === "vrrp" ? [`Default interface = ${g.defaultInterface}`] : []),
    `Disable local IGMP = ${g.disableLocalIgmp ? "yes" : "no"}`,
    ...syncDaemon(g),
    `LVS flush = ${g.lvsFlush}`,
    `LVS flush on stop = ${g.lvsFlushOnStop === undefined ? "disabled" : g.lvsFlushOnStop === "VS" ? "VS" : "full"}`,
  ];
}

function syncDaemon({ lvsSyncDaemon: d }: GlobalDefs): string[] {
  if (d === undefined) return [];
  return [
    ...given("LVS syncd vrrp instance", d.instance),
    `LVS syncd interface = ${d.interface}`,
    ...given("LVS syncd syncid", d.id),
    ...given("LVS syncd maxlen", d.maxlen),
    ...(d.group === undefined ? [] : [`LVS mcast group ${d.group}`]),
    ...given("LVS syncd mcast port", d.port),
    ...given("LVS syncd mcast ttl", d.ttl),
  ];
}

function fifos(facts: Facts, g: GlobalDefs, process: Process): string[] {
  const user = identityText({}, facts);
  const of = (name: string, path: string | undefined, script: GlobalDefs["notifyFifoScript"], isOwn: boolean): string[] => {
    if (path === undefined) return [];
    const command = script && (isOwn ? { ...script, command: [...script.command, path] } : script);
    return [
      `${name} notify fifo = ${path}, uid:gid ${user}`,
      ...given(
        `${name} notify fifo script`,
        command,
        (s) => `${commandText(s.command, facts)}, uid:gid ${identityText(s, facts)}`,
      ),
    ];
  };
  return [
    ...of("Global", g.notifyFifo, g.notifyFifoScript, process !== "parent"),
    ...of("VRRP", g.vrrpNotifyFifo, g.vrrpNotifyFifoScript, process === "vrrp"),
    ...of("LVS", g.lvsNotifyFifo, g.lvsNotifyFifoScript, process === "checker"),
    `FIFO write vrrp states on reload = ${g.fifoWriteVrrpStatesOnReload}`,
    `VRRP notify priority changes = ${g.vrrpNotifyPriorityChanges}`,
  ];
}

function announcing(g: GlobalDefs, process: Process): string[] {
  const fallback = (n: number): number => (process === "vrrp" ? n : UNSET);
  return [
    `VRRP IPv4 mcast group = ${g.vrrpMcastGroup4}`,
    `VRRP IPv6 mcast group = ${g.vrrpMcastGroup6}`,
    `Gratuitous ARP delay = ${g.vrrpGarpMasterDelay}`,
    `Gratuitous ARP repeat = ${g.vrrpGarpMasterRepeat}`,
    `Gratuitous ARP refresh timer = ${g.vrrpGarpMasterRefresh}`,
    `Gratuitous ARP refresh repeat = ${g.vrrpGarpMasterRefreshRepeat}`,
    `Gratuitous ARP lower priority delay = ${g.vrrpGarpLowerPrioDelay ?? fallback(g.vrrpGarpMasterDelay)}`,
    `Gratuitous ARP lower priority repeat = ${g.vrrpGarpLowerPrioRepeat ?? fallback(g.vrrpGarpMasterRepeat)}`,
    `Num adverts before down = ${g.vrrpDownTimerAdverts}`,
    `Gratuitous ARP for each secondary ${g.vrrpGarpExtraIf?.all ? "i/f" : "VMAC"} = ${g.vrrpGarpExtraIf?.seconds ?? 0}s`,
    `Send advert after receive lower priority advert = ${!(g.vrrpLowerPrioNoAdvert ?? false)}`,
    `Send advert after receive higher priority advert = ${g.vrrpHigherPrioSendAdvert ?? false}`,
    `Gratuitous ARP interval = ${fixed6(g.vrrpGarpInterval)}`,
    `Gratuitous NA interval = ${fixed6(g.vrrpGnaInterval)}`,
    `VRRP default protocol version = ${g.vrrpVersion}`,
  ];
}

/** The VRRP process takes the default table when an instance needs one. */
function firewall({ vrrp }: Facts, g: GlobalDefs, process: Process): string[] {
  const isNeeded = process === "vrrp" && vrrp.instances.some((i) => i.vmac !== undefined || !i.accept);
  const table = g.nftables ?? (isNeeded ? "" : undefined);
  return [
    ...(table === undefined
      ? []
      : [
          `nftables table name = ${table || "keepalived"}`,
          `nftables base chain priority = ${g.nftablesPriority}`,
          `nftables ${g.nftablesIfindex ? "" : "don't "}force use ifindex for link local IPv6`,
        ]),
    `nftables with${g.nftablesCounters ? "" : "out"} counters`,
  ];
}

const checks = (g: GlobalDefs): string[] => [
  `VRRP check unicast_src = ${g.vrrpCheckUnicastSrc}`,
  `VRRP skip check advert addresses = ${g.vrrpSkipCheckAdvAddr}`,
  `VRRP strict mode = ${g.vrrpStrict}`,
];

function scheduling(g: GlobalDefs): string[] {
  const of = (
    name: string,
    [nice, noSwap, realTime, limit]: readonly [number, boolean, number, number],
    cpus: readonly number[] | undefined,
  ): string[] => [
    `${name} process priority = ${nice}`,
    `${name} don't swap = ${noSwap}`,
    `${name} realtime priority = ${realTime}`,
    ...given(`${name} CPU Affinity`, cpus, (list) => list.join(" ")),
    `${name} realtime limit = ${limit}`,
  ];
  return [
    g.maxAutoPriority === -1 ? "Max auto priority = Disabled" : `Max auto priority = ${g.maxAutoPriority ?? 0}`,
    `Min auto priority delay = ${g.minAutoPriorityDelay} usecs`,
    ...of("VRRP", [g.vrrpPriority, g.vrrpNoSwap, g.vrrpRtPriority, g.vrrpRlimitRttime], g.vrrpCpuAffinity),
    ...of("Checker", [g.checkerPriority, g.checkerNoSwap, g.checkerRtPriority, g.checkerRlimitRttime], g.checkerCpuAffinity),
    ...of("BFD", [g.bfdPriority, g.bfdNoSwap, g.bfdRtPriority, g.bfdRlimitRttime], g.bfdCpuAffinity),
  ];
}

/** There is no SNMP and no DBus here, whatever the file says. */
const services = (facts: Facts, g: GlobalDefs): string[] => [
  ...["SNMP vrrp", "SNMP checker", "SNMP RFCv2", "SNMP RFCv3", "SNMP traps"].map((name) => `${name} disabled`),
  `SNMP socket = default (${g.snmpSocket})`,
  "DBus disabled",
  "DBus service name = ",
  `Script security ${g.enableScriptSecurity ? "enabled" : "disabled"}`,
  `Default script uid:gid ${identityText({}, facts)}`,
];

function buffers(g: GlobalDefs): string[] {
  const of = (name: string, size: number | undefined, isForced: boolean): string[] => [
    `${name} = ${size ?? 0}`,
    `${name}_force = ${Number(isForced)}`,
  ];
  const policy = g.vrrpRxBufsPolicy;
  return [
    ...of("vrrp_netlink_cmd_rcv_bufs", g.vrrpNetlinkCmdRcvBufs, g.vrrpNetlinkCmdRcvBufsForce),
    ...of("vrrp_netlink_monitor_rcv_bufs", g.vrrpNetlinkMonitorRcvBufs, g.vrrpNetlinkMonitorRcvBufsForce),
    ...of("process_monitor_rcv_bufs", g.processMonitorRcvBufs, g.processMonitorRcvBufsForce),
    ...of("lvs_netlink_cmd_rcv_bufs", g.lvsNetlinkCmdRcvBufs, g.lvsNetlinkCmdRcvBufsForce),
    ...of("lvs_netlink_monitor_rcv_bufs", g.lvsNetlinkMonitorRcvBufs, g.lvsNetlinkMonitorRcvBufsForce),
    `rs_init_notifies = ${Number(g.rsInitNotifies)}`,
    `no_checker_emails = ${Number(g.noCheckerEmails)}`,
    ...(policy === undefined ? [] : [typeof policy === "number" ? `rx_bufs_size = ${policy}` : `rx_bufs_policy = ${policy}`]),
    `rx_bufs_multiples = ${g.vrrpRxBufsMultiplier}`,
    `umask = 0${g.umask.toString(8)}`,
  ];
}

function startup(g: GlobalDefs, process: Process): string[] {
  return [
    ...(g.vrrpStartupDelay === 0 ? [] : [`vrrp_startup_delay = ${g.vrrpStartupDelay}`]),
    ...(g.logUnknownVrids ? ["log_unknown_vrids"] : []),
    ...(g.origins.vmacPrefix === undefined ? [] : [`VMAC prefix = ${g.vmacPrefix}`]),
    ...given("VMAC address prefix", g.vmacAddrPrefix),
    ...(process === "vrrp" && g.vrrpRtPriority > 0
      ? [`current realtime priority = ${g.vrrpRtPriority}`, `current realtime time limit = ${g.vrrpRlimitRttime}`]
      : []),
  ];
}
