import type { Operation } from "../../director/director.ts";
import {
  BOOTSTRAP,
  type CheckerEffect,
  type CheckerState,
  type Result,
  startChecker,
  stepChecker,
} from "../../health/checker.ts";
import type { Check, HealthConfig, Millis, Script, Server, Service } from "../../health/config.ts";
import { isAlive, weightOf } from "../../health/server.ts";
import {
  type ServiceEffect,
  type ServiceState,
  startService,
  stepService,
  stopService,
  weightSum,
} from "../../health/service.ts";
import { wordsOf } from "../../health/words.ts";
import type { Ip } from "../../net/ip.ts";
import type { Cancel, Done } from "./probe.ts";
import type { Wheel } from "./wheel.ts";

/** Runs the checks of all services: wakes their machines, starts their tries, hands on what they want. */

export interface World {
  now(): Millis;
  /** 0..1 */
  random(): number;
  readonly wheel: Pick<Wheel, "at">;
  probe(check: Check, page: number, done: Done): Cancel;
  /** All of a list or none; what is there or gone already is no trouble (see applyForgiving). */
  apply(operations: readonly Operation[]): void;
  /** The scripts of one thing (`about`) run one after another. */
  run(script: Script, about: string): void;
  /** A line for the checkers' FIFO. */
  tell(line: string): void;
  log(text: string): void;
}

export interface ServiceStatus {
  readonly name: string;
  readonly hasQuorum: boolean;
  readonly quorum: number;
  readonly weight: number;
  readonly isSuspended: boolean;
  readonly servers: readonly {
    readonly name: string;
    readonly isAlive: boolean;
    readonly weight: number;
    readonly checks: readonly {
      readonly type: Check["type"];
      readonly isUp: boolean;
      readonly hasRun: boolean;
      readonly last: string | undefined;
    }[];
  }[];
}

export interface Health {
  status(): readonly ServiceStatus[];
  /** The addresses on this host, for `ha_suspend`. */
  holds(addresses: ReadonlySet<Ip>): void;
  /** No more tries; dests and services are taken away, down scripts run where omega says so. May be called twice. */
  stop(): void;
  /** No more tries, and everything stays as it is. May be called twice. */
  close(): void;
}

/** @param bootstrap time before the first tries */
export function runHealth(config: HealthConfig, world: World, bootstrap: Millis = BOOTSTRAP): Health {
  const runs = config.services.map((service) => new ServiceRun(service, config, world, bootstrap));
  let isOpen = true;
  const close = (): void => {
    isOpen = false;
    for (const run of runs) run.close();
  };
  return {
    status: () => runs.map((run) => run.status()),
    holds: (addresses) => {
      if (isOpen) for (const run of runs) run.holds(addresses);
    },
    stop() {
      if (!isOpen) return;
      close();
      for (const run of runs) run.stop();
    },
    close,
  };
}

class ServiceRun {
  readonly #service: Service;
  readonly #config: HealthConfig;
  readonly #world: World;
  readonly #bootstrap: Millis;
  #state: ServiceState;
  #isSuspended: boolean;
  readonly #checks: CheckRun[];

  constructor(service: Service, config: HealthConfig, world: World, bootstrap: Millis) {
    this.#service = service;
    this.#config = config;
    this.#world = world;
    this.#bootstrap = bootstrap;
    this.#isSuspended = service.suspendWithout !== undefined;
    world.apply(service.specs.map((spec) => ({ op: "add-service", service: spec })));
    const { state, effects } = startService(service);
    this.#state = state;
    this.#carryOut(effects);
    this.#checks = service.servers.flatMap((server, s) => server.checks.map((check, c) => this.#checkRun(server, s, check, c)));
    if (!this.#isSuspended) this.#start();
  }

  #checkRun(server: Server, s: number, check: Check, c: number): CheckRun {
    return new CheckRun(check, this.#world, (effect) => this.#heard(server, s, check, c, effect));
  }

  #start(): void {
    for (const { name, checks } of this.#service.servers) {
      if (checks.length > 0) this.#world.log(`Activating healthchecker for service ${name} for VS ${this.#service.name}`);
    }
    for (const run of this.#checks) run.start(this.#bootstrap);
  }

  #heard(server: Server, s: number, check: Check, c: number, effect: Exclude<CheckerEffect, { type: "start" }>): void {
    if (effect.type !== "weight") {
      const words = wordsOf(this.#service, server, check, effect);
      if (words !== undefined) this.#world.log(words);
    }
    if (effect.type === "forgiven" || effect.type === "unknown") return;
    const input = { server: s, check: c, change: effect };
    const { state, effects } = stepService(this.#service, this.#state, input, this.#config.initNotifies);
    this.#state = state;
    this.#carryOut(effects);
  }

  #carryOut(effects: readonly ServiceEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "apply") this.#world.apply(effect.operations);
      else if (effect.type === "run") this.#world.run(effect.script, effect.about);
      else if (effect.type === "tell") this.#world.tell(effect.line);
      else this.#world.log(effect.text);
    }
  }

  holds(addresses: ReadonlySet<Ip>): void {
    const { suspendWithout, name } = this.#service;
    if (suspendWithout === undefined) return;
    const isSuspended = !suspendWithout.some((address) => addresses.has(address));
    if (isSuspended === this.#isSuspended) return;
    this.#isSuspended = isSuspended;
    if (isSuspended) {
      this.#world.log(`Suspending healthchecker for service ${name}`);
      this.close();
    } else this.#start();
  }

  stop(): void {
    const { state, effects } = stopService(this.#service, this.#state);
    this.#state = state;
    this.#carryOut(effects);
    this.#world.apply(this.#service.specs.map(({ key }) => ({ op: "delete-service", key })));
  }

  close(): void {
    for (const check of this.#checks) check.close();
  }

  status(): ServiceStatus {
    const { name, quorum, servers } = this.#service;
    let next = 0;
    return {
      ...{ name, quorum, hasQuorum: this.#state.hasQuorum, isSuspended: this.#isSuspended },
      weight: weightSum(this.#service, this.#state.servers),
      servers: servers.map((server, i) => {
        const state = this.#state.servers[i]!;
        const checks = server.checks.map(() => this.#checks[next++]!.status());
        return { name: server.name, isAlive: isAlive(state), weight: weightOf(server, state), checks };
      }),
    };
  }
}

/** One check and its try of the moment. */
class CheckRun {
  readonly #check: Check;
  readonly #world: World;
  readonly #heard: (effect: Exclude<CheckerEffect, { type: "start" }>) => void;
  #state: CheckerState | undefined;
  #last: string | undefined;
  #cancelWake: () => void = () => {};
  #cancelTry: Cancel = () => {};

  constructor(check: Check, world: World, heard: (effect: Exclude<CheckerEffect, { type: "start" }>) => void) {
    this.#check = check;
    this.#world = world;
    this.#heard = heard;
  }

  /** After close() it goes on with what it knew of the server. */
  start(bootstrap: Millis): void {
    const fresh = startChecker(this.#check, this.#world.now(), this.#world.random(), bootstrap);
    this.#state = this.#state === undefined ? fresh : { ...this.#state, at: fresh.at };
    this.#sleep();
  }

  #feed(input: { readonly type: "clock" } | { readonly type: "result"; readonly result: Result }): void {
    if (this.#state === undefined) return;
    const { state, effects } = stepChecker(this.#check, this.#state, input, this.#world.now());
    this.#state = state;
    for (const effect of effects) {
      if (effect.type === "start") this.#try(effect.page);
      else this.#heard(effect);
    }
    this.#sleep();
  }

  #try(page: number): void {
    this.#cancelTry = this.#world.probe(this.#check, page, (result) => {
      this.#cancelTry = () => {};
      this.#last = result.type === "ok" ? "ok" : result.reason;
      this.#feed({ type: "result", result });
    });
  }

  #sleep(): void {
    this.#cancelWake();
    const at = this.#state?.at;
    this.#cancelWake = at === undefined ? () => {} : this.#world.wheel.at(at, () => this.#feed({ type: "clock" }));
  }

  close(): void {
    this.#cancelWake();
    this.#cancelTry();
  }

  status() {
    const { type, alpha } = this.#check;
    return { type, isUp: this.#state?.isUp ?? !alpha, hasRun: this.#state?.hasRun ?? false, last: this.#last };
  }
}
