import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../fault.ts";
import { netnsCookie, netnsInode } from "../platform/namespace.ts";
import { lockFile } from "../platform/process.ts";
import { noState, type State } from "./plan.ts";

/** Where the state of this network namespace is kept between start and stop. /run is empty after a boot, as is the rest. */

const RUN = "/run/lvsd";

export const stateName = (): string => `realserver-${netnsInode()}`;
const statePath = (): string => join(RUN, `${stateName()}.json`);

interface Stored extends State {
  /** Inodes of network namespaces are used again, cookies are not. */
  readonly cookie: string;
}

/** What was remembered, or undefined when nothing was: also of a namespace that is gone and had the same inode. */
export function loadState(): State | undefined {
  const path = statePath();
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Fault("read state", (cause as NodeJS.ErrnoException).code ?? "EIO", path, cause);
  }
  try {
    const { cookie, ...state } = JSON.parse(text) as Stored;
    return cookie === String(netnsCookie()) ? { ...noState, ...state } : undefined;
  } catch (cause) {
    throw new Fault(
      "read state",
      "EINVAL",
      `${path} is no state of lvsctl; it says what was before, so look at it, then remove it`,
      cause,
    );
  }
}

/** Whole or not at all. */
export function saveState(state: State): void {
  const path = statePath();
  const stored: Stored = { cookie: String(netnsCookie()), ...state };
  try {
    mkdirSync(RUN, { recursive: true, mode: 0o755 });
    writeFileSync(`${path}.new`, `${JSON.stringify(stored, undefined, 2)}\n`);
    renameSync(`${path}.new`, path);
  } catch (cause) {
    throw new Fault("remember the state", (cause as NodeJS.ErrnoException).code ?? "EIO", path, cause);
  }
}

export const removeState = (): void => rmSync(statePath(), { force: true });

const LOCK_TRY_MS = 20;
const LOCK_WAIT_MS = 20_000;

/** One at a time on this machine, since all share a bpffs that the first one mounts. Waits for its turn; EBUSY after 20 s. */
export function alone<T>(work: () => T): T {
  mkdirSync(RUN, { recursive: true, mode: 0o755 });
  const fd = openSync(RUN, "r");
  try {
    for (let waited = 0; !lockFile(fd); waited += LOCK_TRY_MS) {
      if (waited >= LOCK_WAIT_MS)
        throw new Fault("realserver", "EBUSY", `another lvsctl is at it and does not end (it has a lock on ${RUN})`);
      sleep(LOCK_TRY_MS);
    }
    return work();
  } finally {
    closeSync(fd);
  }
}

const sleep = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
