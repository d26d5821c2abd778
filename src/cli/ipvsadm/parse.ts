import type { DestSpec, Operation, ServiceSpec } from "../../director/director.ts";
import { familyOf } from "../../net/ip.ts";
import type { Columns, Command } from "./command.ts";
import { type Draft, draftFamily, draftKey, newDraft, persistence, takeOption, timeout } from "./draft.ts";
import type { Names } from "./names.ts";
import {
  type CommandName,
  commandObjection,
  hasTunnelOption,
  type Option,
  type OptionName,
  optionIndex,
  optionNames,
  tunnelObjection,
} from "./options.ts";
import { Popt } from "./popt.ts";
import { tryHelp, Usage } from "./usage.ts";

/** Arguments to the command they mean. Throws Usage when they mean none (spec 9.3). */
export async function parseCommand(args: readonly string[], names: Names): Promise<Command> {
  if (args.length === 0) return listCommand(newDraft());
  const popt = new Popt(args, optionIndex);
  const first = popt.next();
  if (first === undefined || "problem" in first || first.option.command === undefined) throw tryHelp();
  const name = first.option.command;
  if (name === "help" || name === "version") return { kind: name };

  const draft = newDraft();
  if (first.value !== undefined) draft.daemon.state = daemonState(name, first.value);
  const taking = takeOptions(popt, draft, names);
  if (taking !== undefined) await taking;
  const timeouts = name === "set" ? setTimeouts(popt.rest) : undefined;
  const extra = popt.rest[name === "set" ? 3 : 0];
  if (extra !== undefined) throw new Usage(`unexpected argument ${extra}`);
  const schedFlags = parseSchedFlags(draft.schedFlags, draft.scheduler);
  const objection = commandObjection(name, draft.given);
  if (objection !== undefined) throw new Usage(objection);
  return timeouts ?? build(name, draft, schedFlags);
}

/** Waits only where a name has to be looked up: a restored file has many lines and seldom names. */
function takeOptions(popt: Popt<Option>, draft: Draft, names: Names): Promise<void> | undefined {
  for (let met = popt.next(); met !== undefined; met = popt.next()) {
    if ("problem" in met) throw new Usage(met.problem, 255);
    const { option, value, text } = met;
    if (option.word === undefined) throw new Usage(`invalid option \`${text}'`);
    if (isOptionName(option.word)) {
      if (draft.given.has(option.word)) throw new Usage(`multiple '${option.word}' options specified`);
      draft.given.add(option.word);
    }
    const taking = takeOption(draft, option, option.word === "persistent" ? persistence(value) : (value ?? ""), names);
    if (taking instanceof Promise) return taking.then(() => takeOptions(popt, draft, names));
  }
  return undefined;
}

const named: ReadonlySet<string> = new Set(optionNames);
const isOptionName = (word: string): word is OptionName => named.has(word);

function daemonState(name: CommandName, value: string): "master" | "backup" {
  if (value === "master" || value === "backup") return value;
  throw new Usage(name === "start-daemon" ? "illegal start-daemon parameter specified" : "illegal start_daemon specified");
}

function setTimeouts(rest: readonly string[]): Command {
  const [tcp, tcpFin, udp] = rest;
  if (tcp === undefined || tcpFin === undefined || udp === undefined) throw new Usage("--set option requires 3 timeout values");
  const timeouts = { tcp: timeout(tcp, 0), tcpFin: timeout(tcpFin, 0), udp: timeout(udp, 0) };
  return { kind: "apply", operation: { op: "set-timeouts", timeouts } };
}

function build(name: CommandName, draft: Draft, schedFlags: SchedFlags): Command {
  const key = draftKey(draft);
  const given = draft.given.has("service-address") ? key : undefined;
  switch (name) {
    case "add-service":
    case "edit-service":
      return apply({ op: name, service: serviceSpec(draft, schedFlags) });
    case "delete-service":
      return apply({ op: name, key });
    case "flush":
      return apply({ op: name });
    case "add-server":
    case "edit-server":
      return apply({ op: name === "add-server" ? "add-dest" : "edit-dest", key, dest: destSpec(draft) });
    case "delete-server":
      return apply({ op: "delete-dest", key, dest: { addr: draft.destAddr, port: draft.destPort } });
    case "add-laddr":
    case "del-laddr":
      return apply({ op: name === "add-laddr" ? name : "delete-laddr", key, addr: draft.laddr });
    case "zero":
      return apply(given === undefined ? { op: "zero" } : { op: "zero", key: given });
    case "start-daemon":
      return apply({ op: name, daemon: draft.daemon });
    case "stop-daemon":
      return apply({ op: name, state: draft.daemon.state });
    case "get-laddr":
      return { kind: "list-laddrs", key: given, numeric: draft.given.has("numeric") };
    case "save":
      return { kind: "save", numeric: draft.given.has("numeric") };
    case "list":
      return listCommand(draft);
    case "restore":
    case "help":
    case "version":
      return { kind: name };
    case "set":
      throw new Usage("--set option requires 3 timeout values"); // made from its arguments before this
  }
}

const apply = (operation: Operation): Command => ({ kind: "apply", operation });

function serviceSpec(draft: Draft, schedFlags: SchedFlags): ServiceSpec {
  if (draft.fwmark === 0) {
    if (draft.port === 0 && draft.persistSeconds === 0) throw new Usage("Zero port specified for non-persistent service");
    if (draft.onePacket && draft.protocol !== "udp") throw new Usage("One-Packet Scheduling is only for UDP virtual services");
  }
  const { persistSeconds, netmask, onePacket, pe } = draft;
  const scheduler = draft.scheduler === "" ? "wlc" : draft.scheduler;
  return { key: draftKey(draft), scheduler, schedFlags, persistSeconds, netmask, onePacket, pe };
}

type SchedFlags = ServiceSpec["schedFlags"];

/** The flags' numbers, ascending. */
function parseSchedFlags(text: string, scheduler: string): SchedFlags {
  const numbers = text
    .split(",")
    .filter((flag) => flag !== "")
    .map((flag) => {
      const [, of, word] = /^(sh|mh)-(fallback|port)$/.exec(flag) ?? [];
      if (of !== undefined && of !== scheduler) throw new Usage(`incompatible scheduler flag \`${flag}'`);
      if (of !== undefined) return word === "fallback" ? 1 : 2;
      const number = ["flag-1", "flag-2", "flag-3"].indexOf(flag) + 1;
      if (number === 0) throw new Usage(`invalid scheduler flag \`${flag}'`);
      return number as 1 | 2 | 3;
    });
  return [...new Set(numbers)].sort();
}

function destSpec(draft: Draft): DestSpec {
  const { method } = draft;
  // Only translation can change the port; a mark's real servers keep the packet's.
  const port = draft.fwmark === 0 && (method === "route" || method === "tunnel") ? draft.port : draft.destPort;
  if (familyOf(draft.destAddr) !== draftFamily(draft) && (method === "route" || method === "nat"))
    throw new Usage("Different address family is allowed only for tunneling servers");
  if (method !== "tunnel" && hasTunnelOption(draft.given)) throw new Usage("Tunnel options conflict with forward method");
  const objection = method === "tunnel" ? tunnelObjection(draft.tunnelType, draft.given) : undefined;
  if (objection !== undefined) throw new Usage(objection);
  const toa = draft.given.has("toa");
  if (toa && method !== "fullnat") throw new Usage("The 'toa' option is only for the 'fullnat' forwarding method");
  return {
    addr: draft.destAddr,
    port,
    method,
    weight: draft.weight,
    upper: draft.upper,
    lower: draft.lower,
    tunnel: { type: draft.tunnelType, port: draft.tunnelPort, checksum: draft.checksum },
    toa,
  };
}

const columns = ["stats", "rate", "thresholds", "persistent-conn", "tun-info"] as const;

function listCommand({ given, ...draft }: Draft): Command {
  const counters = ["stats", "rate", "thresholds"] as const;
  const other = given.has("timeout") || given.has("daemon");
  const conflict =
    ((given.has("connection") || other) && counters.some((name) => given.has(name))) || (other && given.has("persistent-conn"));
  if (conflict) throw new Usage("options conflicts in the list command");
  const numeric = given.has("numeric");
  if (given.has("connection")) return { kind: "list-conns", numeric, engines: given.has("persistent-conn") };
  if (given.has("timeout")) return { kind: "list-timeouts" };
  if (given.has("daemon")) return { kind: "list-daemons" };
  const shown: Columns = columns.find((name) => given.has(name)) ?? "default";
  const key = given.has("service-address") ? draftKey({ given, ...draft }) : undefined;
  return { kind: "list", key, listing: { columns: shown, numeric, exact: given.has("exact"), sort: !given.has("nosort") } };
}
