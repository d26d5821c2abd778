import { Fault } from "../fault.ts";
import { addressOf, errno, libc, struct, toNumber } from "./koffi.ts";
import { fromSocketAddress, type SocketAddress } from "./sockaddr.ts";

/** recvmsg(2): a datagram with what the kernel says beside it, such as the hop limit of an IPv6 packet. */

const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const EINTR = 4;
const EAGAIN = 11;
const MSGHDR_BYTES = 56;
const CMSG_HEADER = 16;
const CONTROL_BYTES = 256;
const ADDRESS_BYTES = 128;

const recvmsg = libc<(fd: number, message: Uint8Array, flags: number) => number | bigint>(
  "int64_t recvmsg(int fd, void *message, int flags)",
);

export interface Control {
  readonly level: number;
  readonly type: number;
  /** Good until the next call. */
  readonly data: Uint8Array;
}

export interface Message {
  /** Greater than the buffer when the end was cut off. */
  readonly length: number;
  readonly from: SocketAddress;
  readonly controls: readonly Control[];
}

export interface MessageReader {
  /** undefined: there is nothing to read. */
  receive(): Message | undefined;
  /** Memory that the kernel writes to by its address: it must live as long as the reader. */
  readonly kept: readonly Uint8Array[];
}

/** A reader of one descriptor into one buffer. */
export function messageReader(fd: number, into: Uint8Array): MessageReader {
  const control = struct(CONTROL_BYTES);
  const address = new Uint8Array(ADDRESS_BYTES);
  const vector = struct(16);
  vector.view.setBigUint64(0, BigInt(addressOf(into)), true);
  vector.view.setBigUint64(8, BigInt(into.length), true);
  const header = struct(MSGHDR_BYTES);
  const { view } = header;
  view.setBigUint64(0, BigInt(addressOf(address)), true);
  view.setBigUint64(16, BigInt(addressOf(vector.bytes)), true);
  view.setBigUint64(24, 1n, true);
  view.setBigUint64(32, BigInt(addressOf(control.bytes)), true);
  return {
    kept: [into, address, control.bytes, vector.bytes],
    receive() {
      for (;;) {
        view.setUint32(8, ADDRESS_BYTES, true);
        view.setBigUint64(40, BigInt(CONTROL_BYTES), true);
        const length = toNumber(recvmsg(fd, header.bytes, MSG_DONTWAIT | MSG_TRUNC));
        if (length >= 0) {
          const from = fromSocketAddress(address.slice(0, view.getUint32(8, true)));
          return { length, from, controls: controlsOf(control.bytes, Number(view.getBigUint64(40, true))) };
        }
        const code = errno();
        if (code === EAGAIN) return undefined;
        if (code !== EINTR) throw Fault.fromErrno("receive", code, `descriptor ${fd}`);
      }
    },
  };
}

/** struct cmsghdr: length with header, level, type, data; aligned to eight bytes. */
function controlsOf(bytes: Uint8Array, end: number): Control[] {
  const view = new DataView(bytes.buffer);
  const list: Control[] = [];
  for (let at = 0; at + CMSG_HEADER <= end; ) {
    const length = Number(view.getBigUint64(at, true));
    if (length < CMSG_HEADER || at + length > end) break;
    const data = bytes.subarray(at + CMSG_HEADER, at + length);
    list.push({ level: view.getInt32(at + 8, true), type: view.getInt32(at + 12, true), data });
    at += (length + 7) & ~7;
  }
  return list;
}
