import { readFileSync } from "node:fs";
import { uptime } from "node:os";
import { monotonicMs, openTimer } from "../../platform/timer.ts";
import type { VrrpConfig } from "../../vrrp/config.ts";
import type { Event } from "../../vrrp/notify.ts";
import type { Link } from "../../wire/rtnetlink-link.ts";
import { openTuner } from "../tuner.ts";
import { openAnnouncer, type Pace } from "./announcer.ts";
import { Bfds } from "./bfds.ts";
import { openFirewall } from "./firewall.ts";
import { LinkDelays } from "./link-delays.ts";
import { type Network, openNetwork } from "./network.ts";
import { type Notifier, openNotifier } from "./notifier.ts";
import { openReceiver, openSender } from "./ports.ts";
import { VrrpRunner } from "./runner.ts";
import { judgeFile, withoutBadScripts } from "./security.ts";
import { statusOf, type VrrpStatus } from "./status.ts";
import { nothingTracked, startTrackers, type Trackers } from "./trackers.ts";
import { clearCounters } from "./unit.ts";
import { addVmacs, removeVmacs, setSysctl } from "./vmac.ts";

/** VRRP on this machine: a runner with real sockets, timers, scripts and the kernel around it. */

export interface Vrrp {
  status(): VrrpStatus;
  /** Counters of adverts and transitions begin at zero again. */
  clearCounters(): void;
  replace(config: VrrpConfig): void;
  /** The BFD sessions that are up, all of them. */
  tellBfd(up: readonly string[]): void;
  /** Priority 0 and no addresses left. */
  stop(): void;
  /** Leaves addresses where they are and tells nobody: for tests of a crash, and `--dont-release-vrrp`. */
  abandon(): void;
}

export interface VrrpOptions {
  /** The path of a network namespace; this thread's if absent. */
  readonly namespace?: string;
  /** Go on as master where the addresses are there still: after a crash, not after a stop. */
  readonly resume?: boolean;
  log(text: string, detail: boolean): void;
  onEvent(event: Event): void;
}

export function startVrrp(asked: VrrpConfig, { namespace, resume = false, log, onEvent }: VrrpOptions): Vrrp {
  const say = (text: string): void => log(text, false);
  const secured = (wanted: VrrpConfig): VrrpConfig => {
    const { config, lines } = withoutBadScripts(wanted, judgeFile);
    for (const line of lines) say(line);
    return config;
  };
  const tuner = openTuner(say);
  tuner.apply(asked.tuning);
  const { globals } = asked;
  const startupDelay = Math.max(asked.startupDelay, globals.delayAfterBoot - uptime() * 1000);
  const first = { ...secured(asked), startupDelay };
  let notifier: Notifier = openNotifier(first, say);
  const network = openNetwork({
    ...(namespace === undefined ? {} : { namespace }),
    room: globals.netlinkRoom,
    onChange: () => runner.networkChanged(),
    log: say,
  });
  const delays = new LinkDelays(() => runner.networkChanged());
  const delayed: Network = { ...network, links: () => delays.see(network.links()) };
  delays.configure(globals.linkDelays);
  prepare(first, network, say);
  const restoreIgmp = globals.localIgmp ? undefined : silenceIgmp();
  const announcer = openAnnouncer(paceOf(first), say, namespace);
  const firewall = openFirewall(globals.firewall, say, namespace);
  const bfds = new Bfds();
  const trackerOut = { onChange: () => runner.evaluate(), log: say, isBfdUp: (name: string) => bfds.isUp(name) };
  let wakeAt = 0;
  const timer = openTimer(() => {
    tuner.late(monotonicMs() - wakeAt);
    runner.wake();
  });
  let trackers: Trackers = startTrackers(first, trackerOut);
  let config = first;
  const runner: VrrpRunner = new VrrpRunner(first, {
    ...{ network: delayed, announcer, firewall, log, isRouter },
    now: monotonicMs,
    wakeAt(at) {
      wakeAt = at ?? 0;
      if (at === undefined) timer.stop();
      else timer.at(at);
    },
    trackers: () => trackers,
    openSender: (of) => openSender(of, namespace),
    openReceiver: (listen, onPacket) => openReceiver(listen, onPacket, say, namespace),
    tell(event, notify) {
      notifier.tell(event, notify);
      onEvent(event);
    },
  });
  const close = (): void => {
    runner.close();
    trackers.close();
    announcer.close();
    firewall.close();
    timer.close();
    delays.close();
    notifier.close();
  };
  runner.start({ resume });
  let isOpen = true;
  return {
    status: () => ({
      instances: [...runner.units.values()].map((unit) => statusOf(unit, monotonicMs())),
      groups: Object.fromEntries(config.groups.map(({ name }) => [name, runner.groupWords.get(name) ?? "INIT"])),
      trackers: trackers.status?.() ?? nothingTracked,
    }),
    clearCounters() {
      for (const unit of runner.units.values()) clearCounters(unit);
    },
    replace(wanted) {
      const next = secured(wanted); // throws for what is no configuration, before anything is changed
      tuner.apply(next.tuning);
      const before = trackers;
      trackers = startTrackers(next, trackerOut, before);
      before.close();
      notifier.close();
      notifier = openNotifier(next, say);
      announcer.setPace(paceOf(next));
      delays.configure(next.globals.linkDelays);
      runner.replace(next, () => {
        removeVmacs(config, network, say, next);
        prepare(next, network, say);
      });
      config = next;
    },
    tellBfd(up) {
      const lines = bfds.tell(up, config);
      if (lines === undefined) return;
      for (const line of lines) say(line);
      runner.evaluate();
    },
    stop() {
      if (!isOpen) return;
      isOpen = false;
      runner.stop();
      close();
      removeVmacs(config, network, say);
      restoreIgmp?.();
      network.close();
    },
    abandon() {
      if (!isOpen) return;
      isOpen = false;
      close();
      network.close();
    },
  };
}

const paceOf = (config: VrrpConfig): Pace => ({
  ...{ garp: config.garpInterval, gna: config.gnaInterval, groups: config.globals.garpGroups },
});

function prepare(config: VrrpConfig, network: Network, log: (text: string) => void): void {
  if ([config.statics, ...config.instances].some((i) => i.routes.length + i.rules.length > 0)) network.watchRoutes();
  addVmacs(config, network, log);
  for (const { promoteSecondaries, interface: name } of config.instances)
    if (promoteSecondaries && name !== undefined) setSysctl(`ipv4/conf/${name}/promote_secondaries`, 1);
}

/** The kernel does not tell switches of groups like 224.0.0.18. @returns how to undo it */
function silenceIgmp(): () => void {
  const path = "ipv4/igmp_link_local_mcast_reports";
  const before = readFileSync(`/proc/sys/net/${path}`, "utf8").trim();
  setSysctl(path, 0);
  return () => setSysctl(path, before);
}

function isRouter({ name }: Link): boolean {
  try {
    return readFileSync(`/proc/sys/net/ipv6/conf/${name}/forwarding`, "utf8").trim() === "1";
  } catch {
    return false;
  }
}
