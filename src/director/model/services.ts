import type { Family, Ip } from "../../net/ip.ts";
import { type Scheduler, schedulers } from "../../sched/index.ts";
import { PROTOCOL } from "../../wire/ipv4.ts";
import { familyOfService, type Protocol, type ServiceKey, type ServiceSpec } from "../director.ts";
import type { Change, ServiceRecord } from "../records.ts";
import { DestState } from "./dest-state.ts";
import { Tally } from "./tally.ts";

export const protocolNumber: Readonly<Record<Protocol, number>> = { tcp: PROTOCOL.tcp, udp: PROTOCOL.udp, sctp: PROTOCOL.sctp };

const FTP = 21;
const FTP_DATA = 20;
const UNPRIVILEGED = 1024; // net.ipv4.ip_unprivileged_port_start

/** A director address that FullNAT may speak from. */
export interface LocalState {
  readonly addr: Ip;
  /** Port candidates so far. */
  next: number;
  conflicts: number;
  conns: number;
}

/** A service at work. */
export class ServiceState {
  readonly record: ServiceRecord;
  spec: ServiceSpec;
  /** Newest first. */
  readonly dests: DestState[] = [];
  scheduler: Scheduler | undefined;
  locals: readonly LocalState[] = [];
  /** Of the local addresses. */
  turn = 0;
  readonly tally = new Tally();

  constructor(record: ServiceRecord, spec: ServiceSpec) {
    this.record = record;
    this.spec = spec;
  }
  /** 0 for fwmark services. */
  get port(): number {
    return this.spec.key.fwmark === undefined ? this.spec.key.port : 0;
  }
}

/** What a packet tells when it looks for its service. */
export interface Wanted {
  readonly family: Family;
  readonly protocol: number;
  readonly addr: Ip;
  readonly port: number;
  readonly mark: number;
}

/** The services as the packets see them. It follows the table by its changes, each as of its own moment. */
export class Services {
  readonly #byKey = new Map<string, ServiceState>();
  readonly dests = new Map<number, DestState>();
  readonly #expirationSeconds: (scheduler: string) => number;
  #ftpServices = 0;
  #anyPortServices = 0;

  /** @param expirationSeconds of the caches of lblc and lblcr */
  constructor(expirationSeconds: (scheduler: string) => number) {
    this.#expirationSeconds = expirationSeconds;
  }

  /** The service a packet is for, in the kernel's order (spec 1.4). */
  find({ family, protocol, addr, port, mark }: Wanted): ServiceState | undefined {
    const byMark = mark === 0 ? undefined : this.#byKey.get(markText(mark, family));
    if (byMark !== undefined) return byMark;
    const exact = this.#byKey.get(text(protocol, addr, port));
    if (exact !== undefined) return exact;
    if (protocol === PROTOCOL.tcp && this.#ftpServices > 0 && (port === FTP_DATA || port >= UNPRIVILEGED)) {
      const ftp = this.#byKey.get(text(protocol, addr, FTP));
      if (ftp !== undefined) return ftp;
    }
    return this.#anyPortServices > 0 ? this.#byKey.get(text(protocol, addr, 0)) : undefined;
  }

  get(key: ServiceKey): ServiceState | undefined {
    return this.#byKey.get(keyText(key));
  }

  values(): Iterable<ServiceState> {
    return this.#byKey.values();
  }

  /** A real server's own address and port, for nat_icmp_send (spec 5.4). */
  isNatDest(protocol: number, addr: Ip, port: number): boolean {
    for (const { spec, dests } of this.#byKey.values()) {
      const hasProtocol = spec.key.fwmark !== undefined || protocolNumber[spec.key.protocol] === protocol;
      if (hasProtocol && dests.some((dest) => dest.spec.method === "nat" && dest.addr === addr && dest.port === port))
        return true;
    }
    return false;
  }

  follow(change: Change, now: number): void {
    switch (change.kind) {
      case "service-added":
        this.#add(change.service, change.spec, now);
        break;
      case "service-edited":
        this.#edit(this.get(change.after.key), change.after, now);
        break;
      case "service-deleted":
        this.#delete(change.service.spec.key);
        break;
      case "laddrs-changed":
        this.#setLocals(this.get(change.service.spec.key), change.after);
        break;
      case "dest-freed":
        this.dests.delete(change.dest.id);
        break;
      case "dest-added":
      case "dest-edited":
      case "dest-deleted":
        this.#followDest(change, this.get(change.service.spec.key));
        break;
    }
  }

  #followDest(change: Change & { kind: "dest-added" | "dest-edited" | "dest-deleted" }, service: ServiceState | undefined): void {
    if (service === undefined) return;
    const { id } = change.dest;
    const dest = this.dests.get(id);
    if (change.kind === "dest-added") {
      const added = dest ?? new DestState(id, change.spec, service);
      added.revive(change.spec, service);
      if (change.statsReset) added.tally.zero();
      this.dests.set(id, added);
      service.dests.unshift(added);
      service.scheduler?.added?.(service.dests);
    } else if (dest !== undefined && change.kind === "dest-edited") {
      dest.edit(change.after);
      service.scheduler?.edited?.(service.dests);
    } else if (dest !== undefined) {
      const at = service.dests.indexOf(dest);
      service.dests.splice(at, 1);
      dest.available = false;
      service.scheduler?.deleted?.(service.dests, id, at);
    }
  }

  #add(record: ServiceRecord, spec: ServiceSpec, now: number): void {
    const service = new ServiceState(record, spec);
    this.#byKey.set(keyText(spec.key), service);
    this.#bind(service, now);
    this.#count(spec.key, 1);
  }

  #edit(service: ServiceState | undefined, spec: ServiceSpec, now: number): void {
    if (service === undefined) return;
    const isSame = service.spec.scheduler === spec.scheduler;
    service.spec = spec;
    if (!isSame) this.#bind(service, now);
  }

  #delete(key: ServiceKey): void {
    this.#byKey.delete(keyText(key));
    this.#count(key, -1);
  }

  #bind(service: ServiceState, now: number): void {
    const { scheduler, key } = service.spec;
    const expirationSeconds = () => this.#expirationSeconds(scheduler);
    service.scheduler = schedulers
      .get(scheduler)
      ?.create(service.dests, { family: familyOfService(key), now, expirationSeconds });
  }

  #setLocals(service: ServiceState | undefined, after: readonly Ip[]): void {
    if (service === undefined) return;
    const before = new Map(service.locals.map((local) => [local.addr, local]));
    service.locals = after.map((addr) => before.get(addr) ?? { addr, next: 0, conflicts: 0, conns: 0 });
  }

  #count(key: ServiceKey, by: number): void {
    if (key.fwmark === undefined && key.port === FTP) this.#ftpServices += by;
    else if (key.fwmark !== undefined || key.port === 0) this.#anyPortServices += by;
  }
}

const text = (protocol: number, addr: Ip, port: number): string => `${protocol} ${addr} ${port}`;
const markText = (mark: number, family: Family): string => `mark ${mark} ${family}`;
const keyText = (key: ServiceKey): string =>
  key.fwmark === undefined ? text(protocolNumber[key.protocol], key.addr, key.port) : markText(key.fwmark, key.family);
