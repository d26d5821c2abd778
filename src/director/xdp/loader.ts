import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { explain, Fault } from "../../fault.ts";
import { pin } from "../../platform/bpf.ts";
import type { TcHook } from "../../platform/bpf-link.ts";
import { BpfMap } from "../../platform/bpf-map.ts";
import { BpfObject } from "../../platform/bpf-object.ts";
import { netnsCookie } from "../../platform/namespace.ts";
import { closeFd, dupFd, possibleCpus, raiseMemlock } from "../../platform/process.ts";
import { testRun } from "../../platform/test-run.ts";
import * as abi from "./abi.gen.ts";
import { Region, setU32, u32, viewOf } from "./memory.ts";
import { LAYOUT_FAULT } from "./types.ts";

/** Brings the compiled data path into the kernel: makes its maps or takes over pinned ones, and loads the programs. */

export interface Sizes {
  /** Conns, a power of two is best. */
  readonly capacity: number;
  readonly maxServices: number;
  readonly maxDests: number;
}

/** Maps that must live on for forwarding to live on. `.rodata` belongs to the program. */
const MAPS = [
  ...(["identity", "settings", "table_state", "conns", "buckets", "free_slots", "services", "service_states", "dests"] as const),
  ...(["members", "laddrs", "marks", "counters", "exits", "interfaces", "fragments", "caches", "nat_dests", "sweep_timers", "notes"] as const),
] as const; // biome-ignore format: one list
type MapName = (typeof MAPS)[number];

/** Those the daemon sees as memory. */
const MAPPED = [
  ...(["identity", "settings", "table_state", "conns", "service_states", "dests", "members", "laddrs", "marks"] as const),
  ...(["counters", "exits", "interfaces", "notes"] as const),
] as const; // biome-ignore format: one list
type Mapped = (typeof MAPPED)[number];

const PROGRAMS = ["lvs_xdp", "sweep_start", "sweep_all", "read_clock"] as const;
export type Program = (typeof PROGRAMS)[number];

/** Counters of one CPU in `exits`. */
export const EXIT_ROW = 64;
const MEMBERS_PER_DEST = 2;
const HASH_TABLES = 1 << 18; // places for the tables of sh, dh and mh
const ENTRIES_PER_CONN = 2;
const BUCKET_ENTRIES = 8;
const BUCKET_LOAD = 0.5;

export interface DataPath {
  readonly memory: Readonly<Record<Mapped, Region>>;
  readonly services: BpfMap;
  readonly natDests: BpfMap;
  /** Of lblc and lblcr. */
  readonly caches: BpfMap;
  readonly sizes: Sizes;
  readonly cpus: number;
  /** Jiffies a second. */
  readonly hz: number;
  /** The maps were there already. */
  readonly adopted: boolean;
  program(name: Program): number;
  /** The programs for the tc hook, loaded when first asked for. */
  tcProgram(direction: TcHook): number;
  /** One whole round of expiry, now. */
  sweep(): void;
  /** Jiffies of the data path's clock, low 32 bits. */
  now(): number;
  /** Takes the maps' pins away. */
  unpin(): void;
  close(): void;
}

/** A compiled object: beside bin/ when bundled, in build/ of the checkout otherwise. */
export function objectPath(name: string): string {
  const places = ["../build/", "../lib/", "../../../build/"];
  const near = places.map((directory) => fileURLToPath(new URL(directory + name, import.meta.url)));
  const found = near.find((path) => existsSync(path));
  if (found === undefined) throw new Fault("load data path", "ENOENT", `no ${near.join(", no ")}: run make build`);
  return found;
}

/**
 * @param directory on a bpffs, made when missing: maps pinned there are taken over, new ones are pinned there. undefined: no pins.
 */
export function loadDataPath(wanted: Sizes, directory: string | undefined): DataPath {
  raiseMemlock();
  const pinned = directory === undefined ? undefined : openPinnedMaps(directory);
  const cpus = possibleCpus();
  const sizes = pinned === undefined ? roundSizes(wanted) : sizesOf(pinned);
  const object = BpfObject.open(objectPath("lvs.bpf.o"), { name: "lvs" });
  try {
    prepare(object, sizes, cpus);
    if (pinned !== undefined) for (const name of MAPS) object.reuseMap(name, pinned[name].fd);
    object.load();
    const maps = pinned ?? (Object.fromEntries(MAPS.map((name) => [name, object.map(name)])) as Record<MapName, BpfMap>);
    return open(object, maps, sizes, cpus, pinned !== undefined, directory);
  } catch (error) {
    object.close();
    throw error;
  }
}

function open(
  object: BpfObject,
  maps: Record<MapName, BpfMap>,
  sizes: Sizes,
  cpus: number,
  adopted: boolean,
  directory: string | undefined,
): DataPath {
  const memory = Object.fromEntries(MAPPED.map((name) => [name, new Region(maps[name])])) as Record<Mapped, Region>;
  const programs = Object.fromEntries(PROGRAMS.map((name) => [name, dupFd(object.programFd(name))])) as Record<Program, number>;
  object.close();
  const hz = measureHz(programs.read_clock);
  if (!adopted) {
    initialize(memory, sizes, cpus, hz);
    if (directory !== undefined) pinMaps(directory, maps);
  }
  const run = (name: Program) => testRun(programs[name], { data: new Uint8Array(64) }).retval;
  run("sweep_start");
  let isOpen = true;
  let tc: Readonly<Record<TcHook, number>> | undefined;
  return {
    memory,
    services: maps.services,
    natDests: maps.nat_dests,
    caches: maps.caches,
    sizes,
    cpus,
    hz,
    adopted,
    program: (name) => programs[name],
    tcProgram(direction) {
      tc ??= loadTc(maps, sizes, cpus);
      return tc[direction];
    },
    sweep: () => void run("sweep_all"),
    now: () => (run("read_clock") + u32(memory.settings.view, abi.settings.clockOffset)) >>> 0,
    unpin: () => {
      if (directory !== undefined) unpinAll(directory);
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      for (const region of Object.values(memory)) region.close();
      for (const map of Object.values(maps)) map.close();
      for (const fd of Object.values(programs)) closeFd(fd);
      if (tc !== undefined) for (const fd of Object.values(tc)) closeFd(fd);
    },
  };
}

/** The same stages for the tc hook, on the same maps. */
function loadTc(maps: Record<MapName, BpfMap>, sizes: Sizes, cpus: number): Record<TcHook, number> {
  const object = BpfObject.open(objectPath("lvs_tc.bpf.o"), { name: "lvs_tc" });
  try {
    prepare(object, sizes, cpus);
    for (const { name } of object.maps()) if (isMapName(name)) object.reuseMap(name, maps[name].fd);
    object.load();
    return { ingress: dupFd(object.programFd("lvs_tc")), egress: dupFd(object.programFd("lvs_tc_out")) };
  } finally {
    object.close();
  }
}

const isMapName = (name: string): name is MapName => (MAPS as readonly string[]).includes(name);

const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(Math.max(n, 1)));

function roundSizes({ capacity, maxServices, maxDests }: Sizes): Sizes {
  return { capacity: Math.max(powerOfTwo(capacity), 64), maxServices, maxDests };
}

const bucketsFor = (capacity: number): number => powerOfTwo((capacity * ENTRIES_PER_CONN) / (BUCKET_ENTRIES * BUCKET_LOAD));

function prepare(object: BpfObject, { capacity, maxServices, maxDests }: Sizes, cpus: number): void {
  const row = counterRow({ capacity, maxServices, maxDests });
  object.setMaxEntries("conns", capacity + cpus); // one per CPU for one-packet conns
  object.setMaxEntries("free_slots", capacity);
  object.setMaxEntries("buckets", bucketsFor(capacity));
  object.setMaxEntries("services", maxServices);
  object.setMaxEntries("service_states", maxServices + 1);
  object.setMaxEntries("dests", maxDests + 1);
  object.setMaxEntries("members", memberPlaces(maxDests));
  object.setMaxEntries("counters", cpus * row);
  object.setMaxEntries("exits", cpus * EXIT_ROW);
  const limits = object.initialValue(".rodata.limits");
  const view = viewOf(limits);
  setU32(view, abi.limits.capacity, capacity);
  setU32(view, abi.limits.bucketMask, bucketsFor(capacity) - 1);
  setU32(view, abi.limits.counterRow, row);
  setU32(view, abi.limits.maxDests, maxDests);
  object.setInitialValue(".rodata.limits", limits);
}

/** Places in `members`: lists with room to be written anew beside the old, and hash tables. */
export const memberPlaces = (maxDests: number): number => maxDests * MEMBERS_PER_DEST * 2 + HASH_TABLES;
/** Counters of dests 0..maxDests, then of services 0..maxServices. */
export const counterRow = (sizes: Sizes): number => sizes.maxDests + 1 + sizes.maxServices + 1;

function initialize(memory: Readonly<Record<Mapped, Region>>, sizes: Sizes, cpus: number, hz: number): void {
  const settings = memory.settings;
  settings.bytes.set(randomBytes(16), abi.settings.seed);
  setU32(settings.view, abi.settings.hz, hz);
  setU32(settings.view, abi.settings.generation, 1);
  const identity = memory.identity.view;
  identity.setBigUint64(abi.identity.layout, abi.LAYOUT, true);
  identity.setBigUint64(abi.identity.netnsCookie, netnsCookie(), true);
  setU32(identity, abi.identity.capacity, sizes.capacity);
  setU32(identity, abi.identity.maxDests, sizes.maxDests);
  setU32(identity, abi.identity.cpus, cpus);
}

/** CONFIG_HZ is one of four; count jiffies over a while and take the nearest. */
function measureHz(clock: number): number {
  const read = () => testRun(clock, { data: new Uint8Array(64) }).retval;
  const from = read();
  const startedAt = process.hrtime.bigint();
  const until = startedAt + 50_000_000n;
  while (process.hrtime.bigint() < until);
  const jiffies = (read() - from) >>> 0;
  const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
  const measured = jiffies / seconds;
  return [100, 250, 300, 1000].reduce((best, hz) => (Math.abs(hz - measured) < Math.abs(best - measured) ? hz : best));
}

/** All maps of an earlier lvsd of this namespace, or undefined when there is none (leftovers of a namespace gone are removed). */
function openPinnedMaps(directory: string): Record<MapName, BpfMap> | undefined {
  if (!existsSync(join(directory, "identity"))) {
    unpinAll(directory);
    return undefined;
  }
  const identity = BpfMap.pinned(join(directory, "identity"));
  const value = new Uint8Array(identity.info.valueSize);
  identity.lookup(new Uint8Array(4), value);
  identity.close();
  const view = viewOf(value);
  if (value.length >= 16 && view.getBigUint64(abi.identity.netnsCookie, true) !== netnsCookie()) {
    unpinAll(directory);
    return undefined;
  }
  const layout = view.getBigUint64(abi.identity.layout, true);
  if (value.length !== abi.identity.size || layout !== abi.LAYOUT)
    throw new Fault(
      "adopt data path",
      LAYOUT_FAULT,
      `the tables pinned in ${directory} were made by another version of lvsd (layout ${layout.toString(16)}, ours ${abi.LAYOUT.toString(16)}); they forward on. To start anew, dropping their connections, stop them with that version, or remove ${directory}`,
    );
  try {
    return Object.fromEntries(MAPS.map((name) => [name, BpfMap.pinned(join(directory, name))])) as Record<MapName, BpfMap>;
  } catch (error) {
    throw new Fault("adopt data path", LAYOUT_FAULT, `${directory} is incomplete: ${explain(error)}`, error);
  }
}

function sizesOf(maps: Record<MapName, BpfMap>): Sizes {
  return {
    capacity: maps.free_slots.info.maxEntries,
    maxServices: maps.services.info.maxEntries,
    maxDests: maps.dests.info.maxEntries - 1,
  };
}

function pinMaps(directory: string, maps: Record<MapName, BpfMap>): void {
  mkdirSync(directory, { recursive: true });
  // The identity last: it says that the others are there.
  for (const name of [...MAPS].sort((a, b) => Number(a === "identity") - Number(b === "identity"))) {
    const path = join(directory, name);
    if (existsSync(path)) unlinkSync(path);
    pin(maps[name].fd, path);
  }
}

export function unpinAll(directory: string): void {
  if (!existsSync(directory) || !statSync(directory).isDirectory()) return;
  for (const name of readdirSync(directory)) unlinkSync(join(directory, name));
  rmdirSync(directory);
}
