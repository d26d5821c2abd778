import type { KeepalivedConfig } from "../../config/keywords.ts";
import { IFF_LOOPBACK, IFF_UP, type Link } from "../../wire/rtnetlink-link.ts";
import { addressText, routeText, ruleTexts } from "./entries.ts";
import type { Facts } from "./facts.ts";
import { globalsOf } from "./globals.ts";
import { type Known, knownInstances } from "./instance.ts";
import { trackedLines } from "./tracked.ts";
import { item, mayMail, scriptLines, title, yesNo } from "./words.ts";

/** The sections of keepalived.data around the instances. */

const section = (heading: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : [title(heading), ...lines]);

/** Addresses that name no device are on the default interface. */
export function staticLines(facts: Facts): string[] {
  const { config } = facts;
  const dev = globalsOf(facts).defaultInterface;
  return [
    ...section(
      "Static Addresses",
      config.staticIpaddress.map(({ value }) => item(addressText(value, dev, true))),
    ),
    ...section(
      "Static Routes",
      config.staticRoutes.map(({ value }) => item(routeText(value))),
    ),
    ...section("Static Rules", ruleTexts(config.staticRules.map(({ value }) => value)).map(item)),
    ...section("Static Track groups", config.trackGroup.flatMap(trackGroupLines)),
  ];
}

const trackGroupLines = ({ header, group }: KeepalivedConfig["trackGroup"][number]): string[] => [
  ` Static Track Group = ${header}`,
  "   VRRP member instances :",
  ...group.flatMap(({ value }) => value).map(item),
];

interface Pace {
  /** 0: every interface has it for itself. */
  readonly group: number;
  /** Seconds; 0: no limit. */
  readonly garp: number;
  readonly gna: number;
  readonly members: readonly string[];
}

/** Rates of announcements: of each interface, or of groups of them. */
function paces(facts: Facts): Pace[] {
  const { vrrpGarpInterval: garp, vrrpGnaInterval: gna } = globalsOf(facts);
  const used = facts.vrrp.instances.flatMap((i) => [i.interface, ...[...i.addresses, ...i.excluded].map(({ dev }) => dev)]);
  const alone = garp === 0 && gna === 0 ? [] : [...new Set(used)].filter((name) => name !== undefined);
  return [
    ...alone.map((name) => ({ group: 0, garp, gna, members: [name] })),
    ...facts.config.garpGroup.map((group, i) => ({
      ...{ group: i + 1, garp: group.garpInterval ?? 0, gna: group.gnaInterval ?? 0 },
      members: [...group.interface, ...group.interfaces].map(({ value }) => value),
    })),
  ];
}

export const garpLines = (facts: Facts): string[] =>
  section(
    "Gratuitous ARP delays",
    paces(facts).flatMap(({ group, garp, gna, members }) => [
      title(`GARP delay group ${group}`),
      ...(garp > 0 ? [` GARP interval = ${garp}`] : []),
      ...(gna > 0 ? [` GNA interval = ${gna}`] : []),
      " Interfaces",
      ...members.map((name) => `  ${name}`),
    ]),
  );

function paceLines(name: string, facts: Facts): string[] {
  const pace = paces(facts).findLast(({ members }) => members.includes(name));
  if (pace === undefined) return [];
  return [
    ...(pace.garp > 0 ? [`   Gratuitous ARP interval ${Math.floor(pace.garp * 1000)}ms`] : []),
    ...(pace.gna > 0 ? [`   Gratuitous NA interval ${Math.floor(pace.gna * 1000)}ms`] : []),
    ...(pace.group > 0 ? [`   Gratuitous ARP aggregation group ${pace.group}`] : []),
  ];
}

/** Instances that share their sockets stand together. */
export function sockpoolLines(facts: Facts): string[] {
  const pools = new Map<string, Known[]>();
  for (const known of knownInstances(facts)) {
    const { sockets } = known.status;
    if (sockets === undefined) continue;
    const key = `${sockets.in} ${known.config.peers.length > 0 ? known.status.source : ""}`;
    pools.set(key, [...(pools.get(key) ?? []), known]);
  }
  return section("VRRP Sockpool", [...pools.values()].flatMap(poolLines));
}

function poolLines(pool: readonly Known[]): string[] {
  const { block, config: c, status } = pool[0]!;
  const isUnicast = c.peers.length > 0;
  return [
    ` fd_in ${status.sockets?.in} fd_out = ${status.sockets?.out}`,
    ...(c.interface === undefined ? [] : [`   Interface = ${(c.vmacXmitBase ? undefined : c.vmac) ?? c.interface}`]),
    `   Family = ${c.family === "ipv4" ? "IPv4" : "IPv6"}`,
    `   Protocol = ${c.auth.type === "ah" ? "AH" : "VRRP"}`,
    `   Type = ${isUnicast ? "Un" : "Mult"}icast`,
    ...(isUnicast ? [`   Address = ${status.source}`] : []),
    `   Rx buf size = ${block.kernelRxBufSize ?? 0}`,
    "   VRRP instances",
    ...pool.map(({ config }) => item(`${config.name} vrid ${config.vrid}`)),
  ];
}

export function groupLines(facts: Facts): string[] {
  const { config, status } = facts;
  const lines = config.vrrpSyncGroup.flatMap((group) => {
    const members = group.group.flatMap(({ value }) => value);
    const states = status.instances.filter(({ name }) => members.includes(name));
    const count = (is: (state: (typeof states)[number]) => boolean): number => states.filter(is).length;
    return [
      ` VRRP Sync Group = ${group.header}, ${status.groups[group.header] ?? "INIT"}`,
      `   Num member fault ${count((s) => s.faults.length > 0)}, num member init ${count((s) => s.isPending)}`,
      "   VRRP member instances :",
      ...members.map(item),
      ...(group.syncGroupTrackingWeight ? ["   sync group tracking weight set"] : []),
      `   Using smtp notification = ${yesNo(mayMail(group.smtpAlert, config.globalDefs))}`,
      ...(group.notifyPriorityChanges ? ["   Notify priority changes = yes"] : []),
      ...trackedLines(group, facts),
      ...scriptLines(
        [
          ["Backup", group.notifyBackup],
          ["Master", group.notifyMaster],
          ["Fault", group.notifyFault],
          ["Stop", group.notifyStop],
          ["Generic", group.notify],
        ],
        facts,
      ),
    ];
  });
  return section("VRRP Sync groups", lines);
}

const IFF_BROADCAST = 0x2;
const IFF_POINTOPOINT = 0x10;
const IFF_RUNNING = 0x40;
const IFF_NOARP = 0x80;
const IFF_MULTICAST = 0x1000;

const is = (link: Link, flag: number): boolean => (link.flags & flag) !== 0;
const upAndRunning = (link: Link): string => `${is(link, IFF_UP) ? "" : "not "}UP, ${is(link, IFF_RUNNING) ? "" : "not "}RUNNING`;

/** Every link of the namespace, with the instances that watch it. */
export const interfaceLines = (facts: Facts): string[] =>
  section(
    "Interfaces",
    facts.machine.links.flatMap((link) => linkLines(link, facts)),
  );

function linkLines(link: Link, facts: Facts): string[] {
  const { machine, vrrp } = facts;
  const of = (family: "ipv4" | "ipv6"): string[] =>
    machine.addresses
      .filter((a) => a.ifindex === link.ifindex && a.family === family && !isVirtual(a.address, facts))
      .map((a) => a.address);
  const ipv4 = of("ipv4");
  const linkLocal = of("ipv6").find((address) => address.startsWith("fe80:")); // adverts leave from it
  const isLoopback = is(link, IFF_LOOPBACK);
  const vmac = vrrp.instances.find((i) => i.vmac === link.name);
  const base = machine.links.find((other) => other.name === vmac?.interface);
  const up = Number(is(link, IFF_UP) && is(link, IFF_RUNNING));
  return [
    ` Name = ${link.name}`,
    `   index = ${link.ifindex}`,
    `   IPv4 address = ${ipv4[0] ?? "(none)"}`,
    ...more("Additional IPv4 addresses", ipv4),
    `   IPv6 address = ${linkLocal ?? "(none)"}`,
    ...(isLoopback || link.mac === undefined ? [] : [`   MAC = ${link.mac}`, "   MAC broadcast = ff:ff:ff:ff:ff:ff"]),
    `   State = ${upAndRunning(link)}${featureText(link)}`,
    `   Seen up = ${up}`,
    "   Delayed state change running = false",
    "   Up debounce timer = 0us",
    "   Down debounce timer = 0us",
    ...(vmac === undefined || base === undefined
      ? []
      : [
          `   VMAC type private, underlying interface = ${base.name}, state = ${upAndRunning(base)}`,
          "   I/f created by keepalived",
        ]),
    `   MTU = ${link.mtu}`,
    `   HW Type = ${isLoopback ? "LOOPBACK" : link.hardware === 1 ? "ETHERNET" : `UNKNOWN (${link.hardware})`}`,
    "   NIC netlink status update",
    ...paceLines(link.name, facts),
    ...watchers(link, facts),
  ];
}

/** One of those that the file has set. */
const isVirtual = (address: string, { vrrp, status }: Facts): boolean =>
  vrrp.statics.addresses.some(({ ip }) => ip === address) ||
  status.instances.some((i) => i.isHolding && i.addresses.some((own) => own === address));

const more = (heading: string, addresses: readonly string[]): string[] =>
  addresses.length < 2 ? [] : [`   ${heading} :`, ...addresses.slice(1).map(item)];

const featureText = (link: Link): string =>
  [
    is(link, IFF_BROADCAST) ? "" : ", no broadcast",
    is(link, IFF_LOOPBACK) ? ", loopback" : "",
    is(link, IFF_POINTOPOINT) ? ", point to point" : "",
    is(link, IFF_NOARP) && !is(link, IFF_LOOPBACK) ? ", no arp" : "",
    is(link, IFF_MULTICAST) ? "" : ", no multicast",
  ].join("");

/** What stands for "is not tracked" where a weight would be. */
const UNTRACKED = 255;

function watchers({ name }: Link, facts: Facts): string[] {
  const lines = facts.config.vrrpInstance.flatMap((block) => {
    const instance = facts.vrrp.instances.find((i) => i.name === block.header);
    if (instance === undefined) return [];
    const ref = block.trackInterface.find(({ value }) => value.name === name);
    const isOwn = instance.interface === name || instance.vmac === name;
    if (isOwn) return [item(`${instance.name}, weight ${instance.trackPrimary ? 0 : UNTRACKED}`)];
    if (ref !== undefined) return [item(`${instance.name}, weight ${ref.value.weight?.weight ?? 0}`)];
    const isAddressed = instance.track.interfaces.some((tracked) => tracked.name === name);
    return isAddressed ? [item(`${instance.name}, weight 0`)] : [];
  });
  return lines.length === 0 ? [] : ["   Tracking VRRP instances :", ...lines];
}
