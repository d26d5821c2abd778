import { type BfdConfig, identity, isSameSender, type Millis, type SessionConfig } from "../../bfd/config.ts";
import { deadline, type Effect, type Input, step } from "../../bfd/machine.ts";
import { type BfdRefusal, examine, type Heard } from "../../bfd/receive.ts";
import { explain } from "../../fault.ts";
import { familyOf, type Ip } from "../../net/ip.ts";
import { Timers } from "../../vrrp/timers.ts";
import { type BfdState, emitBfd } from "../../wire/bfd.ts";
import type { Listen, Receiver, Sender } from "./ports.ts";
import { newUnit, type Unit } from "./unit.ts";

/** Runs sessions: feeds their machines, and has done what these want. All that is outside comes in as Surroundings. */

export interface Surroundings {
  now(): Millis;
  /** 0..1, for jitter. */
  random(): number;
  /** 1..2^32-1, not to be guessed. */
  discriminator(): number;
  /** Call `wake` at that time; replaces what was asked before. */
  wakeAt(at: Millis | undefined): void;
  openSender(config: SessionConfig): Sender;
  openReceiver(listen: Listen, onPacket: (heard: Heard) => void): Receiver;
  /** A session has entered another state. */
  tell(event: BfdEvent): void;
  /** @param detail of use to who looks for a fault */
  log(text: string, detail: boolean): void;
}

export interface BfdEvent {
  readonly name: string;
  readonly state: BfdState;
  readonly diagnostic: number;
}

/** Between two tries to listen where another program does. */
const LISTEN_AGAIN = 1000; // ms
/** The name of a timer that is not of a session: those have no spaces. */
const LISTEN = " listen";

export class BfdRunner {
  readonly units = new Map<string, Unit>();
  /** What belonged to no session. */
  readonly strays = new Map<BfdRefusal, number>();
  readonly #out: Surroundings;
  readonly #byDiscriminator = new Map<number, Unit>();
  /** By neighbour and source; without a source it stands for all. */
  readonly #byEnds = new Map<string, Unit>();
  readonly #receivers = new Map<string, Receiver>();
  readonly #timers = new Timers();
  #armedFor: Millis | undefined;
  #listenError = "";
  #isOpen = true;

  constructor(out: Surroundings) {
    this.#out = out;
  }

  /** The sessions that are up. */
  up(): SessionConfig[] {
    return [...this.units.values()].filter(({ session }) => session.state === "Up").map(({ config }) => config);
  }

  /** A configuration, the first or another: sessions that are the same go on. */
  configure({ sessions }: BfdConfig): void {
    const known = new Map([...this.units.values()].map((unit) => [identity(unit.config), unit]));
    const units = sessions.map((config) => ({ config, unit: known.get(identity(config)) }));
    for (const { unit } of units) if (unit !== undefined) known.delete(identity(unit.config));
    for (const unit of known.values()) this.#remove(unit);
    this.units.clear();
    for (const { config, unit } of units) this.units.set(config.name, unit ?? this.#add(config));
    this.#index();
    this.#listen();
    for (const { config, unit } of units) {
      if (unit === undefined) this.#feed(this.units.get(config.name)!, { type: "start" });
      else this.#renew(unit, config);
    }
    this.#arm();
  }

  #add(config: SessionConfig): Unit {
    let discriminator = this.#out.discriminator();
    while (this.#byDiscriminator.has(discriminator)) discriminator = this.#out.discriminator();
    const unit = newUnit(config, discriminator, this.#out.now());
    this.#byDiscriminator.set(discriminator, unit);
    return unit;
  }

  #renew(unit: Unit, config: SessionConfig): void {
    const before = unit.config;
    unit.config = config;
    if (!isSameSender(before, config)) this.#closeSender(unit);
    this.#feed(unit, { type: "configure" });
  }

  #remove(unit: Unit): void {
    this.#feed(unit, { type: "disable" });
    this.#timers.set(unit.config.name, undefined);
    this.#closeSender(unit);
  }

  #closeSender(unit: Unit): void {
    unit.sender?.close();
    unit.sender = undefined;
  }

  #index(): void {
    this.#byDiscriminator.clear();
    this.#byEnds.clear();
    for (const unit of this.units.values()) {
      this.#byDiscriminator.set(unit.session.discriminator, unit);
      this.#byEnds.set(`${unit.config.neighbour} ${unit.config.source ?? ""}`, unit);
    }
  }

  /** Opens the sockets that are needed, and closes the others. */
  #listen(): void {
    const wanted = new Map<string, Listen>();
    for (const { config } of this.units.values()) {
      const listen = { family: familyOf(config.neighbour), multihop: config.multihop };
      wanted.set(`${listen.family} ${listen.multihop}`, listen);
    }
    for (const [key, receiver] of this.#receivers) {
      if (wanted.has(key)) continue;
      receiver.close();
      this.#receivers.delete(key);
    }
    let reason = "";
    for (const [key, listen] of wanted) {
      if (this.#receivers.has(key)) continue;
      try {
        this.#receivers.set(
          key,
          this.#out.openReceiver(listen, (heard) => this.hear(heard)),
        );
      } catch (error) {
        reason = explain(error);
      }
    }
    if (reason !== "" && reason !== this.#listenError) this.#out.log(`Unable to listen for BFD (${reason})`, false);
    this.#listenError = reason;
    this.#timers.set(LISTEN, reason === "" ? undefined : this.#out.now() + LISTEN_AGAIN);
  }

  /** Its time has come. Packets that wait are heard before a session is found dead. */
  wake(): void {
    if (!this.#isOpen) return;
    this.#armedFor = undefined;
    for (const receiver of [...this.#receivers.values()]) receiver.drain();
    const now = this.#out.now();
    for (let key = this.#timers.take(now); key !== undefined; key = this.#timers.take(now)) {
      const unit = this.units.get(key);
      if (unit !== undefined) this.#feed(unit, { type: "clock" });
      else if (key === LISTEN) this.#listen();
    }
    this.#arm();
  }

  #arm(): void {
    const next = this.#timers.next();
    if (next !== this.#armedFor) this.#out.wakeAt(next);
    this.#armedFor = next;
  }

  hear(heard: Heard): void {
    const seen = examine(heard, {
      byDiscriminator: (discriminator) => this.#byDiscriminator.get(discriminator),
      byNeighbour: (neighbour, own) => this.#byEnds.get(`${neighbour} ${own}`) ?? this.#byEnds.get(`${neighbour} `),
    });
    if ("refusal" in seen) {
      this.#refuse(heard.from, seen.refusal, seen.listener?.counters.refused ?? this.strays);
      return;
    }
    seen.listener.counters.received++;
    this.#feed(seen.listener, { type: "packet", packet: seen.packet });
    this.#arm();
  }

  #refuse(from: Ip, refusal: BfdRefusal, counts: Map<BfdRefusal, number>): void {
    const count = (counts.get(refusal) ?? 0) + 1;
    counts.set(refusal, count);
    if (count === 1) this.#out.log(`Discarding packet from ${from} (${refusal}); others are only counted`, false);
  }

  #feed(unit: Unit, input: Input): void {
    const now = this.#out.now();
    const { session, effects } = step(unit.config, unit.session, input, now, this.#out.random());
    unit.session = session;
    for (const effect of effects) this.#apply(unit, effect, now);
    this.#timers.set(unit.config.name, deadline(session));
  }

  #apply(unit: Unit, effect: Effect, now: Millis): void {
    switch (effect.type) {
      case "send":
        this.#send(unit, emitBfd(effect.packet));
        break;
      case "say":
        this.#out.log(`(${unit.config.name}) ${effect.text}`, effect.detail);
        break;
      case "entered": {
        const { diagnostic } = unit.session;
        unit.since = now;
        if (effect.state === "Up") unit.counters.ups++;
        if (effect.state === "Down") unit.fell = { at: now, diagnostic };
        this.#out.tell({ name: unit.config.name, state: effect.state, diagnostic });
      }
    }
  }

  #send(unit: Unit, bytes: Uint8Array): void {
    let reason = "";
    try {
      unit.sender ??= this.#out.openSender(unit.config);
      unit.sender.send(bytes);
      unit.counters.sent++;
    } catch (error) {
      reason = explain(error);
    }
    if (reason !== "" && reason !== unit.sendError)
      this.#out.log(`(${unit.config.name}) Error sending packet (${reason})`, false);
    unit.sendError = reason;
  }

  /** Neighbours are told that the sessions are over. */
  stop(): void {
    for (const unit of this.units.values()) this.#feed(unit, { type: "disable" });
    this.close();
  }

  /** After stop(), or instead of it as in a crash. May be called twice. */
  close(): void {
    this.#isOpen = false;
    for (const unit of this.units.values()) this.#closeSender(unit);
    for (const receiver of this.#receivers.values()) receiver.close();
    this.#receivers.clear();
    this.#out.wakeAt(undefined);
  }
}
