import { isDeepStrictEqual } from "node:util";
import { sameDest } from "../../director/director.ts";
import type { Check, HealthConfig, Millis, Server, Service } from "../../health/config.ts";
import { isAlive, type ServerState, startServer, weightOf } from "../../health/server.ts";
import {
  reloadService,
  type ServiceEffect,
  type ServiceState,
  type ServiceStep,
  startService,
  stepService,
  stopService,
  weightSum,
} from "../../health/service.ts";
import { wordsOf } from "../../health/words.ts";
import type { Ip } from "../../net/ip.ts";
import { CheckRun, type Heard } from "./check-run.ts";
import type { ServiceStatus, World } from "./runner.ts";

/** A service with its checks at work. */
export class ServiceRun {
  readonly service: Service;
  readonly #config: HealthConfig;
  readonly #world: World;
  /** By server, then by check. */
  readonly #checks: readonly (readonly CheckRun[])[];
  #state: ServiceState;
  #isSuspended = true;
  #isClosed = false;

  /** @param before what it was in the configuration before; it has been closed */
  constructor(service: Service, config: HealthConfig, world: World, before?: ServiceRun) {
    this.service = service;
    this.#config = config;
    this.#world = world;
    this.#checks = service.servers.map((server, s) => {
      const known = before === undefined ? [] : before.#runsOf(server);
      return server.checks.map((check, c) => {
        const twin = known.find((run) => isDeepStrictEqual(run.check.probe, check.probe));
        return new CheckRun(check, world, (effect) => this.#heard(s, c, effect), twin);
      });
    });
    if (before === undefined) world.apply(service.specs.map((spec) => ({ op: "add-service", service: spec })));
    const step = before === undefined ? startService(service) : this.#takeOver(before);
    this.#state = step.state;
    this.#carryOut(step.effects);
  }

  #takeOver(before: ServiceRun): ServiceStep {
    const servers = this.service.servers.map((server, s): ServerState => {
      const known = before.#stateOf(server);
      if (known === undefined) return startServer(server);
      const states = this.#checks[s]!.map(({ check, state }) => ({
        isUp: state?.isUp ?? !check.alpha,
        weight: state?.weight ?? 0,
      }));
      const failed = new Set(states.flatMap(({ isUp }, c) => (isUp ? [] : [c])));
      return { failed, added: states.map(({ weight }) => weight), isKnown: known.isKnown };
    });
    return reloadService(before.service, before.#state, this.service, servers);
  }

  #placeOf = (server: Server): number => this.service.servers.findIndex(({ dest }) => sameDest(dest, server.dest));
  #stateOf = (server: Server): ServerState | undefined => this.#state.servers[this.#placeOf(server)];
  #runsOf = (server: Server): readonly CheckRun[] => this.#checks[this.#placeOf(server)] ?? [];

  /** Begins to check, or goes on. @param addresses those on this host; undefined: not known */
  start(bootstrap: Millis, addresses: ReadonlySet<Ip> | undefined): void {
    this.#isSuspended = !this.#mayRun(addresses);
    if (this.#isSuspended) return;
    for (const { name, checks } of this.service.servers) {
      if (checks.length > 0) this.#world.log(`Activating healthchecker for service ${name} for VS ${this.service.name}`);
    }
    for (const run of this.#checks.flat()) run.start(bootstrap);
  }

  #mayRun(addresses: ReadonlySet<Ip> | undefined): boolean {
    const { suspendWithout } = this.service;
    return suspendWithout === undefined || suspendWithout.some((address) => addresses?.has(address));
  }

  /** `ha_suspend`: checks rest while none of the service's addresses is on this host. */
  holds(addresses: ReadonlySet<Ip>, bootstrap: Millis): void {
    if (this.#mayRun(addresses) !== this.#isSuspended || this.#isClosed) return;
    if (this.#isSuspended) {
      this.start(bootstrap, addresses);
      return;
    }
    this.#isSuspended = true;
    this.#world.log(`Suspending healthchecker for service ${this.service.name}`);
    this.#rest();
  }

  #heard(s: number, c: number, effect: Heard): void {
    if (effect.type !== "weight") {
      const server = this.service.servers[s]!;
      const words = wordsOf(this.service, server, server.checks[c]!, effect);
      if (words !== undefined) this.#world.log(words);
    }
    if (effect.type === "forgiven" || effect.type === "unknown") return;
    const input = { server: s, check: c, change: effect };
    const { state, effects } = stepService(this.service, this.#state, input, this.#config.initNotifies);
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

  /** It is taken away: by the end of all, with down scripts where omega says so, or by a reload, without. */
  remove(why: "stop" | "reload"): void {
    this.close();
    const { state, effects } = stopService(why === "stop" ? this.service : { ...this.service, omega: false }, this.#state);
    this.#state = state;
    this.#carryOut(effects);
    this.#world.apply(this.service.specs.map(({ key }) => ({ op: "delete-service", key })));
  }

  close(): void {
    this.#isClosed = true;
    this.#rest();
  }

  #rest(): void {
    for (const run of this.#checks.flat()) run.close();
  }

  status(): ServiceStatus {
    const { name, quorum, servers } = this.service;
    return {
      ...{ name, quorum, hasQuorum: this.#state.hasQuorum, isSuspended: this.#isSuspended },
      weight: weightSum(this.service, this.#state.servers),
      servers: servers.map((server, s) => {
        const state = this.#state.servers[s]!;
        const checks = this.#checks[s]!.map((run) => run.status());
        return { name: server.name, isAlive: isAlive(state), weight: weightOf(server, state), checks };
      }),
    };
  }
}

export type CheckStatus = {
  readonly type: Check["type"];
  readonly isUp: boolean;
  readonly hasRun: boolean;
  readonly last: string | undefined;
};
