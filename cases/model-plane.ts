import type { Conn, Operation } from "../src/director/director.ts";
import { Model } from "../src/director/model/model.ts";
import { type Hop, resolvedHop, type World } from "../src/director/model/world.ts";
import { type Ip, ipBytes } from "../src/net/ip.ts";
import { macBytes } from "../src/net/mac.ts";
import { CLIENT_SIDE, ifindexOf, MARK, MARKED, macOf, ownMac, SERVER_SIDE, type Side, wayTo } from "./network.ts";
import type { Plane, Seen } from "./plane.ts";

/** The model in the network of the cases. */
export class ModelPlane implements Plane {
  readonly name = "model";
  readonly capacity: number;
  #model: Model;
  #now = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#model = this.#make();
  }

  #make(): Model {
    this.#now = 0;
    const model = new Model({ world, capacity: this.capacity, maxServices: 64, maxDests: 256 });
    model.tick(0);
    return model;
  }

  apply(operations: readonly Operation[]): void {
    const refusals = this.#model.apply(operations);
    if (refusals.length > 0) throw new Error(refusals.map(({ message }) => message).join("; "));
  }

  takes(): boolean {
    return true;
  }

  send(frame: Uint8Array, by: Side): Seen {
    const outcome = this.#model.receive(frame, { ifindex: ifindexOf(by), now: this.#now, mark: markOf(frame) });
    const isDropped = outcome.verdict === "drop";
    return { verdict: outcome.verdict, reason: outcome.reason, frame: isDropped ? undefined : (outcome.frame ?? frame) };
  }

  wait(ms: number): void {
    this.#now += ms;
    this.#model.tick(this.#now);
  }

  services(): ReturnType<Model["services"]> {
    return this.#model.services();
  }
  conns(): readonly Conn[] {
    return [...this.#model.conns()];
  }
  size(): number {
    return this.conns().length;
  }
  complaints(): readonly string[] {
    return [];
  }
  reset(): readonly string[] {
    this.#model = this.#make();
    return [];
  }
  close(): void {}
}

/** As markRules say. */
export function markOf(frame: Uint8Array): number {
  const [at, marked] = frame[12] === 0x86 ? [38, ipBytes(MARKED.ipv6)] : [30, ipBytes(MARKED.ipv4)];
  return marked.every((byte, i) => frame[at + i] === byte) ? MARK : 0;
}

const macs = new Map([
  [CLIENT_SIDE, macBytes(ownMac("client"))],
  [SERVER_SIDE, macBytes(ownMac("server"))],
]);

const world: World = {
  mac: (ifindex) => macs.get(ifindex),
  hop: hopTo,
  isLocal: (address) => wayTo(address).state === "local",
};

const known = new Map<Ip, Hop>();

function hopTo(address: Ip): Hop {
  const before = known.get(address);
  if (before !== undefined) return before;
  const way = wayTo(address);
  const hop: Hop =
    way.state === "resolved" ? resolvedHop(ifindexOf(way.side), macOf(way.via), ownMac(way.side), way.source, way.mtu) : way;
  known.set(address, hop);
  return hop;
}
