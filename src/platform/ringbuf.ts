import { mapInfo } from "./bpf.ts";
import { mapMemory } from "./mmap.ts";
import { watchFd } from "./poll.ts";
import { closeFd, dupFd, pageSize } from "./process.ts";

/**
 * A record, in place: `length` bytes from `at`, for the time of the call only. The view covers the whole ring, so nothing
 * is allocated per record.
 */
export type RecordHandler = (view: DataView, at: number, length: number) => void;

export interface RingBuffer {
  /** Hands over what is there now and says how many records; otherwise that happens when the kernel says so. */
  consume(): number;
  close(): void;
}

const BUSY = 0x8000_0000;
const DISCARDED = 0x4000_0000;
const LENGTH = 0x3fff_ffff;
const HEADER = 8;

/**
 * Follows a BPF_MAP_TYPE_RINGBUF. Its memory is one page with the consumer's position, one with the producer's, then the
 * data, mapped twice in a row so that no record is ever in two pieces. Positions only grow; a record's header is its
 * length with two flags, and records are padded to 8 bytes (kernel: Documentation/bpf/ringbuf.rst).
 * The descriptor stays the caller's. The event loop stays alive until close().
 */
export function openRingBuffer(mapFd: number, onRecord: RecordHandler): RingBuffer {
  const size = mapInfo(mapFd).maxEntries;
  const fd = dupFd(mapFd); // one poll for one descriptor
  const consumerPage = mapMemory(fd, pageSize, { writable: true });
  const producerPages = mapMemory(fd, pageSize + 2 * size, { offset: pageSize });
  const consumed = new BigUint64Array(consumerPage.buffer, 0, 1);
  const produced = new BigUint64Array(producerPages.buffer, 0, 1);
  const headers = new Uint32Array(producerPages.buffer);
  const view = new DataView(producerPages.buffer);
  let position = Number(Atomics.load(consumed, 0));
  let open = true;

  /** Up to where the producer is now, not to where it gets meanwhile, so that the event loop has its turn. */
  function consume(): number {
    let records = 0;
    const end = open ? Number(Atomics.load(produced, 0)) : position;
    while (open && position < end) {
      const at = pageSize + (position % size);
      const header = Atomics.load(headers, at / 4);
      if (header & BUSY) break; // reserved, not yet submitted; the submission wakes us
      const length = header & LENGTH;
      position += Math.ceil((length + HEADER) / 8) * 8;
      try {
        if (!(header & DISCARDED)) onRecord(view, at + HEADER, length);
      } finally {
        if (open) Atomics.store(consumed, 0, BigInt(position));
      }
      records += header & DISCARDED ? 0 : 1;
    }
    return records;
  }

  const watch = watchFd(fd, consume);
  return {
    consume,
    close() {
      if (!open) return;
      open = false;
      watch.close();
      producerPages.close();
      consumerPage.close();
      closeFd(fd);
    },
  };
}
