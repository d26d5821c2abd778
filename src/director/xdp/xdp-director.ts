import { readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { Fault } from "../../fault.ts";
import type { Ip } from "../../net/ip.ts";
import { macBytes } from "../../net/mac.ts";
import { ensureBpffs } from "../../platform/bpffs.ts";
import { availablePages } from "../../platform/host-memory.ts";
import { netnsInode } from "../../platform/namespace.ts";
import type { Link } from "../../wire/rtnetlink-link.ts";
import { type AvailablePages, evaluate, isAutomatic } from "../defence.ts";
import type { Conn, Dest, DirectorInfo, Operation, Refusal, Service, ServiceKey, SyncDaemon, Timeouts } from "../director.ts";
import type { MarkRule } from "../marks.ts";
import type { DestRecord, ServiceRecord } from "../records.ts";
import type { Attachment, ExplainQuery, Explanation, Hook, TableUse } from "../status.ts";
import { Table } from "../table.ts";
import * as abi from "./abi.gen.ts";
import { readSnapshot, writeNotes } from "./adoption.ts";
import { Attachments } from "./attach.ts";
import { Caches } from "./caches.ts";
import { readConns } from "./conn-reader.ts";
import { Counting, liveConns } from "./counting.ts";
import { DestAddresses } from "./dest-addresses.ts";
import { explainFlow } from "./explain.ts";
import { destOfConn, type ExplainFacts, findConn, serviceFacts } from "./explain-facts.ts";
import { isHost } from "./hop-host.ts";
import type { Hop } from "./hops.ts";
import { type DataPath, loadDataPath } from "./loader.ts";
import { MarkTable } from "./mark-table.ts";
import { i32, setU16, setU32, u32 } from "./memory.ts";
import { Mirror } from "./mirror.ts";
import { removeRemains } from "./remains.ts";
import { refusal } from "./support.ts";
import { writeDefence, writeSettings, writeTimeouts } from "./tuning.ts";
import type { OpenXdpDirector, XdpDirector, XdpOptions } from "./types.ts";
import { type HopWatcher, watchHops } from "./watcher.ts";

/** IPVS 1.2.1, whose behaviour this is. */
const IPVS_VERSION = 0x00010201;
const MAX_SERVICES = 16_384;
const MAX_DESTS = 131_072;
const SECOND = 1000; // ms

/** How the director learns the way to its dests; tests bring their own. */
export interface HopSource {
  resolve(address: Ip): Hop;
  /** Keep these resolved. */
  want(addresses: Iterable<Ip>): void;
  close(): void;
}

export interface CoreOptions {
  readonly path: DataPath;
  readonly attachments: Attachments;
  readonly hops: HopSource;
  /** For the automatic modes of the defences; without it there is always enough. */
  readonly availablePages?: AvailablePages;
}

/** The `Director` over the eBPF data path: the table decides, the mirror writes, memory is read back. */
export class XdpCore implements XdpDirector {
  readonly engine = "xdp";
  readonly path: DataPath;
  readonly #table: Table;
  readonly #attachments: Attachments;
  readonly #hops: HopSource;
  readonly #counting: Counting;
  readonly #mirror: Mirror;
  readonly #marks: MarkTable;
  readonly #caches: Caches;
  readonly #addresses = new DestAddresses();
  /** Addresses of NAT dests that are the director's own. */
  readonly #localDests = new Set<Ip>();
  readonly #availablePages: AvailablePages;
  #interfaceNames: ReadonlyMap<number, string> = new Map();
  /** ms of tick's clock. */
  #defendAt = 0;
  #isOpen = true;

  constructor({ path, attachments, hops, availablePages = () => Number.POSITIVE_INFINITY }: CoreOptions) {
    this.path = path;
    this.#availablePages = availablePages;
    this.#attachments = attachments;
    this.#hops = hops;
    const { maxServices, maxDests } = path.sizes;
    this.#table = new Table({
      maxServices,
      maxDests,
      refuse: refusal,
      isUnicast: (address) => isHost(address, hops.resolve(address)),
    });
    this.#counting = new Counting(path);
    this.#caches = new Caches(path);
    this.#mirror = new Mirror(path, this.#counting, (address) => hops.resolve(address));
    this.#marks = new MarkTable(path, path.adopted ? this.#adopt() : []);
    writeTimeouts(path, this.#table.timeouts());
    this.#writeSettings();
  }

  info(): DirectorInfo {
    return { version: IPVS_VERSION, connTableSize: this.path.sizes.capacity };
  }

  apply(operations: readonly Operation[]): readonly Refusal[] {
    const { refusals, changes } = this.#table.apply(operations);
    if (refusals.length > 0) return refusals;
    this.#mirror.apply(changes);
    this.#caches.follow(changes);
    const kinds = new Set(changes.map(({ kind }) => kind));
    if (changes.some((change) => change.kind === "zero" && change.service === undefined))
      for (const service of this.#table.services()) this.#mirror.zero(service);
    if (kinds.has("timeouts")) writeTimeouts(this.path, this.#table.timeouts());
    if (kinds.has("setting") || kinds.has("service-added") || kinds.has("service-deleted")) this.#writeSettings();
    if (kinds.has("timeouts") || kinds.has("setting") || kinds.has("daemons")) this.#writeNotes();
    const { isNew, touched } = this.#addresses.follow(changes);
    if (isNew) this.#hops.want(this.#addresses.all());
    if (touched.size > 0) this.#followLocalDests(touched);
    return [];
  }

  services(): readonly Service[] {
    return [...this.#table.services()].map((service) => this.#service(service));
  }

  service(key: ServiceKey): Service | undefined {
    const service = this.#table.service(key);
    return service && this.#service(service);
  }

  conns(): Iterable<Conn> {
    return readConns(this.path, this.now());
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

  tick(now: number): void {
    if (!this.#isOpen) return;
    this.#followMemory(now);
    let cached: ReadonlySet<number> | undefined; // only when a dest would go
    const isCached = (id: number): boolean => {
      cached ??= this.#caches.dests();
      return cached.has(id);
    };
    const freed = this.#table.expireTrash(now, (id) => this.#isReferenced(id) || isCached(id));
    for (const change of freed) if (change.kind === "dest-freed") this.#caches.forget(change.dest.id);
    if (freed.length > 0) this.#mirror.apply(freed);
    this.#caches.tick(now, (id) => this.#cacheExpiration(id));
    if (Number(this.#table.setting("run_estimation")) === 0) return;
    let members: Map<number, readonly DestRecord[]> | undefined; // only when the estimators step
    this.#counting.tick(now, (id) => {
      members ??= this.#membersById();
      return members.get(id);
    });
  }

  attachments(): readonly Attachment[] {
    return this.#attachments.list();
  }

  exits(): Readonly<Record<string, number>> {
    return this.#counting.exits();
  }

  tableUse(): TableUse {
    let services = 0;
    let dests = 0;
    for (const service of this.#table.services()) {
      services++;
      dests += service.dests.length;
    }
    return { conns: liveConns(this.path), capacity: this.path.sizes.capacity, services, dests };
  }

  explain(query: ExplainQuery): Explanation {
    return explainFlow(query, this.#facts());
  }

  #facts(): ExplainFacts {
    const { path } = this;
    return {
      ...{ marks: this.#marks.rules, settings: this.#table.settings() },
      dropRate: u32(path.memory.settings.view, abi.settings.dropRate),
      service: (key) => {
        const record = this.#table.service(key);
        return record && serviceFacts(path, record, this.#service(record));
      },
      hasFtpService: () => u32(path.memory.settings.view, abi.settings.ftpServices) > 0,
      conn: (flow) => findConn(path, flow),
      destOf: (slot) => destOfConn(path, slot),
      hop: (address) => this.#hops.resolve(address),
      interfaceName: (ifindex) => this.#interfaceNames.get(ifindex) ?? `interface ${ifindex}`,
      isNatDest: (protocol, place, family) => this.#mirror.natDests.has(protocol, place, family),
    };
  }

  /** Jiffies of the data path's clock, low 32 bits. */
  now(): number {
    return this.path.now();
  }

  /** Routes or neighbours have changed: every dest's hop is written anew, clients' are looked up again. */
  refreshHops(): void {
    if (!this.#isOpen) return;
    for (const service of this.#table.services())
      for (const dest of service.dests) this.#mirror.writeHop(dest.id, dest.spec.addr);
    this.#followLocalDests(new Set([...this.#localDests, ...this.#addresses.nat()]));
    const { view } = this.path.memory.settings;
    setU32(view, abi.settings.generation, ((u32(view, abi.settings.generation) + 1) | 1) >>> 0);
  }

  marks(): readonly MarkRule[] {
    return this.#marks.rules;
  }

  setMarks(rules: readonly MarkRule[]): readonly Refusal[] {
    const refusals = this.#marks.set(rules);
    if (refusals.length === 0) this.#writeNotes();
    return refusals;
  }

  /**
   * Our own Ethernet addresses, so that a frame flooded past somebody else is left alone, and the numbers of the interfaces
   * that mark rules name.
   */
  writeDevices(links: Iterable<Pick<Link, "ifindex" | "mac"> & { readonly kind?: string; readonly name?: string }>): void {
    const { view, bytes } = this.path.memory.interfaces;
    const ifindexes = new Map<string, number>();
    for (const { ifindex, mac, kind, name } of links) {
      if (name !== undefined) ifindexes.set(name, ifindex);
      if (mac === undefined || ifindex >= this.path.memory.interfaces.length) continue;
      const at = this.path.memory.interfaces.at(ifindex);
      setU16(view, at + abi.device.flags, 0);
      bytes.set(macBytes(mac), at + abi.device.mac);
      setU16(view, at + abi.device.flags, abi.deviceFlag.known | (kind === "veth" ? abi.deviceFlag.redirect : 0));
    }
    this.#marks.followInterfaces(ifindexes);
    this.#interfaceNames = new Map([...ifindexes].map(([name, ifindex]) => [ifindex, name]));
  }

  /** @param all the namespace's interfaces */
  attach({ hook, xdpMode, log }: XdpOptions, links: readonly Link[], all: readonly Link[]): void {
    for (const link of links) {
      const attached =
        chooseHook(hook, link) === "tc"
          ? this.#attachments.attachTc(link.name, link.ifindex, this.path.tcProgram("ingress"))
          : this.#attachments.attachXdp(link.name, link.ifindex, this.path.program("lvs_xdp"), xdpMode);
      const { mode, adopted } = attached;
      // a tc filter stays without its maps, too: what counts is whether the table behind it is the old one
      log.info("attached", { interface: link.name, hook: attached.hook, mode, adopted: adopted && this.path.adopted });
    }
    this.#attachments.dropOthers(all.map(({ ifindex }) => ifindex));
  }

  stop({ leave }: { readonly leave: boolean }): void {
    if (!this.#isOpen) return;
    if (!leave) {
      this.#hops.want([]);
      this.#attachments.detach();
      this.path.unpin();
    }
    this.close();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#hops.close();
    this.#attachments.close();
    this.path.close();
  }

  /** Returns the names of the interfaces that mark rules name. */
  #adopt(): readonly string[] {
    const snapshot = readSnapshot(this.path);
    this.#table.restore(snapshot);
    const records = new Map(
      snapshot.services.map(({ id, localAddresses, localRecords }) => [
        id,
        new Map(localAddresses.map((address, i) => [address, localRecords[i] ?? 0])),
      ]),
    );
    this.#mirror.adopt([...this.#table.services()], (id) => records.get(id) ?? new Map<Ip, number>());
    for (const service of this.#table.services()) this.#addresses.adopt(service.dests);
    setU32(this.path.memory.settings.view, abi.settings.localDests, 0); // attached anew where needed
    this.#hops.want(this.#addresses.all());
    this.refreshHops();
    return snapshot.markInterfaces;
  }

  /** Answers of a NAT dest that is the director itself never come in: they are met on their way out. */
  #followLocalDests(addresses: Iterable<Ip>): void {
    for (const address of addresses) {
      const isLocal = this.#addresses.hasNat(address) && this.#hops.resolve(address).state === "local";
      if (isLocal) this.#localDests.add(address);
      else this.#localDests.delete(address);
    }
    const { view } = this.path.memory.settings;
    if (this.#localDests.size === u32(view, abi.settings.localDests)) return;
    setU32(view, abi.settings.localDests, this.#localDests.size);
    this.#attachments.setEgress(this.#localDests.size > 0 ? this.path.tcProgram("egress") : undefined);
  }

  #membersById(): Map<number, readonly DestRecord[]> {
    return new Map([...this.#table.services()].map(({ id, dests }) => [id, dests]));
  }

  /** Seconds; undefined: no service that has a cache. */
  #cacheExpiration(serviceId: number): number | undefined {
    for (const { id, spec } of this.#table.services()) {
      if (id !== serviceId) continue;
      const name = { lblc: "lblc_expiration", lblcr: "lblcr_expiration" }[spec.scheduler];
      return name === undefined ? undefined : Number(this.#table.setting(name));
    }
    return undefined;
  }

  #isReferenced(id: number): boolean {
    const { view } = this.path.memory.dests;
    const at = this.path.memory.dests.at(id);
    return i32(view, at + abi.dest.total) > 0 || i32(view, at + abi.dest.persist) > 0;
  }

  #writeSettings(): void {
    writeSettings(this.path, this.#table.settings(), this.#table.services());
    this.#defend();
  }

  /** Modes that follow the memory turn into each other, and are settings like others (spec 7.2). */
  #defend(): void {
    const { defence, modes } = evaluate((name) => this.#table.setting(name), this.#availablePages);
    writeDefence(this.path, defence);
    if (modes.length === 0) return;
    this.#table.apply(modes.map(([name, value]) => ({ op: "set-setting", name, value })));
    this.#writeNotes();
  }

  #followMemory(now: number): void {
    if (now < this.#defendAt) return;
    this.#defendAt = now + SECOND;
    if (isAutomatic((name) => this.#table.setting(name))) this.#defend();
  }

  #writeNotes(): void {
    const table = this.#table;
    const notes = { timeouts: table.timeouts(), settings: table.settings(), daemons: table.daemons() };
    writeNotes(this.path, { ...notes, markInterfaces: this.#marks.interfaceNames });
  }

  #service(service: ServiceRecord): Service {
    return {
      ...service.spec,
      dests: service.dests.map((dest) => this.#dest(dest)),
      localAddresses: this.#mirror.localAddressesOf(service),
      counters: this.#counting.service(service.id, service.dests),
      rates: this.#counting.serviceRates(service.id),
    };
  }

  #dest({ id, spec }: DestRecord): Dest {
    const { view } = this.path.memory.dests;
    const at = this.path.memory.dests.at(id);
    const active = Math.max(i32(view, at + abi.dest.active), 0);
    const hop = this.#hops.resolve(spec.addr);
    const { addr, port, method, weight, upper, lower, tunnel, toa } = spec;
    // No spreads: hundreds of thousands of these are made in a row.
    const dest: { -readonly [Key in keyof Dest]: Dest[Key] } = {
      addr,
      port,
      method,
      weight,
      upper,
      lower,
      tunnel,
      toa,
      activeConns: active,
      inactiveConns: Math.max(i32(view, at + abi.dest.total) - active, 0),
      persistConns: Math.max(i32(view, at + abi.dest.persist), 0),
      counters: this.#counting.dest(id),
      rates: this.#counting.destRates(id),
      hop: "via" in hop ? { state: hop.state, via: hop.via } : { state: hop.state },
    };
    if (method === "nat" || method === "fullnat") dest.failures = this.#counting.failures(id);
    return dest;
  }
}

/** Loads or adopts the data path of this network namespace and attaches it. */
export const openXdpDirector: OpenXdpDirector = async (options) => {
  let core: XdpCore | undefined;
  const watcher = watchHops({
    log: options.log,
    onChange: () => {
      core?.writeDevices(watcher.hops.links());
      core?.refreshHops();
    },
  });
  try {
    const links = options.interfaces.map((name) => findLink(name, [...watcher.hops.links()]));
    core = openCore(options, watcher);
    core.writeDevices(watcher.hops.links());
    core.attach(options, links, [...watcher.hops.links()]);
    return core;
  } catch (error) {
    if (core !== undefined) core.stop({ leave: core.path.adopted });
    else watcher.close();
    throw error;
  }
};

function openCore(options: XdpOptions, watcher: HopWatcher): XdpCore {
  const bpffs = ensureBpffs();
  if (!bpffs.shared) options.log.warn("pins are private", { reason: bpffs.reason ?? "" });
  removeRemains(bpffs.path, options.log);
  const directory = join(bpffs.path, String(netnsInode()));
  const path = loadDataPath({ capacity: options.connTableSize, maxServices: MAX_SERVICES, maxDests: MAX_DESTS }, directory);
  const hops: HopSource = {
    resolve: (address) => watcher.hops.resolve(address),
    want: (addresses) => watcher.want(addresses),
    close: () => watcher.close(),
  };
  try {
    return new XdpCore({ path, attachments: new Attachments(directory), hops, availablePages });
  } catch (error) {
    if (!path.adopted) path.unpin();
    path.close();
    throw error;
  }
}

/**
 * XDP wins on hardware. On virtual links packets are GSO buffers with unfinished checksums, which tc forwards as they are
 * and XDP would need to have taken apart beforehand.
 */
function chooseHook(hook: XdpOptions["hook"], link: Link): Hook {
  if (hook !== "auto") return hook;
  return link.kind !== "" || driverOf(link.name) === "virtio_net" ? "tc" : "xdp";
}

function driverOf(name: string): string {
  try {
    return basename(readlinkSync(`/sys/class/net/${name}/device/driver`));
  } catch {
    return ""; // it has none
  }
}

function findLink(name: string, links: readonly Link[]): Link {
  const link = links.find((each) => each.name === name);
  if (link !== undefined) return link;
  throw new Fault(
    "find interface",
    "ENODEV",
    `no interface ${name} here; there are ${links.map((each) => each.name).join(", ")}`,
  );
}
