import { type Command, InvalidArgumentError } from "commander";
import type { Protocol, Refusal } from "../../director/director.ts";
import { type MarkRule, type Net, netText, type PortRange, portsText } from "../../director/marks.ts";
import { Fault } from "../../fault.ts";
import { type Family, familyOf, parseIp, uint32FromIp } from "../../net/ip.ts";
import { type AddCommand, asJson, type Context, jsonText } from "./command.ts";
import { left, right, table } from "./text.ts";

/** Mark rules: they give packets the marks that fwmark services go by. */
export const addMarks: AddCommand = (program, context) => {
  const group = program.command("mark").description("lvsd's own mark rules, for fwmark services; the first that fits counts");
  addAdd(group, context);
  addRest(group, context);
};

interface AddOptions {
  readonly set: number;
  readonly proto?: Protocol;
  readonly src?: Net;
  readonly dst?: Net;
  readonly sport?: PortRange;
  readonly dport?: PortRange;
  readonly iface?: string;
  readonly at?: number;
  readonly 6?: true;
  readonly json?: true;
}

function addAdd(group: Command, { control, io }: Context): void {
  group
    .command("add")
    .description("a rule behind the others; what is not named fits every packet")
    .requiredOption("--set <mark>", "the mark, decimal or 0x…; 0 exempts from later rules", mark)
    .option("--proto <protocol>", "tcp, udp or sctp", protocol)
    .option("--src <net>", "ADDRESS[/PREFIX] it comes from", net)
    .option("--dst <net>", "ADDRESS[/PREFIX] it is for", net)
    .option("--sport <ports>", "PORT[-PORT] it comes from", ports)
    .option("--dport <ports>", "PORT[-PORT] it is for", ports)
    .option("--iface <interface>", "it comes in by")
    .option("--at <number>", "before the rule that has this number now", number)
    .option("-6", "IPv6, where no address tells")
    .option(...asJson)
    .action(async (options: AddOptions) => {
      const rule = ruleOf(options);
      const rules = await control.marks();
      const wanted = rules.toSpliced((options.at ?? rules.length + 1) - 1, 0, rule);
      granted("mark add", await control.setMarks(wanted));
      if (options.json) await io.out(jsonText(rule));
    });
}

function addRest(group: Command, { control, io, colors }: Context): void {
  group
    .command("list")
    .description("the rules with their numbers")
    .option(...asJson)
    .action(async ({ json }: { json?: true }) => {
      const rules = await control.marks();
      if (json) await io.out(jsonText(rules));
      else await io.out(rules.length === 0 ? "no mark rules\n" : table(columns, rules.map(cells), colors.dim));
    });
  group
    .command("delete")
    .description("one rule; those behind it move up")
    .argument("<number>", "as in the list", number)
    .action(async (which: number) => {
      const rules = await control.marks();
      if (which > rules.length) throw new Fault("mark delete", "ENOENT", `there is no rule ${which}`);
      granted("mark delete", await control.setMarks(rules.toSpliced(which - 1, 1)));
    });
  group
    .command("clear")
    .description("all rules")
    .action(async () => granted("mark clear", await control.setMarks([])));
}

function granted(op: string, [refusal]: readonly Refusal[]): void {
  if (refusal !== undefined) throw new Fault(op, refusal.code, refusal.message);
}

function ruleOf(options: AddOptions): MarkRule {
  const { proto, src, dst, sport, dport, iface } = options;
  return {
    mark: options.set,
    family: familyFor(options),
    ...(proto !== undefined && { protocol: proto }),
    ...(src !== undefined && { source: src }),
    ...(dst !== undefined && { destination: dst }),
    ...(sport !== undefined && { sourcePorts: sport }),
    ...(dport !== undefined && { destinationPorts: dport }),
    ...(iface !== undefined && { interface: iface }),
  };
}

function familyFor({ src, dst, 6: six }: AddOptions): Family {
  const families = new Set([src, dst].flatMap((given) => (given === undefined ? [] : [familyOf(given.addr)])));
  if (six) families.add("ipv6");
  if (families.size > 1) throw new Fault("mark add", "EINVAL", "a rule is about IPv4 or IPv6, not both");
  return [...families][0] ?? "ipv4";
}

const columns = [
  ...[right("#"), right("MARK")],
  ...["FAMILY", "PROTO", "SOURCE", "SPORT", "DESTINATION", "DPORT", "INTERFACE"].map(left),
];

const cells = (rule: MarkRule, at: number): string[] => [
  ...[String(at + 1), String(rule.mark), rule.family, rule.protocol ?? "any"],
  ...[rule.source ? netText(rule.source) : "any", rule.sourcePorts ? portsText(rule.sourcePorts) : "any"],
  ...[rule.destination ? netText(rule.destination) : "any", rule.destinationPorts ? portsText(rule.destinationPorts) : "any"],
  rule.interface ?? "any",
];

// ---- words

function mark(text: string): number {
  const value = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 0xffff_ffff)) throw new InvalidArgumentError("Expected a number from 0 to 4294967295.");
  return value;
}

function number(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError("Expected the number of a rule, 1 for the first.");
  return Number(text);
}

function protocol(text: string): Protocol {
  if (text !== "tcp" && text !== "udp" && text !== "sctp") throw new InvalidArgumentError("Expected tcp, udp or sctp.");
  return text;
}

/** "10.0.0.0/8", "10.0.0.0/255.0.0.0", "2001:db8::/32"; an address alone is a host. */
export function net(text: string): Net {
  const [, address = "", prefix] = /^([^/]*)(?:\/(.+))?$/.exec(text) ?? [];
  const addr = parseIp(address);
  const bits = addr !== undefined && familyOf(addr) === "ipv6" ? 128 : 32;
  const length = prefix === undefined ? bits : lengthOf(prefix);
  if (addr === undefined || length === undefined || length > bits)
    throw new InvalidArgumentError("Expected ADDRESS or ADDRESS/PREFIX, like 10.0.0.0/8 or 2001:db8::/32.");
  return { addr, length };
}

function lengthOf(prefix: string): number | undefined {
  if (/^\d{1,3}$/.test(prefix)) return Number(prefix);
  const mask = parseIp(prefix);
  if (mask === undefined || familyOf(mask) === "ipv6") return undefined;
  const ones = Math.clz32(~uint32FromIp(mask));
  return uint32FromIp(mask) === (ones === 0 ? 0 : (0xffff_ffff << (32 - ones)) >>> 0) ? ones : undefined;
}

/** "80", "1000-1999" and, as iptables writes it, "1000:1999" */
function ports(text: string): PortRange {
  const [, from = "", to = from] = /^(\d{1,5})(?:[-:](\d{1,5}))?$/.exec(text) ?? [];
  const range = { first: Number(from), last: Number(to) };
  if (from === "" || range.first < 1 || range.last > 65535 || range.first > range.last)
    throw new InvalidArgumentError("Expected a port or a range of ports, like 80 or 1000-1999.");
  return range;
}
