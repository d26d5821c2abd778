import type { Conn, Operation } from "../src/director/director.ts";
import { defaultSettings } from "../src/director/settings.ts";
import * as abi from "../src/director/xdp/abi.gen.ts";
import { Attachments } from "../src/director/xdp/attach.ts";
import { readConns } from "../src/director/xdp/conn-reader.ts";
import type { Hop } from "../src/director/xdp/hops.ts";
import { type DataPath, EXIT_ROW, loadDataPath } from "../src/director/xdp/loader.ts";
import { count64, setU32, u32 } from "../src/director/xdp/memory.ts";
import { type HopSource, XdpCore } from "../src/director/xdp/xdp-director.ts";
import type { Ip } from "../src/net/ip.ts";
import { complaintsOf, TableView } from "./consistency.ts";
import type { Hook } from "./hook.ts";
import { TcHook } from "./hook-tc.ts";
import { XdpHook } from "./hook-xdp.ts";
import { enterNetwork } from "./namespace.ts";
import { CLIENT_SIDE, ifindexOf, macOf, markRules, ownMac, SERVER_SIDE, type Side, wayTo } from "./network.ts";
import type { Plane, Seen } from "./plane.ts";

const SECOND = 1000; // ms
/** Before the end of a wait: conns are taken apart in one round of expiry, their slots given back in the next. */
const ROUND = 8; // ms
/** Longer than any conn lives. */
const FOREVER = 2 * 3600_000; // ms
/** Once a minute; after so many the trash is empty. */
const TRASH_RUNS = 5;
const JITTER = 1; // jiffies

/**
 * The compiled data path under BPF_PROG_TEST_RUN, in a namespace of its own; this thread is inside it until close(). Frames
 * reach it by either hook, which share its tables.
 */
export class DataPathPlane implements Plane {
  readonly path: DataPath;
  readonly core: XdpCore;
  readonly #table: TableView;
  readonly #network: { leave(): void };
  readonly #hooks: Partial<Record<Hook["name"], Hook>> = {};
  #hook: Hook;
  readonly #exits: Float64Array;
  readonly #words = Object.keys(abi.exitReason).filter((word) => word !== "reasons");
  /** ms of the plane's own clock, and what the data path's jiffies were when it began. */
  #now = 0;
  readonly #epoch: number;
  #syncedAt = 0;

  constructor(capacity: number, hook: Hook["name"]) {
    this.#network = enterNetwork();
    try {
      this.path = loadDataPath({ capacity, maxServices: 64, maxDests: 256 }, undefined);
    } catch (error) {
      this.#network.leave();
      throw error;
    }
    this.core = new XdpCore({ path: this.path, attachments: new Attachments(undefined), hops: fixedHops });
    this.core.writeDevices([
      { ifindex: CLIENT_SIDE, mac: ownMac("client") },
      { ifindex: SERVER_SIDE, mac: ownMac("server") },
    ]);
    this.core.setMarks(markRules);
    this.#table = new TableView(this.path);
    this.#hook = this.#hookOf(hook);
    this.#exits = new Float64Array(this.#words.length);
    this.#epoch = this.path.now();
    this.#readExits();
  }

  #hookOf(name: Hook["name"]): Hook {
    const hook = this.#hooks[name] ?? (name === "xdp" ? new XdpHook(this.path) : new TcHook(this.path));
    this.#hooks[name] = hook;
    return hook;
  }

  get name(): Hook["name"] {
    return this.#hook.name;
  }

  /** From now on frames come by this hook. */
  through(name: Hook["name"]): this {
    this.#hook = this.#hookOf(name);
    return this;
  }

  get capacity(): number {
    return this.path.sizes.capacity;
  }

  apply(operations: readonly Operation[]): void {
    const refusals = this.core.apply(operations);
    if (refusals.length > 0) throw new Error(refusals.map(({ message }) => message).join("; "));
    // With expire_nodest_conn the conns of dests that went go in one round of expiry, their templates in the next.
    for (let round = 0; round < 2; round++) this.#expireAt(this.#now);
  }

  takes(frame: Uint8Array): boolean {
    return this.#hook.takes(frame);
  }

  send(frame: Uint8Array, by: Side): Seen {
    this.#syncClock();
    const verdict = this.#hook.run(frame, by);
    return { verdict, reason: this.#readExits(), frame: verdict === "drop" ? undefined : this.#hook.frame() };
  }

  /**
   * Each conn is taken apart at its own moment, so that what hangs together goes in the right order; every second the daemon's
   * part is done. Last comes a whole round of expiry, and the one that gives the slots back.
   */
  wait(ms: number): void {
    const until = this.#now + ms;
    for (let second = (Math.floor(this.#now / SECOND) + 1) * SECOND; second <= until; second += SECOND) {
      this.#expireUntil(second);
      this.core.tick(second);
    }
    this.#expireUntil(until - ROUND);
    this.#expireAt(until - ROUND);
    this.#expireAt(until);
  }

  #expireUntil(until: number): void {
    for (let next = this.#nextExpiry(); next <= until; next = this.#nextExpiry()) this.#expireAt(Math.max(next, this.#now));
  }

  /** Where live conns stand in memory. */
  *#live(): Generator<number> {
    const { conns, table_state } = this.path.memory;
    for (let slot = u32(table_state.view, abi.tableState.fresh) - 1; slot >= 0; slot--) {
      const at = conns.at(slot);
      if (u32(conns.view, at + abi.conn.life) === abi.connLife.live) yield at;
    }
  }

  #expireAt(now: number): void {
    this.#now = now;
    this.#setClock(0);
    this.path.sweep();
  }

  /** When the next conn is due, in ms of the plane's clock. */
  #nextExpiry(): number {
    const { view } = this.path.memory.conns;
    const jiffies = this.#jiffies;
    let least = Number.POSITIVE_INFINITY;
    for (const at of this.#live()) least = Math.min(least, (u32(view, at + abi.conn.expires) - jiffies) | 0);
    return this.#now + (least * SECOND) / this.path.hz;
  }

  services(): ReturnType<XdpCore["services"]> {
    return this.core.services();
  }
  /** As of the plane's clock, which the data path's may be a jiffy ahead of. */
  conns(): readonly Conn[] {
    return [...readConns(this.path, this.#jiffies)];
  }
  size(): number {
    return this.core.tableUse().conns;
  }
  exits(): Readonly<Record<string, number>> {
    return this.core.exits();
  }
  complaints(): readonly string[] {
    return complaintsOf(this.#table, this.services());
  }

  reset(): readonly string[] {
    const settings = Object.entries(this.core.settings()).filter(([name, value]) => defaultSettings[name] !== value);
    this.apply([
      { op: "flush" },
      { op: "set-timeouts", timeouts: { tcp: 900, tcpFin: 120, udp: 300 } },
      ...settings.map(([name]) => ({ op: "set-setting" as const, name, value: defaultSettings[name] ?? "" })),
    ]);
    this.#expireAt(Math.ceil((this.#now + FOREVER) / SECOND) * SECOND);
    for (let run = 0; run < TRASH_RUNS; run++) {
      this.#expireAt(this.#now + 60 * SECOND);
      this.core.tick(this.#now);
    }
    const left = this.complaints();
    this.#table.clearIndex();
    return left;
  }

  close(): void {
    this.#table.close();
    this.core.close();
    this.#network.leave();
  }

  /** What the data path's clock should show. */
  get #jiffies(): number {
    return (this.#epoch + (this.#now * this.path.hz) / 1000) >>> 0;
  }

  /** Jiffies go on while a test computes: the data path's clock is put back to the plane's before a packet comes. */
  #syncClock(): void {
    if (performance.now() - this.#syncedAt > 0.5) this.#setClock(JITTER);
  }

  /** @param tolerance jiffies by which it may be ahead */
  #setClock(tolerance: number): void {
    const { view } = this.path.memory.settings;
    const offset = u32(view, abi.settings.clockOffset);
    const ahead = (this.path.now() - this.#jiffies) | 0;
    if (ahead < 0 || ahead > tolerance) setU32(view, abi.settings.clockOffset, (offset - ahead) >>> 0);
    this.#syncedAt = performance.now();
  }

  /** The reason whose counter went up since the last reading; exactly one must. */
  #readExits(): string {
    const { view } = this.path.memory.exits;
    let found = "";
    for (let reason = 0; reason < this.#words.length; reason++) {
      let sum = 0;
      for (let cpu = 0; cpu < this.path.cpus; cpu++) sum += count64(view, (cpu * EXIT_ROW + reason) * 8);
      const more = sum - this.#exits[reason]!;
      if (more !== 0) found += (found === "" ? "" : " and ") + this.#words[reason] + (more === 1 ? "" : ` ${more} times`);
      this.#exits[reason] = sum;
    }
    return found === "" ? "uncounted" : found;
  }
}

const fixedHops: HopSource = { resolve: hopTo, want() {}, close() {} };

function hopTo(address: Ip): Hop {
  const way = wayTo(address);
  if (way.state === "local") return { state: "local" };
  if (way.state === "unreachable") return { state: "unreachable", reason: "no-route" };
  if (way.state === "unresolved")
    return { state: "unresolved", ifindex: SERVER_SIDE, via: address, source: way.source, mtu: 1500 };
  return {
    ...{ state: "resolved", ifindex: ifindexOf(way.side), via: way.via, source: way.source, mtu: way.mtu },
    ...{ sourceMac: ownMac(way.side), destinationMac: macOf(way.via) },
  } as Hop;
}
