import { familyOf, type Ip } from "../net/ip.ts";
import { type DestKey, type DestSpec, familyOfService, type ServiceKey, type ServiceSpec, serviceId } from "./director.ts";
import { Ids } from "./ids.ts";
import type { Change, DestRecord, ServiceRecord, Snapshot } from "./records.ts";
import { Trash, type TrashEntry } from "./trash.ts";

export interface MutableService extends ServiceRecord {
  spec: ServiceSpec;
  readonly dests: MutableDest[];
  localAddresses: readonly Ip[];
  /** serviceId(key), made once. */
  readonly text: string;
  /** Services are listed in the order of their addition. */
  readonly order: number;
}

export interface MutableDest extends DestRecord {
  serviceId: number;
  spec: DestSpec;
  lastWeight: number;
  available: boolean;
}

/** What happened so far in one apply, and how to undo it. */
export class Journal {
  readonly changes: Change[] = [];
  readonly #undo: (() => void)[] = [];

  note(change: Change, undo: () => void): void {
    this.changes.push(change);
    this.#undo.push(undo);
  }

  rollBack(): void {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) undo();
    this.changes.length = 0;
  }
}

/** The services, dests and trash of a table: each step is noted with its undo, none is checked. */
export class Store {
  services = new Map<string, MutableService>();
  /** Those in the trash included. */
  readonly destsById = new Map<number, MutableDest>();
  /** Dests of another family than their service. */
  mixedDests = 0;
  /** Dests of services by service and dest key in one text. */
  readonly #destsByText = new Map<string, MutableDest>();
  readonly trash = new Trash();
  readonly #serviceIds: Ids;
  readonly #destIds: Ids;
  #order = 0;

  constructor(maxServices: number, maxDests: number, snapshot?: Snapshot) {
    if (snapshot !== undefined) this.#restore(snapshot);
    this.#serviceIds = new Ids(
      maxServices,
      [...this.services.values()].map((service) => service.id),
    );
    this.#destIds = new Ids(maxDests, this.destsById.keys());
  }

  findDest(service: MutableService, key: DestKey): MutableDest | undefined {
    return this.#destsByText.get(destText(service, key));
  }

  /** False: no room. */
  addService(spec: ServiceSpec, journal: Journal): boolean {
    const id = this.#serviceIds.take();
    if (id === undefined) return false;
    const service = newService(id, spec, [], this.#order++);
    this.services.set(service.text, service);
    journal.note({ kind: "service-added", service, spec }, () => {
      this.services.delete(service.text);
      this.#serviceIds.give(id);
    });
    return true;
  }

  editService(service: MutableService, after: ServiceSpec, journal: Journal): undefined {
    const before = service.spec;
    service.spec = after;
    journal.note({ kind: "service-edited", service, before, after }, () => {
      service.spec = before;
    });
  }

  /** All its dests go to the trash. */
  deleteService(service: MutableService, journal: Journal): undefined {
    for (let last = service.dests.at(-1); last !== undefined; last = service.dests.at(-1))
      this.deleteDest(service, last, journal);
    this.services.delete(service.text);
    this.#serviceIds.give(service.id);
    journal.note({ kind: "service-deleted", service }, () => {
      this.#serviceIds.takeBack();
      this.services.set(service.text, service);
    });
  }

  /** From the trash, or new. False: no room. */
  addDest(service: MutableService, spec: DestSpec, journal: Journal): boolean {
    const entry = this.trash.take(destText(service, spec));
    if (entry !== undefined) this.#resurrect(service, spec, entry, journal);
    return entry !== undefined || this.#createDest(service, spec, journal);
  }

  #createDest(service: MutableService, spec: DestSpec, journal: Journal): boolean {
    const id = this.#destIds.take();
    if (id === undefined) return false;
    const dest = newDest(id, service, spec, spec.weight);
    this.destsById.set(id, dest);
    this.#link(service, dest, 0);
    journal.note({ kind: "dest-added", service, dest, spec, resurrected: false, statsReset: true }, () => {
      this.#unlink(service, dest);
      this.destsById.delete(id);
      this.#destIds.give(id);
    });
    return true;
  }

  #resurrect(service: MutableService, spec: DestSpec, entry: TrashEntry, journal: Journal): void {
    const dest = entry.dest;
    const former = { ...dest };
    Object.assign(dest, newDest(dest.id, service, spec, spec.weight));
    this.#link(service, dest, 0);
    const statsReset = entry.service !== service;
    journal.note({ kind: "dest-added", service, dest, spec, resurrected: true, statsReset }, () => {
      this.#unlink(service, dest);
      Object.assign(dest, former);
      this.trash.put(destText(service, spec), entry);
    });
  }

  editDest(service: MutableService, dest: MutableDest, after: DestSpec, journal: Journal): undefined {
    const { spec: before, lastWeight } = dest;
    dest.spec = after;
    if (after.weight !== 0) dest.lastWeight = after.weight;
    journal.note({ kind: "dest-edited", service, dest, before, after }, () => {
      dest.spec = before;
      dest.lastWeight = lastWeight;
    });
  }

  deleteDest(service: MutableService, dest: MutableDest, journal: Journal): undefined {
    const at = this.#unlink(service, dest);
    const text = destText(service, dest.spec);
    dest.available = false;
    this.trash.put(text, { dest, service, idleSince: undefined });
    journal.note({ kind: "dest-deleted", service, dest }, () => {
      this.trash.take(text);
      dest.available = true;
      this.#link(service, dest, at);
    });
  }

  setLocalAddresses(service: MutableService, after: readonly Ip[], journal: Journal): undefined {
    const before = service.localAddresses;
    service.localAddresses = after;
    journal.note({ kind: "laddrs-changed", service, before, after }, () => {
      service.localAddresses = before;
    });
  }

  expireTrash(now: number, isReferenced: (destId: number) => boolean): readonly Change[] {
    return this.trash.expire(now, isReferenced).map((dest) => {
      this.destsById.delete(dest.id);
      this.#destIds.give(dest.id);
      return { kind: "dest-freed", dest };
    });
  }

  /** Services as they were listed before a roll-back put deleted ones at the end. */
  sortServices(): void {
    this.services = new Map([...this.services].sort(([, a], [, b]) => a.order - b.order));
  }

  snapshot(): Pick<Snapshot, "services" | "trash"> {
    const services = [...this.services.values()].map(({ id, spec, dests, localAddresses }) => ({
      id,
      spec,
      dests: dests.map((dest) => ({ id: dest.id, spec: dest.spec, lastWeight: dest.lastWeight })),
      localAddresses,
    }));
    const trash = [...this.trash.values()].map(({ dest: { id, serviceId, spec, lastWeight }, service }) => {
      return { id, serviceId, key: service.spec.key, spec, lastWeight };
    });
    return { services, trash };
  }

  #restore(snapshot: Snapshot): void {
    for (const { id, spec, dests, localAddresses } of snapshot.services) {
      const service = newService(id, spec, localAddresses, this.#order++);
      this.services.set(service.text, service);
      for (const { id, spec, lastWeight } of dests) {
        const dest = newDest(id, service, spec, lastWeight);
        this.destsById.set(id, dest);
        this.#link(service, dest, service.dests.length);
      }
    }
    for (const { id, serviceId: formerId, key, spec, lastWeight } of snapshot.trash) {
      const current = this.services.get(serviceId(key));
      const service = current?.id === formerId ? current : goneService(formerId, key);
      const dest = { ...newDest(id, service, spec, lastWeight), available: false };
      this.destsById.set(id, dest);
      this.trash.put(destText(service, spec), { dest, service, idleSince: undefined });
    }
  }

  #link(service: MutableService, dest: MutableDest, at: number): void {
    service.dests.splice(at, 0, dest);
    this.#destsByText.set(destText(service, dest.spec), dest);
    if (isMixed(service, dest)) this.mixedDests++;
  }

  /** Its former place in the list. */
  #unlink(service: MutableService, dest: MutableDest): number {
    const at = service.dests.at(-1) === dest ? service.dests.length - 1 : service.dests.indexOf(dest);
    service.dests.splice(at, 1);
    this.#destsByText.delete(destText(service, dest.spec));
    if (isMixed(service, dest)) this.mixedDests--;
    return at;
  }
}

const destText = (service: MutableService, key: DestKey): string => `${service.text} ${key.addr} ${key.port}`;
const isMixed = (service: MutableService, dest: MutableDest): boolean =>
  familyOf(dest.spec.addr) !== familyOfService(service.spec.key);

function newService(id: number, spec: ServiceSpec, localAddresses: readonly Ip[], order: number): MutableService {
  return { id, spec, dests: [], localAddresses, text: serviceId(spec.key), order };
}

/** Stands for a service that was deleted before its dests left the trash. */
function goneService(id: number, key: ServiceKey): MutableService {
  const spec: ServiceSpec = { key, scheduler: "none", schedFlags: [], persistSeconds: 0, netmask: 0, onePacket: false, pe: "" };
  return newService(id, spec, [], 0);
}

const newDest = (id: number, service: MutableService, spec: DestSpec, lastWeight: number): MutableDest => {
  return { id, serviceId: service.id, spec, lastWeight, available: true };
};
