import { ipFromBytes } from "../../net/ip.ts";
import type { DestSpec, ServiceKey, ServiceSpec } from "../director.ts";
import type { Snapshot } from "../records.ts";
import * as abi from "./abi.gen.ts";
import { methodName, readKey, schedFlagsOf, schedulerName, swap32, tunnelChecksums, tunnelTypes } from "./keys.ts";
import type { DataPath } from "./loader.ts";
import { addr, port, u16, u32, viewOf } from "./memory.ts";
import { readLocalAddress, readMembers } from "./mirror.ts";

/** A service's local addresses stand in records whose conns go on counting on them. */
type AdoptedService = Snapshot["services"][number] & { readonly localRecords: readonly number[] };
export interface Adopted extends Snapshot {
  readonly services: readonly AdoptedService[];
  readonly markInterfaces: readonly string[];
}

/** What an earlier lvsd's maps say of its table. */
export function readSnapshot(path: DataPath): Adopted {
  const notes = readNotes(path);
  return {
    services: readServices(path),
    trash: readTrash(path),
    timeouts: notes.timeouts,
    settings: notes.settings,
    daemons: notes.daemons,
    markInterfaces: notes.markInterfaces,
  };
}

interface Notes extends Pick<Snapshot, "timeouts" | "settings" | "daemons"> {
  /** Those that mark rules name, see MarkTable. */
  readonly markInterfaces: readonly string[];
}

/** What the data path does not need and the next lvsd does, as JSON text in a map of its own. */
export function writeNotes(path: DataPath, notes: Notes): void {
  const text = new TextEncoder().encode(JSON.stringify(notes));
  const { bytes } = path.memory.notes;
  if (text.length >= bytes.length) throw new RangeError(`${text.length} bytes of notes do not fit into ${bytes.length}`);
  bytes.fill(0);
  bytes.set(text);
}

function readNotes(path: DataPath): Notes {
  const { bytes } = path.memory.notes;
  const text = new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  const none: Notes = { timeouts: { tcp: 900, tcpFin: 120, udp: 300 }, settings: {}, daemons: [], markInterfaces: [] };
  return text === "" ? none : { ...none, ...(JSON.parse(text) as Partial<Notes>) };
}

const BATCH = 1024;

function readServices(path: DataPath): AdoptedService[] {
  const services: AdoptedService[] = [];
  const keys = new Uint8Array(BATCH * abi.serviceKey.size);
  const values = new Uint8Array(BATCH * abi.service.size);
  for (const cursor = path.services.newCursor(); !cursor.done; ) {
    const count = path.services.lookupBatch(cursor, keys, values);
    for (let i = 0; i < count; i++) services.push(readService(path, keys, values, i));
  }
  return services.sort((a, b) => a.id - b.id);
}

function readService(path: DataPath, keys: Uint8Array, values: Uint8Array, i: number): AdoptedService {
  const view = viewOf(values);
  const at = i * abi.service.size;
  const key = readKey(keys, viewOf(keys), i * abi.serviceKey.size);
  const flags = u32(view, at + abi.service.flags);
  const isIpv6 = keys[i * abi.serviceKey.size + abi.serviceKey.family] === 6;
  const netmask = u32(view, at + abi.service.netmask);
  const spec: ServiceSpec = {
    key,
    scheduler: schedulerName(u32(view, at + abi.service.scheduler)),
    schedFlags: schedFlagsOf(flags),
    persistSeconds: u32(view, at + abi.service.persistSeconds),
    netmask: isIpv6 ? netmask : swap32(netmask),
    onePacket: (flags & abi.serviceFlag["one-packet"]) !== 0,
    pe: "",
  };
  const members = readMembers(path, u32(view, at + abi.service.list), u32(view, at + abi.service.count));
  const pool = readMembers(path, u32(view, at + abi.service.laddrs), u32(view, at + abi.service.laddrCount));
  return {
    id: u32(view, at + abi.service.id),
    spec,
    dests: members.map((id) => ({ id, ...readDest(path, id) })),
    localAddresses: pool.map((record) => readLocalAddress(path, record).addr),
    localRecords: pool,
  };
}

function readTrash(path: DataPath): Snapshot["trash"] {
  const { view, bytes } = path.memory.dests;
  const trash: Snapshot["trash"][number][] = [];
  for (let id = 1; id <= path.sizes.maxDests; id++) {
    const at = path.memory.dests.at(id);
    if (u16(view, at + abi.dest.life) !== abi.destLife["in-trash"]) continue;
    const key: ServiceKey = readKey(bytes, view, at + abi.dest.of);
    trash.push({ id, serviceId: u32(view, at + abi.dest.service), key, ...readDest(path, id) });
  }
  return trash;
}

/** A dest as the data path knows it, in a service or in the trash. */
export function readDest(path: DataPath, id: number): { spec: DestSpec; lastWeight: number } {
  const { view, bytes } = path.memory.dests;
  const at = path.memory.dests.at(id);
  const connFlags = u16(view, at + abi.dest.connFlags);
  const method = methodName(bytes[at + abi.dest.method] ?? 0);
  const spec: DestSpec = {
    addr:
      bytes[at + abi.dest.family] === 0
        ? ipFromBytes(new Uint8Array(4))
        : addr(bytes, at + abi.dest.addr, bytes[at + abi.dest.family] ?? 4),
    port: port(view, at + abi.dest.port),
    method: method === "local" || method === "bypass" ? "route" : method,
    weight: u32(view, at + abi.dest.weight),
    upper: u32(view, at + abi.dest.upper),
    lower: u32(view, at + abi.dest.lower),
    tunnel: {
      type: tunnelTypes[bytes[at + abi.dest.tunType] ?? 0] ?? "ipip",
      port: port(view, at + abi.dest.tunPort),
      checksum: tunnelChecksums[bytes[at + abi.dest.tunFlags] ?? 0] ?? "none",
    },
    toa: (connFlags & abi.connFlag.toa) !== 0,
  };
  return { spec, lastWeight: u32(view, at + abi.dest.lastWeight) };
}
