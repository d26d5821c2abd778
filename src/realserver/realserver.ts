import { existsSync } from "node:fs";
import { explain, Fault } from "../fault.ts";
import type { Ip } from "../net/ip.ts";
import { attach, detach, type Hook, isAttached, knownOwn, readExits, tellProgram, unpinAll } from "./decap.ts";
import { type Host, openHost } from "./host.ts";
import {
  type Actual,
  type Attachment,
  after,
  type Desired,
  isRememberedFirst,
  noState,
  plan,
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
      host.mustTake(wish.vips);
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
      elsewhere: host.elsewhere(state.vips.map(({ vip }) => vip)),
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
