import type { Operation, Refusal } from "../../director/director.ts";

/** What ipvsadm says when the director refuses: a text of the operation first, else one of the errno (spec 9.3). */

type Texts = Readonly<Record<string, string>>;

const noService: Texts = { ESRCH: "No such service" };
const noDest: Texts = { ESRCH: "Service not defined", ENOENT: "No such destination" };
const noLaddr: Texts = { ESRCH: "Service not defined", ENOENT: "No such local address" };
const noScheduler = { ENOENT: "Scheduler or persistence engine not found" };

const ofOperation: Readonly<Record<Operation["op"], Texts>> = {
  "add-service": { EEXIST: "Service already exists", ...noScheduler },
  "edit-service": { ...noService, ...noScheduler },
  "delete-service": noService,
  zero: noService,
  "add-dest": { ESRCH: "Service not defined", EEXIST: "Destination already exists" },
  "edit-dest": noDest,
  "delete-dest": noDest,
  "add-laddr": { ESRCH: "Service not defined", EEXIST: "Local address already exists" },
  "delete-laddr": noLaddr,
  "start-daemon": { EEXIST: "Daemon has already run" },
  "stop-daemon": { ESRCH: "No daemon is running" },
  flush: {},
  "set-timeouts": {},
  "set-setting": {},
};

const ofErrno: Texts = {
  EPERM: "Permission denied (you must be root)",
  EINVAL: "Invalid operation.  Possibly wrong module version, address not unicast, ...",
  ENOPROTOOPT: "Protocol not available",
  ENOMEM: "Memory allocation problem",
  EAFNOSUPPORT: "Operation not supported with specified address family",
  EMSGSIZE: "Module is wrong version",
  EACCES: "Permission denied (you must be root)", // the socket is for root alone
  EBUSY: "Device or resource busy",
  ECONNREFUSED: "Connection refused",
  ECONNRESET: "Connection reset by peer",
  EEXIST: "File exists",
  ENODEV: "No such device",
  ENOENT: "No such file or directory",
  ENOSPC: "No space left on device",
  ERANGE: "Numerical result out of range",
  ESRCH: "No such process",
};

/** lvsd's own refusals (EOPNOTSUPP) say what cannot be done; so do codes that ipvsadm does not know. */
export function refusalText(operation: Operation | undefined, { code, message }: Pick<Refusal, "code" | "message">): string {
  const known = (operation === undefined ? undefined : ofOperation[operation.op][code]) ?? ofErrno[code];
  return known ?? (message === "" ? "Operation not supported with IPv6" : message);
}

/** strerror(3) of what stops a connection to the daemon. */
export const errnoText = (code: string): string => ofErrno[code] ?? code;
