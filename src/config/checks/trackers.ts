import { familyOf, type Ip } from "../../net/ip.ts";
import type { Report } from "../checks.ts";
import type { KeepalivedConfig } from "../keywords.ts";
import { isMissing } from "../table.ts";

/** Scripts, processes, files, BFD sessions, ARP groups: what each needs (spec 2.10, 2.11, 2.14). */
export function checkTrackers(config: KeepalivedConfig, report: Report): void {
  for (const s of config.vrrpScript)
    if (isMissing(s, "script")) report.error(s.origin, `vrrp_script '${s.header}' has no script`);
  for (const f of config.trackFile) if (isMissing(f, "file")) report.error(f.origin, `track_file '${f.header}' has no file`);
  for (const p of config.vrrpTrackProcess) {
    if (isMissing(p, "process")) report.error(p.origin, `vrrp_track_process '${p.header}' has no process`);
    if (p.quorumMax && p.quorumMax < p.quorum) report.error(p.origins.quorumMax ?? p.origin, "quorum_max is below quorum");
  }
  checkBfd(config, report);
  checkGarpGroups(config, report);
  checkStaticAddresses(config, report);
}

function checkBfd(config: KeepalivedConfig, report: Report): void {
  const names = new Set<unknown>();
  const before: Session[] = [];
  for (const bfd of config.bfdInstance) {
    if (names.has(bfd.header)) report.error(bfd.origin, `bfd_instance '${bfd.header}' is defined twice`);
    names.add(bfd.header);
    if (bfd.neighborIp === undefined) {
      report.error(bfd.origin, `bfd_instance '${bfd.header}' has no neighbor_ip`);
      continue;
    }
    if (before.some((other) => isSameSession(other, bfd)))
      report.error(bfd.origin, `another bfd_instance has the neighbour ${bfd.neighborIp}`);
    before.push(bfd);
    const mixed = bfd.sourceIp !== undefined && familyOf(bfd.sourceIp) !== familyOf(bfd.neighborIp);
    if (mixed) report.error(bfd.origins.sourceIp ?? bfd.origin, "source_ip and neighbor_ip are of different families");
    const ttl = bfd.ttl ?? (familyOf(bfd.neighborIp) === "ipv4" ? 255 : 64);
    if ((bfd.maxHops < 0 ? 255 : bfd.maxHops) > ttl)
      report.error(bfd.origins.maxHops ?? bfd.origin, `max_hops is cut to ${ttl}, the TTL of its packets`);
  }
}

interface Session {
  readonly neighborIp: Ip | undefined;
  readonly sourceIp: Ip | undefined;
}

/** Two with one neighbour are told apart only when both have a source. */
export const isSameSession = (a: Session, b: Session): boolean =>
  a.neighborIp === b.neighborIp && (a.sourceIp === undefined || b.sourceIp === undefined || a.sourceIp === b.sourceIp);

function checkGarpGroups(config: KeepalivedConfig, report: Report): void {
  const members = new Set<string>();
  for (const group of config.garpGroup) {
    if (group.garpInterval === undefined && group.gnaInterval === undefined)
      report.error(group.origin, "garp_group has neither garp_interval nor gna_interval");
    for (const member of [...group.interface, ...group.interfaces]) {
      if (members.has(member.value)) report.error(member.origin, `${member.value} is in a garp_group already`);
      members.add(member.value);
    }
  }
}

function checkStaticAddresses(config: KeepalivedConfig, report: Report): void {
  const fallback = config.globalDefs?.defaultInterface ?? "eth0";
  const interfaces = config.globalDefs?.dynamicInterfaces === undefined ? report.facts.interfaces : undefined;
  for (const { value, origin } of config.staticIpaddress) {
    const missing = value.dev === undefined && interfaces !== undefined && !interfaces.has(fallback);
    if (missing)
      report.error(
        origin,
        `${value.ip} has no device, and the default interface '${fallback}' does not exist`,
        "spare-interface",
      );
  }
}
