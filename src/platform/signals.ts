import koffi from "koffi";
import { Fault } from "../fault.ts";
import { libc, type Pointer, struct } from "./koffi.ts";

/**
 * Realtime signals, which process.on() has no names for. libuv has: its handler only writes to a pipe of the event loop, and
 * the callback comes from the loop, as for the signals that Node knows.
 */

/** uv_handle_type: the size of a handle is asked of the libuv that node runs with. */
const UV_SIGNAL = 16;

const uv = {
  loop: libc<() => Pointer>("void *uv_default_loop()"),
  sizeOf: libc<(type: number) => number | bigint>("size_t uv_handle_size(int type)"),
  init: libc<(loop: Pointer, handle: Uint8Array) => number>("int uv_signal_init(void *loop, void *handle)"),
  stop: libc<(handle: Uint8Array) => number>("int uv_signal_stop(void *handle)"),
  unref: libc<(handle: Uint8Array) => void>("void uv_unref(void *handle)"),
};
const Heard = koffi.proto("void lvsdSignal(void *handle, int signal)");
const start = libc<(handle: Uint8Array, heard: Pointer, signal: number) => number>(
  "int uv_signal_start(void *handle, lvsdSignal *heard, int signal)",
);

/** Handles are libuv's for as long as the process lives: they must not be collected. */
const handles: Uint8Array[] = [];

/** Calls back, from the event loop, each time the signal has come; several that come at once may be one. Main thread only. */
export function onSignal(signal: number, heard: () => void): void {
  const handle = struct(Number(uv.sizeOf(UV_SIGNAL))).bytes;
  const callback = koffi.register(() => void setImmediate(heard), koffi.pointer(Heard));
  succeed("uv_signal_init", uv.init(uv.loop(), handle));
  succeed("uv_signal_start", start(handle, callback as unknown as Pointer, signal));
  uv.unref(handle);
  handles.push(handle);
}

/** libuv answers with errno, negative. */
function succeed(op: string, result: number): void {
  if (result < 0) throw Fault.fromErrno(op, -result, "signal");
}
