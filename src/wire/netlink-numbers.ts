import { littleEndian, viewOf } from "./netlink.ts";

/** Numbers in attributes: in the host's order, or ("be") in network order. Readers give undefined where bytes are missing. */

type Bytes = Uint8Array | undefined;

function numberBytes(size: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(size);
  write(viewOf(bytes));
  return bytes;
}

function readNumber<T>(bytes: Bytes, size: number, read: (view: DataView) => T): T | undefined {
  return bytes === undefined || bytes.length < size ? undefined : read(viewOf(bytes));
}

export const uint8Bytes = (n: number): Uint8Array => Uint8Array.of(n);
export const uint16Bytes = (n: number): Uint8Array => numberBytes(2, (view) => view.setUint16(0, n, littleEndian));
export const be16Bytes = (n: number): Uint8Array => numberBytes(2, (view) => view.setUint16(0, n));
export const be32Bytes = (n: number): Uint8Array => numberBytes(4, (view) => view.setUint32(0, n));
export const uint64Bytes = (n: number): Uint8Array => numberBytes(8, (view) => view.setBigUint64(0, BigInt(n), littleEndian));

export const readUint8 = (bytes: Bytes): number | undefined => readNumber(bytes, 1, (view) => view.getUint8(0));
export const readUint16 = (bytes: Bytes): number | undefined => readNumber(bytes, 2, (view) => view.getUint16(0, littleEndian));
export const readBe16 = (bytes: Bytes): number | undefined => readNumber(bytes, 2, (view) => view.getUint16(0));
export const readBe32 = (bytes: Bytes): number | undefined => readNumber(bytes, 4, (view) => view.getUint32(0));
/** Exact to 2^53. */
export const readUint64 = (bytes: Bytes): number | undefined =>
  readNumber(bytes, 8, (view) => Number(view.getBigUint64(0, littleEndian)));
