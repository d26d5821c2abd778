import { familyOf, type Ip, ipBytes } from "../net/ip.ts";
import { familyOfInstance, priorityOf } from "./checks/vrrp.ts";
import { Report } from "./checks.ts";
import type { KeepalivedConfig, VirtualServer, VrrpInstance } from "./keywords.ts";
import { bfdHopLimit, bfdOfPeer } from "./lint-bfd.ts";
import type { ParseResult } from "./parse.ts";
import type { Origin, Problem } from "./source.ts";

/** Advice from real incidents (spec 8): files that are read without complaint and still do not what was meant. */

/** What is known of the machine the file is for; rules whose facts are missing are not tried. */
export interface LintFacts {
  /** Addresses with prefix lengths of each interface. */
  readonly addresses?: Readonly<Record<string, readonly { readonly ip: Ip; readonly length: number }[]>>;
  /** Values of sysctls: "net.ipv4.conf.all.rp_filter" → "1". */
  readonly sysctls?: Readonly<Record<string, string>>;
}

type Say = (origin: Origin, message: string) => void;
interface Input {
  readonly config: KeepalivedConfig;
  readonly facts: LintFacts;
}

export function lintConfig(result: ParseResult, facts: LintFacts = {}): readonly Problem[] {
  const out: Problem[] = [];
  for (const [rule, check] of Object.entries(rules)) {
    const problems: Problem[] = [];
    const report = new Report({ facts: {}, lines: result.lines, problems, dialect: undefined });
    check({ config: result.config, facts }, (origin, message) => report.warn(origin, message));
    out.push(...problems.map((p) => ({ ...p, rule })));
  }
  return out;
}

/** The advice where nothing is told of the same place already. */
export function adviceOn(result: ParseResult, facts: LintFacts = {}): readonly Problem[] {
  const isTold = new Set(result.problems.map(placeOf));
  return lintConfig(result, facts).filter((problem) => !isTold.has(placeOf(problem)));
}

const placeOf = ({ origin: { file, line, column } }: Problem): string => `${file}\n${line}\n${column}`;

/** Name of each rule, and what it looks for. */
export const rules: Readonly<Record<string, (input: Input, say: Say) => void>> = {
  "duplicate-vrid": duplicateVrid,
  "auth-is-weak": authIsWeak,
  "owner-nopreempt": ownerNopreempt,
  "master-nopreempt": masterNopreempt,
  "weight-nopreempt": weightNopreempt,
  "weight-too-small": weightTooSmall,
  "advert-mismatch": advertMismatch,
  "strict-blocks-ping": strictBlocksPing,
  "quorum-above-weights": quorumAboveWeights,
  "dr-port": drPort,
  "no-checks": noChecks,
  "vip-not-connected": vipNotConnected,
  "dr-not-connected": drNotConnected,
  "vmac-rp-filter": vmacRpFilter,
  "dr-arp": drArp,
  "tun-rp-filter": tunRpFilter,
  "laddr-not-here": laddrNotHere,
  "sync-daemon-instance": syncDaemonInstance,
  "timeout-above-loop": timeoutAboveLoop,
  "bfd-hop-limit": bfdHopLimit,
  "bfd-of-peer": bfdOfPeer,
};

function duplicateVrid({ config }: Input, say: Say): void {
  const seen = new Map<string, VrrpInstance>();
  for (const i of config.vrrpInstance) {
    const key = `${i.virtualRouterId} ${familyOfInstance(i)}`;
    const other = seen.get(key);
    if (other !== undefined && i.virtualRouterId !== undefined && other.interface !== i.interface) {
      say(
        i.origins.virtualRouterId ?? i.origin,
        `'${other.header}' on ${other.interface} has the same VRID; some switches mix their MAC addresses up`,
      );
    }
    seen.set(key, i);
  }
}

function authIsWeak({ config }: Input, say: Say): void {
  for (const i of config.vrrpInstance) {
    if (i.authentication?.authType === "AH")
      say(i.authentication.origin, "AH authentication breaks with more than two routers (issue 143)");
  }
}

function ownerNopreempt({ config }: Input, say: Say): void {
  for (const i of config.vrrpInstance) {
    if (i.nopreempt && priorityOf(i) === 255) say(i.origins.nopreempt ?? i.origin, "an owner (priority 255) always preempts");
  }
}

function masterNopreempt({ config }: Input, say: Say): void {
  for (const i of config.vrrpInstance) {
    if (i.nopreempt && i.state === "MASTER")
      say(i.origins.state ?? i.origin, "nopreempt works only when all routers have state BACKUP");
  }
}

/** Issue 2599 and others: a priority that falls does not make a master yield to routers with nopreempt. */
function weightNopreempt({ config }: Input, say: Say): void {
  for (const i of config.vrrpInstance) {
    for (const { weight, origin } of weightsOf(config, i)) {
      if (i.nopreempt && weight !== 0) say(origin, "a weight never causes a failover when the other routers have nopreempt");
    }
  }
}

function weightTooSmall({ config }: Input, say: Say): void {
  for (const i of config.vrrpInstance) {
    for (const { weight, origin } of weightsOf(config, i)) {
      if (weight !== 0 && Math.abs(weight) < 5)
        say(origin, `a weight of ${weight} must exceed the distance of the priorities to change the master`);
    }
  }
}

function weightsOf(config: KeepalivedConfig, i: VrrpInstance): { weight: number; origin: Origin }[] {
  const script = (name: string): number => config.vrrpScript.find((s) => s.header === name)?.weight.weight ?? 0;
  const scripts = i.trackScript.map(({ value, origin }) => ({ weight: value.weight?.weight ?? script(value.name), origin }));
  return [...scripts, ...i.trackInterface.map(({ value, origin }) => ({ weight: value.weight?.weight ?? 0, origin }))];
}

function advertMismatch({ config }: Input, say: Say): void {
  const instances = new Map(config.vrrpInstance.map((i) => [i.header, i]));
  for (const group of config.vrrpSyncGroup) {
    const members = group.group.flatMap((g) => g.value).flatMap((name) => instances.get(name) ?? []);
    const first = members[0];
    for (const other of members.slice(1)) {
      if (first !== undefined && other.advertInt !== first.advertInt) {
        say(
          other.origins.advertInt ?? other.origin,
          `advert_int is ${other.advertInt} s here and ${first.advertInt} s in '${first.header}'; the group fails over at the slower pace`,
        );
      }
    }
  }
}

function strictBlocksPing({ config }: Input, say: Say): void {
  const origin = config.globalDefs?.origins.vrrpStrict;
  if (origin !== undefined && config.globalDefs?.vrrpStrict)
    say(origin, "strict mode drops every packet to the addresses, ping too (issue 474)");
}

function quorumAboveWeights({ config }: Input, say: Say): void {
  for (const vs of config.virtualServer) {
    const sum = vs.realServer.reduce((n, rs) => n + (rs.weight ?? vs.weight), 0);
    if (vs.quorum > sum)
      say(vs.origins.quorum ?? vs.origin, `the quorum ${vs.quorum} can never be reached, the weights sum up to ${sum}`);
    else if (vs.quorum > 1 && vs.quorum === sum)
      say(vs.origins.quorum ?? vs.origin, "the quorum needs every real server: one failure loses it");
  }
}

function forEachRouted(
  config: KeepalivedConfig,
  visit: (vs: VirtualServer, rs: VirtualServer["realServer"][number]) => void,
): void {
  for (const vs of config.virtualServer) {
    for (const rs of vs.realServer) if ((rs.lvsMethod ?? vs.lbKind)?.method === "route") visit(vs, rs);
  }
}

function drPort({ config }: Input, say: Say): void {
  forEachRouted(config, (vs, rs) => {
    const wrong = vs.header.by === "address" && rs.header.port !== 0 && rs.header.port !== vs.header.port;
    if (wrong)
      say(
        rs.origin,
        `DR leaves the port as it is: ${rs.header.ip} gets port ${(vs.header as { port: number }).port}, never ${rs.header.port}`,
      );
  });
}

function noChecks({ config }: Input, say: Say): void {
  const fields = [
    "tcpCheck",
    "httpGet",
    "sslGet",
    "smtpCheck",
    "dnsCheck",
    "miscCheck",
    "udpCheck",
    "pingCheck",
    "bfdCheck",
    "fileCheck",
  ] as const;
  for (const vs of config.virtualServer) {
    for (const rs of vs.realServer)
      if (fields.every((f) => rs[f].length === 0)) say(rs.origin, `${rs.header.ip} has no check, it counts as alive for ever`);
  }
}

function vipNotConnected({ config, facts }: Input, say: Say): void {
  if (facts.addresses === undefined) return;
  for (const i of config.vrrpInstance) {
    for (const { value, origin } of i.virtualIpaddress) {
      const dev = value.dev ?? i.interface;
      const nets = dev === undefined ? undefined : facts.addresses[dev];
      const single = value.length === (familyOf(value.ip) === "ipv4" ? 32 : 128);
      const linkLocal = value.ip.startsWith("fe80:");
      if (nets === undefined || linkLocal || nets.some((net) => contains(net, value.ip))) continue;
      if (single) say(origin, `${value.ip} is in no subnet of ${dev}; neighbours will not find it without a route`);
    }
  }
}

function drNotConnected({ config, facts }: Input, say: Say): void {
  const { addresses } = facts;
  if (addresses === undefined) return;
  const nets = Object.values(addresses).flat();
  forEachRouted(config, (_, rs) => {
    if (!nets.some((net) => contains(net, rs.header.ip)))
      say(rs.origin, `DR needs ${rs.header.ip} on a connected segment, it is behind a router`);
  });
}

const STRICT = 1;

/** What the kernel goes by: the greater of "all" and the interface's own; undefined when neither is known. */
function effective(facts: LintFacts, name: string, dev: string | undefined): number | undefined {
  const values = ["all", dev].map((of) => facts.sysctls?.[`net.ipv4.conf.${of}.${name}`]).filter((value) => value !== undefined);
  return values.length === 0 ? undefined : Math.max(...values.map(Number));
}

function vmacRpFilter({ config, facts }: Input, say: Say): void {
  for (const i of config.vrrpInstance) {
    if (i.useVmac !== undefined && effective(facts, "rp_filter", i.interface) === STRICT)
      say(
        i.origins.useVmac ?? i.origin,
        `strict rp_filter drops what arrives at the virtual MAC; set net.ipv4.conf.${i.interface}.rp_filter=2`,
      );
  }
}

/** A host with an address that others answer for must not answer ARP for it, nor name it in its own requests. */
function drArp({ config, facts }: Input, say: Say): void {
  if (facts.sysctls === undefined) return;
  const devices = Object.keys(facts.addresses ?? {}).filter((dev) => dev !== "lo" && dev !== "tunl0");
  for (const { ip, origin } of quietAddresses({ config, facts })) {
    for (const dev of devices.length > 0 ? devices : ["all"]) {
      const wrong = [
        ...((effective(facts, "arp_ignore", dev) ?? 0) < 1
          ? [`answers ARP for it on ${dev}: set net.ipv4.conf.${dev}.arp_ignore=1`]
          : []),
        ...((effective(facts, "arp_announce", dev) ?? 0) < 2
          ? [`asks ARP from it on ${dev}: set net.ipv4.conf.${dev}.arp_announce=2`]
          : []),
      ];
      if (wrong.length > 0) say(origin, `${ip} is on lo, and this host ${wrong.join(", ")}`);
    }
  }
}

/** IPv4 addresses on lo that the file puts there, or that it serves by DR or TUN: so this host is a real server as well. */
function quietAddresses({ config, facts }: Input): { readonly ip: Ip; readonly origin: Origin }[] {
  const virtual = config.vrrpInstance.flatMap((i) => [...i.virtualIpaddress, ...i.virtualIpaddressExcluded]);
  const written = [...virtual, ...config.staticIpaddress].filter(({ value }) => value.dev === "lo");
  const held = new Set(facts.addresses?.lo?.map(({ ip }) => ip));
  const served = config.virtualServer.flatMap((vs) =>
    vs.header.by === "address" &&
    held.has(vs.header.ip) &&
    methodsOf(vs).some((method) => method === "route" || method === "tunnel")
      ? [{ ip: vs.header.ip, origin: vs.origin }]
      : [],
  );
  return [...written.map(({ value, origin }) => ({ ip: value.ip, origin })), ...served].filter(
    ({ ip }) => familyOf(ip) === "ipv4" && !ip.startsWith("127."),
  );
}

const methodsOf = (vs: VirtualServer): readonly (string | undefined)[] =>
  vs.realServer.map((rs) => (rs.lvsMethod ?? vs.lbKind)?.method);

/** What comes out of a tunnel has a source that is never reached through it. */
function tunRpFilter({ config, facts }: Input, say: Say): void {
  const tunnels = Object.keys(facts.addresses ?? {}).filter((dev) => /^(tunl|ip6tnl|gre|gue)/.test(dev));
  const strict = tunnels.find((dev) => effective(facts, "rp_filter", dev) === STRICT);
  for (const vs of config.virtualServer) {
    if (strict !== undefined && methodsOf(vs).includes("tunnel"))
      say(
        vs.origins.lbKind ?? vs.origin,
        `strict rp_filter drops what ${strict} unpacks; set net.ipv4.conf.${strict}.rp_filter=0`,
      );
  }
}

/** Servers answer to the pool's addresses, so this host must hold them (spec 2.19). */
function laddrNotHere({ config, facts }: Input, say: Say): void {
  if (facts.addresses === undefined) return;
  const held = new Set(Object.values(facts.addresses).flatMap((nets) => nets.map(({ ip }) => ip)));
  for (const { value, origin } of config.localAddressGroup.flatMap((group) => group.entries))
    if (!held.has(value.ip)) say(origin, `${value.ip} is on no interface of this host: real servers could not answer to it`);
}

function syncDaemonInstance({ config }: Input, say: Say): void {
  const daemon = config.globalDefs?.lvsSyncDaemon;
  const origin = config.globalDefs?.origins.lvsSyncDaemon;
  if (daemon === undefined || origin === undefined) return;
  if (daemon.instance === undefined) say(origin, "without an instance the sync daemon is master and backup at once");
  else if (!config.vrrpInstance.some((i) => i.header === daemon.instance))
    say(origin, `there is no vrrp_instance '${daemon.instance}' to follow`);
}

function timeoutAboveLoop({ config }: Input, say: Say): void {
  for (const s of config.vrrpScript) {
    if (s.timeout !== undefined && s.timeout > s.interval)
      say(s.origins.timeout ?? s.origin, "a run that takes longer than interval makes the next ones skip");
  }
}

function contains(net: { readonly ip: Ip; readonly length: number }, ip: Ip): boolean {
  if (familyOf(net.ip) !== familyOf(ip)) return false;
  const a = ipBytes(net.ip);
  const b = ipBytes(ip);
  for (let bit = 0; bit < net.length; bit += 8) {
    const mask = net.length - bit >= 8 ? 255 : (255 << (8 - (net.length - bit))) & 255;
    if (((a[bit >> 3]! ^ b[bit >> 3]!) & mask) !== 0) return false;
  }
  return true;
}
