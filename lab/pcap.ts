import { Fault } from "../src/fault.ts";

const MAGIC = 0xa1b2c3d4; // microseconds, in the byte order of the machine that wrote the file
const FILE_HEADER = 24; // bytes
const RECORD_HEADER = 16;

/** The frames of a pcap file as tcpdump writes it. An unfinished last record (a capture that was cut off) is left out. */
export function readPcap(file: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const isLittle = view.byteLength >= FILE_HEADER && view.getUint32(0, true) === MAGIC;
  if (!isLittle && (view.byteLength < FILE_HEADER || view.getUint32(0, false) !== MAGIC)) {
    throw new Fault("read pcap", "EINVAL", "not a pcap file");
  }
  const frames: Uint8Array[] = [];
  for (let at = FILE_HEADER; at + RECORD_HEADER <= view.byteLength; ) {
    const captured = view.getUint32(at + 8, isLittle);
    at += RECORD_HEADER;
    if (at + captured > view.byteLength) break;
    frames.push(file.subarray(at, at + captured));
    at += captured;
  }
  return frames;
}
