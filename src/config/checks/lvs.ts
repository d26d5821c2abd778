import { familyOf, type Ip } from "../../net/ip.ts";
import { isLinkLocal, wholeNumber } from "../args.ts";
import type { Report } from "../checks.ts";
import type { Forwarding } from "../keywords/checker-args.ts";
import { isOldAddress } from "../keywords/global-args.ts";
import type { KeepalivedConfig, RealServer, VirtualServer, VirtualServerGroup } from "../keywords.ts";
import type { Origin } from "../source.ts";
import { isMissing } from "../table.ts";
import { checksOf } from "../values.ts";

/** Virtual servers as a whole (spec 2.15 to 2.18). */

export function checkVirtualServers(config: KeepalivedConfig, report: Report): void {
  for (const group of config.virtualServerGroup) {
    if (group.entries.length === 0) report.error(group.origin, `virtual_server_group '${group.header}' is empty`);
  }
  const groups = new Map(config.virtualServerGroup.map((g) => [g.header, g]));
  for (const vs of config.virtualServer) {
    checkVirtualServer(vs, groups, report);
    checkPool(config, vs, report);
  }
}

type Family = "ipv4" | "ipv6";

/** What a virtual server is after its defaults. */
interface Service {
  readonly vs: VirtualServer;
  readonly group: VirtualServerGroup | undefined;
  readonly family: Family | undefined;
  /** It listens to marks only. */
  readonly marked: boolean;
  readonly method: Forwarding["method"];
  /** The port of a single address; undefined for marks and groups. */
  readonly port: number | undefined;
}

function checkVirtualServer(vs: VirtualServer, groups: ReadonlyMap<string, VirtualServerGroup>, report: Report): void {
  const group = vs.header.by === "group" ? groups.get(vs.header.group) : undefined;
  if (vs.header.by === "group" && group === undefined)
    report.warn(vs.origin, `there is no virtual_server_group '${vs.header.group}'`);
  const service: Service = {
    vs,
    group,
    family: familyOfService(vs),
    marked:
      vs.header.by === "fwmark" ||
      (group !== undefined && group.entries.length > 0 && group.entries.every((e) => e.value.by === "fwmark")),
    method: vs.lbKind?.method ?? "nat",
    port: vs.header.by === "address" ? vs.header.port : undefined,
  };
  if (isMissing(vs, "realServer")) {
    report.error(vs.origin, "virtual_server without real_server");
    return;
  }
  checkOptions(service, report);
  if (vs.realServer.length > 0) {
    checkQuorum(service, checkRealServers(service, report), report);
    checkSorry(service, report);
  }
}

function familyOfService(vs: VirtualServer): Family | undefined {
  if (vs.header.by === "address") return familyOf(vs.header.ip);
  if (vs.ipFamily !== undefined) return vs.ipFamily === "inet" ? "ipv4" : "ipv6";
  const first = vs.realServer.find((rs) => (rs.lvsMethod ?? vs.lbKind)?.method !== "tunnel");
  return first && familyOf(first.header.ip);
}

function checkOptions({ vs, group, marked, family }: Service, report: Report): void {
  if (marked && vs.protocol !== undefined) report.error(vs.origins.protocol!, "a mark has no protocol");
  if (!marked && isMissing(vs, "protocol")) report.error(vs.origin, "no protocol, UDP is used");
  if (isMissing(vs, "lbAlgo")) report.error(vs.origin, "no lb_algo, wlc is used");
  if (isMissing(vs, "lbKind")) report.error(vs.origin, "no lb_kind, NAT is used");
  if (vs.ops && (vs.protocol ?? "UDP") !== "UDP") report.error(vs.origins.ops!, "one packet scheduling is for UDP");
  if (vs.haSuspend && vs.header.by === "fwmark") report.error(vs.origins.haSuspend!, "ha_suspend needs an address");
  const persistent = vs.persistenceTimeout !== undefined || vs.persistenceGranularity !== undefined;
  const anyPort =
    vs.header.by === "address"
      ? vs.header.port === 0
      : group?.entries.some((e) => e.value.by === "address" && e.value.port === 0);
  if (anyPort && !persistent) report.error(vs.origin, "every port needs persistence_timeout");
  const conflict =
    vs.header.by === "address" && vs.ipFamily !== undefined && (vs.ipFamily === "inet" ? "ipv4" : "ipv6") !== family;
  if (conflict) report.error(vs.origins.ipFamily!, "ip_family is not the address's");
  const granularity = vs.persistenceGranularity;
  const origin = vs.origins.persistenceGranularity;
  if (granularity === undefined || origin === undefined) return;
  const isLength = wholeNumber(granularity) >= 1 && wholeNumber(granularity) <= 128;
  if (family === "ipv6" && !isLength) report.error(origin, "persistence_granularity of IPv6 is a prefix length, 1..128");
  if (family === "ipv4" && !isOldAddress(granularity)) report.error(origin, "persistence_granularity of IPv4 is a netmask");
  else if (family === "ipv4" && !granularity.includes("."))
    report.warn(origin, `keepalived reads '${granularity}' as the netmask 0.0.0.${granularity}`);
}

function checkRealServers(s: Service, report: Report): readonly RealServer[] {
  const seen = new Set<string>();
  const good: RealServer[] = [];
  for (const rs of s.vs.realServer) {
    const method = (rs.lvsMethod ?? s.vs.lbKind)?.method ?? "nat";
    if (!fits(s, rs.header.ip, method)) {
      report.error(rs.origin, `${rs.header.ip} is not of the service's family`);
      continue;
    }
    checkPort(s, rs.header.port, method, rs.origin, report);
    const key = `${rs.header.ip} ${isTranslated(method) ? rs.header.port || s.port : s.port}`;
    if (seen.has(key)) report.error(rs.origin, `real server ${rs.header.ip} is there twice`);
    seen.add(key);
    good.push(rs);
    checkChecks(rs, report);
  }
  return good;
}

/** Only a translated packet can go to another port. */
const isTranslated = (method: Forwarding["method"]): boolean => method === "nat" || method === "fullnat";

/** FullNAT needs addresses of the director to send from (spec 2.19). */
function checkPool(config: KeepalivedConfig, vs: VirtualServer, report: Report): void {
  const fullnat = [vs.lbKind, ...vs.realServer.map((rs) => rs.lvsMethod)].some((by) => by?.method === "fullnat");
  const name = vs.laddrGroupName;
  const group = config.localAddressGroup.find((one) => one.header === name);
  if (name !== undefined && group === undefined)
    report.error(vs.origins.laddrGroupName ?? vs.origin, `there is no local_address_group '${name}'`);
  if (fullnat && isMissing(vs, "laddrGroupName"))
    report.error(vs.origins.lbKind ?? vs.origin, "FNAT needs laddr_group_name: addresses of the director to send from");
}

/** Only tunnels cross families. */
const fits = (s: Service, ip: Ip, method: Forwarding["method"]): boolean =>
  method === "tunnel" || s.family === undefined || familyOf(ip) === s.family;

/** DR and TUN leave the port as it is, so it must be the service's (spec 2.16). */
function checkPort(s: Service, port: number, method: Forwarding["method"], origin: Origin, report: Report): void {
  if (isTranslated(method) || port === 0) return;
  const other = s.group?.entries.find((e) => e.value.by === "address" && e.value.port !== port);
  if (s.marked) report.error(origin, `the port means nothing with ${method === "route" ? "DR" : "TUN"} and a mark`);
  else if (s.port !== undefined && s.port !== port) report.error(origin, `port ${port} is not the service's, ${s.port}`);
  else if (other?.value.by === "address") report.error(origin, `port ${port} is not the group's, ${other.value.port}`);
}

function checkQuorum({ vs }: Service, good: readonly RealServer[], report: Report): void {
  const sum = good.reduce((n, rs) => n + (rs.weight ?? vs.weight), 0);
  if (vs.quorum > sum)
    report.error(vs.origins.quorum ?? vs.origin, `the quorum ${vs.quorum} is above the sum of the weights, ${sum}`);
  const quorum = Math.min(vs.quorum, sum);
  if (vs.hysteresis > 0 && vs.hysteresis >= quorum)
    report.error(vs.origins.hysteresis!, `hysteresis ${vs.hysteresis} is not below the quorum ${quorum}`);
}

function checkSorry(s: Service, report: Report): void {
  const { vs } = s;
  const origin = vs.origins.sorryServer;
  if (vs.sorryServer === undefined || origin === undefined) return;
  const method = (vs.sorryServerLvsMethod ?? vs.lbKind)?.method ?? "nat";
  if (!fits(s, vs.sorryServer.ip, method)) report.error(origin, "the sorry server is not of the service's family");
  else checkPort(s, vs.sorryServer.port, method, origin, report);
  const same = vs.realServer.find(
    (rs) => rs.header.ip === vs.sorryServer?.ip && (rs.header.port || s.port) === (vs.sorryServer.port || s.port),
  );
  const differs = same !== undefined && (same.inhibitOnFailure ?? vs.inhibitOnFailure) !== vs.sorryServerInhibit;
  if (differs) report.error(origin, "the sorry server is a real server with another inhibit setting");
}

function checkChecks(rs: RealServer, report: Report): void {
  for (const check of checksOf(rs)) {
    switch (check.type) {
      case "HTTP_GET":
      case "SSL_GET":
        if (isMissing(check.value, "url")) report.error(check.value.origin, `${check.type} has no url`);
        for (const url of check.value.url) if (isMissing(url, "path")) report.error(url.origin, "url has no path");
        for (const url of check.value.url) checkDigests(url.digest, report);
        break;
      case "MISC_CHECK":
        if (isMissing(check.value, "miscPath")) report.error(check.value.origin, "MISC_CHECK has no misc_path");
        break;
      case "BFD_CHECK":
        if (isMissing(check.value, "name")) report.error(check.value.origin, "BFD_CHECK has no name");
        break;
      case "FILE_CHECK":
        if (isMissing(check.value, "trackFile")) report.error(check.value.origin, "FILE_CHECK has no track_file");
        break;
      case "UDP_CHECK":
        if (check.value.minReplyLength > check.value.maxReplyLength)
          report.error(check.value.origin, "min_reply_length is above max_reply_length");
        break;
      case "DNS_CHECK":
        if (/^\..|\.\./.test(check.value.name))
          report.error(check.value.origins.name!, `'${check.value.name}' has an empty label`);
        break;
    }
    if ("connectPort" in check.value) checkConnection(rs, check.value, report, check.type === "SMTP_CHECK" ? "warn" : "error");
    if (check.type === "SMTP_CHECK") for (const host of check.value.host) checkConnection(rs, host, report, "error");
  }
}

function checkDigests(digests: readonly { value: string; origin: Origin }[], report: Report): void {
  const seen = new Set<string>();
  for (const { value, origin } of digests) {
    if (seen.has(value)) report.error(origin, "this digest is there twice");
    seen.add(value);
  }
}

type Connection = Extract<ReturnType<typeof checksOf>[number]["value"], { connectPort: unknown }>;

/** `says`: 2.2.7 does not look at the family of an SMTP_CHECK's bindto. */
function checkConnection(rs: RealServer, c: Connection, report: Report, says: "error" | "warn"): void {
  const target = c.connectIp ?? rs.header.ip;
  const mixed = c.bindto !== undefined && familyOf(c.bindto) !== familyOf(target);
  if (mixed) report[says](c.origins.bindto!, `bindto is not of the family of ${target}`);
  if (isLinkLocal(target) && c.bindIf === undefined) report.error(c.origin, `the link-local address ${target} needs bind_if`);
}
