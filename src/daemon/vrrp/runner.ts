import { explain } from "../../fault.ts";
import type { Ip } from "../../net/ip.ts";
import { examine, type Heard, type Refusal, remember } from "../../vrrp/accept.ts";
import { type Held, together } from "../../vrrp/addresses.ts";
import { type Instance, identity, type Notify, type SyncGroup, type VrrpConfig } from "../../vrrp/config.ts";
import { accepted, changed, refused, type Told } from "../../vrrp/diagnose.ts";
import { deadline, type Effect, type Input, type Millis, step } from "../../vrrp/machine.ts";
import type { Event, NotifyWord } from "../../vrrp/notify.ts";
import { Timers } from "../../vrrp/timers.ts";
import { outcome, type Tracked } from "../../vrrp/track.ts";
import { groupWord, membersOf, ordersFor, orderText } from "./groups.ts";
import { Holder, type HolderTools } from "./holder.ts";
import type { Listen } from "./ports.ts";
import { virtualOf } from "./source.ts";
import { trackedBy } from "./tracked.ts";
import type { Trackers } from "./trackers.ts";
import { destinations, hasOldSum, newUnit, routerOf, sendAdvert, type Unit } from "./unit.ts";
import { isFor, isSameWire, type SocketMaker, Wires } from "./wires.ts";

/** Runs instances: feeds their machines, and has done what these want. All that is outside comes in as Surroundings. */

export interface Surroundings extends SocketMaker, HolderTools {
  now(): Millis;
  /** Call `wake` at that time; replaces what was asked before. */
  wakeAt(at: Millis | undefined): void;
  /** Those of the configuration in force. */
  trackers(): Trackers;
  /** A change, for scripts, FIFOs and whoever watches. */
  tell(event: Event, notify: Notify): void;
  /** @param detail of use to who looks for a fault */
  log(text: string, detail: boolean): void;
}

const STATE_WORDS = { init: undefined, backup: "BACKUP", master: "MASTER", fault: "FAULT" } as const;
/** Whom scripts are not run for. */
const NOBODY: Notify = {
  ...{ master: undefined, backup: undefined, fault: undefined, stop: undefined, masterRxLowerPri: undefined },
  ...{ deleted: undefined, tellsDeleted: false, any: undefined, priorityChanges: false },
};
const MOST_STRANGERS = 64;
/** Between two looks at what others have done to our addresses. */
const RECONCILE_GAP = 50; // ms
/** Names of timers that are not of an instance: those have no spaces. */
const [START, EVALUATE, RECONCILE, ANNOUNCE] = [" start", " evaluate", " reconcile", " announce"];

export class VrrpRunner {
  readonly units = new Map<string, Unit>();
  readonly #out: Surroundings;
  readonly #holder: Holder;
  readonly #wires: Wires;
  readonly #timers = new Timers();
  /** What was told of each sync group last. */
  readonly groupWords = new Map<string, string>();
  #config: VrrpConfig;
  #isStarted = false;
  /** One that a reload removes and that is to be told so. */
  #leaving: Unit | undefined;
  readonly #strangers = new Set<string>();
  /** The kernel has told of changes that have not been looked at. */
  #isStale = false;
  /** What the timer is set to. */
  #armedFor: Millis | undefined;
  #lastReconcile = Number.NEGATIVE_INFINITY;

  constructor(config: VrrpConfig, out: Surroundings) {
    this.#config = config;
    this.#out = out;
    this.#holder = new Holder(out);
    this.#wires = new Wires(out, (listen, vrid, heard) => this.#hear(listen, vrid, heard));
    for (const instance of config.instances) this.units.set(instance.name, newUnit(instance));
    this.#assignGroups();
  }

  /**
   * Removes what an earlier run has left, then begins; after the start-up delay if there is one and nobody goes on.
   * @param resume instances whose addresses are there go on as masters at once: this process has just died and been restarted
   */
  start({ resume = false } = {}): void {
    const { startupDelay } = this.#config;
    const units = [...this.units.values()];
    if (resume) this.#resume();
    // An owner's address may well be the interface's own, without which it could not send.
    const others = units.filter((unit) => unit.config.priority !== 255 && !unit.isResuming);
    for (const unit of others) this.#say(unit, "removing VIPs.", true);
    this.#holder.setStatics(this.#config.statics);
    this.#holder.reconcile(others);
    // The peers of one that goes on would take over meanwhile.
    if (startupDelay === 0 || units.some((unit) => unit.isResuming)) {
      this.#begin();
      return;
    }
    this.#out.log(`Delaying startup for ${startupDelay / 1000} seconds`, false);
    this.#timers.set(START, this.#out.now() + startupDelay);
    this.#arm();
  }

  /** A sync group goes on as a whole or not at all. */
  #resume(): void {
    const held = new Set([...this.units.values()].filter((unit) => this.#holder.isHeld(unit)));
    for (const unit of held) unit.isResuming = unit.isHolding = this.#partners(unit).every((member) => held.has(member));
    if ([...held].some((unit) => unit.isHolding)) this.#holder.refuse(held);
  }

  #begin(): void {
    this.#isStarted = true;
    this.evaluate();
  }

  /** Its time has come. Adverts that wait are heard before a timer decides (spec 3.5). */
  wake(): void {
    this.#armedFor = undefined;
    this.#wires.drain();
    const now = this.#out.now();
    for (let key = this.#timers.take(now); key !== undefined; key = this.#timers.take(now)) this.#due(key);
    this.#arm();
  }

  #due(key: string): void {
    const unit = this.units.get(key);
    if (unit !== undefined) this.#feed(unit, { type: "clock" });
    else if (key === START) this.#begin();
    else if (key === EVALUATE) this.evaluate();
    else if (key === RECONCILE) this.#restore();
  }

  #arm(): void {
    const { announcer, now, wakeAt } = this.#out;
    this.#timers.set(ANNOUNCE, announcer.pump(now()));
    const next = this.#timers.next();
    if (next !== this.#armedFor) wakeAt(next);
    this.#armedFor = next;
  }

  /** The kernel says that links, addresses, routes or rules have changed. A burst of changes is looked at once. */
  networkChanged(): void {
    if (!this.#isStarted || this.#isStale) return;
    this.#isStale = true;
    const now = this.#out.now();
    this.#timers.set(EVALUATE, now);
    const { addresses, routes } = this.#config.statics;
    if (addresses.length + routes.length > 0 || [...this.units.values()].some((u) => u.isHolding))
      this.#timers.set(RECONCILE, Math.max(now, this.#lastReconcile + RECONCILE_GAP));
    this.#arm();
  }

  /** Looks at links, addresses and trackers, and tells the machines what follows. */
  evaluate(): void {
    if (!this.#isStarted) return;
    this.#isStale = false;
    const held = this.#out.network.held([]);
    const units = [...this.units.values()];
    const virtual = virtualOf(units.map(({ config }) => config));
    for (const unit of units) this.#look(unit, held, virtual); // all before the first is told, for the sake of groups
    for (const unit of units) this.#settle(unit);
    this.#arm();
  }

  #look(unit: Unit, held: Held, virtual: ReadonlySet<Ip>): void {
    const { config } = unit;
    const { priority, total, faults, isPending } = outcome(config.priority, this.#tracked(unit));
    unit.total = total;
    const own = [...this.#wires.check(unit, this.#out.network.links(), held.addresses, virtual), ...faults];
    for (const fault of own) if (!unit.faults.includes(fault)) this.#say(unit, `entering FAULT state${fault}`);
    unit.faults = own;
    unit.isPending = isPending && own.length === 0;
    this.#setPriority(unit, priority);
  }

  #settle(unit: Unit): void {
    if (unit.group !== undefined) this.#sync(unit);
    else if (unit.faults.length > 0) this.#feed(unit, { type: "down" });
    else if (!unit.isPending) this.#feed(unit, { type: "up" });
  }

  #setPriority(unit: Unit, priority: number): void {
    if (priority === unit.priority) return;
    this.#say(unit, `Changing effective priority from ${unit.priority} to ${priority}`);
    unit.priority = priority;
    const { name } = unit.state;
    if (!unit.config.notify.priorityChanges || (name !== "master" && name !== "backup")) return;
    this.#tell(unit, name === "master" ? "MASTER_PRIORITY" : "BACKUP_PRIORITY");
  }

  #tracked(unit: Unit): readonly Tracked[] {
    const group = this.#groupOf(unit);
    const all = [unit.config.track, ...(group === undefined ? [] : [group.track])];
    return all.flatMap((tracking) => trackedBy(tracking, this.#out.trackers(), this.#out.network.links()));
  }

  #hear(listen: Listen, vrid: number, heard: Heard): void {
    let isKnown = !this.#config.globals.logUnknownVrids;
    for (const unit of this.units.values()) {
      isKnown ||= unit.config.vrid === vrid && unit.config.family === listen.family;
      const isListening = unit.state.name === "backup" || unit.state.name === "master";
      if (unit.config.vrid === vrid && isListening && isFor(unit, listen, heard)) this.#advert(unit, heard);
    }
    if (!isKnown) this.#stranger(`VRID(${vrid}) received on interface(${listen.link?.name ?? "any"}) from ${heard.from}`);
    this.#arm();
  }

  /** Told once each, and not for ever. */
  #stranger(text: string): void {
    if (this.#strangers.has(text) || this.#strangers.size >= MOST_STRANGERS) return;
    this.#strangers.add(text);
    this.#out.log(`Unknown ${text}. ignoring...`, false);
  }

  #advert(unit: Unit, heard: Heard): void {
    unit.counters.advertsReceived++;
    const seen = examine(unit.config, heard, unit.memory);
    if ("refusal" in seen) {
      this.#refused(unit, seen.refusal);
      return;
    }
    const { advert, complaint } = seen;
    if (complaint !== undefined) this.#refused(unit, complaint);
    unit.memory = remember(unit.memory, heard);
    if (advert.priority === 0) unit.counters.zeroReceived++;
    if (advert.sum === "old" && unit.config.oldSum === "auto" && !unit.usesOldSum && hasOldSum(unit.config)) {
      unit.usesOldSum = true;
      this.#say(unit, "Setting unicast VRRPv3 checksum to old version");
    }
    const facts = { priority: advert.priority, own: unit.priority, state: unit.state.name, complaint: complaint !== undefined };
    this.#told(unit, accepted(unit.diagnosis, heard.from, facts, this.#out.now()));
    this.#feed(unit, { type: "advert", from: heard.from, priority: advert.priority, interval: advert.interval * 10 });
  }

  #refused(unit: Unit, refusal: Refusal): void {
    const counts = unit.counters.refused;
    counts.set(refusal.field, (counts.get(refusal.field) ?? 0) + 1);
    this.#told(unit, refused(unit.diagnosis, refusal, unit.state.name, this.#out.now()));
  }

  #told(unit: Unit, told: Told): void {
    unit.diagnosis = told.next;
    for (const line of told.lines) this.#say(unit, line);
  }

  #feed(unit: Unit, input: Input): void {
    const before = unit.state;
    const next = step(routerOf(unit), before, input, this.#out.now());
    unit.state = next.state;
    const isChanged = next.state.name !== before.name;
    if (isChanged) this.#entered(unit, before.name);
    if (unit.isResuming) this.#resumed(unit, input);
    for (const effect of next.effects) this.#apply(unit, effect);
    this.#timers.set(unit.config.name, deadline(unit.state));
    const asks = unit.state.name === "backup" && unit.state.asking;
    if (asks || isChanged) this.#sync(unit);
  }

  #entered(unit: Unit, before: string): void {
    unit.since = this.#out.now();
    unit.diagnosis = changed();
    if (unit.state.name === "master") unit.counters.becameMaster++;
    if (before === "master") unit.counters.releasedMaster++;
  }

  /** It is master again, or it is not to be: then it leaves what it had, and its sync group with it. */
  #resumed(unit: Unit, input: Input): void {
    const { state } = unit;
    const isWaiting = state.name === "init" ? input.type !== "stop" : state.name === "backup" && state.master === undefined;
    if (isWaiting) return;
    unit.isResuming = false;
    if (state.name === "master") return;
    for (const each of [unit, ...this.#partners(unit).filter((member) => member.isResuming)]) {
      each.isResuming = false;
      this.#holder.release(each, this.units.values());
    }
  }

  #apply(unit: Unit, effect: Effect): void {
    switch (effect.type) {
      case "advertise":
        this.#advertise(unit, effect.priority);
        break;
      case "take-addresses":
        this.#holder.take(unit, this.units.values());
        break;
      case "release-addresses":
        this.#holder.release(unit, this.units.values());
        break;
      case "announce":
        this.#announce(unit, effect.repeat);
        break;
      case "notify":
        this.#tell(unit, effect.notice);
        break;
      case "say":
        this.#say(unit, effect.text, effect.detail);
    }
  }

  #advertise(unit: Unit, priority: number): void {
    let reason = "";
    try {
      sendAdvert(unit, priority);
    } catch (error) {
      reason = explain(error);
    }
    if (reason !== "" && reason !== unit.sendError)
      this.#say(unit, `Cant send advert to ${destinations(unit.config).join(" ")} (${reason})`);
    unit.sendError = reason;
  }

  #announce(unit: Unit, repeat: number): void {
    if (unit.state.name !== "master") return;
    for (const place of this.#holder.announce(unit, repeat))
      this.#say(unit, `Sending/queueing gratuitous ARPs on ${place}`, true);
  }

  /** In place, without leaving MASTER as keepalived does. */
  #restore(): void {
    this.#lastReconcile = this.#out.now();
    for (const [unit, count] of this.#holder.reconcile([...this.units.values()])) {
      if (count === 0) continue;
      this.#say(unit, `${count} of its addresses, routes and rules had been removed by somebody else and are put back`);
      this.#announce(unit, unit.config.announce.repeat);
    }
  }

  #groupOf(unit: Unit): SyncGroup | undefined {
    return unit.group === undefined ? undefined : this.#config.groups.find((g) => g.name === unit.group);
  }

  /** The members of its sync group, and itself. */
  #partners(unit: Unit): readonly Unit[] {
    const group = this.#groupOf(unit);
    return group === undefined ? [unit] : membersOf(group, this.units);
  }

  #sync(unit: Unit): void {
    const group = this.#groupOf(unit);
    if (group === undefined) return;
    const members = membersOf(group, this.units);
    for (let left = 4 * members.length; left > 0; left--) {
      const orders = ordersFor(members, unit.config.name);
      const text = orders[0] && orderText(group, orders[0].input.type);
      if (text !== undefined) this.#out.log(text, false);
      for (const { name, input } of orders) this.#order(this.units.get(name)!, input);
      if (orders.length === 0) break;
    }
    const word = groupWord(members);
    if (word === undefined || this.groupWords.get(group.name) === word) return;
    this.groupWords.set(group.name, word);
    this.#out.tell({ type: "GROUP", name: group.name, word, priority: 0 }, group.notify);
  }

  /** A member that follows does not lead. */
  #order(unit: Unit, input: Input): void {
    const { group } = unit;
    unit.group = undefined;
    this.#feed(unit, input);
    unit.group = group;
  }

  #tell(unit: Unit, word: NotifyWord): void {
    if (unit === this.#leaving && word !== "DELETED") return;
    const { name, notify } = unit.config;
    this.#out.tell({ type: "INSTANCE", name, word, priority: unit.priority }, notify);
  }

  #say(unit: Unit, text: string, detail = false): void {
    this.#out.log(`(${unit.config.name}) ${text}`, detail);
  }

  #assignGroups(): void {
    for (const unit of this.units.values()) {
      unit.group = this.#config.groups.find((g) => g.members.includes(unit.config.name))?.name;
    }
  }

  /**
   * Another configuration; who is the same by its identity goes on in its state (spec 1.8).
   * @param between called when those that go have said so, before anything of the new one is done
   */
  replace(config: VrrpConfig, between = (): void => {}): void {
    const before = [...this.units.values()];
    for (const unit of before) if (unit.state.name === "master") this.#advertise(unit, unit.priority);
    const known = new Map(before.map((u) => [identity(u.config), u]));
    const old = together([...before.map((u) => this.#holder.holdings(u)), this.#holder.setStatics(config.statics)]);
    const units = config.instances.map((instance) => this.#renew(known, instance));
    for (const unit of known.values()) this.#remove(unit);
    between();
    this.#config = config;
    this.units.clear();
    for (const unit of units) this.units.set(unit.config.name, unit);
    this.#assignGroups();
    this.#holder.refuse(units);
    const made = this.#holder.reconcile(units, old);
    this.evaluate();
    for (const unit of units) {
      this.#timers.set(unit.config.name, deadline(unit.state));
      if ((made.get(unit) ?? 0) > 0) this.#announce(unit, unit.config.announce.repeat);
    }
    if (config.globals.statesOnReload) this.#tellStates();
    this.#arm();
  }

  /** To FIFOs, and whoever else listens; scripts are for changes. */
  #tellStates(): void {
    for (const { config, state, priority } of this.units.values()) {
      const word = STATE_WORDS[state.name];
      if (word !== undefined) this.#out.tell({ type: "INSTANCE", name: config.name, word, priority }, NOBODY);
    }
    for (const { name } of this.#config.groups) {
      const word = this.groupWords.get(name);
      if (word !== undefined) this.#out.tell({ type: "GROUP", name, word: word as NotifyWord, priority: 0 }, NOBODY);
    }
  }

  #renew(known: Map<string, Unit>, instance: Instance): Unit {
    const unit = known.get(identity(instance));
    if (unit === undefined) return newUnit(instance);
    known.delete(identity(instance));
    this.#timers.set(unit.config.name, undefined);
    if (!isSameWire(unit.config, instance)) this.#wires.close(unit);
    unit.config = instance;
    return unit;
  }

  #remove(unit: Unit): void {
    if (unit.config.notify.tellsDeleted) this.#leaving = unit;
    this.#order(unit, { type: "down" });
    if (this.#leaving === unit) this.#tell(unit, "DELETED");
    this.#leaving = undefined;
    this.#timers.set(unit.config.name, undefined);
    this.#wires.close(unit);
  }

  /** Priority 0, addresses removed, STOP told. */
  stop(): void {
    this.#isStarted = false;
    for (const unit of this.units.values()) this.#order(unit, { type: "stop" });
    for (const { name, notify } of this.#config.groups)
      this.#out.tell({ type: "GROUP", name, word: "STOP", priority: 0 }, notify);
    this.#holder.reconcile([], this.#holder.setStatics({ addresses: [], routes: [], rules: [] }));
    this.#out.wakeAt(undefined);
  }

  /** After stop(), or instead of it when the addresses are to stay. */
  close(): void {
    this.#isStarted = false;
    for (const unit of this.units.values()) this.#wires.close(unit);
  }
}
