import { beforeEach, expect, test } from "vitest";
import type { SessionConfig } from "../../bfd/config.ts";
import type { Heard } from "../../bfd/receive.ts";
import { seeded, config as session } from "../../bfd/testing.ts";
import { Fault } from "../../fault.ts";
import { type Ip, ip } from "../../net/ip.ts";
import { untuned } from "../../tuning.ts";
import { type BfdEvent, BfdRunner } from "./runner.ts";
import { statusOf } from "./status.ts";

/** Runners on one wire, in a time of their own. */

class Host {
  readonly runner: BfdRunner;
  readonly events: BfdEvent[] = [];
  readonly lines: string[] = [];
  readonly heard: Heard[] = [];
  readonly senders: SessionConfig[] = [];
  listeners: ((heard: Heard) => void)[] = [];
  wakeAt: number | undefined;
  /** What the system refuses. */
  sendFault: string | undefined;
  listenFault: string | undefined;
  isCut = false;

  constructor(world: World, address: Ip) {
    const random = seeded(address.length + Number(address.at(-1)));
    this.runner = new BfdRunner({
      now: () => world.now,
      random,
      discriminator: () => 1 + Math.floor(random() * 3), // so that some come twice
      wakeAt: (at) => {
        this.wakeAt = at;
      },
      openSender: (config) => {
        if (this.sendFault !== undefined) throw new Fault("bind", this.sendFault, "no address");
        this.senders.push(config);
        let isOpen = true;
        const send = (bytes: Uint8Array): void => {
          if (!isOpen) throw new Error("closed");
          const { neighbour: to, ttl, multihop } = config;
          if (!this.isCut) world.wire.push({ to, heard: { from: config.source ?? address, to, ttl, multihop, bytes } });
        };
        return {
          send,
          close: () => {
            isOpen = false;
            this.senders.splice(this.senders.indexOf(config), 1);
          },
        };
      },
      openReceiver: (_, onPacket) => {
        if (this.listenFault !== undefined) throw new Fault("bind", this.listenFault, "port 3784");
        this.listeners.push(onPacket);
        const close = (): void => {
          this.listeners = this.listeners.filter((each) => each !== onPacket);
        };
        return { drain: () => this.drain(), close };
      },
      tell: (event) => void this.events.push(event),
      log: (text) => void this.lines.push(text),
    });
  }

  drain(): void {
    for (const heard of this.heard.splice(0)) for (const listener of this.listeners) listener(heard);
  }

  configure(...sessions: SessionConfig[]): void {
    this.runner.configure({ sessions, tuning: untuned });
  }

  states = (): string => [...this.runner.units.values()].map((unit) => unit.session.state).join(" ");
  up = (): string =>
    this.runner
      .up()
      .map(({ name }) => name)
      .join(" ");
}

class World {
  now = 0;
  readonly wire: { readonly to: Ip; readonly heard: Heard }[] = [];
  readonly hosts = new Map<Ip, Host>();

  add(address: string): Host {
    const host = new Host(this, ip(address));
    this.hosts.set(ip(address), host);
    return host;
  }

  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      for (const { to, heard } of this.wire.splice(0)) this.hosts.get(to)?.heard.push(heard);
      const waiting = [...this.hosts.values()].filter((host) => host.heard.length > 0);
      for (const host of waiting) host.drain();
      if (waiting.length > 0) continue;
      const next = [...this.hosts.values()].filter((h) => h.wakeAt !== undefined).sort((x, y) => x.wakeAt! - y.wakeAt!)[0];
      if (next === undefined || next.wakeAt! > end) break;
      this.now = Math.max(this.now, next.wakeAt!);
      next.wakeAt = undefined;
      next.runner.wake();
    }
    this.now = end;
  }
}

let world: World;
let a: Host;
let b: Host;
const to = (address: string, name = "B1", more: Partial<SessionConfig> = {}): SessionConfig =>
  session({ name, neighbour: ip(address), ...more });

beforeEach(() => {
  world = new World();
  a = world.add("10.9.0.1");
  b = world.add("10.9.0.2");
});

test("two runners bring their sessions up and tell of each state, and find a cut within the detection time", () => {
  a.configure(to("10.9.0.2"), to("10.9.0.7", "B2"));
  b.configure(to("10.9.0.1"));
  world.pass(3000);
  expect([a.states(), a.up(), b.up()]).toEqual(["Up Down", "B1", "B1"]);
  expect(b.events.at(-1)).toEqual({ name: "B1", state: "Up", diagnostic: 0 });
  const cut = world.now;
  a.isCut = true;
  world.pass(51);
  expect([b.up(), b.events.at(-1)]).toEqual(["", { name: "B1", state: "Down", diagnostic: 1 }]);
  expect(statusOf(b.runner.units.get("B1")!, world.now)).toMatchObject({
    state: "Down",
    fell: { diagnostic: "Control Detection Time Expired" },
    counters: { ups: 1, refused: {} },
  });
  a.isCut = false;
  world.pass(3000);
  expect([a.up(), b.up(), world.now]).toEqual(["B1", "B1", cut + 3051]);
});

test("another configuration leaves sessions that are the same alone, ends those that are gone, and begins others", () => {
  a.configure(to("10.9.0.2"));
  b.configure(to("10.9.0.1"));
  world.pass(3000);
  const { discriminator } = a.runner.units.get("B1")!.session;
  a.configure(to("10.9.0.2", "B1", { minRx: 50, ttl: 254 }), to("10.9.0.7", "B2"));
  b.configure(to("10.9.0.1", "B1", { maxHops: 1 }));
  world.pass(1000);
  expect([a.states(), b.states()]).toEqual(["Up Down", "Up"]);
  expect(a.runner.units.get("B1")!.session.discriminator).toBe(discriminator);
  expect(a.senders.map(({ ttl }) => ttl)).toEqual([255, 254]); // B1 sends from another socket now
  expect(b.runner.units.get("B1")!.counters.ups).toBe(1);

  a.configure(to("10.9.0.7", "B2"));
  world.pass(10);
  expect([a.states(), b.up(), b.events.at(-1)]).toEqual(["Down", "", { name: "B1", state: "Down", diagnostic: 3 }]);
  expect(a.senders).toHaveLength(1);
  a.configure();
  expect([a.senders, a.listeners]).toEqual([[], []]);
});

test("a name with another neighbour is another session", () => {
  const c = world.add("10.9.0.3");
  a.configure(to("10.9.0.2"));
  b.configure(to("10.9.0.1"));
  c.configure(to("10.9.0.1"));
  world.pass(3000);
  expect([a.up(), b.up(), c.up()]).toEqual(["B1", "B1", ""]);
  a.configure(to("10.9.0.3"));
  expect(a.up()).toBe("");
  world.pass(3000);
  expect([a.up(), b.up(), c.up()]).toEqual(["B1", "", "B1"]);
});

test("two sessions with one neighbour are told apart by their sources", () => {
  const sources = ["10.9.0.1", "10.9.0.3"].map(ip);
  world.hosts.set(sources[1]!, a);
  a.configure(...sources.map((source, i) => to("10.9.0.2", `B${i}`, { source })));
  b.configure(...sources.map((source, i) => to(source, `B${i}`)));
  world.pass(3000);
  expect([a.up(), b.up(), a.runner.strays.size]).toEqual(["B0 B1", "B0 B1", 0]);
  const ends = [...a.runner.units.values()].map(({ config, session: { discriminator } }) => [config.source, discriminator]);
  const seen = [...b.runner.units.values()].map(({ config, session: { remote } }) => [config.neighbour, remote.discriminator]);
  expect(ends).toEqual(seen);
});

test("what cannot be sent or listened to is told once and tried again", () => {
  a.sendFault = "EADDRNOTAVAIL";
  a.listenFault = "EADDRINUSE";
  a.configure(to("10.9.0.2"));
  b.configure(to("10.9.0.1"));
  world.pass(10_000);
  expect(a.lines).toEqual(["Unable to listen for BFD (bind: port 3784)", "(B1) Error sending packet (bind: no address)"]);
  expect(statusOf(a.runner.units.get("B1")!, world.now)).toMatchObject({ isMute: true, counters: { sent: 0 } });
  a.sendFault = undefined;
  a.listenFault = undefined;
  world.pass(3000);
  expect([a.up(), b.up()]).toEqual(["B1", "B1"]);
});

test("packets that are refused are counted, by session where there is one, and told once for each reason", () => {
  a.configure(to("10.9.0.2"));
  b.configure(to("10.9.0.1", "B1", { ttl: 200 }), to("10.9.0.7", "B2"));
  world.pass(60_000);
  expect([a.up(), b.up()]).toEqual(["", ""]);
  expect(a.runner.units.get("B1")!.counters.refused.get("ttl")).toBeGreaterThan(50);
  expect(a.lines).toEqual(["Discarding packet from 10.9.0.2 (ttl); others are only counted"]);
  world.add("10.9.0.3").configure(to("10.9.0.1"));
  world.pass(5000);
  expect(a.runner.strays.get("neighbour")).toBeGreaterThan(3);
});

test("the end is told to neighbours, and nothing is done after it", () => {
  a.configure(to("10.9.0.2"));
  b.configure(to("10.9.0.1"));
  world.pass(3000);
  a.runner.stop();
  a.runner.close();
  world.pass(5);
  expect([b.up(), b.events.at(-1)]).toEqual(["", { name: "B1", state: "Down", diagnostic: 3 }]);
  expect([a.senders, a.listeners, a.wakeAt]).toEqual([[], [], undefined]);
  a.runner.wake();
  expect(a.wakeAt).toBeUndefined();
});
