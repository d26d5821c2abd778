import type { Script } from "../../config/args.ts";
import type { GlobalDefs, RealServer, VirtualServer, VirtualServerGroup } from "../../config/keywords.ts";
import type { Server, Service } from "../../health/config.ts";
import { familyOf } from "../../net/ip.ts";
import { nameOf, serverName } from "../health/from-config.ts";
import { protocolOf, serviceFamily } from "../health/services.ts";
import type { ServerStatus, ServiceStatus } from "../health/status.ts";
import { checkLines } from "./checks.ts";
import type { Facts } from "./facts.ts";
import { globalLines, globalsOf } from "./globals.ts";
import { fixed6, item, scriptText, title, weightText, yesNo } from "./words.ts";

/** keepalived_check.data: virtual servers and their checks (spec 5.2). */
export function checkerData(facts: Facts): string {
  const lines = [
    ...globalLines(facts, "checker"),
    ...sslLines(facts),
    title("LVS Topology"),
    " System is compiled with LVS v1.2.1", // whose behaviour is reproduced
    ...groupLines(facts),
    ...knownServices(facts).flatMap((known) => serviceLines(known, facts)),
    ...checkLines(facts),
    ...fileLines(facts),
  ];
  return `${lines.join("\n")}\n`;
}

/** What is known of a virtual server: as written, with all defaults, and what has become of it. */
interface Known {
  readonly block: VirtualServer;
  readonly config: Service;
  readonly status: ServiceStatus;
}

/** In the order of the file; those that were left out are not told of. */
function knownServices({ config, health, services }: Facts): Known[] {
  return health.services.flatMap((service): Known[] => {
    const block = config.virtualServer.find((vs) => nameOf(vs) === service.name);
    const status = services.find(({ name }) => name === service.name);
    return block === undefined || status === undefined ? [] : [{ block, config: service, status }];
  });
}

function sslLines({ config: { ssl } }: Facts): string[] {
  const given = (label: string, value: string | undefined): string[] => (value === undefined ? [] : [` ${label} : ${value}`]);
  const lines =
    ssl === undefined
      ? [" Using autogen SSL context"]
      : [
          ...given("Password", ssl.password),
          ...given("CA-file", ssl.ca),
          ...given("Certificate file", ssl.certificate),
          ...given("Key file", ssl.key),
        ];
  return [title("SSL definitions"), ...lines];
}

function groupLines(facts: Facts): string[] {
  const { virtualServerGroup: groups } = facts.config;
  return groups.length === 0 ? [] : [` ${title("Virtual server group")}`, ...groups.flatMap((group) => oneGroup(group, facts))];
}

/** Alive: the virtual servers of the group that are. */
function oneGroup({ header, entries }: VirtualServerGroup, facts: Facts): string[] {
  const users = knownServices(facts).filter(({ block }) => block.header.by === "group" && block.header.group === header);
  const alive = users.filter(({ status }) => status.hasQuorum || status.servers.some(({ isAlive }) => isAlive));
  const of = (word: string): number => alive.filter(({ block }) => protocolOf(block) === word).length;
  const addresses = entries.flatMap(({ value }) => (value.by === "address" ? [value.ip] : []));
  const has = (family: "ipv4" | "ipv6"): string => yesNo(addresses.some((ip) => familyOf(ip) === family));
  return [
    ` Virtual Server Group = ${header}, IPv4 = ${has("ipv4")}, IPv6 = ${has("ipv6")}`,
    ...entries.flatMap(({ value }) => {
      if (value.by === "fwmark") {
        const families = alive.map(({ block }) => value.family ?? serviceFamily(block) ?? "ipv4");
        const count = (family: string): number => families.filter((f) => f === family).length;
        return [
          `   FWMARK = ${value.fwmark}`,
          `     Alive: ${count("ipv4")} IPv4, ${count("ipv6")} IPv6`,
          "     reloaded = False",
        ];
      }
      const place = value.ip === value.last ? `VIP = ${value.ip}` : `VIP Range = ${value.ip}-${value.last}`;
      return [
        `   ${place}, VPORT = ${value.port}`,
        `     Alive: ${of("tcp")} tcp, ${of("udp")} udp, ${of("sctp")} sctp`,
        "     reloaded = False",
      ];
    }),
  ];
}

const onOff = (is: boolean): string => (is ? "ON" : "OFF");
const enabled = (is: boolean): string => (is ? "enabled" : "disabled");
const script = (label: string, value: Script | undefined, facts: Facts): string[] =>
  value === undefined ? [] : [`${label} = ${scriptText(value, facts)}`];

function serviceLines({ block: vs, config, status }: Known, facts: Facts): string[] {
  const g = globalsOf(facts);
  return [
    ` ${title("Virtual server")}`,
    placeLine(vs, config),
    ...(vs.virtualhost === undefined ? [] : [`   VirtualHost = ${vs.virtualhost}`]),
    ...(vs.snmpName === undefined ? [] : [`   SNMP name = '${vs.snmpName}'`]),
    `   Address family = inet${isIpv6(vs, config) ? "6" : ""}`,
    `   connection timeout = ${fixed6(vs.connectTimeout ?? CONNECT_TIMEOUT)}`,
    `   delay_loop = ${fixed6(vs.delayLoop)}`,
    ...schedulerLines(vs, config),
    ...persistenceLines(config),
    `   protocol = ${vs.header.by === "fwmark" ? "none" : protocolOf(vs).toUpperCase()}`,
    `   alpha is ${onOff(vs.alpha)}`,
    `   omega is ${onOff(vs.omega)}`,
    ...retryLines(vs),
    `   Inhibit on failure is ${onOff(vs.inhibitOnFailure)}`,
    `   quorum = ${config.quorum}, hysteresis = ${config.hysteresis}`,
    ...script("   Quorum up notify script", vs.quorumUp, facts),
    ...script("   Quorum down notify script", vs.quorumDown, facts),
    ...(vs.haSuspend ? ["   Using HA suspend"] : []),
    `   Using smtp notification = ${yesNo(config.alert)}`,
    `   default ${methodText(config.servers[0]!, vs.lbKind)}`,
    ...sorryLines(config),
    "   alive = 1",
    `   quorum_state_up = ${Number(status.hasQuorum && (!vs.alpha || status.servers.some(({ isAlive }) => isAlive)))}`,
    "   reloaded = 0",
    ...vs.realServer.flatMap((rs) => serverLines(vs, rs, config, status, facts, g)),
  ];
}

const CONNECT_TIMEOUT = 5; // seconds

function placeLine(vs: VirtualServer, { name }: Service): string {
  const { header } = vs;
  if (header.by === "group") return ` VS GROUP = ${name}`;
  return header.by === "fwmark" ? ` VS FWMARK = ${header.fwmark}` : ` VS VIP = ${header.ip}, VPORT = ${header.port}`;
}

const isIpv6 = (vs: VirtualServer, { servers }: Service): boolean =>
  (serviceFamily(vs) ?? familyOf(servers[0]!.dest.addr)) === "ipv6";

/** The flags have names of their own with sh and mh. */
function schedulerLines(vs: VirtualServer, { specs }: Service): string[] {
  const { scheduler, schedFlags, onePacket } = specs[0]!;
  const names: Readonly<Record<string, readonly string[]>> = {
    sh: ["sh-port", "sh-fallback"],
    mh: ["mh-port", "mh-fallback"],
  };
  const [port, fallback] = [enabled(schedFlags.includes(2)), enabled(schedFlags.includes(1))];
  const own = names[scheduler];
  return [
    `   lvs_sched = ${scheduler}`,
    `   Hashed = ${enabled(vs.hashed)}`,
    ...(own === undefined
      ? ([1, 2, 3] as const).map((n) => `   flag-${n} = ${enabled(schedFlags.includes(n))}`)
      : [`   ${own[0]} = ${port}`, `   ${own[1]} = ${fallback}`]),
    `   One packet scheduling = ${enabled(onePacket)}`,
  ];
}

function persistenceLines({ specs }: Service): string[] {
  const { persistSeconds, netmask, pe, key } = specs[0]!;
  if (persistSeconds === 0) return [];
  const isWhole = netmask === 0xffffffff || (key.fwmark === undefined && familyOf(key.addr) === "ipv6" && netmask === 128);
  const isIpv4 = netmask > 128;
  const mask = isIpv4 ? [24, 16, 8, 0].map((shift) => (netmask >>> shift) & 255).join(".") : String(netmask);
  return [
    ...(pe === "" ? [] : [`   persistence engine = ${pe}`]),
    `   persistence timeout = ${persistSeconds}`,
    ...(isWhole || (!isIpv4 && netmask === 128) ? [] : [`   persistence granularity = ${mask}`]),
  ];
}

type Retrying = Pick<VirtualServer, "retry" | "delayBeforeRetry" | "warmup">;
const retryLines = ({ retry, delayBeforeRetry, warmup }: Retrying): string[] => [
  ...(retry === undefined ? [] : [`   Retry count = ${retry}`]),
  ...(delayBeforeRetry === undefined ? [] : [`   Retry delay = ${fixed6(delayBeforeRetry)}`]),
  ...(warmup === undefined ? [] : [`   Warmup = ${fixed6(warmup)}`]),
];

const METHODS = { nat: "NAT", route: "DR", tunnel: "TUN", fullnat: "FNAT" } as const;

/** "forwarding method = TUN, type = GUE, port = 6080". @param written in place of the server's own */
function methodText({ dest }: Pick<Server, "dest">, written?: VirtualServer["lbKind"]): string {
  const method = written?.method ?? dest.method;
  const { type = "ipip", port = 0 } = written === undefined ? dest.tunnel : (written.tunnel ?? {});
  const tunnel = method === "tunnel" ? `, type = ${type.toUpperCase()}${type === "gue" ? `, port = ${port}` : ""}` : "";
  return `forwarding method = ${METHODS[method]}${tunnel}`;
}

function sorryLines({ sorry }: Service): string[] {
  if (sorry === undefined) return [];
  return [`   sorry server = ${sorry.name}`, `     ${methodText(sorry)}`, `     Inhibit on failure is ${onOff(sorry.inhibit)}`];
}

function serverLines(
  vs: VirtualServer,
  rs: RealServer,
  service: Service,
  status: ServiceStatus,
  facts: Facts,
  g: GlobalDefs,
): string[] {
  const name = serverName(vs, rs.header);
  const server = service.servers.find((s) => s.name === name);
  const now = status.servers.find((s) => s.name === name);
  if (server === undefined || now === undefined) return []; // it was left out
  const { dest } = server;
  const port = vs.header.by === "group" ? rs.header.port || dest.port : dest.port;
  const isServing = status.hasQuorum || service.sorry === undefined;
  return [
    `   ${title("Real server")}`,
    `   RIP = ${dest.addr}, RPORT = ${port}, WEIGHT = ${now.weight} EFF WEIGHT = ${now.weight}`,
    `   ${methodText(server)}`,
    `   Alpha is ${onOff(rs.alpha ?? vs.alpha)}`,
    `   connection timeout = ${fixed6(rs.connectTimeout ?? vs.connectTimeout ?? CONNECT_TIMEOUT)}`,
    `   connection limit range = ${dest.lower} -> ${dest.upper}`,
    `   Delay loop = ${fixed6(rs.delayLoop ?? vs.delayLoop)}`,
    ...retryLines({
      ...{ retry: rs.retry ?? vs.retry, delayBeforeRetry: rs.delayBeforeRetry ?? vs.delayBeforeRetry },
      warmup: rs.warmup ?? vs.warmup,
    }),
    `   Inhibit on failure is ${onOff(server.inhibit)}`,
    ...script("     RS up notify script", rs.notifyUp, facts),
    ...script("     RS down notify script", rs.notifyDown, facts),
    ...(rs.virtualhost === undefined ? [] : [`    VirtualHost = '${rs.virtualhost}'`]),
    ...(rs.snmpName === undefined ? [] : [`   SNMP name = ${rs.snmpName}`]),
    `   Using smtp notification = ${yesNo(rs.smtpAlert ?? g.smtpAlertChecker ?? g.smtpAlert ?? true)}`,
    `   initial weight = ${rs.weight ?? vs.weight}`,
    `   effective weight = ${now.weight}`,
    "   previous effective_weight = 0",
    `   alive = ${Number(now.isAlive)}`,
    `   num failed checkers = ${now.checks.filter(({ isUp }) => !isUp).length}`,
    `   RS set = ${Number(server.inhibit || (now.isAlive && isServing))}`,
    "   reloaded = 0",
    ...trackedLines(rs, now, facts),
  ];
}

function trackedLines(rs: RealServer, _now: ServerStatus, { config }: Facts): string[] {
  const files = rs.fileCheck.flatMap(({ trackFile, weight }) => {
    const file = config.trackFile.find(({ header }) => header === trackFile);
    return file === undefined ? [] : [item(`${file.header}, weight ${weightText(weight ?? file.weight)}`)];
  });
  return files.length === 0 ? [] : ["   Tracked Files", ...files];
}

/** The files that checks look at. */
function fileLines({ config }: Facts): string[] {
  const lines = config.trackFile.flatMap((file) => {
    const users = config.virtualServer.flatMap((vs) =>
      vs.realServer.flatMap((rs) =>
        rs.fileCheck
          .filter(({ trackFile }) => trackFile === file.header)
          .map(({ weight }) =>
            item(`${nameOf(vs)} -> ${serverName(vs, rs.header)}, weight ${weightText(weight ?? file.weight)}`),
          ),
      ),
    );
    if (users.length === 0) return [];
    return [
      ...[` Track file = ${file.header}`, `   File = ${file.file ?? ""}`, `   Weight = ${weightText(file.weight)}`],
      ...["   Tracking instances :", ...users],
    ];
  });
  return lines.length === 0 ? [] : [title("Checker track files"), ...lines];
}
