import { familyOf, type Ip } from "../net/ip.ts";
import type { Weight } from "./args.ts";
import type { Address } from "./entries/address.ts";
import type { Route } from "./entries/route.ts";
import type { Rule } from "./entries/rule.ts";
import type { Forwarding, GroupEntry, VirtualService } from "./keywords/checker-args.ts";

/** Values back to the words that mean them: what is written here is read as the same value. */

type Fields = Readonly<Record<string, unknown>>;

/** The value on one line, "" for a bare word. */
export function spell(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "boolean") return value ? "on" : "off";
  if (typeof value === "string") return quoted(value);
  if (isRange(value)) return value[0] === value[1] ? String(value[0]) : `${value[0]}-${value[1]}`;
  if (Array.isArray(value)) return value.map(spell).join(" ");
  return typeof value === "object" ? fieldsText(value as Fields) : String(value);
}

const isRange = (value: unknown): value is readonly [number, number] =>
  Array.isArray(value) && value.length === 2 && value.every((one) => typeof one === "number") && Object.isFrozen(value);

/** In quotes when it would not be one plain word. */
const quoted = (text: string): string => (/^[^\s{}"#!@~$]+$/.test(text) ? text : `"${text}"`);

/** What tells a kind of value from the others, and its spelling. */
const kinds: readonly (readonly [mark: string, write: (value: never) => string])[] = [
  ["command", scriptText],
  ["method", forwardingText],
  ["destination", routeText],
  ["action", ruleText],
  ["reverse", weightText],
  ["length", addressText],
  ["by", serviceText],
  ["flags", ({ name, ip, flags }: { name?: string; ip?: Ip; flags: readonly string[] }) => joined(name, ip, ...flags)],
  ["all", ({ all, seconds }: { all: boolean; seconds: number }) => joined(all && "all", seconds)],
  ["overwrite", ({ value, overwrite }: { value: number; overwrite: boolean }) => joined(value, overwrite && "overwrite")],
  ["down", ({ interface: dev, down, up }: { interface: string; down: number; up: number }) => joined(dev, down, up)],
  ["host", ({ host, port }: { host: string; port: number }) => joined(host, port)],
  ["user", ({ user, group }: { user: string; group?: string }) => joined(user, group)],
];

function fieldsText(value: Fields): string {
  const kind = kinds.find(([mark]) => mark in value);
  if (kind !== undefined) return kind[1](value as never);
  if ("last" in value && !("by" in value))
    return joined(value.ip === value.last ? value.ip : `${value.ip}-${value.last}`, value.device);
  if ("ip" in value && "port" in value && Object.keys(value).length === 2)
    return joined(value.ip, Number(value.port) || undefined);
  const { name, interface: dev, ip, mac, ...options } = value;
  return joined(name, dev, ip, mac, optionsText(options));
}

/** Words of options whose fields are called otherwise. */
const NAMES: Readonly<Record<string, string>> = {
  instance: "inst",
  broadcast: "brd",
  preferredLifetime: "preferred_lft",
  source: "src",
  dad: "-nodad",
  netlinkNotify: "netlink_notify_msg",
};
const snake = (field: string): string => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const optionsText = (options: Fields): string =>
  Object.entries(options)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([field, value]) => joined(NAMES[field] ?? snake(field), value === true ? undefined : spell(value)))
    .join(" ");

const joined = (...words: readonly unknown[]): string =>
  words.filter((word) => word !== undefined && word !== false && word !== "").join(" ");

/** One quoted word, split again when it is read (spec 2.2). */
function scriptText({ command, user, group }: { command: readonly string[]; user?: string; group?: string }): string {
  return joined(commandText(command), user, group);
}

/** A command with its arguments; those with blanks stand in single quotes. */
export const commandText = (command: readonly string[]): string =>
  `"${command.map((word) => (/[\s'\\]/.test(word) || word === "" ? `'${word.replaceAll(/['\\]/g, "\\$&")}'` : word)).join(" ")}"`;

const METHODS = { nat: "NAT", route: "DR", tunnel: "TUN", fullnat: "FNAT" } as const;

function forwardingText({ method, tunnel }: Forwarding): string {
  if (tunnel === undefined) return METHODS[method];
  return joined(METHODS[method], "type", tunnel.type, tunnel.port !== undefined && `port ${tunnel.port}`, tunnel.checksum);
}

function weightText({ weight, reverse }: Weight): string {
  return joined(weight, reverse && "reverse");
}

function serviceText(service: VirtualService | GroupEntry | { readonly interface: string; readonly by?: string }): string {
  if ("interface" in service) return joined(service.interface, service.by);
  if (service.by === "group") return joined("group", quoted(service.group));
  if (service.by === "fwmark") {
    const family = "family" in service ? service.family : undefined;
    return joined("fwmark", service.fwmark, family && (family === "ipv4" ? "inet" : "inet6"));
  }
  const { ip, port } = service;
  const last = "last" in service && service.last !== ip ? `-${service.last}` : "";
  return joined(`${ip}${last}`, port > 0 ? port : undefined);
}

const prefixText = ({ ip, length }: { readonly ip: Ip; readonly length: number }): string =>
  length === (familyOf(ip) === "ipv4" ? 32 : 128) ? ip : `${ip}/${length}`;

function addressText({ ip, length, ...options }: Address): string {
  return joined(prefixText({ ip, length }), optionsText(options));
}

function routeText({ type, destination, family, via, from, metrics, mode, nextHops, encap, ...options }: Route): string {
  return joined(
    family === "ipv6" && destination === "default" && "inet6",
    type !== "unicast" && type,
    destination === "default" ? "default" : prefixText(destination),
    via && `via ${via}`,
    from && `from ${prefixText(from)}`,
    optionsText(options),
    optionsText(metrics).replaceAll('"', ""),
    encap && `encap ${encap.join(" ")}`,
    mode !== "prepend" && mode,
    ...nextHops.map((hop) => `nexthop ${optionsText({ ...hop, encap: hop.encap?.join(" ") }).replaceAll('"', "")}`),
  );
}

function ruleText({ family, action, not, from, to, preference, selectors, ...options }: Rule): string {
  const side = (word: string, value: Rule["from"]) => value && `${word} ${value === "all" ? "all" : prefixText(value)}`;
  return joined(
    not && "not",
    family === "ipv6" && [from, to].every((one) => one === undefined || one === "all") && "inet6",
    side("from", from),
    side("to", to),
    optionsText(options),
    optionsText(selectors),
    action.type === "table" ? `table ${action.table}` : action.type,
    action.type === "goto" && action.preference,
    preference > 0 && `preference ${preference}`,
  );
}
