import type { Director, Refusal } from "../../director/director.ts";
import type { HealthConfig } from "../../health/config.ts";
import { applyForgiving } from "../../health/forgiving.ts";
import type { Mail } from "../../health/mail.ts";
import { monotonicMs } from "../../platform/timer.ts";
import { ScriptQueue } from "../vrrp/scripts.ts";
import { judgeFile } from "../vrrp/security.ts";
import { BfdSessions } from "./bfd.ts";
import { startProbe } from "./probe.ts";
import { type Health, runHealth, type World } from "./runner.ts";
import { withoutBadScripts } from "./secure.ts";
import { Wheel } from "./wheel.ts";

/** The checks of a configuration at work on a director. */

export interface Surroundings {
  readonly director: Pick<Director, "apply">;
  log(text: string): void;
  /** A line for the checkers' FIFO: "RS [10.0.0.1]:tcp:80 [192.0.2.1]:tcp:80 DOWN\n". */
  tell?(line: string): void;
  /** To be sent. */
  mail?(mail: Mail): void;
  /** What the director would not do. */
  refused?(refusal: Refusal): void;
  /** Time before the first tries, ms. */
  readonly bootstrap?: number;
}

export interface OpenHealth extends Health {
  /** The BFD sessions that are up, all of them. */
  tellBfd(up: readonly string[]): void;
  /** When every script that was to run has begun. */
  scriptsBegun(): Promise<unknown>;
}

export function openHealth(config: HealthConfig, around: Surroundings): OpenHealth {
  let { tls } = config;
  const bfd = new BfdSessions();
  const wheel = new Wheel(monotonicMs);
  const queues = new Map<string, ScriptQueue>();
  const world: World = {
    now: monotonicMs,
    random: Math.random,
    wheel,
    probe: ({ probe }, page, done) => (probe.type === "BFD_CHECK" ? bfd.probe(probe, done) : startProbe(probe, page, tls, done)),
    apply(operations) {
      for (const refusal of applyForgiving(around.director, operations)) {
        if (around.refused) around.refused(refusal);
        else around.log(`IPVS: ${refusal.message} (${refusal.code})`);
      }
    },
    run(script, about) {
      const queue = queues.get(about) ?? new ScriptQueue(around.log);
      queues.set(about, queue);
      queue.add(script);
    },
    tell: (line) => around.tell?.(line),
    mail: (mail) => around.mail?.(mail),
    log: (text) => around.log(text),
  };
  const secured = (wanted: HealthConfig): HealthConfig => {
    const { config: left, lines } = withoutBadScripts(wanted, judgeFile);
    for (const line of lines) around.log(line);
    return left;
  };
  const health = runHealth(secured(config), world, around.bootstrap);
  return {
    ...health,
    tellBfd: (up) => bfd.tell(up),
    scriptsBegun: () => Promise.all([...queues.values()].map((queue) => queue.drained())),
    replace(next) {
      tls = next.tls;
      health.replace(secured(next));
    },
    stop() {
      health.stop();
      wheel.close();
    },
    close() {
      health.close();
      wheel.close();
    },
  };
}
