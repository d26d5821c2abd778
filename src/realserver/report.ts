import type { Ip } from "../net/ip.ts";
import type { Attachment, State } from "./plan.ts";
import { isTunnel, type Rule, rulesOf, type Vip } from "./rules.ts";

/** How things are on a real server, and what is wrong. */

export interface ProgramSeen {
  /** Interfaces that have it. */
  readonly attached: readonly string[];
  /** The host's own addresses as it knows them. */
  readonly known: readonly Ip[];
  readonly exits: Readonly<Record<string, number>>;
}

export interface Seen {
  readonly state: State;
  readonly loopbackUp: boolean;
  /** VIPs that another interface has too. */
  readonly elsewhere: readonly { readonly vip: Ip; readonly interface: string }[];
  /** On lo. */
  readonly addresses: readonly Ip[];
  /** The host's own, without VIPs. */
  readonly own: readonly Ip[];
  /** Those that could be read. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** undefined: there is to be none. */
  readonly program: ProgramSeen | { readonly problem: string } | undefined;
}

export interface VipReport extends Vip {
  /** It is on lo. */
  readonly present: boolean;
  /** It was there before start, and stays at stop. */
  readonly wasThere: boolean;
}

export interface SysctlReport {
  readonly name: string;
  /** undefined: it cannot be read. */
  readonly value: string | undefined;
  readonly wanted: string;
  readonly ok: boolean;
  /** What stop sets it to again, when start has changed it. */
  readonly former: string | undefined;
}

export interface Report {
  readonly vips: readonly VipReport[];
  readonly sysctls: readonly SysctlReport[];
  readonly attachments: readonly (Attachment & { readonly present: boolean })[];
  readonly guePort: number | undefined;
  /** Packets by exit; undefined without a tunnel. */
  readonly exits: Readonly<Record<string, number>> | undefined;
  /** For a person, one sentence each; none: all is well. */
  readonly problems: readonly string[];
}

export function report(seen: Seen): Report {
  const { state } = seen;
  const program = seen.program !== undefined && "exits" in seen.program ? seen.program : undefined;
  const sysctls = rulesOf(state.vips).map((rule) => ({ rule, ok: rule.fits(seen.sysctls), value: seen.sysctls[rule.key] }));
  const vips = state.vips.map((vip) => ({
    ...vip,
    present: seen.addresses.includes(vip.vip),
    wasThere: !state.added.includes(vip.vip),
  }));
  const attachments = state.attachments.map((a) => ({ ...a, present: program?.attached.includes(a.interface) ?? false }));
  return {
    vips,
    sysctls: sysctls.map(({ rule, ok, value }) => ({
      name: rule.key.replaceAll("/", "."),
      value,
      wanted: rule.wanted,
      ok,
      former: state.former[rule.key],
    })),
    attachments,
    guePort: state.vips.some(isTunnel) ? state.guePort : undefined,
    exits: program?.exits,
    problems: [
      ...(vips.length > 0 && !seen.loopbackUp ? ["lo is down: the host itself does not reach its VIPs"] : []),
      ...vips.filter(({ present }) => !present).map(({ vip }) => `${vip} is not on lo: this server does not take its packets`),
      ...seen.elsewhere.map((a) => `${a.interface} has ${a.vip} too: this server answers for it on that link`),
      ...sysctls.filter(({ ok }) => !ok).map(({ rule, value }) => sysctlProblem(rule, value, seen.sysctls)),
      ...programProblems(seen, attachments),
    ],
  };
}

/** "arp_ignore of all is 0: this server answers ARP for the VIP" */
function sysctlProblem({ key, harm, with: others }: Rule, value: string | undefined, values: Seen["sysctls"]): string {
  const which = (each: string) => each.split("/").slice(-2).toReversed().join(" of ");
  if (value === undefined) return `${which(key)} cannot be read, so it may be that ${harm}`;
  const facts = [`${which(key)} is ${value}`, ...others.map((other) => `${which(other)} is ${values[other] ?? "unknown"}`)];
  return `${facts.join(" and ")}: ${harm}`;
}

function programProblems({ state, own, program }: Seen, attachments: Report["attachments"]): string[] {
  if (program !== undefined && "problem" in program) return [`the decapsulation program cannot be looked at: ${program.problem}`];
  const bare = state.vips.filter(isTunnel).map((vip) => vip.interface);
  const without = new Set(bare.filter((name) => !attachments.some((a) => a.interface === name && a.present)));
  const unknown = program === undefined ? [] : own.filter((address) => !program.known.includes(address));
  return [
    ...[...without].map((name) => `${name} has no decapsulation program: packets from the tunnel are lost; start again`),
    ...unknown.map((address) => `${address} is new here, and packets tunnelled to it are not stripped; start again`),
  ];
}
