import {
  bool,
  count,
  flag,
  int,
  MICRO,
  name,
  nothing,
  oneOf,
  optionalText,
  path,
  script,
  seconds,
  text,
  uint,
  userGroup,
  weight,
} from "../args.ts";
import { addressEntry } from "../entries/address.ts";
import { routeEntry } from "../entries/route.ts";
import { ruleEntry } from "../entries/rule.ts";
import { namesEntry, trackEntry } from "../entries/track.ts";
import { block, def, entries, many, opt } from "../table.ts";
import { extraInterface, onlyBytes } from "./global-args.ts";
import {
  advertInterval,
  command,
  entryInterface,
  initFile,
  instanceGroup,
  instanceInterface,
  instanceIp,
  ipvlan,
  knownInterface,
  oldChecksum,
  optionalScript,
  paramMatch,
  password,
  scriptSeconds,
  seconds32,
  soleName,
  state,
  unicastPeer,
  virtualAddress,
  vmac,
  words,
} from "./vrrp-args.ts";

/** Trackers, groups and instances (spec 2.10 to 2.13). Times are seconds. */

const whole = int(0, 4294);
const optionalHeader = optionalText("NAME");

export const garpGroup = {
  header: optionalHeader,
  settings: {
    garpInterval: opt("garp_interval", seconds32(0), "Seconds between gratuitous ARPs of the group."),
    gnaInterval: opt("gna_interval", seconds32(0), "Seconds between neighbour advertisements of the group."),
    interface: many("interface", knownInterface, "A member."),
    interfaces: entries("interfaces", entryInterface, "The members, one per line.", { filled: true }),
  },
};

export const vrrpScript = {
  header: name,
  settings: {
    script: opt("script", command, "What is run; exit 0 means up. Required."),
    interval: def("interval", scriptSeconds, 1, "Seconds between runs."),
    timeout: opt("timeout", scriptSeconds, "Seconds a run may take.", { standard: "interval" }),
    weight: def("weight", weight(-253, 253), { weight: 0, reverse: false }, "Added to the priority; 0: a failure is FAULT."),
    rise: def("rise", int(1, 2147483647), 1, "Successes that make it up."),
    fall: def("fall", int(1, 2147483647), 1, "Failures that make it down."),
    user: opt("user", userGroup, "Who runs it.", { standard: "script_user" }),
    initFail: def("init_fail", flag, false, "Down until the first success."),
  },
};

export const vrrpTrackProcess = {
  header: name,
  settings: {
    process: opt("process", words, "Name of the process, and its parameters. Required.", { once: true }),
    paramMatch: def("param_match", paramMatch, "exact" as const, "How parameters are compared."),
    fullCommand: def("full_command", flag, false, "Compare the whole command line."),
    weight: def("weight", weight(-254, 254), { weight: 0, reverse: false }, "Added to the priority; 0: a failure is FAULT."),
    quorum: def("quorum", int(1, 65535), 1, "Processes that are enough."),
    quorumMax: opt("quorum_max", int(0, 65535), "Processes that are too many are more than this."),
    delay: opt("delay", seconds(MICRO, 3600), "Both of the following."),
    forkDelay: opt("fork_delay", seconds(MICRO, 3600), "Seconds before a gained quorum counts."),
    terminateDelay: opt("terminate_delay", seconds(MICRO, 3600), "Seconds before a lost quorum counts."),
  },
};

export const trackFile = {
  header: name,
  settings: {
    file: opt("file", path, "The file; its number times the weight is added to the priority. Required.", { once: true }),
    weight: def("weight", weight(-254, 254), { weight: 1, reverse: false }, "Factor; 0: a number other than 0 is FAULT."),
    initFile: opt("init_file", initFile, "Create the file at start, with a value."),
  },
};

const tracking = {
  trackInterface: entries("track_interface", trackEntry("interface"), "Interfaces that must be up."),
  trackScript: entries("track_script", trackEntry("script"), "Scripts that must succeed."),
  trackProcess: entries("track_process", trackEntry("process"), "Processes that must run."),
  trackFile: entries("track_file", trackEntry("file"), "Files that add to the priority."),
  trackBfd: entries("track_bfd", trackEntry("bfd"), "BFD sessions that must be up."),
};

const notifying = {
  notifyMaster: opt("notify_master", script, "Run on MASTER.", { once: true }),
  notifyBackup: opt("notify_backup", script, "Run on BACKUP.", { once: true }),
  notifyFault: opt("notify_fault", script, "Run on FAULT.", { once: true }),
  notifyStop: opt("notify_stop", script, "Run when VRRP stops.", { once: true }),
  notify: opt("notify", script, "Run on every change with: GROUP|INSTANCE, name, state, priority.", { once: true }),
  smtpAlert: opt("smtp_alert", bool, "Mail on changes.", { standard: "smtp_alert_vrrp" }),
  notifyPriorityChanges: opt("notify_priority_changes", bool, "Tell FIFOs about changes of priority."),
};

export const vrrpSyncGroup = {
  header: soleName,
  settings: {
    group: entries("group", namesEntry("INSTANCE"), "The members; they change state together.", { filled: true }),
    ...tracking,
    ...notifying,
    syncGroupTrackingWeight: def("sync_group_tracking_weight", flag, false, "Weighted trackers count for members."),
    globalTracking: def("global_tracking", flag, false, "Trackers of members count for all.", {
      deprecated: "track_interface, track_script or track_file of the group",
    }),
  },
};

export const trackGroup = {
  header: soleName,
  settings: {
    group: entries("group", namesEntry("INSTANCE"), "Instances that watch the static entries of the group.", { filled: true }),
  },
};

const authentication = {
  header: nothing,
  settings: {
    authType: opt("auth_type", oneOf("PASS", "AH"), "A clear-text password, or the IPsec header."),
    authPass: opt("auth_pass", password, "The password, the same on all routers."),
  },
};

const authHmac = {
  header: nothing,
  settings: {
    key: many("key", { ...words, usage: "ID VALUE" }, "A key: text, hex:… or file:…."),
    activeKey: opt("active_key", int(0, 255), "The key to send with."),
    mode: def("mode", oneOf("enforce", "permissive", "receive-only"), "enforce" as const, "What happens to adverts without it."),
    antiReplay: def("anti_replay", oneOf("time", "monotonic"), "time" as const, "How repeated adverts are noticed."),
    window: opt("window", int(1, 300), "Seconds an advert stays fresh."),
  },
};

export const vrrpInstance = {
  header: soleName,
  settings: {
    state: opt("state", state, "What it hopes to be at start; only a hint.", { standard: "BACKUP" }),
    interface: opt("interface", instanceInterface, "Where adverts are sent."),
    virtualRouterId: opt("virtual_router_id", int(1, 255), "The VRID, the same on all routers. Required."),
    priority: opt("priority", int(1, 255), "The highest is master; 255 owns the addresses.", {
      standard: "100, or 255 with state MASTER",
    }),
    advertInt: def("advert_int", advertInterval, 1, "Seconds between adverts; version 2: whole seconds."),
    version: opt("version", int(2, 3), "VRRP version.", { standard: "vrrp_version; 3 for IPv6" }),
    virtualIpaddress: entries("virtual_ipaddress", virtualAddress, "The addresses the master has. All of one family."),
    virtualIpaddressExcluded: entries("virtual_ipaddress_excluded", addressEntry("virtual"), "More addresses, not in adverts."),
    noVirtualIpaddress: def("no_virtual_ipaddress", flag, false, "It is meant to have no address.", { since: "2.2.8" }),
    virtualRoutes: entries("virtual_routes", routeEntry("virtual"), "Routes the master has."),
    virtualRules: entries("virtual_rules", ruleEntry("virtual"), "Rules the master has."),
    authentication: block("authentication", authentication, "Version 2 only."),
    authHmac: block("auth_hmac", authHmac, "Authenticated adverts.", { since: "2.4.0" }),
    unicastPeer: entries("unicast_peer", unicastPeer, "Send adverts to these instead of the multicast group."),
    unicastSrcIp: opt("unicast_src_ip", instanceIp, "Source of unicast adverts.", { standard: "the interface's address" }),
    mcastSrcIp: opt("mcast_src_ip", instanceIp, "Source of multicast adverts.", { standard: "the interface's address" }),
    mcastDstIp: opt("mcast_dst_ip", instanceGroup, "Group of its adverts.", { standard: "vrrp_mcast_group4 or 6" }),
    unicastTtl: opt("unicast_ttl", int(0, 255), "TTL of unicast adverts.", { standard: "255" }),
    unicastFaultNoPeer: def("unicast_fault_no_peer", flag, false, "Unicast without peers is FAULT, not multicast."),
    checkUnicastSrc: opt("check_unicast_src", flag, "Accept adverts from peers only."),
    trackSrcIp: def("track_src_ip", flag, false, "FAULT while the source address is missing."),
    oldUnicastChecksum: opt("old_unicast_checksum", oldChecksum, "The checksum of before 1.3.6."),
    nopreempt: def("nopreempt", flag, false, "Do not take over from a lower master; needs state BACKUP."),
    preempt: def("preempt", flag, true, "The opposite."),
    preemptDelay: def("preempt_delay", seconds(0, 1000), 0, "Seconds to wait before taking over."),
    accept: def("accept", flag, false, "Accept packets to the addresses (the default unless strict)."),
    noAccept: def("no_accept", flag, false, "Drop packets to the addresses unless it owns them."),
    useVmac: opt("use_vmac", vmac, "Addresses on a virtual MAC, as the RFC has it."),
    vmacXmitBase: def("vmac_xmit_base", flag, false, "Adverts leave by the parent interface."),
    useVmacAddr: def("use_vmac_addr", flag, false, "Addresses on other interfaces get VMACs too."),
    useIpvlan: opt("use_ipvlan", ipvlan, "Addresses on an ipvlan."),
    vrf: opt("vrf", text, "VRF of an instance without interface."),
    dontTrackPrimary: def("dont_track_primary", flag, false, "The interface may be down."),
    ...tracking,
    ...notifying,
    notifyDeleted: opt("notify_deleted", optionalScript, "Run when a reload removes it, instead of notify_fault.", {
      once: true,
    }),
    notifyMasterRxLowerPri: opt("notify_master_rx_lower_pri", script, "Run when a lower advert is seen as master.", {
      once: true,
    }),
    garpMasterDelay: opt("garp_master_delay", whole, "Seconds until the second block of gratuitous ARPs.", {
      standard: "vrrp_garp_master_delay",
    }),
    garpMasterRepeat: opt("garp_master_repeat", count, "Gratuitous ARPs in a block.", { standard: "vrrp_garp_master_repeat" }),
    garpMasterRefresh: opt("garp_master_refresh", uint, "Seconds between refreshing blocks.", {
      standard: "vrrp_garp_master_refresh",
    }),
    garpMasterRefreshRepeat: opt("garp_master_refresh_repeat", count, "Gratuitous ARPs in a refreshing block.", {
      standard: "the global one",
    }),
    garpLowerPrioDelay: opt("garp_lower_prio_delay", whole, "Seconds until the second block after a lower advert.", {
      standard: "the global one",
    }),
    garpLowerPrioRepeat: opt("garp_lower_prio_repeat", uint, "Gratuitous ARPs after a lower advert.", {
      standard: "the global one",
    }),
    garpExtraIf: opt("garp_extra_if", extraInterface(0), "Refresh also on other interfaces of the addresses."),
    vmacGarpIntvl: opt("vmac_garp_intvl", extraInterface(0), "Old name.", { deprecated: "garp_extra_if" }),
    lowerPrioNoAdvert: opt("lower_prio_no_advert", bool, "Do not answer lower adverts at once.", { standard: "the global one" }),
    higherPrioSendAdvert: opt("higher_prio_send_advert", bool, "One more advert when yielding.", { standard: "the global one" }),
    downTimerAdverts: opt("down_timer_adverts", int(1, 100), "Adverts to miss before taking over.", {
      standard: "vrrp_down_timer_adverts",
    }),
    timerExpiredBackup: opt("timer_expired_backup", optionalText("N"), "Become BACKUP when the own timer was too late.", {
      since: "2.2.8",
      aliases: ["thread_timer_expired"],
    }),
    ownerIgnoreAdverts: opt("owner_ignore_adverts", bool, "An owner does not look at adverts.", { since: "2.3.3" }),
    skipCheckAdvAddr: opt("skip_check_adv_addr", bool, "Check the address list once per sender.", { standard: "the global one" }),
    strictMode: opt("strict_mode", bool, "Follow the RFC to the letter.", { standard: "vrrp_strict" }),
    v3ChecksumAsV2: opt("v3_checksum_as_v2", bool, "VRRPv3 checksums without a pseudo header.", { since: "2.2.8" }),
    promoteSecondaries: def("promote_secondaries", flag, false, "Removing an address keeps the others of its net."),
    kernelRxBufSize: opt("kernel_rx_buf_size", onlyBytes, "Size of the receive buffer."),
    debug: def("debug", int(0, 4), 0, "Amount of debug logs.", { ignored: "never implemented by keepalived" }),
    linkbeatUsePolling: def("linkbeat_use_polling", flag, false, "Poll the link.", {
      deprecated: "the linkbeat_interfaces block",
    }),
    lvsSyncDaemonInterface: opt("lvs_sync_daemon_interface", text, "Where connections are synchronised.", {
      deprecated: "lvs_sync_daemon in global_defs",
    }),
    nativeIpv6: def("native_ipv6", flag, false, "IPv6; the addresses say so already."),
  },
};
