import { check, libc } from "./koffi.ts";
import { closeFd } from "./process.ts";

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;

const c = {
  socket: libc<(family: number, type: number, protocol: number) => number>("int socket(int family, int type, int protocol)"),
  sendto: libc<(fd: number, data: Uint8Array, size: number, flags: number, to: Uint8Array, toSize: number) => number>(
    "int64_t sendto(int fd, void *data, size_t size, int flags, void *to, uint32_t toSize)",
  ),
};

/**
 * Tells the service manager, as sd_notify(3): "READY=1", "STOPPING=1", "STATUS=…", lines of them. False when nobody wants
 * to know ($NOTIFY_SOCKET is not set).
 */
export function notifyManager(state: string, socketPath: string | undefined = process.env.NOTIFY_SOCKET): boolean {
  if (!socketPath) return false;
  sendDatagram(socketPath, new TextEncoder().encode(state));
  return true;
}

/** One datagram to a unix socket, which need not be held open: Node has none of this kind. Throws a Fault. */
export function sendDatagram(socketPath: string, data: Uint8Array): void {
  const fd = check("socket", c.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0), `for ${socketPath}`);
  try {
    const to = unixAddress(socketPath);
    check("send", Number(c.sendto(fd, data, data.length, MSG_NOSIGNAL | MSG_DONTWAIT, to, to.length)), socketPath);
  } finally {
    closeFd(fd);
  }
}

/** struct sockaddr_un; "@name" is a name in the abstract namespace, which begins with a zero byte and has no end mark. */
export function unixAddress(path: string): Uint8Array {
  const isAbstract = path.startsWith("@");
  const text = new TextEncoder().encode(path);
  if (text.length > 107) throw new RangeError(`a unix socket's path has at most 107 bytes: ${path}`);
  const address = new Uint8Array(2 + text.length + (isAbstract ? 0 : 1));
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(text, 2);
  if (isAbstract) address[2] = 0;
  return address;
}
