import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, rmSync, statSync, writeSync } from "node:fs";
import type { Notify, Script, VrrpConfig } from "../../vrrp/config.ts";
import { type Event, fifoLine, scriptsFor } from "../../vrrp/notify.ts";
import { type ScriptProcess, ScriptQueue, spawnScript } from "./scripts.ts";

/** Tells scripts and FIFOs of changes (spec 3.13). */

export interface Notifier {
  tell(event: Event, notify: Notify): void;
  close(): void;
}

export function openNotifier(config: Pick<VrrpConfig, "fifos">, log: (text: string) => void): Notifier {
  const fifos = config.fifos.map((fifo) => openFifo(fifo, log));
  const queues = new Map<string, ScriptQueue>();
  return {
    tell(event, notify) {
      for (const script of scriptsFor(notify, event)) {
        const key = `${event.type} ${event.name}`;
        const queue = queues.get(key) ?? new ScriptQueue(log);
        queues.set(key, queue);
        queue.add(script);
      }
      for (const fifo of fifos) fifo.write(fifoLine(event));
    },
    close() {
      for (const fifo of fifos) fifo.close();
    },
  };
}

export interface Fifo {
  write(line: string): void;
  close(): void;
}

/** Opened for reading too, so that it works without a reader; a reader that is too slow loses lines. */
export function openFifo({ path, reader }: { path: string; reader: Script | undefined }, log: (text: string) => void): Fifo {
  let fd: number | undefined;
  let isOurs = false;
  try {
    if (statSync(path, { throwIfNoEntry: false }) === undefined) {
      execFileSync("mkfifo", ["-m", "600", path]); // Node has no mkfifo(3)
      isOurs = true;
    }
    if (!statSync(path).isFIFO()) log(`${path} is not a FIFO`);
    else fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    log(`Unable to open FIFO ${path}: ${(error as Error).message}`);
  }
  const child = reader === undefined || fd === undefined ? undefined : startReader(reader, path, log);
  return {
    write(line) {
      try {
        if (fd !== undefined) writeSync(fd, line);
      } catch {
        // EAGAIN: nobody reads it
      }
    },
    close() {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
      child?.kill("SIGTERM");
      if (isOurs) remove(path, log);
      isOurs = false;
    },
  };
}

/** Somebody may have done it already. */
function remove(path: string, log: (text: string) => void): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    log(`Unable to remove FIFO ${path}: ${(error as Error).message}`);
  }
}

function startReader(reader: Script, path: string, log: (text: string) => void): ScriptProcess {
  const child = spawnScript({ ...reader, command: [...reader.command, path] }, {});
  child.on("error", (error) => log(`FIFO script ${reader.command[0]} cannot be run: ${error.message}`));
  return child;
}
