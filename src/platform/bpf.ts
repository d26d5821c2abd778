import { addressOf, fixedText, struct } from "./koffi.ts";
import { checkBpf, libbpf } from "./libbpf.ts";

/** What bpf(2) does with any descriptor of its own: pins, ids, and what is known about maps, programs and links. */

export interface MapInfo {
  readonly id: number;
  /** At most 15 characters. */
  readonly name: string;
  /** A number of enum bpf_map_type, see mapType. */
  readonly type: number;
  /** Bytes. */
  readonly keySize: number;
  /** Bytes of one value, without the padding and the copies of a per-CPU map. */
  readonly valueSize: number;
  readonly maxEntries: number;
  /** BPF_F_*, see mapFlag. */
  readonly flags: number;
}

export interface ProgramInfo {
  readonly id: number;
  readonly name: string;
  /** A number of enum bpf_prog_type, see programType. */
  readonly type: number;
  /** A hash of the instructions, 16 hexadecimal digits: the same program has the same tag. */
  readonly tag: string;
  /** Bytes, as the verifier left it and as machine code (0: not compiled). */
  readonly xlatedLength: number;
  readonly jitedLength: number;
  /** Instructions that the verifier walked, of at most a million; 0 before kernel 5.16. */
  readonly verifiedInstructions: number;
  /** Time and number of runs, counted only while somebody holds enableRunStats(). */
  readonly runTimeNs: number;
  readonly runCount: number;
  readonly mapIds: readonly number[];
}

export interface LinkInfo {
  readonly id: number;
  /** A number of enum bpf_link_type; XDP is 6. */
  readonly type: number;
  readonly programId: number;
  /** The interface of an XDP link; 0 when it is gone. */
  readonly ifindex: number;
}

/** Numbers of enum bpf_map_type. */
export const mapType = {
  hash: 1,
  array: 2,
  progArray: 3,
  percpuHash: 5,
  percpuArray: 6,
  lruHash: 9,
  lruPercpuHash: 10,
  lpmTrie: 11,
  arrayOfMaps: 12,
  hashOfMaps: 13,
  devmap: 14,
  ringbuf: 27,
} as const;

/** BPF_F_* of maps. */
export const mapFlag = { noPrealloc: 1, rdonlyProg: 1 << 7, mmapable: 1 << 10, innerMap: 1 << 12 } as const;

/** Numbers of enum bpf_prog_type. */
export const programType = { schedCls: 3, xdp: 6, syscall: 31 } as const;

/** Makes a map, program or link outlive its descriptors, under a new name on a bpffs. EEXIST when the name is taken. */
export function pin(fd: number, path: string): void {
  checkBpf("pin", libbpf().pin(fd, path), path);
}

/** A descriptor for what is pinned at a path. ENOENT when nothing is. The caller closes it. */
export const openPinned = (path: string): number => checkBpf("open pinned", libbpf().get(path), path);

/** Descriptors by id, as in the infos. ENOENT when gone. The caller closes them. */
export const openMapById = (id: number): number => checkBpf("open map", libbpf().mapById(id), `id ${id}`);
export const openProgramById = (id: number): number => checkBpf("open program", libbpf().programById(id), `id ${id}`);
export const openLinkById = (id: number): number => checkBpf("open link", libbpf().linkById(id), `id ${id}`);

/** Has the kernel count run time and runs of all programs while the returned descriptor is open (some 20 ns a run). */
export const enableRunStats = (): number => checkBpf("enable run statistics", libbpf().enableStats(0), "bpf(BPF_ENABLE_STATS)");

export function mapInfo(fd: number): MapInfo {
  const { bytes, view } = struct(88);
  getInfo(fd, bytes);
  return {
    id: view.getUint32(4, true),
    name: fixedText(bytes, 24, 16),
    type: view.getUint32(0, true),
    keySize: view.getUint32(8, true),
    valueSize: view.getUint32(12, true),
    maxEntries: view.getUint32(16, true),
    flags: view.getUint32(20, true),
  };
}

export function programInfo(fd: number): ProgramInfo {
  const { bytes, view } = struct(232);
  getInfo(fd, bytes);
  const mapIds = new Uint32Array(view.getUint32(52, true));
  if (mapIds.length > 0) {
    bytes.fill(0);
    view.setUint32(52, mapIds.length, true);
    view.setBigUint64(56, addressOf(mapIds), true);
    getInfo(fd, bytes);
  }
  return {
    id: view.getUint32(4, true),
    name: fixedText(bytes, 64, 16),
    type: view.getUint32(0, true),
    tag: Array.from(bytes.subarray(8, 16), (byte) => byte.toString(16).padStart(2, "0")).join(""),
    xlatedLength: view.getUint32(20, true),
    jitedLength: view.getUint32(16, true),
    verifiedInstructions: view.getUint32(216, true),
    runTimeNs: Number(view.getBigUint64(192, true)),
    runCount: Number(view.getBigUint64(200, true)),
    mapIds: Array.from(mapIds),
  };
}

export function linkInfo(fd: number): LinkInfo {
  const { bytes, view } = struct(48);
  getInfo(fd, bytes);
  return {
    id: view.getUint32(4, true),
    type: view.getUint32(0, true),
    programId: view.getUint32(8, true),
    ifindex: view.getUint32(16, true),
  };
}

/** BPF_OBJ_GET_INFO_BY_FD: the kernel fills as much as it knows and leaves the rest zero. */
function getInfo(fd: number, info: Uint8Array): void {
  checkBpf("bpf info", libbpf().info(fd, info, new Uint32Array([info.length])), `descriptor ${fd}`);
}
