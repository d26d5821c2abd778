import koffi from "koffi";
import { Fault } from "../fault.ts";

/** How C is reached. Only this folder knows that koffi is how. */

/** An address in C's memory; 0n is NULL. */
export type Pointer = bigint;

const self = koffi.load(null); // what node itself is linked with: libc

/** A function of libc by its C declaration. Buffers are passed as `void *` and not copied. */
export const libc = <F extends (...args: never[]) => unknown>(declaration: string): F => self.func(declaration) as unknown as F;

/** The errno of the last libc call of this thread. Read it at once. */
export const errno = (): number => koffi.errno();

/** The result of a libc call that answers -1 for failure; that becomes a Fault. */
export function check(op: string, result: number, detail: string): number {
  if (result === -1) throw Fault.fromErrno(op, errno(), detail);
  return result;
}

/**
 * Where a buffer's bytes are. Good as long as the buffer lives (V8 does not move them), so keep a reference to it beside
 * the address. An empty buffer may have any address.
 */
export const addressOf = (bytes: ArrayBufferView): Pointer => koffi.address(bytes);

/** 64-bit results come as number when they fit and as bigint when not; here always as number, exact to 2^53. */
export const toNumber = (value: number | bigint): number => Number(value);

/** The text at an address, "" for NULL. */
export const textAt = (pointer: Pointer | null): string => (pointer ? koffi.decode.string(pointer) : "");

/** C's memory seen as an ArrayBuffer, not copied. It must not be touched once C has freed the memory. Up to 4 GiB. */
export const viewOf = (pointer: Pointer, length: number): ArrayBuffer => koffi.view(pointer, length);

/** A zeroed C struct. `bytes` is what is passed, `view` is how its members are read and written (little endian). */
export interface Struct {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

export function struct(size: number): Struct {
  const bytes = new Uint8Array(size);
  return { bytes, view: new DataView(bytes.buffer) };
}

/** libbpf's option structs begin with their own size, which is how it tells versions apart. */
export function options(size: number): Struct {
  const made = struct(size);
  made.view.setBigUint64(0, BigInt(size), true);
  return made;
}

/** A C string and its terminating zero. */
export const cString = (text: string): Uint8Array => new TextEncoder().encode(`${text}\0`);

/** A name of a fixed width, as in `char name[16]`. */
export function fixedText(bytes: Uint8Array, at: number, width: number): string {
  const end = bytes.indexOf(0, at);
  return new TextDecoder().decode(bytes.subarray(at, end < 0 ? at + width : Math.min(end, at + width)));
}
