import type { Status } from "../director/status.ts";
import type { Log, OpenXdpDirector, XdpDirector } from "../director/xdp/types.ts";
import { explain, Fault } from "../fault.ts";
import { VERSION } from "../version.ts";
import { createApi } from "./api.ts";
import { claimNamespace, listenPrivately, type Places } from "./instance.ts";
import type { LvsdOptions } from "./options.ts";

/** The daemon, put together: the namespace, the data path, the control socket, the clock. */

/** Milliseconds between two ticks of the director, which decides itself what is due. */
const TICK = 500;

export interface World {
  readonly open: OpenXdpDirector;
  readonly places: Places;
  readonly log: Log;
  /** sd_notify(3); false when there is no service manager. */
  notify(state: string): boolean;
  /** Milliseconds of a monotonic clock. */
  now(): number;
}

export interface Lvsd {
  /** Orderly: the socket goes, then the data path (unless --leave), then the pid file. May be called twice. */
  stop(): Promise<void>;
}

/** Throws a Fault when it cannot start, and then leaves nothing behind. */
export async function startLvsd(options: LvsdOptions, world: World): Promise<Lvsd> {
  const { log, places } = world;
  const claim = claimNamespace(places.pid);
  try {
    const director = await openDirector(options, world);
    try {
      return await serve(director, options, world, claim.release);
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

function openDirector({ interfaces, hook, xdpMode, connTableSize }: LvsdOptions, { open, log }: World): Promise<XdpDirector> {
  if (interfaces.length === 0) log.warn("no interface", { reason: "nothing is forwarded; name one with --interface" });
  return open({ interfaces, hook, xdpMode, connTableSize, log });
}

async function serve(director: XdpDirector, options: LvsdOptions, world: World, release: () => void): Promise<Lvsd> {
  const { log, places } = world;
  const startedAt = world.now();
  const status = () => statusOf(director, Math.floor((world.now() - startedAt) / 1000));
  const server = createApi({ director, status, explain: (query) => director.explain(query) }, log, VERSION);
  await listenPrivately(server, places.socket);
  const clock = setInterval(ticker(director, world), TICK);
  announce(director, world);

  let stopped: Promise<void> | undefined;
  const stop = async () => {
    world.notify("STOPPING=1");
    clearInterval(clock);
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
    director.stop({ leave: options.leave });
    release();
    log.info("stopped", { forwarding: options.leave });
  };
  return { stop: () => (stopped ??= stop()) };
}

function announce(director: XdpDirector, { log, notify, places }: World): void {
  const attachments = director.attachments();
  const each = (words: readonly string[]) => [...new Set(words)].join(",") || "none";
  log.info("ready", {
    pid: process.pid,
    interfaces: attachments.map((attachment) => attachment.interface).join(",") || "none",
    hook: each(attachments.map((attachment) => attachment.hook)),
    mode: each(attachments.map((attachment) => attachment.mode)),
    socket: places.socket,
  });
  notify("READY=1");
}

/** A system call that fails in a tick is told once and tried again; anything else is a defect and ends the process. */
function ticker(director: XdpDirector, { now, log }: World): () => void {
  let told = "";
  return () => {
    try {
      director.tick(now());
      told = "";
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const reason = explain(error);
      if (reason !== told) log.error("tick failed", { reason });
      told = reason;
    }
  };
}

const statusOf = (director: XdpDirector, uptimeSeconds: number): Status => ({
  pid: process.pid,
  version: VERSION,
  engine: director.engine,
  uptimeSeconds,
  attachments: director.attachments(),
  table: director.tableUse(),
  exits: director.exits(),
});
