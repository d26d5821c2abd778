import { closeSync, openSync, readSync } from "node:fs";
import { Fault } from "../../fault.ts";

const PIECE_BYTES = 64 * 1024;

/** The text of a file of /proc in pieces, as they are asked for; it is closed when nobody asks any more. */
export function* readPieces(path: string): Generator<string> {
  const fd = open(path);
  const buffer = new Uint8Array(PIECE_BYTES);
  const decoder = new TextDecoder();
  try {
    for (let length = readSync(fd, buffer); length > 0; length = readSync(fd, buffer))
      yield decoder.decode(buffer.subarray(0, length), { stream: true });
  } finally {
    closeSync(fd);
  }
}

function open(path: string): number {
  try {
    return openSync(path, "r");
  } catch (cause) {
    throw new Fault("list conns", (cause as NodeJS.ErrnoException).code ?? "EIO", path, cause);
  }
}
