import { familyOfInstance, priorityOf, versionOf } from "./checks/vrrp.ts";
import { Report } from "./checks.ts";
import type { KeepalivedConfig, VirtualServer, VrrpInstance } from "./keywords.ts";
import type { ParseResult } from "./parse.ts";
import type { Origin, Problem } from "./source.ts";

/**
 * The files of two directors that are to be one virtual router: what must be equal, and what must not (spec 8, themes 1 and
 * 20). An error: with these two files the pair does not work, though each alone is in order.
 */

/** One of two files, with the name it is told by. */
export interface Node {
  readonly name: string;
  readonly result: ParseResult;
}

type Say = (severity: Problem["severity"], rule: string, origin: Origin, message: string) => void;

/** Problems are told at a place of the second file. */
export function comparePair(first: Node, second: Node): readonly Problem[] {
  const problems: Problem[] = [];
  const { lines } = second.result;
  const say: Say = (severity, rule, origin, message) => {
    const found: Problem[] = [];
    const report = new Report({ facts: {}, lines, problems: found, dialect: undefined });
    report[severity === "error" ? "error" : "warn"](origin, message);
    problems.push(...found.map((problem) => ({ ...problem, rule })));
  };
  const pair: Pair = { a: first.result.config, b: second.result.config, other: first.name, say };
  compareInstances(pair);
  compareServices(pair);
  compareGlobals(pair);
  return problems;
}

interface Pair {
  readonly a: KeepalivedConfig;
  readonly b: KeepalivedConfig;
  /** Name of the file of `a`. */
  readonly other: string;
  readonly say: Say;
}

const REFUSED = ": each refuses the other's adverts";

/** The wire knows no names: a router is its VRID and family. */
const keyOf = (i: VrrpInstance): string => `${i.virtualRouterId} ${familyOfInstance(i)}`;

function compareInstances(pair: Pair): void {
  const { a, b, other, say } = pair;
  const left = new Map(a.vrrpInstance.map((i) => [keyOf(i), i]));
  const right = new Set(b.vrrpInstance.map(keyOf));
  for (const i of b.vrrpInstance) {
    const same = left.get(keyOf(i));
    const namesake = a.vrrpInstance.find((one) => one.header === i.header);
    if (same !== undefined) compareInstance(pair, same, i);
    else if (namesake !== undefined && !right.has(keyOf(namesake)))
      say(
        "error",
        "pair-vrid",
        i.origins.virtualRouterId ?? i.origin,
        `'${i.header}' has the VRID ${i.virtualRouterId} here and ${namesake.virtualRouterId} in ${other}: they do not hear each other, both become MASTER`,
      );
    else say("warning", "pair-missing", i.origin, `'${i.header}' (VRID ${i.virtualRouterId}) is not in ${other}`);
  }
  for (const i of a.vrrpInstance) {
    const isHere = right.has(keyOf(i)) || b.vrrpInstance.some((one) => one.header === i.header);
    if (!isHere)
      say("warning", "pair-missing", b.origin, `'${i.header}' (VRID ${i.virtualRouterId}) of ${other} is missing here`);
  }
}

function compareInstance(pair: Pair, one: VrrpInstance, two: VrrpInstance): void {
  const { a, b, other, say } = pair;
  const name = `'${two.header}'`;
  const differ = (rule: string, field: string, what: string, mine: string, theirs: string, so: string): void => {
    if (mine !== theirs)
      say("error", rule, two.origins[field] ?? two.origin, `${what} of ${name} is ${mine} here and ${theirs} in ${other}${so}`);
  };
  const priority = priorityOf(two);
  if (priority === priorityOf(one))
    say(
      "error",
      "pair-priority",
      two.origins.priority ?? two.origin,
      priority === 255
        ? `${name} has priority 255 in ${other} too: both become MASTER at once, only one can own the addresses`
        : `${name} has priority ${priority} in ${other} too: the greater address wins, not who is meant to`,
    );
  const version = versionOf(b, two);
  differ("pair-version", "version", "version", String(version), String(versionOf(a, one)), REFUSED);
  differ(
    "pair-advert",
    "advertInt",
    "advert_int",
    `${two.advertInt} s`,
    `${one.advertInt} s`,
    version === 2 ? REFUSED : ": the backup waits by the master's pace",
  );
  differ("pair-auth", "authentication", "authentication", authOf(two), authOf(one), REFUSED);
  comparePasswords(pair, one, two);
  differ("pair-addresses", "virtualIpaddress", "virtual_ipaddress", vipsOf(two), vipsOf(one), "");
  comparePeers(pair, one, two);
  if (one.state === "MASTER" && two.state === "MASTER" && priority !== priorityOf(one))
    say("warning", "pair-state", two.origins.state ?? two.origin, `${name} has state MASTER in ${other} too; priorities decide`);
  if (one.nopreempt !== two.nopreempt)
    say(
      "warning",
      "pair-preempt",
      two.origins.nopreempt ?? two.origin,
      `${name} is ${two.nopreempt ? "nopreempt here and preempts" : "preempting here and nopreempt"} in ${other}`,
    );
}

const authOf = (i: VrrpInstance): string => i.authentication?.authType ?? "none";

/** A password is not repeated in a message. */
function comparePasswords({ other, say }: Pair, one: VrrpInstance, two: VrrpInstance): void {
  const [here, there] = [two.authentication, one.authentication];
  if (here?.authType === undefined || here.authType !== there?.authType || here.authPass === there.authPass) return;
  say(
    "error",
    "pair-auth",
    here.origins.authPass ?? here.origin,
    `auth_pass of '${two.header}' is another one in ${other}${REFUSED}`,
  );
}

const vipsOf = (i: VrrpInstance): string => {
  const list = i.virtualIpaddress.map(({ value }) => value.ip).sort();
  return list.length === 0 ? "none" : list.join(" ");
};

function comparePeers({ other, say }: Pair, one: VrrpInstance, two: VrrpInstance): void {
  const [mine, theirs] = [two, one].map((i) => i.unicastPeer.map(({ value }) => value.ip));
  const at = two.origins.unicastPeer ?? two.origin;
  const isUnicast = mine!.length > 0;
  if (isUnicast !== theirs!.length > 0) {
    say(
      "error",
      "pair-unicast",
      at,
      `'${two.header}' is ${isUnicast ? "unicast here and multicast" : "multicast here and unicast"} in ${other}: they do not hear each other`,
    );
  }
  if (!isUnicast) return;
  const [here, there] = [two.unicastSrcIp, one.unicastSrcIp];
  if (there !== undefined && !mine!.includes(there))
    say("error", "pair-unicast", at, `unicast_peer lacks ${there}, the unicast_src_ip of ${other}: it hears nothing from here`);
  if (here !== undefined && !theirs!.includes(here))
    say(
      "error",
      "pair-unicast",
      two.origins.unicastSrcIp ?? at,
      `unicast_peer of ${other} lacks ${here}, the unicast_src_ip here: nothing comes from there`,
    );
  if (here !== undefined && here === there)
    say("error", "pair-unicast", two.origins.unicastSrcIp ?? at, `${here} is the unicast_src_ip of ${other} too`);
}

/** A service that only one of the two has is lost on a failover. */
function compareServices({ a, b, other, say }: Pair): void {
  const services = (config: KeepalivedConfig): Map<string, VirtualServer> =>
    new Map(config.virtualServer.map((vs) => [serviceOf(vs), vs]));
  const [left, right] = [services(a), services(b)];
  for (const [name, vs] of right) {
    const twin = left.get(name);
    if (twin === undefined) say("warning", "pair-service", vs.origin, `virtual_server ${name} is not in ${other}`);
    else compareServers(vs, twin, name, other, say);
  }
  for (const name of left.keys())
    if (!right.has(name)) say("warning", "pair-service", b.origin, `virtual_server ${name} of ${other} is missing here`);
}

function compareServers(vs: VirtualServer, twin: VirtualServer, name: string, other: string, say: Say): void {
  const servers = (of: VirtualServer): string[] => of.realServer.map(({ header: { ip, port } }) => `${ip} ${port}`);
  const [here, there] = [servers(vs), servers(twin)];
  const odd = [...here.filter((one) => !there.includes(one)), ...there.filter((one) => !here.includes(one))];
  if (odd.length > 0)
    say("warning", "pair-service", vs.origin, `virtual_server ${name} has other real servers in ${other}: ${odd.join(", ")}`);
}

function serviceOf({ header, protocol }: VirtualServer): string {
  if (header.by === "fwmark") return `fwmark ${header.fwmark}`;
  return header.by === "group" ? `group ${header.group}` : `${header.ip} ${header.port} ${protocol ?? "UDP"}`;
}

function compareGlobals({ a, b, other, say }: Pair): void {
  const [left, right] = [a.globalDefs, b.globalDefs];
  const [there, here] = [left?.lvsSyncDaemon, right?.lvsSyncDaemon];
  if (here !== undefined && there !== undefined && here.id !== there.id)
    say(
      "error",
      "pair-sync",
      right?.origins.lvsSyncDaemon ?? b.origin,
      `lvs_sync_daemon has the id ${here.id ?? "of its instance"} here and ${there.id ?? "of its instance"} in ${other}`,
    );
  if (right?.routerId !== undefined && right.routerId === left?.routerId)
    say("warning", "pair-router-id", right.origins.routerId ?? b.origin, `${other} has the router_id '${right.routerId}' too`);
}
