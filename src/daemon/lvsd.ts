import type { EngineDirector, Log, LogValues, OpenDirector } from "../director/engine.ts";
import type { ExplainQuery, Status } from "../director/status.ts";
import { explain } from "../fault.ts";
import { netnsCookie } from "../platform/namespace.ts";
import { VERSION } from "../version.ts";
import { createApi } from "./api.ts";
import { retried } from "./failure.ts";
import { claimNamespace, listenPrivately, type Places } from "./instance.ts";
import { metricsText } from "./metrics/lvsd.ts";
import { serveMetrics } from "./metrics/server.ts";
import { fileMemory, type Totals, withTotals } from "./metrics/totals.ts";
import type { LvsdOptions } from "./options.ts";
import type { FileStatus } from "./routes.ts";

/** The daemon, put together: the namespace, the data path, the control socket, the clock. */

/** Milliseconds between two ticks of the director, which decides itself what is due. */
const TICK = 500;

export interface World {
  readonly open: OpenDirector;
  readonly places: Places;
  readonly log: Log;
  /** sd_notify(3); false when there is no service manager. */
  notify(state: string): boolean;
  /** For a daemon that carries out a configuration file. */
  readonly file?: FileStatus;
  /** Somebody else tells the service manager that all is ready. */
  readonly readyLater?: boolean;
  /** Milliseconds of a monotonic clock. */
  now(): number;
}

export interface Lvsd {
  readonly director: EngineDirector;
  /** Orderly: the socket goes, then the data path (unless --leave), then the pid file. May be called twice. */
  stop(): Promise<void>;
}

/** Throws a Fault when it cannot start, and then leaves nothing behind. */
export async function startLvsd(options: LvsdOptions, world: World): Promise<Lvsd> {
  const { log, places } = world;
  const claim = claimNamespace(places.pid);
  try {
    const opened = await openDirector(options, world);
    const { director, totals } = withTotals(opened, fileMemory(places.totals, String(netnsCookie())));
    try {
      return await serve({ director, totals }, options, world, claim.release);
    } catch (error) {
      director.stop({ leave: director.attachments().some((attachment) => attachment.adopted) });
      throw error;
    }
  } catch (error) {
    claim.release();
    log.debug("not started", { reason: explain(error) });
    throw error;
  }
}

function openDirector(options: LvsdOptions, { open, log }: World): Promise<EngineDirector> {
  const { engine, interfaces, hook, xdpMode, connTableSize } = options;
  if (engine === "xdp" && interfaces.length === 0)
    log.warn("no interface", { reason: "nothing is forwarded; name one with --interface" });
  return open({ engine, interfaces, hook, xdpMode, connTableSize, log });
}

interface Engine {
  readonly director: EngineDirector;
  readonly totals: Totals;
}

async function serve({ director, totals }: Engine, options: LvsdOptions, world: World, release: () => void): Promise<Lvsd> {
  const { log, places } = world;
  const startedAt = world.now();
  const startTime = Date.now() / 1000;
  const status = () => {
    const file = world.file?.orders()?.inForce();
    return { ...statusOf(director, Math.floor((world.now() - startedAt) / 1000)), ...(file === undefined ? {} : { file }) };
  };
  const explainPacket = (query: ExplainQuery) => director.explain(query);
  const metrics = async () => {
    const file = await world.file?.scrape?.();
    const services = director.services();
    const now = { status: status(), startTime, services, totals: totals.now(services) };
    return metricsText({ ...now, ...(file === undefined ? {} : { file }) });
  };
  const host = { director, status, explain: explainPacket, metrics, ...(world.file === undefined ? {} : { file: world.file }) };
  const server = createApi(host, log, VERSION);
  await listenPrivately(server, places.socket);
  const exporter = options.metrics && (await serveMetrics(options.metrics, metrics, log).catch(closing(server)));
  const tick = retried(
    () => director.tick(world.now()),
    (reason) => log.error("tick failed", { reason }),
  );
  const clock = setInterval(tick, TICK);
  announce(director, world);

  let stopped: Promise<void> | undefined;
  const stop = async () => {
    world.notify("STOPPING=1");
    clearInterval(clock);
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
    exporter?.close();
    if (!options.leave && director.engine !== "kernel") totals.retireAll();
    director.stop({ leave: options.leave });
    release();
    log.info("stopped", { forwarding: options.leave || director.engine === "kernel" });
  };
  return { director, stop: () => (stopped ??= stop()) };
}

/** What is open already is closed when the next step fails. */
const closing =
  (server: { close(): void }) =>
  (error: unknown): never => {
    server.close();
    throw error;
  };

function announce(director: EngineDirector, { log, notify, places, readyLater }: World): void {
  log.info("ready", { pid: process.pid, ...pathOf(director), socket: places.socket });
  if (readyLater !== true) notify("READY=1");
}

/** Where packets are taken. */
function pathOf(director: EngineDirector): LogValues {
  if (director.engine === "kernel") return { engine: "kernel" };
  const attachments = director.attachments();
  const each = (words: readonly string[]) => [...new Set(words)].join(",") || "none";
  return {
    interfaces: attachments.map((attachment) => attachment.interface).join(",") || "none",
    hook: each(attachments.map((attachment) => attachment.hook)),
    mode: each(attachments.map((attachment) => attachment.mode)),
  };
}

const statusOf = (director: EngineDirector, uptimeSeconds: number): Status => ({
  pid: process.pid,
  version: VERSION,
  engine: director.engine,
  uptimeSeconds,
  attachments: director.attachments(),
  table: director.tableUse(),
  exits: director.exits(),
});
