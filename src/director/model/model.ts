import { anyOf, type Family, type Ip } from "../../net/ip.ts";
import { PROTOCOL } from "../../wire/ipv4.ts";
import { type AvailablePages, evaluate, isAutomatic } from "../defence.ts";
import {
  type Conn as ConnView,
  type Counters,
  type Dest,
  type Director,
  type DirectorInfo,
  noCounters,
  type Operation,
  type Protocol,
  type Rates,
  type Refusal,
  type Service,
  type ServiceKey,
  type SyncDaemon,
  type Timeouts,
} from "../director.ts";
import { Estimators } from "../estimator.ts";
import type { Change, ServiceRecord } from "../records.ts";
import { Table } from "../table.ts";
import { type Conn, Conns } from "./conns.ts";
import { EntryDropper } from "./defence.ts";
import { destinationOf, sourceOf } from "./flow.ts";
import { knobsOf } from "./knobs.ts";
import { answerLocally } from "./local.ts";
import { type Outcome, type Reason, reasons } from "./outcome.ts";
import { Packet } from "./packet.ts";
import { run } from "./pipeline.ts";
import type { Plane } from "./plane.ts";
import { type ServiceState, Services } from "./services.ts";
import { stateName } from "./states.ts";
import { Tally } from "./tally.ts";
import type { World } from "./world.ts";

export interface ModelOptions {
  readonly world: World;
  /** Conns and templates at most. */
  readonly capacity?: number;
  readonly maxServices?: number;
  readonly maxDests?: number;
  /** Uniform in 0 <= r < 1; for twos, drop_entry and IP ids. */
  readonly random?: () => number;
  /** May a dest have this address? */
  readonly isUnicast?: (address: Ip) => boolean;
  /** ICMP errors a second at most, as net.ipv4.icmp_msgs_per_sec. */
  readonly icmpPerSecond?: number;
  /** For the automatic modes of the defences. */
  readonly availablePages?: AvailablePages;
}

/** A frame's circumstances. */
export interface Arrival {
  readonly ifindex: number;
  /** ms of a monotonic clock, never less than before */
  readonly now: number;
  /** The firewall mark that the mark rules gave the packet. */
  readonly mark?: number;
}

const SECOND = 1000; // ms

/**
 * The reference: IPVS as pure TypeScript over frames (spec chapters 1 to 7, FullNAT as in 10). What it does with a frame
 * is what the XDP data path must do.
 */
export class Model implements Director {
  readonly engine = "model";
  readonly #table: Table;
  readonly #plane: Plane;
  readonly #availablePages: AvailablePages;
  readonly #estimators = new Estimators<Tally>();
  readonly #dropper = new EntryDropper();
  readonly #exits = new Map<Reason, number>();
  #secondAt: number | undefined;

  constructor(options: ModelOptions) {
    const { world, capacity = 1 << 20, maxServices = 1 << 16, maxDests = 1 << 20, random = Math.random } = options;
    this.#availablePages = options.availablePages ?? (() => Number.POSITIVE_INFINITY);
    this.#table = new Table({ maxServices, maxDests, refuse, ...(options.isUnicast && { isUnicast: options.isUnicast }) });
    this.#plane = {
      ...{
        world,
        random,
        conns: new Conns(capacity),
        total: new Tally(),
        fragments: new Map(),
        timeouts: this.#table.timeouts(),
      },
      services: new Services((scheduler) => Number(this.#table.setting(`${scheduler}_expiration`))),
      knobs: knobsOf((name) => this.#table.setting(name), { secureTcp: false, dropRate: 0, dropEntry: false }, false),
      ...{
        now: 0,
        icmpPerSecond: options.icmpPerSecond ?? 1000,
        icmpTokens: 0,
        icmpTokensAt: Number.NEGATIVE_INFINITY,
        dropCounter: 0,
      },
    };
    this.#estimators.add(this.#plane.total, noCounters);
  }

  /** What becomes of a frame. The frame itself is not changed. */
  receive(frame: Uint8Array, { ifindex, now, mark = 0 }: Arrival): Outcome {
    if (now !== this.#plane.now) this.tick(now);
    return this.#counted(run(this.#plane, new Packet(frame, ifindex, mark)));
  }

  /** What becomes of a frame of the director's own, on its way out; undefined: it is not looked at. */
  send(frame: Uint8Array, { ifindex, now, mark = 0 }: Arrival): Outcome | undefined {
    if (now !== this.#plane.now) this.tick(now);
    const outcome = answerLocally(this.#plane, new Packet(frame, ifindex, mark));
    return outcome && this.#counted(outcome);
  }

  #counted(outcome: Outcome): Outcome {
    this.#exits.set(outcome.reason, (this.#exits.get(outcome.reason) ?? 0) + 1);
    return outcome;
  }

  info(): DirectorInfo {
    return { version: 0x00010201, connTableSize: 4096 };
  }

  apply(operations: readonly Operation[]): readonly Refusal[] {
    const { refusals, changes } = this.#table.apply(operations);
    for (const change of changes) this.#follow(change);
    return refusals;
  }

  #follow(change: Change): void {
    const plane = this.#plane;
    if (change.kind === "dest-freed") this.#forget(plane.services.dests.get(change.dest.id)?.tally);
    if (change.kind === "service-deleted") this.#forget(plane.services.get(change.service.spec.key)?.tally);
    plane.services.follow(change, plane.now);
    switch (change.kind) {
      case "service-added":
        this.#estimate(plane.services.get(change.spec.key)?.tally);
        break;
      case "dest-added":
        this.#estimate(plane.services.dests.get(change.dest.id)?.tally);
        break;
      case "dest-deleted":
        if (plane.knobs.expireNodestConn) this.#endOrphans();
        break;
      case "zero":
        this.#zero(change.service);
        break;
      case "timeouts":
        plane.timeouts = change.timeouts;
        break;
      case "setting":
      case "daemons":
        this.#readSettings();
        break;
    }
  }

  #estimate(tally: Tally | undefined): void {
    if (tally !== undefined) this.#estimators.add(tally, totalOf(tally));
  }

  #forget(tally: Tally | undefined): void {
    if (tally !== undefined) this.#estimators.remove(tally);
  }

  /** Conns whose dest was deleted, and then the templates that are without children (expire_nodest_conn, spec 2.5). */
  #endOrphans(): void {
    for (let round = 0; round < 2; round++)
      for (const conn of [...this.#plane.conns.values()]) if (!conn.hasDest) this.#plane.conns.remove(conn);
  }

  #zero(record: ServiceRecord | undefined): void {
    const all = record === undefined ? [...this.#plane.services.values()] : [this.#plane.services.get(record.spec.key)];
    const services = all.filter((service): service is ServiceState => service !== undefined);
    const tallies = services.flatMap((service) => [service.tally, ...service.dests.map((dest) => dest.tally)]);
    for (const tally of record === undefined ? [this.#plane.total, ...tallies] : tallies) {
      tally.zero();
      this.#estimators.zero(tally, totalOf(tally));
    }
  }

  /** Settings and the state of the defences become knobs. */
  #readSettings(): void {
    const setting = (name: string): string => this.#table.setting(name);
    const { defence, modes } = evaluate(setting, this.#availablePages);
    for (const [name, value] of modes) this.#table.apply([{ op: "set-setting", name, value }]);
    const hasBackup = this.#table.daemons().some((daemon) => daemon.state === "backup");
    this.#plane.knobs = knobsOf(setting, defence, hasBackup);
  }

  services(): readonly Service[] {
    return [...this.#table.services()].map((record) => this.#view(record));
  }

  service(key: ServiceKey): Service | undefined {
    const record = this.#table.service(key);
    return record && this.#view(record);
  }

  #view(record: ServiceRecord): Service {
    const state = this.#plane.services.get(record.spec.key);
    const dests = (state?.dests ?? []).map((dest): Dest => {
      const { activeConns, totalConns, persistConns, tally } = dest;
      const inactiveConns = Math.max(totalConns - activeConns, 0);
      return {
        ...dest.spec,
        activeConns,
        inactiveConns,
        persistConns,
        counters: tally.shown(),
        rates: this.#rates(tally),
        hop: this.#hop(dest.addr),
      };
    });
    const localAddresses = (state?.locals ?? []).map(({ addr, conflicts, conns }) => ({ addr, conflicts, conns }));
    const tally = state?.tally ?? new Tally();
    return { ...record.spec, dests, localAddresses, counters: tally.shown(), rates: this.#rates(tally) };
  }

  #rates(tally: Tally): Rates {
    return this.#estimators.rates(tally);
  }

  #hop(addr: Dest["addr"]): NonNullable<Dest["hop"]> {
    return { state: this.#plane.world.hop(addr).state };
  }

  *conns(): Iterable<ConnView> {
    for (const conn of this.#plane.conns.values()) yield connView(conn, this.#plane.now);
  }

  timeouts(): Timeouts {
    return this.#table.timeouts();
  }
  settings(): Readonly<Record<string, string>> {
    return this.#table.settings();
  }
  syncDaemons(): readonly SyncDaemon[] {
    return this.#table.daemons();
  }

  /** Of the whole director, since the last zero. */
  total(): { readonly counters: Counters; readonly rates: Rates } {
    return { counters: this.#plane.total.shown(), rates: this.#rates(this.#plane.total) };
  }

  /** Packets by the reason they left the pipeline. */
  exits(): Readonly<Partial<Record<Reason, number>>> {
    return Object.fromEntries(
      reasons.filter((reason) => this.#exits.has(reason)).map((reason) => [reason, this.#exits.get(reason)]),
    );
  }

  tick(now: number): void {
    const plane = this.#plane;
    if (now < plane.now) return;
    this.#secondAt ??= now + SECOND;
    for (; this.#secondAt <= now; this.#secondAt += SECOND) this.#everySecond(this.#secondAt);
    plane.now = now;
    plane.conns.expire(now);
    if (plane.knobs.runEstimation) this.#estimators.tick(now, totalOf);
  }

  #everySecond(now: number): void {
    const plane = this.#plane;
    plane.now = now;
    plane.conns.expire(now);
    if (isAutomatic((name) => this.#table.setting(name))) this.#readSettings();
    if (plane.knobs.dropEntry) this.#dropper.run(plane.conns, now, plane.random);
    for (const service of plane.services.values()) service.scheduler?.tick?.(now);
    for (const [key, fragment] of plane.fragments) if (fragment.until <= now) plane.fragments.delete(key);
    for (const change of this.#table.expireTrash(now, (id) => this.#isReferenced(id))) this.#follow(change);
  }

  #isReferenced(id: number): boolean {
    const dest = this.#plane.services.dests.get(id);
    if (dest !== undefined && (dest.totalConns > 0 || dest.persistConns > 0)) return true;
    for (const service of this.#plane.services.values()) if (service.scheduler?.refersTo?.(id)) return true;
    return false;
  }

  close(): void {}
}

/** What the model does not do. */
function refuse(operation: Operation): { code: string; message: string } | undefined {
  const isService = operation.op === "add-service" || operation.op === "edit-service";
  if (isService && operation.service.pe !== "") return { code: "EOPNOTSUPP", message: "the model has no persistence engines" };
  return undefined;
}

const totalOf = ({ conns, inPackets, outPackets, inBytes, outBytes }: Tally): Counters => ({
  conns,
  inPackets,
  outPackets,
  inBytes,
  outBytes,
});

const protocolNames: Readonly<Record<number, Protocol>> = {
  [PROTOCOL.tcp]: "tcp",
  [PROTOCOL.udp]: "udp",
  [PROTOCOL.sctp]: "sctp",
};

function connView(conn: Conn, now: number): ConnView {
  const family: Family = conn.in.family;
  const { in: flow, dest, local } = conn;
  return {
    protocol: protocolNames[flow.protocol] ?? "ip",
    client: { addr: sourceOf(flow), port: flow.sourcePort },
    virtual: { addr: destinationOf(flow), port: flow.destinationPort },
    dest: { addr: dest?.addr ?? anyOf(family), port: conn.destPort },
    ...(local && { local: { addr: local.addr, port: conn.localPort } }),
    method: conn.method,
    state: conn.isTemplate ? (conn.state === 1 ? "ASSURED" : "NONE") : stateName(flow.protocol, conn.state),
    expiresIn: Math.max(0, Math.floor((conn.expiresAt - now) / SECOND)),
    active: conn.isActive,
    template: conn.isTemplate,
    fwmark: conn.fwmark,
  };
}
