import koffi from "koffi";
import { Fault } from "../fault.ts";
import { libc, type Pointer, textAt } from "./koffi.ts";

/** The functions of libbpf 1.x that lvsd uses. Those that return `int` answer -errno for failure. */

type Buffer = Uint8Array | Uint32Array;
type Optional = Buffer | null;

function declare() {
  const lib = koffi.load("libbpf.so.1");
  const fn = <F extends (...args: never[]) => unknown>(declaration: string): F => lib.func(declaration) as unknown as F;
  return {
    setPrint: fn<(print: Pointer | null) => unknown>("void *libbpf_set_print(void *print)"),

    open: fn<(path: string, opts: Buffer) => Pointer | null>("void *bpf_object__open_file(str path, void *opts)"),
    load: fn<(object: Pointer) => number>("int bpf_object__load(void *object)"),
    closeObject: fn<(object: Pointer) => void>("void bpf_object__close(void *object)"),
    nextMap: fn<(object: Pointer, previous: Pointer | null) => Pointer | null>("void *bpf_object__next_map(void *o, void *m)"),
    findMap: fn<(object: Pointer, name: string) => Pointer | null>("void *bpf_object__find_map_by_name(void *o, str name)"),
    nextProgram: fn<(object: Pointer, previous: Pointer | null) => Pointer | null>(
      "void *bpf_object__next_program(void *o, void *p)",
    ),
    findProgram: fn<(object: Pointer, name: string) => Pointer | null>(
      "void *bpf_object__find_program_by_name(void *o, str name)",
    ),

    programFd: fn<(program: Pointer) => number>("int bpf_program__fd(void *program)"),
    programName: fn<(program: Pointer) => string>("str bpf_program__name(void *program)"),
    programSection: fn<(program: Pointer) => string>("str bpf_program__section_name(void *program)"),
    programType: fn<(program: Pointer) => number>("int bpf_program__type(void *program)"),
    setAutoload: fn<(program: Pointer, on: boolean) => number>("int bpf_program__set_autoload(void *program, bool on)"),
    setProgramType: fn<(program: Pointer, type: number) => number>("int bpf_program__set_type(void *program, int type)"),

    mapFd: fn<(map: Pointer) => number>("int bpf_map__fd(void *map)"),
    mapName: fn<(map: Pointer) => string>("str bpf_map__name(void *map)"),
    mapType: fn<(map: Pointer) => number>("int bpf_map__type(void *map)"),
    mapKeySize: fn<(map: Pointer) => number>("uint32_t bpf_map__key_size(void *map)"),
    mapValueSize: fn<(map: Pointer) => number>("uint32_t bpf_map__value_size(void *map)"),
    mapMaxEntries: fn<(map: Pointer) => number>("uint32_t bpf_map__max_entries(void *map)"),
    mapFlags: fn<(map: Pointer) => number>("uint32_t bpf_map__map_flags(void *map)"),
    setMaxEntries: fn<(map: Pointer, entries: number) => number>("int bpf_map__set_max_entries(void *map, uint32_t n)"),
    setAutocreate: fn<(map: Pointer, on: boolean) => number>("int bpf_map__set_autocreate(void *map, bool on)"),
    setPinPath: fn<(map: Pointer, path: string | null) => number>("int bpf_map__set_pin_path(void *map, str path)"),
    setInnerMapFd: fn<(map: Pointer, fd: number) => number>("int bpf_map__set_inner_map_fd(void *map, int fd)"),
    reuseFd: fn<(map: Pointer, fd: number) => number>("int bpf_map__reuse_fd(void *map, int fd)"),
    initialValue: fn<(map: Pointer, size: Buffer) => Pointer | null>("void *bpf_map__initial_value(void *map, void *size)"),
    setInitialValue: fn<(map: Pointer, data: Buffer, size: number) => number>(
      "int bpf_map__set_initial_value(void *map, void *data, size_t size)",
    ),

    createMap: fn<(type: number, name: string, key: number, value: number, entries: number, opts: Buffer) => number>(
      "int bpf_map_create(int type, str name, uint32_t key, uint32_t value, uint32_t entries, void *opts)",
    ),
    lookup: fn<(fd: number, key: Buffer, value: Buffer) => number>("int bpf_map_lookup_elem(int fd, void *k, void *v)"),
    lookupAndDelete: fn<(fd: number, key: Buffer, value: Buffer) => number>(
      "int bpf_map_lookup_and_delete_elem(int fd, void *k, void *v)",
    ),
    update: fn<(fd: number, key: Buffer, value: Buffer, flags: number) => number>(
      "int bpf_map_update_elem(int fd, void *k, void *v, uint64_t flags)",
    ),
    delete: fn<(fd: number, key: Buffer) => number>("int bpf_map_delete_elem(int fd, void *k)"),
    nextKey: fn<(fd: number, key: Optional, next: Buffer) => number>("int bpf_map_get_next_key(int fd, void *k, void *next)"),
    lookupBatch: fn<(fd: number, from: Optional, to: Buffer, keys: Buffer, values: Buffer, count: Buffer, opts: null) => number>(
      "int bpf_map_lookup_batch(int fd, void *from, void *to, void *keys, void *values, void *count, void *opts)",
    ),
    updateBatch: fn<(fd: number, keys: Buffer, values: Buffer, count: Buffer, opts: Optional) => number>(
      "int bpf_map_update_batch(int fd, void *keys, void *values, void *count, void *opts)",
    ),
    deleteBatch: fn<(fd: number, keys: Buffer, count: Buffer, opts: null) => number>(
      "int bpf_map_delete_batch(int fd, void *keys, void *count, void *opts)",
    ),

    pin: fn<(fd: number, path: string) => number>("int bpf_obj_pin(int fd, str path)"),
    get: fn<(path: string) => number>("int bpf_obj_get(str path)"),
    info: fn<(fd: number, info: Buffer, size: Buffer) => number>("int bpf_obj_get_info_by_fd(int fd, void *info, void *size)"),
    mapById: fn<(id: number) => number>("int bpf_map_get_fd_by_id(uint32_t id)"),
    programById: fn<(id: number) => number>("int bpf_prog_get_fd_by_id(uint32_t id)"),
    linkById: fn<(id: number) => number>("int bpf_link_get_fd_by_id(uint32_t id)"),
    enableStats: fn<(type: number) => number>("int bpf_enable_stats(int type)"),
    testRun: fn<(fd: number, opts: Buffer) => number>("int bpf_prog_test_run_opts(int fd, void *opts)"),

    linkCreate: fn<(program: number, target: number, attachType: number, opts: Buffer) => number>(
      "int bpf_link_create(int program, int target, int type, void *opts)",
    ),
    linkUpdate: fn<(link: number, program: number, opts: Optional) => number>(
      "int bpf_link_update(int link, int program, void *opts)",
    ),
    linkDetach: fn<(link: number) => number>("int bpf_link_detach(int link)"),
    tcHookCreate: fn<(hook: Buffer) => number>("int bpf_tc_hook_create(void *hook)"),
    tcHookDestroy: fn<(hook: Buffer) => number>("int bpf_tc_hook_destroy(void *hook)"),
    tcAttach: fn<(hook: Buffer, opts: Buffer) => number>("int bpf_tc_attach(void *hook, void *opts)"),
    tcDetach: fn<(hook: Buffer, opts: Buffer) => number>("int bpf_tc_detach(void *hook, void *opts)"),
    tcQuery: fn<(hook: Buffer, opts: Buffer) => number>("int bpf_tc_query(void *hook, void *opts)"),
  };
}

export type Libbpf = ReturnType<typeof declare>;
let loaded: Libbpf | undefined;

/** libbpf, loaded at the first call. Throws a Fault (ENOENT) that says what to install when it is not there. */
export const libbpf = (): Libbpf => loaded ?? loadLibbpf();

function loadLibbpf(): Libbpf {
  try {
    loaded = declare();
  } catch (cause) {
    throw new Fault("load libbpf", "ENOENT", "libbpf.so.1 (1.0 or later) is needed; Debian: apt install libbpf1", cause);
  }
  loaded.setPrint(null); // it would write to standard error
  return loaded;
}

/** The result of a libbpf call that answers -errno for failure; that becomes a Fault. */
export function checkBpf(op: string, result: number, detail: string): number {
  if (result < 0) throw Fault.fromErrno(op, -result, detail);
  return result;
}

const vsnprintf = libc<(to: Uint8Array, size: number, format: Pointer, args: Pointer) => number>(
  "int vsnprintf(void *to, size_t size, void *format, void *args)", // a va_list is passed by address on x86-64 and arm64
);
const DEBUG = 2;
const LINE = 8 << 10;
const VERIFIER_LOG = (16 << 20) + LINE; // the most that the kernel writes, and libbpf's frame around it

/**
 * Runs `call` and gathers what libbpf has to say meanwhile, the verifier's log included. libbpf has one place for the
 * function that it prints with, so two threads must not do this at the same time.
 */
export function withLog<T>(call: () => T): { result: T; log: string } {
  let log = "";
  const { setPrint } = libbpf();
  const print = koffi.register((level: number, format: Pointer, args: Pointer) => {
    if (level === DEBUG) return 0;
    const line = new Uint8Array(textAt(format).includes("LOAD LOG") ? VERIFIER_LOG : LINE);
    const length = Math.min(vsnprintf(line, line.length, format, args), line.length - 1);
    log += new TextDecoder().decode(line.subarray(0, length));
    return 0;
  }, koffi.pointer(printType()));
  try {
    setPrint(print);
    return { result: call(), log };
  } finally {
    setPrint(null);
    koffi.unregister(print);
  }
}

let printed: ReturnType<typeof koffi.proto> | undefined;
const printType = () => (printed ??= koffi.proto("int", ["int", "void *", "void *"]));
