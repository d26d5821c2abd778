import { familyOf, type Ip } from "../net/ip.ts";
import {
  type DestKey,
  type DestSpec,
  endpointText,
  familyOfService,
  type Operation,
  type Refusal,
  type ServiceKey,
  type ServiceSpec,
  type SyncDaemon,
  serviceId,
  type Timeouts,
} from "./director.ts";
import type { Change, DestRecord, ServiceRecord, Snapshot } from "./records.ts";
import { checkSetting, defaultSettings } from "./settings.ts";
import { Journal, type MutableService, Store } from "./store.ts";
import { destProblem, familyProblem, invalid, looksUnicast, type Problem, serviceProblem, timeoutProblem } from "./validate.ts";

export type { Change, DestRecord, ServiceRecord, Snapshot } from "./records.ts";

export interface TableOptions {
  readonly maxServices: number;
  readonly maxDests: number;
  /** What this data path cannot do, asked once an operation is otherwise in order. */
  readonly refuse?: (operation: Operation) => Problem;
  /** May a dest have this address? By the director's routes where they are known (spec 2.3). */
  readonly isUnicast?: (address: Ip) => boolean;
}

const defaultTimeouts: Timeouts = { tcp: 900, tcpFin: 120, udp: 300 };

/**
 * The control state of a director: services and their dests, the trash, timeouts, settings. The data paths follow it by
 * the changes it reports (spec chapters 1, 2 and 7.1). One operation costs the same in a table of any size.
 */
export class Table {
  readonly #options: TableOptions;
  #store: Store;
  #timeouts = defaultTimeouts;
  #settings: Readonly<Record<string, string>> = defaultSettings;
  #daemons: readonly SyncDaemon[] = [];

  constructor(options: TableOptions) {
    this.#options = options;
    this.#store = new Store(options.maxServices, options.maxDests);
  }

  /**
   * All operations, in their order, or none of them. The refusals are all that can be told in one go; what follows only
   * from a service that could not be added is not repeated for each of its dests.
   */
  apply(operations: readonly Operation[]): { refusals: readonly Refusal[]; changes: readonly Change[] } {
    const journal = new Journal();
    const refusals: Refusal[] = [];
    const missing = new Set<string>();
    operations.forEach((operation, index) => {
      const problem = this.#run(operation, journal);
      if (problem === undefined) return;
      if (operation.op === "add-service") missing.add(serviceId(operation.service.key));
      else if (problem.code === "ESRCH" && missing.has(subject(operation))) return;
      refusals.push({ index, ...problem });
    });
    if (refusals.length > 0) this.#rollBack(journal);
    return { refusals, changes: journal.changes };
  }

  #rollBack(journal: Journal): void {
    const isReordered = journal.changes.some((change) => change.kind === "service-deleted");
    journal.rollBack();
    if (isReordered) this.#store.sortServices();
  }

  /** Address services, then fwmark services, each oldest first. */
  *services(): Iterable<ServiceRecord> {
    for (const service of this.#store.services.values()) if (service.spec.key.fwmark === undefined) yield service;
    for (const service of this.#store.services.values()) if (service.spec.key.fwmark !== undefined) yield service;
  }

  service(key: ServiceKey): ServiceRecord | undefined {
    return this.#store.services.get(serviceId(key));
  }

  /** Of a service or in the trash. */
  dest(id: number): DestRecord | undefined {
    return this.#store.destsById.get(id);
  }

  timeouts(): Timeouts {
    return this.#timeouts;
  }

  /** The value of a setting, by its name in spec 7.1. */
  setting(name: string): string {
    return this.#settings[name] ?? "";
  }

  settings(): Readonly<Record<string, string>> {
    return this.#settings;
  }

  daemons(): readonly SyncDaemon[] {
    return this.#daemons;
  }

  /** @param now ms of a monotonic clock; to be called every second or so */
  expireTrash(now: number, isReferenced: (destId: number) => boolean): readonly Change[] {
    return this.#store.expireTrash(now, isReferenced);
  }

  snapshot(): Snapshot {
    return { ...this.#store.snapshot(), timeouts: this.#timeouts, settings: this.#settings, daemons: this.#daemons };
  }

  /** Everything becomes what a former table was, ids included. Nothing is checked: it was accepted once. */
  restore(snapshot: Snapshot): void {
    this.#store = new Store(this.#options.maxServices, this.#options.maxDests, snapshot);
    this.#timeouts = snapshot.timeouts;
    this.#settings = { ...defaultSettings, ...snapshot.settings };
    this.#daemons = snapshot.daemons;
  }

  #run(operation: Operation, journal: Journal): Problem {
    switch (operation.op) {
      case "add-service":
        return this.#addService(operation, operation.service, journal);
      case "set-timeouts":
        return this.#setTimeouts(operation, operation.timeouts, journal);
      case "set-setting":
        return this.#setSetting(operation, operation.name, operation.value, journal);
      case "start-daemon":
        return this.#startDaemon(operation, operation.daemon, journal);
      case "stop-daemon":
        return this.#stopDaemon(operation, operation.state, journal);
      case "flush":
        return this.#refused(operation) ?? this.#flush(journal);
      case "zero":
        if (operation.key === undefined) return this.#refused(operation) ?? zero(undefined, journal);
        break;
    }
    const service = this.#store.services.get(subject(operation));
    if (service === undefined) return { code: "ESRCH", message: `no service ${subject(operation)}` };
    return this.#runOn(service, operation, journal);
  }

  #runOn(service: MutableService, operation: Operation, journal: Journal): Problem {
    switch (operation.op) {
      case "edit-service":
        return this.#editService(operation, service, operation.service, journal);
      case "delete-service":
        return this.#refused(operation) ?? this.#store.deleteService(service, journal);
      case "zero":
        return this.#refused(operation) ?? zero(service, journal);
      case "add-dest":
        return this.#addDest(operation, service, operation.dest, journal);
      case "edit-dest":
        return this.#editDest(operation, service, operation.dest, journal);
      case "delete-dest":
        return this.#deleteDest(operation, service, operation.dest, journal);
      case "add-laddr":
        return this.#addLocalAddress(operation, service, operation.addr, journal);
      case "delete-laddr":
        return this.#deleteLocalAddress(operation, service, operation.addr, journal);
      default:
        return undefined;
    }
  }

  #addService(operation: Operation, spec: ServiceSpec, journal: Journal): Problem {
    if (this.service(spec.key) !== undefined) return { code: "EEXIST", message: `service ${serviceId(spec.key)} exists` };
    const problem = serviceProblem(spec, 0) ?? this.#refused(operation);
    if (problem !== undefined) return problem;
    return this.#store.addService(spec, journal) ? undefined : noRoom(this.#options.maxServices, "services");
  }

  #editService(operation: Operation, service: MutableService, spec: ServiceSpec, journal: Journal): Problem {
    const problem = serviceProblem(spec, service.dests.length) ?? this.#refused(operation);
    return problem ?? this.#store.editService(service, spec, journal);
  }

  #flush(journal: Journal): Problem {
    for (const service of this.#store.services.values()) this.#store.deleteService(service, journal);
    return undefined;
  }

  #addDest(operation: Operation, service: MutableService, spec: DestSpec, journal: Journal): Problem {
    const wrong = familyProblem(service.spec.key, spec, this.#daemons.length > 0) ?? destProblem(spec);
    if (wrong !== undefined) return wrong;
    if (this.#store.findDest(service, spec) !== undefined)
      return { code: "EEXIST", message: `dest ${endpointText(spec)} exists` };
    const problem = this.#addressProblem(spec.addr) ?? this.#refused(operation);
    if (problem !== undefined) return problem;
    return this.#store.addDest(service, spec, journal) ? undefined : noRoom(this.#options.maxDests, "dests");
  }

  #editDest(operation: Operation, service: MutableService, spec: DestSpec, journal: Journal): Problem {
    const wrong = familyProblem(service.spec.key, spec, this.#daemons.length > 0) ?? destProblem(spec);
    if (wrong !== undefined) return wrong;
    const dest = this.#store.findDest(service, spec);
    if (dest === undefined) return noDest(spec);
    return this.#refused(operation) ?? this.#store.editDest(service, dest, spec, journal);
  }

  #deleteDest(operation: Operation, service: MutableService, key: DestKey, journal: Journal): Problem {
    const dest = this.#store.findDest(service, key);
    if (dest === undefined) return noDest(key);
    return this.#refused(operation) ?? this.#store.deleteDest(service, dest, journal);
  }

  #addLocalAddress(operation: Operation, service: MutableService, addr: Ip, journal: Journal): Problem {
    if (familyOf(addr) !== familyOfService(service.spec.key))
      return invalid(`${addr} is of another address family than its service`);
    if (service.localAddresses.includes(addr)) return { code: "EEXIST", message: `local address ${addr} exists` };
    const problem = this.#addressProblem(addr) ?? this.#refused(operation);
    return problem ?? this.#store.setLocalAddresses(service, [...service.localAddresses, addr], journal);
  }

  #deleteLocalAddress(operation: Operation, service: MutableService, addr: Ip, journal: Journal): Problem {
    if (!service.localAddresses.includes(addr)) return { code: "ENOENT", message: `no local address ${addr}` };
    const after = service.localAddresses.filter((other) => other !== addr);
    return this.#refused(operation) ?? this.#store.setLocalAddresses(service, after, journal);
  }

  #setTimeouts(operation: Operation, wanted: Partial<Timeouts>, journal: Journal): Problem {
    const problem = timeoutProblem(wanted) ?? this.#refused(operation);
    if (problem !== undefined) return problem;
    const before = this.#timeouts;
    const { tcp, tcpFin, udp } = wanted;
    const timeouts = { tcp: tcp || before.tcp, tcpFin: tcpFin || before.tcpFin, udp: udp || before.udp };
    this.#timeouts = timeouts;
    journal.note({ kind: "timeouts", timeouts }, () => {
      this.#timeouts = before;
    });
    return undefined;
  }

  #setSetting(operation: Operation, name: string, text: string, journal: Journal): Problem {
    const checked = checkSetting(name, text, this.setting(name));
    if ("code" in checked) return { ...checked, message: `${name} = ${JSON.stringify(text)}: ${explainSetting[checked.code]}` };
    const refused = this.#refused(operation);
    if (refused !== undefined) return refused;
    const before = this.#settings;
    this.#settings = { ...before, [name]: checked.value };
    journal.note({ kind: "setting", name, value: checked.value }, () => {
      this.#settings = before;
    });
    return undefined;
  }

  #startDaemon(operation: Operation, daemon: SyncDaemon, journal: Journal): Problem {
    if (this.#store.mixedDests > 0)
      return invalid("sync messages cannot tell of a dest of another address family than its service");
    if (this.#daemons.some(({ state }) => state === daemon.state))
      return { code: "EEXIST", message: `the ${daemon.state} daemon runs` };
    return this.#refused(operation) ?? this.#setDaemons([...this.#daemons, daemon], journal);
  }

  #stopDaemon(operation: Operation, state: SyncDaemon["state"], journal: Journal): Problem {
    const others = this.#daemons.filter((daemon) => daemon.state !== state);
    if (others.length === this.#daemons.length) return { code: "ESRCH", message: `no ${state} daemon runs` };
    return this.#refused(operation) ?? this.#setDaemons(others, journal);
  }

  /** The master comes first (spec 9.1). */
  #setDaemons(daemons: readonly SyncDaemon[], journal: Journal): undefined {
    const before = this.#daemons;
    this.#daemons = daemons.toSorted((a, b) => (a.state === b.state ? 0 : a.state === "master" ? -1 : 1));
    journal.note({ kind: "daemons", daemons: this.#daemons }, () => {
      this.#daemons = before;
    });
  }

  #refused(operation: Operation): Problem {
    return this.#options.refuse?.(operation);
  }

  #addressProblem(address: Ip): Problem {
    return (this.#options.isUnicast ?? looksUnicast)(address) ? undefined : invalid(`${address} is not the address of a host`);
  }
}

/** The service an operation is about, as text; "" for the rest. */
function subject(operation: Operation): string {
  if ("service" in operation) return serviceId(operation.service.key);
  return "key" in operation && operation.key !== undefined ? serviceId(operation.key) : "";
}

function zero(service: MutableService | undefined, journal: Journal): undefined {
  journal.note(service === undefined ? { kind: "zero" } : { kind: "zero", service }, () => {});
}

const noDest = (key: DestKey): Problem => ({ code: "ENOENT", message: `no dest ${endpointText(key)}` });
const noRoom = (max: number, what: string): Problem => ({ code: "ENOMEM", message: `no room for more than ${max} ${what}` });
const explainSetting = { ENOENT: "there is no such setting", EINVAL: "the value is out of range" };
