import type { ConnMethod } from "../director.ts";
import type { DestState } from "./dest-state.ts";
import { type Flow, reversed } from "./flow.ts";
import type { LocalState, ServiceState } from "./services.ts";
import { isActiveState } from "./states.ts";
import { type Due, Timers } from "./timers.ts";

/** "Expire later": a conn that others still name lives on in steps of this many ms (spec 4.8). */
const LATER = 60_000;
const FIRST_TIMEOUT = 3000; // ms, until the first state is reached

export type Direction = "in" | "out";

/** A flow that has been given a dest, or a persistence template. */
export class Conn implements Due {
  isLive = true;
  expiresAt = 0;
  lookAt = 0;
  /** ms */
  timeout = FIRST_TIMEOUT;
  /** As the client writes it. A template has client port 0. */
  in: Flow;
  /** As the dest answers it: NAT and FullNAT only. */
  out: Flow | undefined;
  readonly service: ServiceState;
  /** undefined: bypass. */
  readonly dest: DestState | undefined;
  destPort: number;
  readonly method: ConnMethod;
  readonly isTemplate: boolean;
  readonly fwmark: number;
  /** Of the template whose child this is. */
  control: Conn | undefined;
  children = 0;
  /** Of a template: 1 is ASSURED. */
  state = 0;
  isActive = false;
  /** Nothing was ever seen from the dest. */
  isInputOnly: boolean;
  inPackets = 0;
  /** Lives as long as its packet and is in no table. */
  isOnePacket = false;
  /** FullNAT */
  local: LocalState | undefined;
  localPort = 0;
  /** FullNAT over TCP: the client's address goes along. */
  hasToa = false;
  /** FullNAT: the server's initial sequence number. */
  serverIsn = 0;
  /** Deleted on purpose: an unneeded template goes along (spec 4.8). */
  isDropped = false;

  constructor(
    service: ServiceState,
    flow: Flow,
    method: ConnMethod,
    dest: DestState | undefined,
    destPort: number,
    more: { isTemplate?: boolean; fwmark?: number } = {},
  ) {
    this.service = service;
    this.in = flow;
    this.method = method;
    this.dest = dest;
    this.destPort = destPort;
    this.isTemplate = more.isTemplate ?? false;
    this.fwmark = more.fwmark ?? 0;
    this.isInputOnly = method !== "nat" && method !== "fullnat";
  }

  #toClient: Flow | undefined;
  #toDest: Flow | undefined;

  /** As an answer leaves for the client. */
  get toClient(): Flow {
    this.#toClient ??= reversed(this.in);
    return this.#toClient;
  }

  /** As a request leaves for the dest: NAT and FullNAT only. */
  get toDest(): Flow | undefined {
    this.#toDest ??= this.out && reversed(this.out);
    return this.#toDest;
  }

  /** The dest is as good as ever, or there is none to be lost. */
  get hasDest(): boolean {
    return this.dest === undefined || this.dest.available;
  }
}

/** Conns by a flow. Two may have the same: the newest is found, and once it is gone the one before. */
class Index {
  readonly #newest = new Map<string, Conn>();
  /** Who is hidden by a newer one. */
  readonly #hidden = new Map<Conn, Conn>();

  find(key: string): Conn | undefined {
    return this.#newest.get(key);
  }

  add(key: string, conn: Conn): void {
    const before = this.#newest.get(key);
    if (before !== undefined) this.#hidden.set(conn, before);
    this.#newest.set(key, conn);
  }

  remove(key: string, conn: Conn): void {
    const next = this.#hidden.get(conn);
    this.#hidden.delete(conn);
    if (this.#newest.get(key) !== conn) this.#unhide(key, conn, next);
    else if (next !== undefined) this.#newest.set(key, next);
    else this.#newest.delete(key);
  }

  /** Takes a hidden conn out of its row. */
  #unhide(key: string, conn: Conn, next: Conn | undefined): void {
    for (let newer = this.#newest.get(key); newer !== undefined; newer = this.#hidden.get(newer)) {
      if (this.#hidden.get(newer) !== conn) continue;
      if (next !== undefined) this.#hidden.set(newer, next);
      else this.#hidden.delete(newer);
    }
  }
}

/** Every conn and template, found by its flows; their life and their weight on their dests (spec 4.1 to 4.4, 4.8). */
export class Conns {
  readonly #in = new Index();
  readonly #out = new Index();
  readonly #templates = new Index();
  readonly #all = new Set<Conn>();
  readonly #timers = new Timers<Conn>();
  readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get size(): number {
    return this.#all.size;
  }
  values(): Iterable<Conn> {
    return this.#all.values();
  }

  /** Whose client sends this. */
  findIn(key: string): Conn | undefined {
    return this.#in.find(key);
  }
  /** Whose dest sends this. */
  findOut(key: string): Conn | undefined {
    return this.#out.find(key);
  }
  findTemplate(key: string): Conn | undefined {
    return this.#templates.find(key);
  }

  /** Into the table and onto its dest. */
  add(conn: Conn, now: number): void {
    this.enter(conn);
    this.#all.add(conn);
    (conn.isTemplate ? this.#templates : this.#in).add(conn.in.key, conn);
    if (conn.out !== undefined) this.#out.add(conn.out.key, conn);
    conn.expiresAt = now + conn.timeout;
    this.#timers.add(conn);
  }

  /** The weight of a conn on its dest and template: all there is of a one-packet conn. */
  enter(conn: Conn): void {
    if (conn.isTemplate && conn.dest) conn.dest.persistConns++;
    else conn.dest?.enter(false);
    if (conn.control) conn.control.children++;
    if (conn.local) conn.local.conns++;
  }

  leave(conn: Conn): void {
    if (conn.isTemplate && conn.dest) conn.dest.persistConns--;
    else conn.dest?.leave(conn.isActive);
    if (conn.local) conn.local.conns--;
    const parent = conn.control;
    if (parent === undefined) return;
    parent.children--;
    if (conn.isDropped && parent.isLive && parent.children === 0 && !(parent.isTemplate && parent.state === 1)) this.end(parent);
  }

  /** Out of the table. */
  end(conn: Conn): void {
    if (!conn.isLive) return;
    conn.isLive = false;
    this.#all.delete(conn);
    this.#unindex(conn);
    this.leave(conn);
  }

  /** Ended by intention: with a template that nobody else needs. */
  remove(conn: Conn): void {
    conn.isDropped = conn.control !== undefined;
    if (conn.children === 0) this.end(conn);
  }

  /** A template that must not be found again keeps its time, under ports that no packet has (spec 2.5). */
  setAside(template: Conn, flow: Flow): void {
    this.#unindex(template);
    template.in = flow;
    this.#templates.add(flow.key, template);
    template.destPort = flow.destinationPort;
  }

  #unindex(conn: Conn): void {
    (conn.isTemplate ? this.#templates : this.#in).remove(conn.in.key, conn);
    if (conn.out !== undefined) this.#out.remove(conn.out.key, conn);
  }

  setState(conn: Conn, state: number): void {
    conn.state = state;
    const isActive = isActiveState(conn.in.protocol, state);
    if (isActive === conn.isActive) return;
    conn.isActive = isActive;
    if (conn.dest) conn.dest.activeConns += isActive ? 1 : -1;
  }

  /** Its time starts anew. */
  restart(conn: Conn, timeout: number, now: number): void {
    conn.timeout = timeout;
    conn.expiresAt = now + timeout;
    this.#timers.hasten(conn);
  }

  /** Ends all whose time is over. */
  expire(now: number): void {
    for (let conn = this.#timers.due(now); conn !== undefined; conn = this.#timers.due(now)) {
      if (conn.children === 0) {
        this.end(conn);
        continue;
      }
      conn.timeout = LATER;
      conn.expiresAt += LATER;
      this.#timers.add(conn);
    }
  }
}
