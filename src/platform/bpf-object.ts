import { Fault } from "../fault.ts";
import { BpfMap } from "./bpf-map.ts";
import { addressOf, cString, errno, type Pointer, struct, viewOf } from "./koffi.ts";
import { checkBpf, libbpf, withLog } from "./libbpf.ts";
import { dupFd } from "./process.ts";

export interface ObjectOptions {
  /** The object's name, which the kernel's names of .rodata and its like begin with. Default: the file's. */
  readonly name?: string;
  /** How many lines of the log (its end says what is wrong) a Fault of load() carries. Default 12. */
  readonly logLines?: number;
}

/** A map as the object file (and the changes made to it here) has it. */
export interface ObjectMap {
  readonly name: string;
  /** -1 before load, and when autocreate is off. Belongs to the object. */
  readonly fd: number;
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
}

export interface ObjectProgram {
  readonly name: string;
  readonly section: string;
  /** A number of enum bpf_prog_type. */
  readonly type: number;
}

/**
 * A compiled BPF object: open, change what is to be changed, load, take what is needed, close. Names that the object does
 * not have are Faults (ENOENT). After close() it must not be used.
 */
export class BpfObject {
  readonly path: string;
  readonly #object: Pointer;
  readonly #logLines: number;
  /** All that libbpf and the verifier said during load(), "" when they were content. */
  log = "";
  #open = true;

  private constructor(path: string, object: Pointer, logLines: number) {
    this.path = path;
    this.#object = object;
    this.#logLines = logLines;
  }

  /** Reads the file. ENOENT: no such file; its other problems are EINVAL or so, with libbpf's words. */
  static open(path: string, { name, logLines = 12 }: ObjectOptions = {}): BpfObject {
    const opts = openOptions(name);
    let code = 0;
    const { result, log } = withLog(() => {
      const object = libbpf().open(path, opts);
      code = errno();
      return object;
    });
    if (!result) throw Fault.fromErrno("open BPF object", code, [path, ...lastLines(log, logLines)].join("\n"));
    return new BpfObject(path, result, logLines);
  }

  maps(): readonly ObjectMap[] {
    const lib = libbpf();
    const found: ObjectMap[] = [];
    for (let map = lib.nextMap(this.#object, null); map; map = lib.nextMap(this.#object, map))
      found.push({
        name: lib.mapName(map),
        fd: lib.mapFd(map),
        type: lib.mapType(map),
        keySize: lib.mapKeySize(map),
        valueSize: lib.mapValueSize(map),
        maxEntries: lib.mapMaxEntries(map),
        flags: lib.mapFlags(map) >>> 0,
      });
    return found;
  }

  programs(): readonly ObjectProgram[] {
    const lib = libbpf();
    const found: ObjectProgram[] = [];
    for (let program = lib.nextProgram(this.#object, null); program; program = lib.nextProgram(this.#object, program))
      found.push({ name: lib.programName(program), section: lib.programSection(program), type: lib.programType(program) });
    return found;
  }

  // Before load.

  setMaxEntries(map: string, entries: number): void {
    this.#did(libbpf().setMaxEntries(this.#map(map), entries), `max entries of ${map}: ${entries}`);
  }

  /** The first contents of ".rodata", ".data" or ".bss", a copy: `const volatile` variables stand in .rodata. */
  initialValue(map: string): Uint8Array {
    const size = new Uint32Array(2);
    const at = libbpf().initialValue(this.#map(map), size);
    if (!at) throw new Fault("initial value", "ENOENT", `map ${map} of ${this.path} has none`);
    return new Uint8Array(viewOf(at, size[0] ?? 0)).slice();
  }

  /** EINVAL when the length is not that of initialValue. */
  setInitialValue(map: string, value: Uint8Array): void {
    this.#did(libbpf().setInitialValue(this.#map(map), value, value.length), `initial value of ${map}`);
  }

  /** Lets the object use a map that exists, instead of making its own. The descriptor stays the caller's. */
  reuseMap(map: string, fd: number): void {
    this.#did(libbpf().reuseFd(this.#map(map), fd), `reuse descriptor ${fd} for ${map}`);
  }

  /** load() takes the map that is pinned there, or makes it and pins it; undefined: no pin. EINVAL: another layout. */
  setPinPath(map: string, path: string | undefined): void {
    this.#did(libbpf().setPinPath(this.#map(map), path ?? null), `pin path of ${map}`);
  }

  /** Whether load() makes this map; programs that use one that was not made are refused. */
  setAutocreate(map: string, on: boolean): void {
    this.#did(libbpf().setAutocreate(this.#map(map), on), `autocreate of ${map}`);
  }

  /** For a map of maps whose source does not say what it holds: like this one. The descriptor stays the caller's. */
  setInnerMap(map: string, fd: number): void {
    this.#did(libbpf().setInnerMapFd(this.#map(map), fd), `inner map of ${map}`);
  }

  /** Whether load() loads this program. */
  setAutoload(program: string, on: boolean): void {
    this.#did(libbpf().setAutoload(this.#program(program), on), `autoload of ${program}`);
  }

  /** For sections whose name does not tell; see programType. */
  setProgramType(program: string, type: number): void {
    this.#did(libbpf().setProgramType(this.#program(program), type), `type of ${program}`);
  }

  /** Makes the maps, loads the programs. The Fault's words end with the last lines of the verifier's log. */
  load(): void {
    const { result, log } = withLog(() => libbpf().load(this.#object));
    this.log = log;
    if (result < 0) throw Fault.fromErrno("load BPF object", -result, [this.path, ...lastLines(log, this.#logLines)].join("\n"));
  }

  // After load.

  /** A map of the object on a descriptor of its own, which outlives the object; the caller closes it. */
  map(name: string): BpfMap {
    return new BpfMap(dupFd(checkBpf("map descriptor", libbpf().mapFd(this.#map(name)), `${name} of ${this.path}`)));
  }

  /** Belongs to the object and is closed with it. */
  programFd(name: string): number {
    return checkBpf("program descriptor", libbpf().programFd(this.#program(name)), `${name} of ${this.path}`);
  }

  /** Maps and programs that nothing else holds (descriptors, pins, links) go with it. */
  close(): void {
    if (this.#open) libbpf().closeObject(this.#object);
    this.#open = false;
  }

  #map(name: string): Pointer {
    const map = libbpf().findMap(this.#object, name);
    if (!map) throw new Fault("find map", "ENOENT", `${this.path} has no map ${name}`);
    return map;
  }

  #program(name: string): Pointer {
    const program = libbpf().findProgram(this.#object, name);
    if (!program) throw new Fault("find program", "ENOENT", `${this.path} has no program ${name}`);
    return program;
  }

  #did(result: number, what: string): void {
    checkBpf("prepare BPF object", result, what);
  }
}

/** bpf_object_open_opts, and behind it in the same buffer the name that it points to. */
function openOptions(name: string | undefined): Uint8Array {
  const size = 80;
  const text = cString(name ?? "");
  const { bytes, view } = struct(size + text.length);
  bytes.set(text, size);
  view.setBigUint64(0, BigInt(size), true);
  if (name !== undefined) view.setBigUint64(8, addressOf(bytes) + BigInt(size), true);
  return bytes;
}

/** Without the frame that libbpf puts round the verifier's log, and without its closing statistics. */
function lastLines(log: string, most: number): string[] {
  const telling = (line: string) =>
    line.trim() !== "" &&
    !/^libbpf: .*(BEGIN|END) PROG LOAD LOG|^-- END PROG LOAD LOG|^libbpf: failed to load object|^processed \d+ insns/.test(line);
  const lines = log.split("\n").filter(telling);
  return lines.length > most ? [`(${lines.length - most} lines before)`, ...lines.slice(-most)] : lines;
}
