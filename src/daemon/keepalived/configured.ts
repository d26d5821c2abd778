import { closeSync, constants, openSync, writeSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { Director } from "../../director/director.ts";
import type { Log } from "../../director/engine.ts";
import { explain } from "../../fault.ts";
import type { HealthConfig } from "../../health/config.ts";
import { applyForgiving } from "../../health/forgiving.ts";
import type { VrrpConfig } from "../../vrrp/config.ts";
import { failureWatch } from "../health/failures.ts";
import type { Report as HealthReport } from "../health/process.ts";
import type { ServiceStatus } from "../health/status.ts";
import { openFifo } from "../vrrp/notifier.ts";
import type { Report as VrrpReport } from "../vrrp/process.ts";
import type { InstanceStatus } from "../vrrp/status.ts";
import { Child } from "./child.ts";
import { type ReadHow, readConfig, tellFindings, type Wanted } from "./read.ts";

/** A keepalived.conf at work: the VRRP process, the checkers process, and what the latter wants of the director. */

/** Between two looks at the addresses of this host, for `ha_suspend`, and at failures of traffic, for `passive_check`: ms. */
const LOOK = 1000;

export interface Around {
  readonly path: string;
  readonly how?: ReadHow;
  readonly director: Pick<Director, "apply" | "service">;
  readonly log: Log;
  /** The JavaScript file of a child. */
  program(name: "lvsd-vrrp" | "lvsd-health"): string;
}

export interface Configured {
  /** Reads the file again. One that could not be started with leaves everything as it is. */
  reload(): void;
  vrrp(): Promise<readonly InstanceStatus[]>;
  checks(): Promise<readonly ServiceStatus[]>;
  /** VIPs go, and unless `leave` the services. May be called twice. */
  stop(how: { readonly leave: boolean }): Promise<void>;
}

export function startConfigured(first: Wanted, around: Around): Configured {
  const { log, path, how } = around;
  let wanted = first;
  if (wanted.flush) around.director.apply([{ op: "flush" }]);
  let fifos = openFifos(wanted, log);
  let vrrp: Child<VrrpConfig, VrrpReport> | undefined;
  let health: Child<HealthConfig, HealthReport> | undefined;
  let isStopped = false;
  let addresses = "";
  const look = (): void => {
    if (!wanted.health.services.some((service) => service.suspendWithout !== undefined)) return;
    const now = heldAddresses();
    if (addresses === now.join()) return;
    addresses = now.join();
    health?.send({ type: "addresses", addresses: now });
  };
  const onReport = (report: HealthReport): void => {
    if (report.type === "apply") applyAll(report.operations);
    else if (report.type === "tell") for (const fifo of fifos) fifo.write(report.line);
    else if (report.type === "failed") log.error("checks refused", { reason: report.reason });
    else if (report.type === "ready") {
      addresses = ""; // a new child knows of none
      look();
    }
  };
  const applyAll = (operations: Parameters<Director["apply"]>[0]): void => {
    try {
      for (const { code, message } of applyForgiving(around.director, operations))
        log.error("refused", { code, reason: message });
    } catch (error) {
      log.error("not applied", { reason: explain(error) });
    }
  };
  const onVrrp = (report: VrrpReport): void => {
    if (report.type === "failed") log.error("vrrp refused", { reason: report.reason });
    else if (report.type === "event") log.info("vrrp", { ...report.event });
  };
  /** A child that is there stays, though it has nothing to do: its last orders and those of another would cross. */
  const begin = (): void => {
    if (health !== undefined) health.configure(wanted.health);
    else if (wanted.health.services.length > 0) {
      const program = around.program("lvsd-health");
      health = new Child<HealthConfig, HealthReport>(wanted.health, { name: "health", program, log, onReport });
    }
    if (vrrp !== undefined) vrrp.configure(wanted.vrrp);
    else if (wanted.hasVrrp) {
      const options = { name: "vrrp", program: around.program("lvsd-vrrp"), again: ["--resume"], log, onReport: onVrrp };
      vrrp = new Child<VrrpConfig, VrrpReport>(wanted.vrrp, options);
    }
  };
  begin();
  const suspectsOf = failureWatch(around.director);
  const doubt = (): void => {
    const servers = suspectsOf(wanted.health.services);
    if (servers.length > 0) health?.send({ type: "suspect", servers });
  };
  const clock = setInterval(() => {
    look();
    doubt();
  }, LOOK);
  return {
    reload() {
      if (isStopped) return;
      const read = readConfig(path, how);
      if ("problems" in read) {
        for (const problem of read.problems) log.error("configuration", { problem });
        log.error("not reloaded", { file: path, reason: "the file has errors; everything stays as it is" });
        return;
      }
      tellFindings(read, path, log);
      for (const fifo of fifos) fifo.close();
      wanted = read.wanted;
      fifos = openFifos(wanted, log);
      begin();
      log.info("reloaded", { file: path });
    },
    async vrrp() {
      const report = await vrrp?.status();
      return report?.type === "status" ? report.instances : [];
    },
    async checks() {
      const report = await health?.status();
      return report?.type === "status" ? report.services : [];
    },
    async stop({ leave }) {
      if (isStopped) return;
      isStopped = true;
      clearInterval(clock);
      await Promise.all([vrrp?.stop(), leave ? health?.abandon() : health?.stop()]);
      for (const fifo of fifos) fifo.close();
    },
  };
}

const heldAddresses = (): string[] =>
  Object.values(networkInterfaces())
    .flatMap((list) => list?.map((one) => one.address) ?? [])
    .sort();

interface Line {
  write(line: string): void;
  close(): void;
}

function openFifos({ fifos }: Wanted, log: Log): Line[] {
  const warn = (reason: string): void => log.warn("fifo", { reason });
  return fifos.map((fifo) =>
    fifo.isShared ? { write: (line) => writeShared(fifo.path, line), close() {} } : openFifo(fifo, warn),
  );
}

/** The VRRP process holds it open, and makes it anew on a reload: so it is opened for each line. */
function writeShared(path: string, line: string): void {
  try {
    const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      writeSync(fd, line);
    } finally {
      closeSync(fd);
    }
  } catch {
    // nobody has it open, or nobody reads it
  }
}
