import { isDeepStrictEqual } from "node:util";
import type { Operation } from "../../director/director.ts";
import { BOOTSTRAP } from "../../health/checker.ts";
import type { Check, HealthConfig, Millis, Script } from "../../health/config.ts";
import type { Mail } from "../../health/mail.ts";
import type { Suspect } from "../../health/passive.ts";
import type { Ip } from "../../net/ip.ts";
import type { Cancel, Done } from "./probe.ts";
import { ServiceRun } from "./service-run.ts";
import type { ServiceStatus } from "./status.ts";
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
  mail(mail: Mail): void;
  log(text: string): void;
}

export interface Health {
  status(): readonly ServiceStatus[];
  /** Another configuration: what stays the same goes on undisturbed, and what is known of servers is kept. */
  replace(config: HealthConfig): void;
  /** Traffic to these servers fails: their checks are made at once, once a second at most. */
  suspect(servers: readonly Suspect[]): void;
  /** The addresses on this host, for `ha_suspend`. */
  holds(addresses: ReadonlySet<Ip>): void;
  /** No more tries; dests and services are taken away, down scripts run where omega says so. May be called twice. */
  stop(): void;
  /** No more tries, and everything stays as it is. May be called twice. */
  close(): void;
}

/** @param bootstrap time before the first tries */
export function runHealth(config: HealthConfig, world: World, bootstrap: Millis = BOOTSTRAP): Health {
  let isOpen = true;
  let addresses: ReadonlySet<Ip> | undefined;
  const begin = (c: HealthConfig, service: HealthConfig["services"][number], before?: ServiceRun): ServiceRun => {
    const run = new ServiceRun(service, c, world, before);
    run.start(bootstrap, addresses);
    return run;
  };
  let current = config;
  let runs = config.services.map((service) => begin(config, service));
  const close = (): void => {
    isOpen = false;
    for (const run of runs) run.close();
  };
  return {
    status: () => runs.map((run) => run.status()),
    replace(next) {
      if (!isOpen) return;
      const names = new Set(next.services.map((service) => service.name));
      for (const run of runs) if (!names.has(run.service.name)) run.remove("reload");
      const isSameForAll = next.initNotifies === current.initNotifies;
      current = next;
      runs = next.services.map((service) => {
        const before = runs.find((run) => run.service.name === service.name);
        const isSame = isSameForAll && before !== undefined && isDeepStrictEqual(before.service, service);
        return isSame ? before : begin(next, service, before);
      });
    },
    suspect(servers) {
      if (isOpen) for (const { service, server } of servers) runs.find((run) => run.service.name === service)?.suspect(server);
    },
    holds(there) {
      addresses = there;
      if (isOpen) for (const run of runs) run.holds(there, bootstrap);
    },
    stop() {
      if (!isOpen) return;
      close();
      for (const run of runs) run.remove("stop");
    },
    close,
  };
}
