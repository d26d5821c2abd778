import { isDeepStrictEqual } from "node:util";
import { sameDest } from "../../director/director.ts";
import type { HealthConfig, Millis, Server, Service } from "../../health/config.ts";
import { isSameProbe } from "../../health/same.ts";
import { isAlive, type ServerState, startServer, weightNow, weightOf } from "../../health/server.ts";
import {
  reloadService,
  removeService,
  type ServiceEffect,
  type ServiceState,
  type ServiceStep,
  startService,
  stepService,
  stopService,
  warmService,
  warmth,
  weightSum,
} from "../../health/service.ts";
import { poolChanges } from "../../health/table.ts";
import { wordsOf } from "../../health/words.ts";
import type { Ip } from "../../net/ip.ts";
import { CheckRun, type Heard } from "./check-run.ts";
import type { World } from "./runner.ts";
import type { ServiceStatus } from "./status.ts";

/** Between two suspicions of one server, ms. */
const SUSPICION = 1000;

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
  #cancelWarm: () => void = () => {};
  readonly #suspectedAt = new Map<string, Millis>();

  /** @param before what it was in the configuration before; it ends, but for the checks that are the same */
  constructor(service: Service, config: HealthConfig, world: World, before?: ServiceRun) {
    this.service = service;
    this.#config = config;
    this.#world = world;
    this.#checks = service.servers.map((server, s) => this.#runs(server, s, before));
    if (before !== undefined) before.#giveWay(this);
    if (before === undefined) {
      const pool = poolChanges(service.specs, [], service.localAddresses);
      world.apply([...service.specs.map((spec) => ({ op: "add-service", service: spec }) as const), ...pool]);
    }
    const step = before === undefined ? startService(service, world.now()) : this.#takeOver(before);
    this.#state = step.state;
    this.#carryOut(step.effects);
    this.#warm();
  }

  #runs(server: Server, s: number, before: ServiceRun | undefined): CheckRun[] {
    const known = before === undefined ? [] : [...before.#runsOf(server)];
    const take = (isIt: (run: CheckRun) => boolean): CheckRun | undefined => {
      const at = known.findIndex(isIt);
      return at < 0 ? undefined : known.splice(at, 1)[0];
    };
    const state = before === undefined ? undefined : before.#stateOf(server);
    const isDown = state !== undefined && !isAlive(state);
    return server.checks.map((check, c) => {
      const heard = (effect: Heard): void => this.#heard(s, c, effect);
      const same = take((run) => isDeepStrictEqual(run.check, check));
      if (same !== undefined) return same.handOver(heard);
      const twin = take((run) => isSameProbe(run.check.probe, check.probe));
      return new CheckRun(check, this.#world, heard, twin, isDown && twin === undefined);
    });
  }

  /** What `next` has not taken over ends. */
  #giveWay(next: ServiceRun): void {
    this.#isClosed = true;
    this.#cancelWarm();
    const kept = new Set(next.#checks.flat());
    for (const run of this.#checks.flat()) if (!kept.has(run)) run.close();
  }

  #takeOver(before: ServiceRun): ServiceStep {
    const now = this.#world.now();
    const servers = this.service.servers.map((server, s): ServerState => {
      const known = before.#stateOf(server);
      if (known === undefined) return startServer(server, now);
      const states = this.#checks[s]!.map(({ isUp, state }) => ({ isUp, weight: state?.weight ?? 0 }));
      const failed = new Set(states.flatMap(({ isUp }, c) => (isUp ? [] : [c])));
      const since = (failed.size === 0) === isAlive(known) ? known.since : now;
      return { ...known, failed, added: states.map(({ weight }) => weight), since };
    });
    return reloadService(before.service, before.#state, this.service, servers, now);
  }

  #placeOf = (server: Server): number => this.service.servers.findIndex(({ dest }) => sameDest(dest, server.dest));
  #stateOf = (server: Server): ServerState | undefined => this.#state.servers[this.#placeOf(server)];
  #runsOf = (server: Server): readonly CheckRun[] => this.#checks[this.#placeOf(server)] ?? [];

  /** Begins to check, or goes on. @param addresses those on this host; undefined: not known */
  start(bootstrap: Millis, addresses: ReadonlySet<Ip> | undefined): void {
    this.#isSuspended = !this.#mayRun(addresses);
    if (this.#isSuspended) {
      this.#rest();
      return;
    }
    for (const [s, { name }] of this.service.servers.entries()) {
      for (const _ of this.#checks[s]!.filter((run) => run.isResting))
        this.#world.log(`Activating healthchecker for service ${name} for VS ${this.service.name}`);
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
    if (effect.type !== "up" && effect.type !== "down" && effect.type !== "weight") return;
    const input = { server: s, check: c, change: effect };
    this.#take(stepService(this.service, this.#state, input, this.#world.now(), this.#config.initNotifies));
  }

  #take({ state, effects }: ServiceStep): void {
    this.#state = state;
    this.#carryOut(effects);
    this.#warm();
  }

  /** Wakes for the next step of slow starts. */
  #warm(): void {
    this.#cancelWarm();
    const at = this.#isClosed ? undefined : warmth(this.service, this.#state, this.#world.now());
    const step = (): void => this.#take(warmService(this.service, this.#state, this.#world.now()));
    this.#cancelWarm = at === undefined ? () => {} : this.#world.wheel.at(at, step);
  }

  /** Traffic to a server fails. Its checks are made at once, once a second at most. */
  suspect(name: string): void {
    const s = this.service.servers.findIndex((server) => server.name === name);
    const now = this.#world.now();
    if (s < 0 || now - (this.#suspectedAt.get(name) ?? -SUSPICION) < SUSPICION) return;
    this.#suspectedAt.set(name, now);
    for (const run of this.#checks[s]!) run.hurry();
  }

  #carryOut(effects: readonly ServiceEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "apply") this.#world.apply(effect.operations);
      else if (effect.type === "run") this.#world.run(effect.script, effect.about);
      else if (effect.type === "tell") this.#world.tell(effect.line);
      else if (effect.type === "mail") this.#world.mail(effect.mail);
      else this.#world.log(effect.text);
    }
  }

  /** It is taken away: by the end of all, with down scripts where omega says so, or by a reload, with them. */
  remove(why: "stop" | "reload"): void {
    this.close();
    const { state, effects } = (why === "stop" ? stopService : removeService)(this.service, this.#state);
    this.#state = state;
    this.#carryOut(effects);
    this.#world.apply(this.service.specs.map(({ key }) => ({ op: "delete-service", key })));
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelWarm();
    this.#rest();
  }

  #rest(): void {
    for (const run of this.#checks.flat()) run.close();
  }

  status(): ServiceStatus {
    const { name, quorum, servers } = this.service;
    const now = this.#world.now();
    return {
      ...{ name, quorum, hasQuorum: this.#state.hasQuorum, isSuspended: this.#isSuspended },
      weight: weightSum(this.service, this.#state.servers),
      servers: servers.map((server, s) => {
        const state = this.#state.servers[s]!;
        const checks = this.#checks[s]!.map((run) => run.status());
        const weights = { weight: weightOf(server, state), weightNow: weightNow(server, state, now) };
        return { name: server.name, isAlive: isAlive(state), age: Math.round(now - state.since), ...weights, checks };
      }),
    };
  }
}
