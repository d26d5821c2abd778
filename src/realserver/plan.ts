import { familyOf, type Ip } from "../net/ip.ts";
import { isTunnel, type Rule, rulesOf, type Vip } from "./rules.ts";

/** What is to be done so that a host is the real server of these VIPs and of no others: desired and actual, as pure values. */

/** The decapsulation program on an interface. */
export interface Attachment {
  readonly interface: string;
  readonly ifindex: number;
  readonly hook: "xdp" | "tc";
  /** The clsact qdisc is ours and goes with it. */
  readonly ownsClsact: boolean;
}

/** What must be remembered from start to stop: what was before. */
export interface State {
  readonly vips: readonly Vip[];
  /** The UDP port of GUE. */
  readonly guePort: number;
  /** Addresses on lo that are there because of us. */
  readonly added: readonly Ip[];
  /** Sysctls that we have set, and what they were. */
  readonly former: Readonly<Record<string, string>>;
  readonly attachments: readonly Attachment[];
}

/** IANA's. */
export const DEFAULT_GUE_PORT = 6080;

export const noState: State = { vips: [], guePort: DEFAULT_GUE_PORT, added: [], former: {}, attachments: [] };

/** What the host has. */
export interface Actual {
  /** Addresses on lo. */
  readonly addresses: ReadonlySet<Ip>;
  /** The values of the sysctls that rulesOf() names. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** Interfaces that have the program. */
  readonly attached: ReadonlySet<string>;
}

export interface Desired {
  readonly vips: readonly Vip[];
  readonly guePort: number;
}

export type Step =
  | { readonly step: "set-sysctl"; readonly key: string; readonly value: string; readonly former: string }
  | { readonly step: "restore-sysctl"; readonly key: string; readonly value: string }
  | { readonly step: "add-address" | "delete-address"; readonly vip: Ip }
  | { readonly step: "attach" | "detach"; readonly interface: string }
  /** Which VIPs the program strips packets for. */
  | { readonly step: "tell-program"; readonly vips: readonly Ip[]; readonly guePort: number };

/**
 * The steps, in an order in which no moment does harm: a VIP appears only when the host is silent about it and can take its
 * packets, and it is gone before the host may speak of it again.
 */
export function plan(state: State, actual: Actual, desired: Desired): Step[] {
  const rules = rulesOf(desired.vips);
  const wanted = new Set(desired.vips.map(({ vip }) => vip));
  const tunnels = desired.vips.filter(isTunnel);
  const interfaces = new Set(tunnels.map((vip) => vip.interface));
  const missing = [...interfaces].filter((name) => !actual.attached.has(name));
  const unused = state.attachments.map((a) => a.interface).filter((name) => !interfaces.has(name));
  return [
    ...state.added.filter((vip) => !wanted.has(vip)).map((vip): Step => ({ step: "delete-address", vip })),
    ...rules.filter((rule) => !rule.fits(actual.sysctls)).map((rule) => setSysctl(rule, state, actual)),
    ...missing.map((name): Step => ({ step: "attach", interface: name })),
    ...(interfaces.size > 0 ? [tellProgram(tunnels, desired.guePort)] : []),
    ...[...wanted].filter((vip) => !actual.addresses.has(vip)).map((vip): Step => ({ step: "add-address", vip })),
    ...unused.map((name): Step => ({ step: "detach", interface: name })),
    ...Object.entries(state.former)
      .filter(([key]) => !rules.some((rule) => rule.key === key))
      .map(([key, value]): Step => ({ step: "restore-sysctl", key, value })),
  ];
}

/** What was before the first start is what counts: a value that we set ourselves is never remembered. */
const setSysctl = ({ key, value }: Rule, state: State, actual: Actual): Step => ({
  step: "set-sysctl",
  key,
  value,
  former: state.former[key] ?? actual.sysctls[key] ?? value,
});

const tellProgram = (tunnels: readonly Vip[], guePort: number): Step => ({
  step: "tell-program",
  vips: tunnels.map(({ vip }) => vip),
  guePort,
});

/** Whether a step must be remembered before it is done, so that a crash in between leaves nothing that stop does not know. */
export const isRememberedFirst = ({ step }: Step): boolean => step === "set-sysctl" || step === "add-address";

/** What is to be remembered when a step is done. @param made what an "attach" has made */
export function after(state: State, step: Step, made?: Attachment): State {
  switch (step.step) {
    case "set-sysctl":
      return { ...state, former: { ...state.former, [step.key]: step.former } };
    case "restore-sysctl":
      return { ...state, former: Object.fromEntries(Object.entries(state.former).filter(([key]) => key !== step.key)) };
    case "add-address":
      return { ...state, added: [...state.added.filter((vip) => vip !== step.vip), step.vip] };
    case "delete-address":
      return { ...state, added: state.added.filter((vip) => vip !== step.vip) };
    case "attach":
    case "detach": {
      const others = state.attachments.filter((a) => a.interface !== step.interface);
      return { ...state, attachments: made === undefined ? others : [...others, made] };
    }
    case "tell-program":
      return { ...state, guePort: step.guePort };
  }
}

/** Start: these VIPs too, or in another way than up to now. */
export function withVips(state: State, more: readonly Vip[], guePort: number = state.guePort): Desired {
  const again = new Set(more.map(({ vip }) => vip));
  return { vips: [...state.vips.filter(({ vip }) => !again.has(vip)), ...more], guePort };
}

/** Stop: without these. */
export const withoutVips = (state: State, gone: ReadonlySet<Ip>): Desired => ({
  vips: state.vips.filter(({ vip }) => !gone.has(vip)),
  guePort: state.guePort,
});

/** How long a VIP's prefix is: it stands for itself alone, or the host would believe its whole network to be on lo. */
export const prefixLengthOf = (vip: Ip): number => (familyOf(vip) === "ipv4" ? 32 : 128);
