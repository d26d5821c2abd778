/**
 * What went wrong, as a word a program can switch on: the errno's own name, since that is what the kernel, ipvsadm's
 * message table and operators already use.
 */
export type FaultCode = string;

const names: Record<number, string> = {
  1: "EPERM",
  2: "ENOENT",
  3: "ESRCH",
  4: "EINTR",
  5: "EIO",
  6: "ENXIO",
  7: "E2BIG",
  9: "EBADF",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  14: "EFAULT",
  16: "EBUSY",
  17: "EEXIST",
  19: "ENODEV",
  22: "EINVAL",
  24: "EMFILE",
  28: "ENOSPC",
  34: "ERANGE",
  38: "ENOSYS",
  90: "EMSGSIZE",
  92: "ENOPROTOOPT",
  95: "EOPNOTSUPP",
  97: "EAFNOSUPPORT",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
  100: "ENETDOWN",
  101: "ENETUNREACH",
  104: "ECONNRESET",
  110: "ETIMEDOUT",
  111: "ECONNREFUSED",
  113: "EHOSTUNREACH",
};

/** The name of a (positive) errno: 17 is "EEXIST". */
export const errnoName = (errno: number): FaultCode => names[errno] ?? `E${errno}`;

/** An operation that failed, what it was about, and why. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: FaultCode;

  constructor(op: string, code: FaultCode, detail: string, cause?: unknown) {
    super(`${op}: ${detail}`, cause === undefined ? undefined : { cause });
    this.code = code;
  }

  /** @param errno positive, as in errno(3) */
  static fromErrno(op: string, errno: number, detail: string): Fault {
    return new Fault(op, errnoName(errno), `${detail} (${errnoName(errno)})`);
  }
}

/** The chain of causes on one line: "load data plane: attach eth0: bpf(LINK_CREATE): not permitted (EPERM)". */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${explain(error.cause)}`;
}
