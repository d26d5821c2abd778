import { existsSync } from "node:fs";
import { explain, Fault } from "../fault.ts";
import { familyOf, type Ip } from "../net/ip.ts";
import { NETLINK_ROUTE, openNetlink } from "../platform/netlink.ts";
import { IFA_F_NODAD, type InterfaceAddress } from "../wire/rtnetlink-address.ts";
import { plainAddress, RtNetlink } from "../wire/rtnetlink-client.ts";
import { IFF_LOOPBACK, IFF_UP, type Link } from "../wire/rtnetlink-link.ts";
import { type Route, RT_TABLE_MAIN } from "../wire/rtnetlink-route.ts";
import { attach, detach, type Hook, isAttached, knownOwn, readExits, tellProgram, unpinAll } from "./decap.ts";
import {
  type Actual,
  type Attachment,
  after,
  type Desired,
  isRememberedFirst,
  noState,
  plan,
  prefixLengthOf,
  type State,
  type Step,
  withoutVips,
  withVips,
} from "./plan.ts";
import { type Report, report } from "./report.ts";
import { keysOf, type Method, rulesOf } from "./rules.ts";
import { alone, loadState, removeState, saveState } from "./store.ts";
import { readSysctl, writeSysctl } from "./sysctl.ts";

/** Makes the host of this network namespace a real server, undoes it, and looks at it. */

/** By this an IPv4 VIP of ours is known on lo, also to somebody who looks with `ip address`. */
const LABEL = "lo:lvs";

export interface Start {
  readonly vips: readonly Ip[];
  readonly method: Method;
  /** Where tunnelled packets arrive. Default: the interface of the default route. */
  readonly interface?: string;
  readonly hook: Hook;
  readonly guePort?: number;
}

export function start(wish: Start): void {
  const host = openHost();
  try {
    alone(() => {
      const known = loadState();
      const former = known ?? noState;
      if (known === undefined) unpinAllIfAny(); // of an earlier namespace with the same inode
      const place = wish.method === "tunnel" ? { interface: host.tunnelInterface(wish.interface) } : {};
      const vips = wish.vips.map((vip) => ({ vip, method: wish.method, ...place }));
      host.mustServe(wish.vips);
      const desired = withVips(former, vips, wish.guePort);
      const work = new Work(host, former, wish.hook);
      try {
        work.become(desired);
      } catch (error) {
        work.goBack(former);
        throw error;
      }
    });
  } finally {
    host.close();
  }
}

/** @param vips undefined: all @throws Fault ENOENT for one that was not started */
export function stop(vips: readonly Ip[] | undefined): void {
  const host = openHost();
  try {
    alone(() => {
      const state = loadState() ?? noState;
      const strange = (vips ?? []).find((vip) => !state.vips.some((known) => known.vip === vip));
      if (strange !== undefined)
        throw new Fault("stop", "ENOENT", `${strange} is no VIP that lvsctl realserver has started here`);
      const gone = new Set(vips ?? state.vips.map(({ vip }) => vip));
      new Work(host, state, "auto").become(withoutVips(state, gone));
    });
  } finally {
    host.close();
  }
}

export function status(): Report {
  const host = openHost();
  try {
    const state = loadState() ?? noState;
    const keys = keysOf(rulesOf(state.vips));
    return report({
      state,
      loopbackUp: host.isLoopbackUp(),
      addresses: host.loopbackAddresses(),
      own: host.ownAddresses(state.vips.map(({ vip }) => vip)),
      sysctls: Object.fromEntries(keys.flatMap((key) => attempt(() => readSysctl(key)).map((value) => [key, value]))),
      program: state.attachments.length === 0 ? undefined : lookAtProgram(state.attachments),
    });
  } finally {
    host.close();
  }
}

function lookAtProgram(attachments: readonly Attachment[]) {
  try {
    return { attached: attachments.filter(isAttached).map((a) => a.interface), known: knownOwn(), exits: readExits() };
  } catch (error) {
    return { problem: explain(error) };
  }
}

/** What it returns, or nothing for a refusal or undefined. */
function attempt<T>(read: () => T | undefined): T[] {
  try {
    const value = read();
    return value === undefined ? [] : [value];
  } catch {
    return [];
  }
}

/** Carries out a plan step by step, and keeps what must be remembered in the file all the while. */
class Work {
  readonly #host: Host;
  readonly #hook: Hook;
  #state: State;

  constructor(host: Host, state: State, hook: Hook) {
    this.#host = host;
    this.#state = state;
    this.#hook = hook;
  }

  become(desired: Desired): void {
    for (const step of plan(this.#state, this.#actual(desired), desired)) this.#do(step, desired);
    this.#remember({ ...this.#state, vips: desired.vips, guePort: desired.guePort });
    if (this.#state.attachments.length === 0) unpinAllIfAny();
    if (isNothing(this.#state)) removeState();
  }

  /** After a failure: as it was, as far as that goes. The failure is what the user is told. */
  goBack(former: State): void {
    attempt(() => this.become({ vips: former.vips, guePort: former.guePort }));
  }

  #do(step: Step, desired: Desired): void {
    if (isRememberedFirst(step)) this.#remember(after(this.#state, step));
    const made = this.#carryOut(step, desired);
    if (!isRememberedFirst(step)) this.#remember(after(this.#state, step, made));
  }

  #carryOut(step: Step, desired: Desired): Attachment | undefined {
    switch (step.step) {
      case "set-sysctl":
        return void writeSysctl(step.key, step.value);
      case "restore-sysctl":
        // Not where the interface, and its sysctls with it, is gone.
        return void (readSysctl(step.key) !== undefined && writeSysctl(step.key, step.value));
      case "add-address":
        return void this.#host.addVip(step.vip);
      case "delete-address":
        return void this.#host.deleteVip(step.vip);
      case "attach":
        this.#detach(step.interface); // at another hook, or on an interface of that name that is gone
        return attach(this.#host.link(step.interface), this.#hook);
      case "detach":
        return void this.#detach(step.interface);
      case "tell-program":
        return void tellProgram(this.#host.ownAddresses(desired.vips.map(({ vip }) => vip)), step.vips, step.guePort);
    }
  }

  #detach(name: string): void {
    for (const attachment of this.#state.attachments) if (attachment.interface === name) detach(attachment);
  }

  #remember(state: State): void {
    this.#state = state;
    saveState(state);
  }

  #actual(desired: Desired): Actual {
    const rules = rulesOf(desired.vips);
    const sysctls = keysOf(rules).flatMap((key) => {
      const value = readSysctl(key);
      if (value === undefined)
        throw new Fault(`read sysctl ${key}`, "ENOENT", "/proc/sys does not have it: is /proc mounted here?");
      return [[key, value]];
    });
    return {
      addresses: new Set(this.#host.loopbackAddresses()),
      sysctls: Object.fromEntries(sysctls),
      attached: new Set(this.#state.attachments.filter((a) => this.#isWanted(a) && isAttached(a)).map((a) => a.interface)),
    };
  }

  #isWanted({ hook }: Attachment): boolean {
    return this.#hook === "auto" || this.#hook === hook;
  }
}

const isNothing = (state: State): boolean =>
  state.vips.length + state.added.length + state.attachments.length + Object.keys(state.former).length === 0;

/** Hosts that never had a tunnel need no bpffs. */
function unpinAllIfAny(): void {
  if (existsSync("/run/lvsd/bpf")) unpinAll();
}

type Host = ReturnType<typeof openHost>;

/** Links and addresses of this network namespace. */
function openHost() {
  const port = openNetlink({ protocol: NETLINK_ROUTE });
  const netlink = new RtNetlink(port);
  const links = netlink.links();
  const loopback = links.find((link) => (link.flags & IFF_LOOPBACK) !== 0);
  if (loopback === undefined) throw new Fault("realserver", "ENODEV", "this network namespace has no loopback interface");
  const isOnLoopback = (address: InterfaceAddress) => address.ifindex === loopback.ifindex;
  const vipAddress = (vip: Ip): InterfaceAddress => ({
    ...plainAddress(loopback.ifindex, vip, prefixLengthOf(vip)),
    label: familyOf(vip) === "ipv4" ? LABEL : "",
    // Others on the link have the VIP as well, which duplicate detection would take for a conflict.
    flags: familyOf(vip) === "ipv4" ? 0 : IFA_F_NODAD,
  });
  const link = (name: string): Link => {
    const found = links.find((each) => each.name === name);
    if (found === undefined) throw new Fault("realserver", "ENODEV", `there is no interface ${name}`);
    return found;
  };
  const isLoopbackUp = () => (loopback.flags & IFF_UP) !== 0;
  return {
    close: () => port.close(),
    isLoopbackUp,
    loopbackAddresses: () =>
      netlink
        .addresses()
        .filter(isOnLoopback)
        .map(({ address }) => address),
    /** Where a director may send a tunnel to: what the host has but for VIPs and 127.0.0.1 and ::1. */
    ownAddresses(vips: readonly Ip[]): Ip[] {
      const all = netlink.addresses().map(({ address }) => address);
      return [...new Set(all)].filter((a) => !a.startsWith("127.") && a !== "::1" && !vips.includes(a));
    },
    addVip: (vip: Ip) => netlink.addAddress(vipAddress(vip), "replace"),
    deleteVip(vip: Ip): void {
      const there = netlink
        .addresses()
        .find((a) => isOnLoopback(a) && a.address === vip && a.prefixLength === prefixLengthOf(vip));
      if (there !== undefined) netlink.deleteAddress(there);
    },
    link,
    /** The one that was named, else that of the default route; ENODEV, ENOENT. */
    tunnelInterface(name: string | undefined): string {
      if (name !== undefined) return link(name).name;
      const routes = netlink.routes([RT_TABLE_MAIN]).filter(({ prefixLength }) => prefixLength === 0);
      const rank = ({ family, metric }: Route) => (family === "ipv4" ? 0 : 2 ** 33) + metric;
      const ifindex = routes.toSorted((a, b) => rank(a) - rank(b))[0]?.nextHops[0]?.ifindex;
      const found = links.find((link) => link.ifindex === ifindex);
      if (found === undefined)
        throw new Fault("realserver", "ENOENT", "no default route tells the interface: name it with --interface");
      return found.name;
    },
    /** An address of another interface is answered for on the link, whatever the sysctls say. */
    mustServe(vips: readonly Ip[]): void {
      if (!isLoopbackUp() && vips.some((vip) => familyOf(vip) === "ipv6"))
        throw new Fault("realserver", "ENETDOWN", "lo is down and takes no IPv6 address: ip link set lo up");
      const foreign = netlink.addresses().find((a) => !isOnLoopback(a) && vips.includes(a.address));
      if (foreign === undefined) return;
      const name = links.find((link) => link.ifindex === foreign.ifindex)?.name ?? `interface ${foreign.ifindex}`;
      throw new Fault("realserver", "EADDRINUSE", `${name} has ${foreign.address}, and so tells the whole link that it is here`);
    },
  };
}
