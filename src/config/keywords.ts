import { flag, name, nothing, optionalText, text, uint } from "./args.ts";
import { addressEntry } from "./entries/address.ts";
import { routeEntry } from "./entries/route.ts";
import { ruleEntry } from "./entries/rule.ts";
import { bfdInstance } from "./keywords/bfd.ts";
import { groupEntry, localAddresses } from "./keywords/checker-args.ts";
import { realServer, ssl, virtualServer } from "./keywords/checkers.ts";
import { globalDefs } from "./keywords/global.ts";
import { garpGroup, trackFile, trackGroup, vrrpInstance, vrrpScript, vrrpSyncGroup, vrrpTrackProcess } from "./keywords/vrrp.ts";
import { linkbeat, linkDelay } from "./keywords/vrrp-args.ts";
import { type Block, type BlockValue, block, blocks, def, entries, groups, opt } from "./table.ts";

/** The keyword table of keepalived.conf, from the root (spec 2.7). What others name stands before them: keepalived wants it so. */
const settings = {
  netNamespace: opt("net_namespace", text, "Network namespace to run in."),
  netNamespaceIpvs: opt("net_namespace_ipvs", optionalText("NAME"), "Namespace of the services.", { standard: "the same" }),
  namespaceWithIpsets: def("namespace_with_ipsets", flag, false, "For kernels before 3.13.", { ignored: "we use no ipsets" }),
  instance: opt("instance", text, "Name of this daemon, when several run in one namespace."),
  usePidDir: def("use_pid_dir", flag, false, "Pid files in a directory of their own."),
  childWaitTime: def("child_wait_time", uint, 5, "Seconds children get to end."),
  linkbeatUsePolling: def("linkbeat_use_polling", flag, false, "Poll links instead of listening to the kernel."),
  linkbeatInterfaces: entries("linkbeat_interfaces", linkbeat, "Interfaces whose link is polled."),
  interfaceUpDownDelays: entries("interface_up_down_delays", linkDelay, "Seconds a change of a link must last to count."),
  globalDefs: block("global_defs", globalDefs, "What is for all."),
  garpGroup: blocks("garp_group", garpGroup, "Interfaces that share a rate of gratuitous ARPs."),
  trackGroup: blocks("track_group", trackGroup, "Instances that watch static entries."),
  staticIpaddress: entries("static_ipaddress", addressEntry("static"), "Addresses set from start to stop."),
  staticRoutes: entries("static_routes", routeEntry("static"), "Routes set from start to stop."),
  staticRules: entries("static_rules", ruleEntry("static"), "Rules set from start to stop."),
  vrrpScript: blocks("vrrp_script", vrrpScript, "A script to track."),
  vrrpTrackProcess: blocks("vrrp_track_process", vrrpTrackProcess, "A process to track."),
  trackFile: blocks("track_file", trackFile, "A file to track.", { aliases: ["vrrp_track_file"] }),
  bfdInstance: blocks("bfd_instance", bfdInstance, "A BFD session."),
  vrrpSyncGroup: blocks("vrrp_sync_group", vrrpSyncGroup, "Instances that change state together."),
  vrrpInstance: blocks("vrrp_instance", vrrpInstance, "A virtual router."),
  ssl: block("SSL", ssl, "Client certificate of SSL_GET.", { once: true }),
  virtualServerGroup: groups("virtual_server_group", name, groupEntry, "Addresses and marks that share real servers."),
  virtualServer: blocks("virtual_server", virtualServer, "A virtual service."),
  localAddressGroup: groups("local_address_group", name, localAddresses, "Source addresses of FullNAT.", { since: "fork" }),
};

export const root: Block<undefined, typeof settings> = { header: nothing, settings };

type Of<B> = BlockValue<B>;
export type KeepalivedConfig = Of<typeof root>;
export type GlobalDefs = Of<Block<undefined, (typeof globalDefs)["settings"]>>;
export type VrrpInstance = KeepalivedConfig["vrrpInstance"][number];
export type VrrpSyncGroup = KeepalivedConfig["vrrpSyncGroup"][number];
export type VirtualServer = KeepalivedConfig["virtualServer"][number];
export type VirtualServerGroup = KeepalivedConfig["virtualServerGroup"][number];
export type RealServer = VirtualServer["realServer"][number];
export type HttpGet = RealServer["httpGet"][number];
export const realServerSettings = realServer.settings;
