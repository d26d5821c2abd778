import { ip } from "../net/ip.ts";
import { type BfdState, emitBfd } from "../wire/bfd.ts";
import type { SessionConfig } from "./config.ts";
import { deadline, type Input, step } from "./machine.ts";
import { examine, type Listener } from "./receive.ts";
import { newSession, type Session } from "./session.ts";

/** What the tests of this folder share: machines on a channel, in a time of its own. */

export const config = (changes: Partial<SessionConfig> = {}): SessionConfig => ({
  ...{ name: "B1", neighbour: ip("10.9.0.2"), source: undefined, minRx: 10, minTx: 10, idleTx: 1000, multiplier: 5 },
  ...{ passive: false, ttl: 255, maxHops: 0, multihop: false, tells: { vrrp: true, checker: true } },
  ...changes,
});

export class Node implements Listener {
  config: SessionConfig;
  session: Session;
  /** States it has entered, with the time. */
  readonly history: { readonly state: BfdState; readonly at: number }[] = [];
  readonly sent: { readonly bytes: Uint8Array; readonly at: number }[] = [];
  readonly said: string[] = [];

  constructor(config: SessionConfig, discriminator: number) {
    this.config = config;
    this.session = newSession(config, discriminator);
  }
}

export interface Channel {
  /** When a packet that is sent now arrives; undefined: never. */
  arrives(from: Node, now: number): number | undefined;
  /** 0..1 */
  random(): number;
}

interface Flying {
  readonly at: number;
  readonly to: Node;
  readonly bytes: Uint8Array;
}

/** Two machines that are each other's neighbours. */
export class Pair {
  now = 0;
  readonly a: Node;
  readonly b: Node;
  readonly #channel: Channel;
  #onTheWay: Flying[] = [];

  constructor(a: SessionConfig, b: SessionConfig, channel: Channel) {
    this.a = new Node({ ...a, neighbour: ip("10.9.0.2") }, 1001);
    this.b = new Node({ ...b, neighbour: ip("10.9.0.1") }, 2002);
    this.#channel = channel;
  }

  start(): void {
    for (const node of [this.a, this.b]) this.feed(node, { type: "start" });
  }

  feed(node: Node, input: Input): void {
    const { session, effects } = step(node.config, node.session, input, this.now, this.#channel.random());
    node.session = session;
    for (const effect of effects) {
      if (effect.type === "entered") node.history.push({ state: effect.state, at: this.now });
      else if (effect.type === "say") node.said.push(effect.text);
      else this.#send(node, emitBfd(effect.packet));
    }
  }

  #send(node: Node, bytes: Uint8Array): void {
    node.sent.push({ bytes, at: this.now });
    const at = this.#channel.arrives(node, this.now);
    if (at !== undefined) this.#onTheWay.push({ at, bytes, to: node === this.a ? this.b : this.a });
  }

  deliver(to: Node, bytes: Uint8Array): void {
    const [from, own] = to === this.a ? ["10.9.0.2", "10.9.0.1"] : ["10.9.0.1", "10.9.0.2"];
    const seen = examine(
      { from: ip(from), to: ip(own), ttl: 255, multihop: false, bytes },
      {
        byDiscriminator: (discriminator) => (discriminator === to.session.discriminator ? to : undefined),
        byNeighbour: (neighbour) => (neighbour === to.config.neighbour ? to : undefined), // whatever it came to
      },
    );
    if ("packet" in seen) this.feed(to, { type: "packet", packet: seen.packet });
  }

  run(until: number): void {
    for (;;) {
      const timers = [this.a, this.b].map((node) => ({ node, at: deadline(node.session) ?? Number.POSITIVE_INFINITY }));
      const timer = timers[0]!.at <= timers[1]!.at ? timers[0]! : timers[1]!;
      const packet = [...this.#onTheWay].sort((x, y) => x.at - y.at)[0];
      const isPacket = packet !== undefined && packet.at <= timer.at;
      const at = isPacket ? packet.at : timer.at;
      if (at > until) break;
      this.now = Math.max(this.now, at);
      if (isPacket) {
        this.#onTheWay = this.#onTheWay.filter((p) => p !== packet);
        this.deliver(packet.to, packet.bytes);
      } else this.feed(timer.node, { type: "clock" });
    }
    this.now = until;
  }
}

/** The same numbers for the same seed. */
export function seeded(seed: number): () => number {
  let x = seed >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 0x1_0000_0000;
  };
}
