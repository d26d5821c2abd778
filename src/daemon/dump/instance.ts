import type { Address } from "../../config/entries/address.ts";
import type { VrrpInstance } from "../../config/keywords.ts";
import type { Entry } from "../../config/table.ts";
import type { Instance } from "../../vrrp/config.ts";
import type { InstanceStatus } from "../vrrp/status.ts";
import { addressText, routeText, ruleTexts } from "./entries.ts";
import type { Facts } from "./facts.ts";
import { globalsOf } from "./globals.ts";
import { trackedLines } from "./tracked.ts";
import { item, listed, mayMail, moment, scriptLines, yesNo } from "./words.ts";

/** A VRRP instance in keepalived.data, in keepalived's order. */

/** What is known of one: as written, with all defaults, and what has become of it. */
export interface Known {
  readonly block: VrrpInstance;
  readonly config: Instance;
  /** Undefined: its process does not answer. */
  readonly status: InstanceStatus;
}

/** In the order of the file; those that the process has not (yet) are left out. */
export function knownInstances({ config, vrrp, status }: Pick<Facts, "config" | "vrrp" | "status">): Known[] {
  return config.vrrpInstance.flatMap((block): Known[] => {
    const resolved = vrrp.instances.find((i) => i.name === block.header);
    const now = status.instances.find((i) => i.name === block.header);
    return resolved === undefined || now === undefined ? [] : [{ block, config: resolved, status: now }];
  });
}

const OWNER = 255;
const enabled = (is: boolean): string => (is ? "enabled" : "disabled");

export function instanceLines(known: Known, facts: Facts): string[] {
  const { block, config: c } = known;
  return [
    ` VRRP Instance = ${c.name}`,
    `   VRRP Version = ${c.version}`,
    ...groupLine(c.name, facts),
    ...(c.family === "ipv6" ? ["   Using Native IPv6"] : []),
    ...stateLines(known),
    ...timeLines(known, facts),
    ...interfaceLines(known),
    ...announceLines(known, facts),
    ...priorityLines(known),
    ...authLines(known),
    ...(block.kernelRxBufSize === undefined ? [] : [`   Kernel rx buffer size = ${block.kernelRxBufSize}`]),
    ...(block.debug === 0 ? [] : [`   Debug level = ${block.debug}`]),
    ...addressLines(known),
    ...unicastLines(known),
    ...socketLines(known),
    ...listed("Virtual Routes :", routesOf(known)),
    ...listed("Virtual Rules :", rulesOf(known)),
    ...trackedLines(block, facts, c.interface),
    ...notifyLines(known, facts),
  ];
}

function groupLine(name: string, { config }: Facts): string[] {
  const group = config.vrrpSyncGroup.find(({ group: members }) => members.some(({ value }) => value.includes(name)));
  return group === undefined ? [] : [`   Sync group = ${group.header}`];
}

function stateLines({ block, config: c, status: s }: Known): string[] {
  const isBackup = s.state === "BACKUP";
  return [
    `   State = ${s.state}`,
    ...(isBackup
      ? [
          `   Master router = ${s.master?.from ?? (c.family === "ipv4" ? "0.0.0.0" : "::")}`,
          `   Master priority = ${s.master?.priority ?? 0}`,
          ...(c.version === 3 ? [`   Master advert int = ${(s.masterInterval / 1000).toFixed(2)} sec`] : []),
        ]
      : []),
    ...flagLines(block, c),
    `   Wantstate = ${s.state}`,
    "   Number of config faults = 0",
    `   Number of interface and track script faults = ${s.faults.length}`,
    `   Number of track scripts init = ${Number(s.isPending)}`,
  ];
}

/** keepalived writes "none" only when not even one of those flags is set that it has no words for. */
function flagLines(block: VrrpInstance, c: Instance): string[] {
  const isUnicast = c.peers.length > 0;
  const isNamed = isUnicast || block.unicastFaultNoPeer;
  const silent = [block.nopreempt, block.dontTrackPrimary, c.skipAddressCheck, block.promoteSecondaries, block.useVmacAddr];
  if (!isNamed && !silent.includes(true) && c.vmac === undefined && block.useIpvlan === undefined) return ["   Flags: none"];
  return [
    "   Flags:",
    ...(isUnicast ? ["     Using unicast"] : []),
    ...(isNamed && !isUnicast ? ["     Unicast config option specified but using multicast"] : []),
    ...(block.unicastFaultNoPeer ? ["     If unicast go to fault state if no peers"] : []),
  ];
}

function timeLines({ config: c, status: s }: Known, { now }: Facts): string[] {
  const isIdle = s.state === "FAULT" || s.state === "INIT" || s.dueIn === undefined;
  return [
    `   Last transition = ${moment(s.lastTransition)}`,
    `   Read timeout = ${isIdle ? "DISABLED" : moment(now + (s.dueIn ?? 0))}`,
    `   Master down timer = ${c.priority === OWNER && s.state === "MASTER" ? 1 : Math.floor(s.masterDown * 1000)} usecs`,
  ];
}

function interfaceLines({ block, config: c, status: s }: Known): string[] {
  const base = c.vmacXmitBase ? ", xmit base i/f" : "";
  const isMulticast = c.peers.length === 0;
  return [
    ...(c.vmac === undefined
      ? []
      : [`   Use VMAC, i/f name ${c.vmac}, is_up = ${s.faults.length === 0}, xmit_base = ${c.vmacXmitBase}`]),
    ...(block.useVmacAddr ? ["   Use VMAC for VIPs on other interfaces"] : []),
    ...(c.interface === undefined
      ? []
      : [`   Interface = ${c.vmac === undefined ? c.interface : `${c.vmac}, vmac on ${c.interface}${base}`}`]),
    ...(c.trackPrimary ? [] : ["   VRRP interface tracking disabled"]),
    ...(c.skipAddressCheck ? ["   Skip checking advert IP addresses"] : []),
    ...(isStrict(block) ? ["   Enforcing strict VRRP compliance"] : []),
    `   Using src_ip = ${s.source ?? c.source ?? "(none)"}${c.source === undefined ? "" : " (from configuration)"}`,
    ...(isMulticast ? [`   Multicast address ${c.group}${ifindexText(c, s)}`] : []),
  ];
}

const ifindexText = (c: Instance, { ifindex }: InstanceStatus): string =>
  c.family === "ipv6" && ifindex !== undefined ? `, ifindex ${ifindex}` : "";

const isStrict = (block: VrrpInstance): boolean => block.strictMode ?? false;

function announceLines({ block, config: c }: Known, facts: Facts): string[] {
  const { announce: a } = c;
  const extra = block.garpExtraIf ?? globalsOf(facts).vrrpGarpExtraIf;
  return [
    `   Gratuitous ARP delay = ${a.delay / 1000}`,
    `   Gratuitous ARP repeat = ${a.repeat}`,
    `   Gratuitous ARP refresh = ${a.refresh / 1000}`,
    `   Gratuitous ARP refresh repeat = ${a.refreshRepeat}`,
    `   Gratuitous ARP lower priority delay = ${isStrict(block) ? 0 : a.lowerDelay / 1000}`,
    `   Gratuitous ARP lower priority repeat = ${a.lowerRepeat}`,
    ...(extra === undefined || c.vmac === undefined || extra.seconds === 0
      ? []
      : [`   Gratuitous ARP for each secondary ${extra.all ? "i/f" : "VMAC"} = ${extra.seconds}`]),
    `   Down timer adverts = ${c.downTimerAdverts}`,
    `   Send advert after receive lower priority advert = ${!c.lowerPrioNoAdvert}`,
    `   Send advert after receive higher priority advert = ${c.higherPrioSendAdvert}`,
  ];
}

function priorityLines({ block, config: c, status: s }: Known): string[] {
  const isFollowing = c.version === 3 && s.state === "BACKUP";
  return [
    `   Virtual Router ID = ${c.vrid}`,
    `   Priority = ${c.priority}`,
    `   Effective priority = ${s.effectivePriority}`,
    `   Total priority = ${s.totalPriority}`,
    `   Advert interval = ${c.version === 2 ? `${c.advertInterval / 1000} sec` : `${c.advertInterval} milli-sec`}`,
    ...(isFollowing ? [`   Master advert interval = ${s.masterInterval} milli-sec`] : []),
    `   Accept = ${enabled(c.accept)}`,
    `   Preempt = ${enabled(c.preempt)}`,
    ...(c.preemptDelay === 0 ? [] : [`   Preempt delay = ${c.preemptDelay / 1000} secs`]),
    `   Promote_secondaries = ${enabled(block.promoteSecondaries)}`,
  ];
}

function authLines({ config: c }: Known): string[] {
  if (c.version === 3) return [];
  const { type, password } = c.auth;
  if (type === "none") return ["   Authentication type = none"];
  if (type === "ah") return ["   Authentication type = IPSEC_AH"];
  return ["   Authentication type = SIMPLE_PASSWORD", `   Password = ${password}`];
}

/** The device of addresses that name none. */
export const deviceOf = ({ vmac, interface: base }: Instance): string | undefined =>
  vmac === undefined ? base : `${vmac}@${base}`;

const textsOf = (entries: readonly Entry<Address>[], { config, status }: Known): string[] =>
  entries.map(({ value }) => addressText(value, deviceOf(config), status.isHolding));

export const addressesOf = (known: Known): string[] => textsOf(known.block.virtualIpaddress, known);
export const excludedOf = (known: Known): string[] => textsOf(known.block.virtualIpaddressExcluded, known);
export const routesOf = ({ block }: Known): string[] => block.virtualRoutes.map(({ value }) => routeText(value));
export const rulesOf = ({ block }: Known): string[] => ruleTexts(block.virtualRules.map(({ value }) => value));

function addressLines(known: Known): string[] {
  const addresses = addressesOf(known);
  return [...listed(`Virtual IP (${addresses.length}):`, addresses), ...listed("Virtual IP Excluded :", excludedOf(known))];
}

function unicastLines({ block, config: c }: Known): string[] {
  if (c.peers.length === 0) return [];
  return [
    ...(c.family === "ipv4" ? [`   Unicast TTL = ${c.ttl}`] : []),
    `   Check unicast src : ${yesNo(c.checkPeers)}`,
    "   Unicast Peer :",
    ...c.peers.map(({ ip, minTtl, maxTtl }) => item(`${ip} min_ttl ${minTtl} max_ttl ${maxTtl}`)),
    `   Unicast checksum compatibility = ${block.oldUnicastChecksum === undefined ? "no" : "always"}`,
  ];
}

const socketLines = ({ status: { sockets } }: Known): string[] =>
  sockets === undefined ? ["   No sockets allocated"] : [`   fd_in ${sockets.in}, fd_out ${sockets.out}`];

function notifyLines({ block, config: c }: Known, facts: Facts): string[] {
  return [
    `   Using smtp notification = ${yesNo(mayMail(block.smtpAlert, facts.config.globalDefs))}`,
    `   Notify deleted = ${block.notifyDeleted === undefined ? "Fault" : "Deleted"}`,
    ...scriptLines(scriptsOf(block), facts),
    `   Notify priority changes = ${c.notify.priorityChanges}`,
  ];
}

export const scriptsOf = (block: VrrpInstance) =>
  [
    ["Backup", block.notifyBackup],
    ["Master", block.notifyMaster],
    ["Fault", block.notifyFault],
    ["Stop", block.notifyStop],
    ["Deleted", block.notifyDeleted],
    ["Generic", block.notify],
    ["Master rx lower pri", block.notifyMasterRxLowerPri],
  ] as const;
