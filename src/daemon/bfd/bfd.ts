import { randomInt } from "node:crypto";
import type { BfdConfig } from "../../bfd/config.ts";
import { monotonicMs, openTimer } from "../../platform/timer.ts";
import { openTuner } from "../tuner.ts";
import { openReceiver, openSender } from "./ports.ts";
import { type BfdEvent, BfdRunner } from "./runner.ts";
import { type SessionStatus, statusOf } from "./status.ts";

/** BFD on this machine: a runner with real sockets and a timer around it. */

export interface Bfd {
  configure(config: BfdConfig): void;
  status(): readonly SessionStatus[];
  /** Names of the sessions that are up, for each who is to hear of them. */
  up(): Up;
  /** Neighbours are told. May be called twice. */
  stop(): void;
}

export interface Up {
  readonly vrrp: readonly string[];
  readonly checker: readonly string[];
}

export interface BfdOptions {
  /** The path of a network namespace; this thread's if absent. */
  readonly namespace?: string;
  log(text: string, detail: boolean): void;
  onEvent(event: BfdEvent): void;
}

export function openBfd({ namespace, log, onEvent }: BfdOptions): Bfd {
  const say = (text: string): void => log(text, false);
  const tuner = openTuner(say);
  let wakeAt = 0;
  const timer = openTimer(() => {
    tuner.late(monotonicMs() - wakeAt);
    runner.wake();
  });
  const runner: BfdRunner = new BfdRunner({
    ...{ log, now: monotonicMs, random: Math.random, tell: onEvent },
    discriminator: () => randomInt(1, 2 ** 32),
    wakeAt(at) {
      wakeAt = at ?? 0;
      if (at === undefined) timer.stop();
      else timer.at(at);
    },
    openSender: (config) => openSender(config, namespace),
    openReceiver: (listen, onPacket) => openReceiver(listen, onPacket, say, namespace),
  });
  let isOpen = true;
  return {
    configure(config) {
      tuner.apply(config.tuning);
      runner.configure(config);
    },
    status: () => [...runner.units.values()].map((unit) => statusOf(unit, monotonicMs())),
    up() {
      const all = runner.up();
      return {
        vrrp: all.filter(({ tells }) => tells.vrrp).map(({ name }) => name),
        checker: all.filter(({ tells }) => tells.checker).map(({ name }) => name),
      };
    },
    stop() {
      if (!isOpen) return;
      isOpen = false;
      runner.stop();
      timer.close();
    },
  };
}
