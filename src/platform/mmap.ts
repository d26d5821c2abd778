import { Fault } from "../fault.ts";
import { errno, libc, type Pointer, viewOf } from "./koffi.ts";

/** Files and BPF maps as memory. */

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const MOST = 2 ** 32; // what one ArrayBuffer holds

const c = {
  mmap: libc<(at: null, length: number, prot: number, flags: number, fd: number, offset: number) => Pointer>(
    "void *mmap(void *at, size_t length, int prot, int flags, int fd, int64_t offset)",
  ),
  munmap: libc<(at: Pointer, length: number) => number>("int munmap(void *at, size_t length)"),
};

/**
 * Shared memory. `buffer` is the memory itself: what the kernel or another process writes is seen at once, and DataViews,
 * typed arrays and Atomics work on it. Two things crash the process rather than throw: writing to a mapping that was
 * not asked to be writable, and touching any view of it after close().
 */
export interface Mapping {
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array;
  close(): void;
}

export interface MappingOptions {
  readonly writable?: boolean;
  /** Bytes from the start of the file, a multiple of the page size. */
  readonly offset?: number;
}

/** Maps `length` bytes (1..2^32) of a descriptor. BPF array maps must have been made with BPF_F_MMAPABLE (else EINVAL). */
export function mapMemory(fd: number, length: number, { writable = false, offset = 0 }: MappingOptions = {}): Mapping {
  if (length > MOST) throw new Fault("mmap", "E2BIG", `${length} bytes; one view holds ${MOST}`);
  const prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  const at = c.mmap(null, length, prot, MAP_SHARED, fd, offset);
  if (at === MAP_FAILED) throw Fault.fromErrno("mmap", errno(), `${length} bytes of descriptor ${fd}`);
  const buffer = viewOf(at, length);
  let open = true;
  return {
    buffer,
    bytes: new Uint8Array(buffer),
    close() {
      if (open) c.munmap(at, length);
      open = false;
    },
  };
}
