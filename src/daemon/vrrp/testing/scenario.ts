import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { netnsPath } from "../../../platform/namespace.ts";
import { claims, macOf } from "./claims.ts";
import { has, ip, type Kind, type Node, openStage, owners, type Stage, until } from "./nodes.ts";

/** The life of a pair of routers, ours and Debian's keepalived, from the election to the last return. */

export interface Wire {
  readonly name: string;
  readonly version: 2 | 3;
  readonly vip: string;
  readonly vips: string;
  /** What an instance says beside its priority; at `a` and at `b`. */
  words(place: "a" | "b"): string;
}

const VIP4 = "10.9.0.100";
const VIP6 = "2001:db8:9::100";
const ipv4 = { vip: VIP4, vips: `${VIP4}/32` };
const ipv6 = { vip: VIP6, vips: `fe80::100/64 \n ${VIP6}/64` };
const peers = (a: string, b: string) => (at: "a" | "b") => {
  const [own, other] = at === "a" ? [a, b] : [b, a];
  return `unicast_src_ip ${own}\n unicast_peer {\n ${other}\n }`;
};
const [peer4, peer6, nobody] = [peers("10.9.0.1", "10.9.0.2"), peers("fe80::a", "fe80::b"), () => ""];
const auth = (type: string): string => `authentication {\n auth_type ${type}\n auth_pass s3cret\n }`;
/** Milliseconds between adverts. */
const INTERVAL = { 2: 1000, 3: 200 } as const;

/** Version 2 knows three kinds of authentication, version 3 none; IPv6 is version 3. */
export const wires: readonly Wire[] = [
  ...(["", "PASS", "AH"] as const).flatMap((type) => [wire4(2, type, nobody, "multicast"), wire4(2, type, peer4, "unicast")]),
  ...[wire4(3, "", nobody, "multicast"), wire4(3, "", peer4, "unicast")],
  ...[wire6(nobody, "multicast"), wire6(peer6, "unicast")],
];

type Peers = (at: "a" | "b") => string;

function wire4(version: 2 | 3, type: string, peer: Peers, cast: string): Wire {
  const name = [`v${version}`, "IPv4", cast, type].join(" ").trim();
  const own = type === "" ? "" : auth(type);
  const words = (at: "a" | "b"): string => `version ${version}\n advert_int ${INTERVAL[version] / 1000}\n${peer(at)}\n${own}`;
  return { name, version, ...ipv4, words };
}

function wire6(peer: Peers, cast: string): Wire {
  const words = (at: "a" | "b"): string => `version 3\n advert_int ${INTERVAL[3] / 1000}\n${peer(at)}`;
  return { name: `v3 IPv6 ${cast}`, version: 3, ...ipv6, words };
}

const conf = (wire: Wire, place: "a" | "b", priority: number, more: string): string => `
global_defs {
  vrrp_garp_master_delay 1
}
vrrp_instance VI_1 {
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority ${priority}
  ${wire.words(place)}
  ${more}
  virtual_ipaddress {
    ${wire.vips}
  }
}
`;

/**
 * What keepalived says of adverts that it does not take. With AH it has one count for all senders, so that of two that lead,
 * for once, an advert is dropped; between two of its own as well.
 */
const REFUSAL = /invalid|mismatch|expect|not a unicast|too (long|short)|unexpected|not present|Dropping/i;

/** Its steps, and how long each took until one alone had the address, ms. */
export type Steps = readonly { readonly name: string; readonly ms: number }[];

const other = (kind: Kind): Kind => (kind === "ours" ? "keepalived" : "ours");

/**
 * `a` has the higher priority, `b` the higher address.
 * @param kind what runs at `a`; the other kind runs at `b`
 * @throws with the name of the step
 */
export async function live(wire: Wire, kind: Kind): Promise<Steps> {
  const stage = await openStage({ hasSwitch: true });
  const file = join(stage.program, "..", "wire.pcap");
  const capture = await startCapture(stage, file);
  const life = new Life(stage, wire, kind);
  try {
    await life.elections();
    await life.withoutPreemption();
    await life.equals();
  } catch (error) {
    throw new Error(`${wire.name}, ${kind} at a: ${life.step}: ${(error as Error).message}\n${life.logs()}`);
  } finally {
    capture.kill("SIGTERM");
    await new Promise((done) => capture.once("close", done));
    if (life.isOver) checkCapture(file);
    await stage.remove();
  }
  return life.steps;
}

class Life {
  readonly steps: { name: string; ms: number }[] = [];
  step = "begin";
  isOver = false;
  readonly #stage: Stage;
  readonly #wire: Wire;
  readonly #kind: Kind;
  readonly #interval: number;
  #nodes: Node[] = [];

  constructor(stage: Stage, wire: Wire, kind: Kind) {
    this.#stage = stage;
    this.#wire = wire;
    this.#kind = kind;
    this.#interval = INTERVAL[wire.version];
  }

  logs = (): string => this.#nodes.map((node) => `${node.kind}:\n${node.log()}`).join("\n");

  /** Priorities 150 at a and 100 at b. */
  async elections(): Promise<void> {
    const { a, b } = this.#stage;
    const low = this.#start("b", 100, "");
    await this.#owns("election", b);
    let high = this.#start("a", 150, "");
    await this.#owns("preempt", a);
    await this.#refusedNothing();
    await high.crash();
    this.#forget(high);
    await this.#owns("kill -9", b, () => this.#removeAddress(a));
    high = this.#start("a", 150, "");
    await this.#owns("return", a);
    this.#cable("down");
    await this.#owns("link down", b);
    this.#cable("up");
    await this.#owns("link up", a);
    high.pause();
    await this.#taken("SIGSTOP", b);
    high.resume();
    await this.#owns("SIGCONT", a);
    await this.#refusedNothing();
    const before = low.log().split("riority 0").length;
    await high.stop();
    this.#forget(high);
    await this.#owns("stop", b);
    if (low.log().split("riority 0").length === before) throw new Error("no priority 0 was heard");
    await this.#end(low);
  }

  /** The one with the higher priority lets the other lead, until it is silent; then that one yields on its return. */
  async withoutPreemption(): Promise<void> {
    const { a, b } = this.#stage;
    const low = this.#start("b", 100, "nopreempt");
    await this.#owns("alone", b);
    const high = this.#start("a", 150, "nopreempt");
    await this.#stays("nopreempt", b);
    low.pause();
    await this.#taken("SIGSTOP of the lower", a);
    low.resume();
    await this.#owns("it steps down", a);
    await this.#refusedNothing();
    await this.#end(high, low);
  }

  /** The first that leads stays; of two that lead the higher address wins. */
  async equals(): Promise<void> {
    const { a, b } = this.#stage;
    const first = this.#start("a", 100, "");
    await this.#owns("first of two equals", a);
    const second = this.#start("b", 100, "");
    await this.#stays("tie", a);
    first.pause();
    await this.#taken("SIGSTOP of an equal", b);
    first.resume();
    await this.#owns("the higher address wins", b);
    await this.#refusedNothing();
    await this.#end(second, first);
    this.isOver = true;
  }

  #start(place: "a" | "b", priority: number, more: string): Node {
    const kind = place === "a" ? this.#kind : other(this.#kind);
    const node = this.#stage.start(kind, this.#stage[place], conf(this.#wire, place, priority, more));
    this.#nodes.push(node);
    return node;
  }

  /** One has the address, nobody else, by its own word and by what a third machine hears; and for a while. */
  async #owns(name: string, place: string, meanwhile = (): void => {}): Promise<void> {
    const from = this.#begin(name);
    meanwhile();
    const isIt = (): boolean => owners(this.#stage, this.#wire.vip).join() === place;
    await until("it is taken", isIt, 8 * this.#interval + 12_000);
    this.steps.push({ name, ms: performance.now() - from });
    await this.#claimed(place);
    if (!isIt()) throw new Error(`it was not kept: ${owners(this.#stage, this.#wire.vip).join()} has it`);
  }

  /** Another takes over; the one that sleeps still has it. */
  async #taken(name: string, place: string): Promise<void> {
    const from = this.#begin(name);
    await until("it is taken over", () => has(place, this.#wire.vip), 8 * this.#interval + 12_000);
    this.steps.push({ name, ms: performance.now() - from });
    await delay(this.#interval);
  }

  /** Longer than a take-over would take. */
  async #stays(name: string, place: string): Promise<void> {
    const node = this.#nodes.at(-1)!;
    const from = this.#begin(name);
    await until("it has begun", () => node.log().includes("Entering BACKUP STATE"));
    await delay(4.5 * this.#interval);
    if (owners(this.#stage, this.#wire.vip).join() !== place) throw new Error("it was taken over");
    this.steps.push({ name, ms: performance.now() - from });
    await this.#claimed(place);
  }

  async #claimed(place: string): Promise<void> {
    const heard = await claims(this.#stage, this.#wire.vip);
    if (heard.join() !== macOf(place)) throw new Error(`${heard.join(" and ") || "nobody"} answers for it, not ${macOf(place)}`);
  }

  async #refusedNothing(): Promise<void> {
    for (const node of this.#nodes) {
      const lines =
        node.kind === "keepalived"
          ? node
              .log()
              .split("\n")
              .filter((line) => REFUSAL.test(line))
          : [];
      const counts = node.kind === "ours" ? (await node.status()).map((i) => i.counters.refused) : [];
      if (lines.length > 0) throw new Error(`keepalived refused adverts: ${lines[0]}`);
      if (JSON.stringify(counts) !== "[{}]" && node.kind === "ours") throw new Error(`ours refused ${JSON.stringify(counts)}`);
    }
  }

  #begin(name: string): number {
    this.step = name;
    return performance.now();
  }

  #forget(node: Node): void {
    this.#nodes = this.#nodes.filter((one) => one !== node);
  }

  async #end(...nodes: readonly Node[]): Promise<void> {
    for (const node of nodes) {
      await node.stop();
      this.#forget(node);
    }
    this.step = "end";
    if (owners(this.#stage, this.#wire.vip).length > 0) throw new Error("somebody has it still");
  }

  /** A machine that has lost its power answers for nothing. */
  #removeAddress(place: string): void {
    for (const address of this.#wire.vips.split(/\s+/)) ip("-n", place, "address", "delete", address, "dev", "eth0");
  }

  #cable(to: "up" | "down"): void {
    ip("-n", this.#stage.c, "link", "set", "p-a", to);
  }
}

function startCapture(stage: Stage, file: string): Promise<ChildProcess> {
  const words = ["tcpdump", "-Z", "root", "-U", "-i", "br0", "-w", file, "ip proto 112 or ip proto 51 or ip6 proto 112"];
  const child = spawn("nsenter", [`--net=${netnsPath(stage.c)}`, ...words], { stdio: ["ignore", "ignore", "pipe"] });
  return new Promise((done) => {
    child.stderr.on("data", (part) => {
      if (String(part).includes("listening on")) done(child);
    });
  });
}

/** @throws when Wireshark finds a packet malformed, or knows no packet at all */
function checkCapture(file: string): void {
  const count = (filter: string): number =>
    execFileSync("tshark", ["-r", file, "-Y", filter], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split("\n")
      .length - 1;
  if (count("vrrp") < 20) throw new Error("tshark knows hardly any advert");
  const malformed = count("_ws.malformed");
  if (malformed > 0) throw new Error(`tshark finds ${malformed} malformed packets`);
}
