import { closeSync, constants, openSync, writeSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { Director, Operation } from "../../director/director.ts";
import type { Log } from "../../director/engine.ts";
import { explain } from "../../fault.ts";
import { changeOf } from "../../health/change.ts";
import type { HealthConfig } from "../../health/config.ts";
import { applyForgiving } from "../../health/forgiving.ts";
import type { VrrpConfig } from "../../vrrp/config.ts";
import type { SessionStatus } from "../bfd/status.ts";
import type { State } from "../dump/facts.ts";
import type { Asked } from "../dump/hear.ts";
import { retried } from "../failure.ts";
import { failureWatch } from "../health/failures.ts";
import type { Report as HealthReport } from "../health/process.ts";
import type { ServiceStatus } from "../health/status.ts";
import { vrrpMail } from "../mail/config.ts";
import { openMailer } from "../mail/mailer.ts";
import { openFifo } from "../vrrp/notifier.ts";
import type { Report as VrrpReport } from "../vrrp/process.ts";
import type { InstanceStatus } from "../vrrp/status.ts";
import { type Hearers, linkBfd } from "./bfd-link.ts";
import { type Care, Child } from "./child.ts";
import { openOwner, stillThere } from "./owner.ts";
import type { Wanted } from "./read.ts";

/** A keepalived.conf at work: the VRRP process, the checkers process, the BFD process, and what the latter wants of the director. */

/** Between two looks at the addresses of this host, for `ha_suspend`, and at failures of traffic, for `passive_check`: ms. */
const LOOK = 1000;

/** Longest time between the farewell and the end of the services, as long as keepalived takes for it; for the news to arrive: ms. */
const LONGEST_HAND_OVER = 1000;
const ARRIVAL = 100;

/** So long before it would be killed the checkers process ends at a stop, whatever its scripts do: ms. */
const SOONER = 300;

/** For mails about the stop to leave, ms. */
const LAST_MAILS = 2000;

/** How long VRRP waits for services that are not yet there: a checkers process in trouble must not keep a router from its peers. ms */
const SERVICES_FIRST = 20_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());

export interface Around {
  readonly director: Pick<Director, "apply" | "service">;
  readonly log: Log;
  /** Where to remember what of the table is the file's own. */
  readonly owned: string;
  /** The JavaScript file of a child. */
  program(name: "lvsd-vrrp" | "lvsd-health" | "lvsd-bfd"): string;
  /** A child was sent a signal that asks for dumps. */
  onDump?(what: Asked): void;
  readonly care?: Care;
  /** More arguments and variables for a child, and what ps calls it. */
  setting?(name: ChildName): { readonly args?: readonly string[]; readonly env?: NodeJS.ProcessEnv; readonly title?: string };
}

export type ChildName = "vrrp" | "health" | "bfd";

export interface Done {
  /** What could not be done. */
  readonly troubles: readonly string[];
  /** Asked of the director meanwhile. */
  readonly operations: number;
}

export interface Configured {
  /** What is carried out. */
  wanted(): Wanted;
  /** When every child has begun with its work, or could not. */
  readonly begun: Promise<void>;
  /** Whether every child answers within `ms`. */
  isAlive(ms: number): Promise<boolean>;
  /** Carries out another configuration; what is unchanged is not touched. */
  carryOut(next: Wanted): Promise<Done>;
  vrrp(): Promise<readonly InstanceStatus[]>;
  checks(): Promise<readonly ServiceStatus[]>;
  bfd(): Promise<readonly SessionStatus[]>;
  /** For dumps and metrics. @param clear the counters of VRRP begin at zero after this */
  state(clear?: boolean): Promise<State>;
  /** VIPs go unless `leaveVips`, and the services unless `leave`. May be called twice. */
  stop(how: { readonly leave: boolean; readonly leaveVips?: boolean }): Promise<void>;
}

export function startConfigured(first: Wanted, around: Around): Configured {
  const { log } = around;
  let wanted = first;
  let fifos = openFifos(wanted, log);
  const mailer = openMailer(() => wanted.mail.config, log);
  let vrrp: Child<VrrpConfig, VrrpReport> | undefined;
  let health: Child<HealthConfig, HealthReport> | undefined;
  const care: Care = { patience: () => wanted.parent.childWait, ...around.care };
  const { giveUp: _, ...lasting } = care;
  /** At the start a child that cannot do its work is the end of all; one that a reload brings is not. */
  let isStart = true;
  const setting = (name: ChildName) => ({
    ...{ name, log, care: isStart || care.respawn === false ? care : lasting, program: around.program(`lvsd-${name}`) },
    isPunctual: name !== "health",
    ...around.setting?.(name),
  });
  const hearers: Hearers = {
    vrrp: (order) => vrrp?.send(order),
    checker: (order) => health?.send(order),
    dump: (what) => around.onDump?.(what),
  };
  const bfd = linkBfd(() => setting("bfd"), hearers, log);
  let isStopped = false;
  /** Operations so far. */
  let asked = 0;
  /** The processes have what was wanted last. */
  let isSure = false;
  /** The checkers did not do in time what was wanted last: what went by it may still be there. */
  let isOwing = false;
  let addresses = "";
  const failed = (reason: string): void => log.error("look failed", { reason });
  const look = retried(() => {
    if (!wanted.health.services.some((service) => service.suspendWithout !== undefined)) return;
    const now = heldAddresses();
    if (addresses === now.join()) return;
    addresses = now.join();
    health?.send({ type: "addresses", addresses: now });
  }, failed);
  const onReport = (report: HealthReport): void => {
    if (report.type === "apply") applyAll(isStopped ? lastly(report.operations, wanted.flushOnStop) : report.operations);
    else if (report.type === "tell") for (const fifo of fifos) fifo.write(report.line);
    else if (report.type === "dump") around.onDump?.(report.what);
    else if (report.type === "mail") mailer.send(report.mail);
    else if (report.type === "failed") log.error("checks refused", { reason: report.reason });
    else if (report.type === "ready") {
      addresses = ""; // a new child knows of none
      look();
      bfd.tell("checker");
      if (isOwing && !isStopped) settle();
    }
  };
  const applyAll = (operations: readonly Operation[]): void => {
    if (operations.length === 0) return;
    asked += operations.length;
    try {
      for (const { code, message } of applyForgiving(around.director, operations))
        log.error("refused", { code, reason: message });
    } catch (error) {
      log.error("not applied", { reason: explain(error) });
    }
  };
  const onVrrp = (report: VrrpReport): void => {
    if (report.type === "failed") log.error("vrrp refused", { reason: report.reason });
    else if (report.type === "ready") bfd.tell("vrrp");
    else if (report.type === "dump") around.onDump?.(report.what);
    else if (report.type === "event") {
      log.info("vrrp", { ...report.event });
      const mail = vrrpMail(wanted.mail.vrrp, report.event);
      if (mail !== undefined) mailer.send(mail);
    }
  };
  /** A child that is there stays, though it has nothing to do: its last orders and those of another would cross. */
  const toHealth = async (before: HealthConfig, next: HealthConfig, isKnown: boolean): Promise<string | undefined> => {
    if (health === undefined && next.services.length > 0) {
      health = new Child<HealthConfig, HealthReport>(next, { ...setting("health"), onReport });
      return health.obeyed();
    }
    if (!isKnown) return health?.configure(next);
    return isDeepStrictEqual(before, next)
      ? undefined
      : health?.configure(next, { type: "change", change: changeOf(before, next) });
  };
  const toVrrp = async (before: VrrpConfig, { vrrp: next, hasVrrp }: Wanted, isKnown: boolean): Promise<string | undefined> => {
    if (isStopped) return undefined;
    if (vrrp === undefined && hasVrrp) {
      const options = { ...setting("vrrp"), again: ["--resume"], onReport: onVrrp };
      vrrp = new Child<VrrpConfig, VrrpReport>(next, options);
      return vrrp.obeyed();
    }
    return isKnown && isDeepStrictEqual(before, next) ? undefined : vrrp?.configure(next);
  };
  const toBfd = async (before: Wanted, next: Wanted, isKnown: boolean): Promise<string | undefined> => {
    if (isStopped) return undefined;
    return before !== next && isKnown && isDeepStrictEqual(before.bfd, next.bfd) ? undefined : bfd.configure(next.bfd);
  };
  /** Also the first one, from nothing. @param isKnown the processes have what was wanted before */
  const begin = async (before: Wanted, next: Wanted, isKnown: boolean): Promise<string[]> => {
    const services = toHealth(before.health, next.health, isKnown);
    if (before === next) await Promise.race([services, pause(SERVICES_FIRST)]); // no address is taken before its services are there
    const troubles = await Promise.all([services, toVrrp(before.vrrp, next, isKnown), toBfd(before, next, isKnown)]);
    const real = troubles.filter((trouble) => trouble !== undefined);
    isSure = real.length === 0;
    return real;
  };
  const owner = openOwner(around.owned, log);
  if (wanted.flush) applyAll([{ op: "flush" }]);
  if (wanted.timeouts !== undefined) applyAll([{ op: "set-timeouts", timeouts: wanted.timeouts }]);
  const left = wanted.flush ? [] : owner.leftovers(wanted.health.services);
  owner.expect(wanted.health.services);
  // Last, so that a service is never without a dest for want of a process that is still to start.
  const begun = begin(wanted, wanted, true).then(() => {
    isStart = false;
    if (isStopped) return;
    if (left.length > 0) log.info("removing what the file names no more", { of: "an earlier lvsd", ...countsOf(left) });
    applyAll(left);
    owner.settle();
  });
  /** What a process that was dead, slow or killed has not asked for. */
  const takeAway = (operations: readonly Operation[]): void => {
    const still = stillThere(around.director, operations);
    if (still.length > 0) log.info("removing what the checks have left", countsOf(still));
    applyAll(still);
  };
  /** What is wanted is in place. A process that was between two lives has not known what went. */
  const settle = (): void => {
    isOwing = false;
    takeAway(owner.leftovers(wanted.health.services));
    owner.settle();
  };
  const suspectsOf = failureWatch(around.director);
  const doubt = retried(() => {
    const servers = suspectsOf(wanted.health.services);
    if (servers.length > 0) health?.send({ type: "suspect", servers });
  }, failed);
  const clock = setInterval(() => {
    look();
    doubt();
  }, LOOK);
  const instances = async (): Promise<readonly InstanceStatus[]> => {
    const report = await vrrp?.status();
    return report?.type === "status" ? report.instances : [];
  };
  return {
    ...{ wanted: () => wanted, begun },
    async isAlive(ms) {
      const answers = await Promise.all([vrrp?.answers(ms), health?.answers(ms), bfd.isAlive(ms)]);
      return !answers.includes(false);
    },
    async carryOut(next) {
      await begun;
      if (isStopped) return { troubles: ["lvsd is stopping"], operations: 0 };
      const [before, askedBefore] = [wanted, asked];
      const isKnown = isSure;
      wanted = next;
      isSure = false; // until it is done
      isOwing = false;
      if (!isDeepStrictEqual(before.fifos, next.fifos)) {
        for (const fifo of fifos) fifo.close();
        fifos = openFifos(next, log);
      }
      const { timeouts } = next;
      if (timeouts !== undefined && !isDeepStrictEqual(before.timeouts, timeouts)) applyAll([{ op: "set-timeouts", timeouts }]);
      owner.expect(next.health.services);
      const troubles = await begin(before, next, isKnown);
      isOwing = troubles.length > 0;
      if (!isStopped && !isOwing) settle();
      return { troubles, operations: asked - askedBefore };
    },
    vrrp: instances,
    async checks() {
      const report = await health?.status();
      return report?.type === "status" ? report.services : [];
    },
    bfd: bfd.status,
    async state(clear = false) {
      const answers = [vrrp?.status(), health?.status()] as const;
      if (clear) vrrp?.send({ type: "clear" }); // comes right behind the question
      const [hasVrrp, hasHealth] = [vrrp !== undefined, health !== undefined];
      const [status, checks, sessions] = await Promise.all([...answers, bfd.status()]);
      return {
        ...{ config: wanted.config, vrrp: wanted.vrrp, health: wanted.health, bfd: wanted.bfd, hasVrrp, hasHealth },
        sessions,
        status: status?.type === "status" ? status : undefined,
        services: checks?.type === "status" ? checks.services : undefined,
      };
    },
    async stop({ leave, leaveVips = false }) {
      if (isStopped) return;
      isStopped = true;
      clearInterval(clock);
      const handOver = leave || leaveVips ? 0 : handOverOf(await instances());
      await Promise.all([bfd.stop(), vrrp?.stop({ leave: leaveVips })]);
      await delay(handOver);
      if (!leave && wanted.flushOnStop === "all") applyAll([{ op: "flush" }]);
      await (leave ? health?.abandon() : health?.stop({ within: Math.max(0, wanted.parent.childWait - SOONER) }));
      if (!leave) {
        if (wanted.flushOnStop !== "all") takeAway(owner.leftovers([]));
        owner.forget();
      }
      for (const fifo of fifos) fifo.close();
      await mailer.settled(LAST_MAILS);
    },
  };
}

/**
 * Until another router has taken over what this one was master of, clients are still sent here, and find their services: a
 * backup waits for less than an interval after a farewell. ms
 */
const handOverOf = (instances: readonly InstanceStatus[]): number =>
  Math.min(LONGEST_HAND_OVER, Math.max(0, ...instances.map((i) => (i.state === "MASTER" ? i.masterInterval + ARRIVAL : 0))));

/** What is left to do of a stop: with `lvs_flush_on_stop` the table is empty already, with its `VS` dests go with their service. */
function lastly(operations: readonly Operation[], flush: Wanted["flushOnStop"]): readonly Operation[] {
  if (flush === "all") return [];
  return flush === "VS" ? operations.filter(({ op }) => op !== "delete-dest") : operations;
}

const countsOf = (operations: readonly Operation[]): { readonly services: number; readonly servers: number } => ({
  services: operations.filter(({ op }) => op === "delete-service").length,
  servers: operations.filter(({ op }) => op === "delete-dest").length,
});

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
