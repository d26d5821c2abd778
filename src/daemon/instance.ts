import {
  closeSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import type { Server } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import { socketPath } from "../cli/client.ts";
import { Fault } from "../fault.ts";
import { lockFile } from "../platform/process.ts";

/** What makes an lvsd the one of its network namespace: the lock on its pid file, and its control socket. */

const RUN = "/run/lvsd";
/** Bytes of a unix socket's path; a longer one would be cut without a word. */
const LONGEST = 107;

export interface Places {
  readonly socket: string;
  /** Holds the pid; locked while lvsd runs. Of the namespace, wherever the socket is. */
  readonly pid: string;
  /** Remembers what of the table the configuration file has made. */
  readonly owned: string;
  /** Remembers what services had counted that are gone. */
  readonly totals: string;
}

export function placesOf(env: NodeJS.ProcessEnv = process.env): Places {
  const { ino } = statSync("/proc/self/ns/net");
  return { socket: socketPath(env), pid: `${RUN}/${ino}.pid`, owned: `${RUN}/${ino}.owned`, totals: `${RUN}/${ino}.totals` };
}

export interface Claim {
  /** May be called twice. */
  release(): void;
}

/** Takes the namespace, or throws a Fault (EBUSY) that names the pid of the lvsd that has it. */
export function claimNamespace(path: string): Claim {
  const fd = system("start", () => {
    makeFolder(path);
    const locked = openLocked(path);
    ftruncateSync(locked);
    writeSync(locked, `${process.pid}\n`);
    return locked;
  });
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      unlinkSync(path); // while it is locked, so that it is ours
      closeSync(fd);
    },
  };
}

function openLocked(path: string): number {
  for (;;) {
    const fd = openSync(path, "a+", 0o644);
    if (!lockFile(fd)) {
      closeSync(fd);
      throw new Fault("start", "EBUSY", `lvsd is running in this network namespace already, with pid ${pidIn(path)}`);
    }
    if (isSameFile(fd, path)) return fd;
    closeSync(fd); // its owner removed it between our open and our lock
  }
}

const isSameFile = (fd: number, path: string): boolean => {
  const now = statSync(path, { throwIfNoEntry: false });
  return now !== undefined && now.ino === fstatSync(fd).ino;
};

function pidIn(path: string): string {
  try {
    return readFileSync(path, "utf8").trim() || "unknown";
  } catch {
    return "unknown";
  }
}

const makeFolder = (path: string): void => void mkdirSync(dirname(path), { recursive: true, mode: 0o755 });

/** Node's own words for what the system refused, as a Fault. */
function system<T>(op: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof Error) || !("syscall" in error)) throw error;
    throw new Fault(op, String((error as NodeJS.ErrnoException).code), error.message);
  }
}

/** Listens at `path` for this user only (mode 0600). What an lvsd that was killed left there is replaced; nothing else is. */
export async function listenPrivately(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > LONGEST) throw new Fault("listen", "ENAMETOOLONG", `${path} has more than ${LONGEST} bytes`);
  system("listen", () => makeFolder(path));
  await removeStale(path);
  await new Promise<void>((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException) => reject(new Fault("listen", error.code ?? "EIO", path, error));
    server.once("error", refused);
    const before = process.umask(0o177);
    try {
      server.listen(path, () => {
        server.off("error", refused);
        resolve();
      }); // binds at once, so the mask holds for the socket
    } finally {
      process.umask(before);
    }
  });
}

async function removeStale(path: string): Promise<void> {
  const there = system("listen", () => lstatSync(path, { throwIfNoEntry: false }));
  if (there === undefined) return;
  if (!there.isSocket()) throw new Fault("listen", "EEXIST", `${path} is there and not a socket`);
  if (await answers(path)) throw new Fault("listen", "EADDRINUSE", `another program answers at ${path}`);
  system("listen", () => unlinkSync(path));
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
