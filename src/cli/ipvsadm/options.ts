import type { Arity, PoptOption } from "./popt.ts";
import { indexOptions } from "./popt.ts";

/** ipvsadm's options and commands as data: parsing, `--help` and the checks of what goes with what read these tables. */

/** The name by which messages call an option, in the order in which ipvsadm checks them; the last two are lvsd's own. */
export const optionNames = [
  "numeric",
  "connection",
  "service-address",
  "scheduler",
  "persistent",
  "netmask",
  "real-server",
  "forwarding-method",
  "weight",
  "u-threshold",
  "l-threshold",
  "mcast-interface",
  "timeout",
  "daemon",
  "stats",
  "rate",
  "thresholds",
  "persistent-conn",
  "nosort",
  "syncid",
  "exact",
  "ops",
  "pe",
  "sched-flags",
  "mcast-group",
  "mcast-port",
  "mcast-ttl",
  "sync-maxlen",
  "tun-info",
  "tun-type",
  "tun-port",
  "tun-nocsum",
  "tun-csum",
  "tun-remcsum",
  "laddr",
  "toa",
] as const;
export type OptionName = (typeof optionNames)[number];

export const commandNames = [
  "add-service",
  "edit-service",
  "delete-service",
  "flush",
  "list",
  "add-server",
  "delete-server",
  "edit-server",
  "set",
  "start-daemon",
  "stop-daemon",
  "restore",
  "save",
  "zero",
  "add-laddr",
  "del-laddr",
  "get-laddr",
  "help",
  "version",
] as const;
export type CommandName = (typeof commandNames)[number];

/** Options without a name in messages: they may be repeated and go with every command. */
export type Word = OptionName | "ipv6" | "sort";

export interface Option extends PoptOption {
  /** What it begins, when it is a command. */
  readonly command?: CommandName;
  readonly word?: Word;
  /** One of several that share a word: the protocol of a service, the letter of a forwarding method. */
  readonly choice?: string;
  readonly help: string;
}

const command = (command: CommandName, short: string | undefined, long: string, help: string, arity: Arity = "none"): Option =>
  short === undefined ? { command, long, arity, help } : { command, short, long, arity, help };
const option = (word: Word, short: string | undefined, long: string, arity: Arity, help: string, choice?: string): Option => ({
  word,
  long,
  arity,
  help,
  ...(short === undefined ? {} : { short }),
  ...(choice === undefined ? {} : { choice }),
});

export const options: readonly Option[] = [
  command("add-service", "A", "add-service", "add a virtual service"),
  command("edit-service", "E", "edit-service", "replace the settings of a virtual service"),
  command("delete-service", "D", "delete-service", "delete a virtual service and its real servers"),
  command("flush", "C", "clear", "delete every virtual service"),
  command("restore", "R", "restore", "read commands from standard input and carry out all of them or none"),
  command("save", "S", "save", "print the table as commands for --restore"),
  command("add-server", "a", "add-server", "add a real server to a virtual service"),
  command("edit-server", "e", "edit-server", "replace the settings of a real server"),
  command("delete-server", "d", "delete-server", "delete a real server from a virtual service"),
  command("list", "L", "list", "list the table, connections, timeouts or daemons"),
  { command: "list", short: "l", arity: "none", help: "the same" },
  command("zero", "Z", "zero", "zero the counters of one or all virtual services"),
  command("set", undefined, "set", "set the timeouts: tcp tcpfin udp, in seconds; 0 keeps one"),
  command("start-daemon", undefined, "start-daemon", "start connection synchronisation as master or backup", "required"),
  command("stop-daemon", undefined, "stop-daemon", "stop it", "required"),
  command("add-laddr", "P", "add-laddr", "add an address to the pool of a FullNAT service (lvsd)"),
  command("del-laddr", "Q", "del-laddr", "delete an address from the pool (lvsd)"),
  command("get-laddr", "G", "get-laddr", "list the pools (lvsd)"),
  command("help", "h", "help", "print this text"),
  command("version", "v", "version", "print the version"),

  option("service-address", "t", "tcp-service", "required", "HOST[:PORT] of a TCP service", "tcp"),
  option("service-address", "u", "udp-service", "required", "HOST[:PORT] of a UDP service", "udp"),
  option("service-address", undefined, "sctp-service", "required", "HOST[:PORT] of an SCTP service", "sctp"),
  option("service-address", "f", "fwmark-service", "required", "firewall mark, 1 to 4294967295", "fwmark"),
  option("ipv6", "6", "ipv6", "none", "the firewall mark before it is of IPv6"),
  option("scheduler", "s", "scheduler", "required", "how a real server is picked, wlc if absent"),
  option("pe", undefined, "pe", "required", "persistence engine, such as sip"),
  option("persistent", "p", "persistent", "optional", "keep a client on its real server for SECONDS, 360 if bare"),
  option("netmask", "M", "netmask", "required", "which clients count as one: IPv4 mask or IPv6 prefix length"),
  option("ops", "o", "ops", "none", "schedule each packet by itself (UDP)"),
  option("sched-flags", "b", "sched-flags", "required", "flags of the scheduler, separated by commas"),
  option("real-server", "r", "real-server", "required", "HOST[:PORT] of a real server"),
  option("forwarding-method", "g", "gatewaying", "none", "direct routing, the default", "route"),
  option("forwarding-method", "i", "ipip", "none", "tunnel", "tunnel"),
  option("forwarding-method", "m", "masquerading", "none", "network address translation", "nat"),
  option("forwarding-method", undefined, "fullnat", "none", "translation of both addresses (lvsd)", "fullnat"),
  option("toa", undefined, "toa", "none", "with --fullnat: tell the real server the client's address in a TCP option (lvsd)"),
  option("tun-type", undefined, "tun-type", "required", "ipip, gue or gre; ipip if absent"),
  option("tun-port", undefined, "tun-port", "required", "UDP port of a gue tunnel"),
  option("tun-nocsum", undefined, "tun-nocsum", "none", "no checksum in the tunnel header"),
  option("tun-csum", undefined, "tun-csum", "none", "checksum in the tunnel header"),
  option("tun-remcsum", undefined, "tun-remcsum", "none", "remote checksum offload"),
  option("weight", "w", "weight", "required", "share of the work, 1 if absent; 0: no new connections"),
  option("u-threshold", "x", "u-threshold", "required", "no new connections above this many"),
  option("l-threshold", "y", "l-threshold", "required", "new connections again below this many"),
  option("laddr", "z", "laddr", "required", "address of a pool (lvsd)"),
  option("numeric", "n", "numeric", "none", "addresses and ports as numbers"),
  option("connection", "c", "connection", "none", "list connections"),
  option("timeout", undefined, "timeout", "none", "list timeouts: tcp tcpfin udp"),
  option("daemon", undefined, "daemon", "none", "list synchronisation daemons"),
  option("stats", undefined, "stats", "none", "list counters"),
  option("rate", undefined, "rate", "none", "list rates"),
  option("thresholds", undefined, "thresholds", "none", "list thresholds"),
  option("persistent-conn", undefined, "persistent-conn", "none", "list persistent connections"),
  option("tun-info", undefined, "tun-info", "none", "list tunnel settings"),
  option("nosort", undefined, "nosort", "none", "list in the order of the table"),
  option("sort", undefined, "sort", "none", "the default, kept for old scripts"),
  option("exact", "X", "exact", "none", "counters in full"),
  option("mcast-interface", undefined, "mcast-interface", "required", "interface of synchronisation, eth0 if absent"),
  option("syncid", undefined, "syncid", "required", "0 to 255, 0 if absent"),
  option("sync-maxlen", undefined, "sync-maxlen", "required", "largest message, 1 to 65507 bytes"),
  option("mcast-group", undefined, "mcast-group", "required", "multicast address"),
  option("mcast-port", undefined, "mcast-port", "required", "UDP port"),
  option("mcast-ttl", undefined, "mcast-ttl", "required", "1 to 255"),
];
export const optionIndex = indexOptions(options);

/** What goes with a command. Of `oneOf` at most one; what is in none of the lists is illegal. */
export interface Rule {
  readonly needs: readonly OptionName[];
  readonly may: readonly OptionName[];
  readonly oneOf: readonly OptionName[];
}

const rule = (needs: readonly OptionName[], may: readonly OptionName[] = [], oneOf: readonly OptionName[] = []): Rule => ({
  needs,
  may,
  oneOf,
});
const service = rule(["service-address"], ["scheduler", "persistent", "netmask", "ops", "pe", "sched-flags"]);
const tunnelOptions = ["tun-type", "tun-port", "tun-nocsum", "tun-csum", "tun-remcsum"] as const;
const server = rule(
  ["service-address", "real-server"],
  ["forwarding-method", "weight", "u-threshold", "l-threshold", ...tunnelOptions, "toa"],
);

export const commandRules: Readonly<Record<CommandName, Rule>> = {
  "add-service": service,
  "edit-service": service,
  "delete-service": rule(["service-address"]),
  flush: rule([]),
  list: rule(
    [],
    ["numeric", "stats", "rate", "thresholds", "persistent-conn", "nosort", "syncid", "exact", "tun-info"],
    ["connection", "service-address", "timeout", "daemon"],
  ),
  "add-server": server,
  "edit-server": server,
  "delete-server": rule(["service-address", "real-server"]),
  set: rule([]),
  "start-daemon": rule([], ["mcast-interface", "syncid", "mcast-group", "mcast-port", "mcast-ttl", "sync-maxlen"]),
  "stop-daemon": rule([], ["syncid"]),
  restore: rule([]),
  save: rule([], ["numeric"]),
  zero: rule([], ["service-address"]),
  "add-laddr": rule(["service-address", "laddr"]),
  "del-laddr": rule(["service-address", "laddr"]),
  "get-laddr": rule([], ["numeric", "service-address"]),
  help: rule([]),
  version: rule([]),
};

/** The options of a tunnel, by its type; all others are free. */
export const tunnelRules: Readonly<Record<"ipip" | "gue" | "gre", Rule>> = {
  ipip: rule([], ["tun-type"]),
  gue: rule(["tun-port"], ["tun-type"], ["tun-nocsum", "tun-csum", "tun-remcsum"]),
  gre: rule([], ["tun-type"], ["tun-nocsum", "tun-csum"]),
};

/** The first objection to a set of options, in ipvsadm's words, or undefined. */
export function objection(
  rule: Rule,
  given: ReadonlySet<OptionName>,
  checked: readonly OptionName[],
  place: string,
): string | undefined {
  let before: OptionName | undefined;
  for (const name of checked) {
    if (!given.has(name)) {
      if (rule.needs.includes(name)) return `You need to supply the '${name}' option for the ${place}`;
    } else if (rule.oneOf.includes(name)) {
      if (before !== undefined) return `The option '${name}' conflicts with the '${before}' option in the ${place}`;
      before = name;
    } else if (!rule.needs.includes(name) && !rule.may.includes(name)) {
      return `Illegal '${name}' option with the ${place}`;
    }
  }
  return undefined;
}

export const commandObjection = (command: CommandName, given: ReadonlySet<OptionName>): string | undefined =>
  objection(commandRules[command], given, optionNames, `'${command}' command`);

export const tunnelObjection = (type: "ipip" | "gue" | "gre", given: ReadonlySet<OptionName>): string | undefined =>
  objection(tunnelRules[type], given, tunnelOptions, `'${type}' tunnel type`);

export const hasTunnelOption = (given: ReadonlySet<OptionName>): boolean => tunnelOptions.some((name) => given.has(name));
