import { readFileSync, unlinkSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { explain } from "../../fault.ts";
import type { VrrpConfig } from "../../vrrp/config.ts";
import type { Event } from "../../vrrp/notify.ts";
import { type Asked, hearDumpSignals } from "../dump/hear.ts";
import { openLines } from "../lines.ts";
import type { VrrpStatus } from "./status.ts";
import { nothingTracked } from "./trackers.ts";
import { startVrrp, type Vrrp } from "./vrrp.ts";

/**
 * The VRRP process. Its configuration is JSON in a file (read again on SIGHUP) or the first message of its parent. It tells
 * of changes by messages to the parent, and to all who connect to its socket, a line of JSON each.
 */

/** To the parent and on the socket. */
export type Report =
  | { readonly type: "ready" }
  | { readonly type: "pong" }
  | { readonly type: "failed"; readonly reason: string }
  | ({ readonly type: "event" } & { readonly event: Event })
  /** A signal asked for dumps, which the parent writes. */
  | { readonly type: "dump"; readonly what: Asked }
  | ({ readonly type: "status" } & VrrpStatus);

/** From the parent. */
export type Order =
  | { readonly type: "configure"; readonly config: VrrpConfig }
  | { readonly type: "status" }
  /** The BFD sessions that are up, all of them. */
  | { readonly type: "bfd"; readonly up: readonly string[] }
  /** Counters begin at zero again; after the answer to a status that was asked before. */
  | { readonly type: "clear" }
  | { readonly type: "ping" }
  /** `leave`: addresses and routes stay, and nobody is told. */
  | { readonly type: "stop"; readonly leave?: boolean };

const NOTHING: VrrpStatus = { instances: [], groups: {}, trackers: nothingTracked };
const LINGER = 50; // ms, for the last lines and messages to leave

export function main(argv: readonly string[]): void {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      config: { type: "string" },
      socket: { type: "string" },
      detail: { type: "boolean", default: false },
      resume: { type: "boolean", default: false },
    },
  });
  const line = openLines();
  const log = (text: string, isDetail: boolean): void => {
    if (!isDetail || values.detail) line(text);
  };
  process.stderr.on("error", () => {}); // whoever read the log is gone
  const watchers = new Set<Socket>();
  const report = (message: Report): void => {
    if (process.connected) process.send?.(message);
    for (const watcher of watchers) watcher.write(`${JSON.stringify(message)}\n`);
  };
  let vrrp: Vrrp | undefined;
  const status = (): Report => ({ type: "status", ...(vrrp?.status() ?? NOTHING) });
  /** What it cannot use leaves things as they are. */
  const configure = (read: () => VrrpConfig): void => {
    try {
      const config = read();
      if (vrrp !== undefined) vrrp.replace(config);
      else vrrp = startVrrp(config, { log, resume: values.resume, onEvent: (event) => report({ type: "event", event }) });
      if (process.send === undefined) vrrp.tellBfd([]); // alone, with nobody to tell of any
      report({ type: "ready" });
    } catch (error) {
      log(explain(error), false);
      report({ type: "failed", reason: explain(error) });
      if (vrrp === undefined) setTimeout(() => process.exit(2), LINGER);
    }
  };
  const reload = (): void => {
    const { config: path } = values;
    if (path !== undefined) configure(() => JSON.parse(readFileSync(path, "utf8")) as VrrpConfig);
  };
  const server = values.socket === undefined ? undefined : serve(values.socket, watchers, status);
  let isStopping = false;
  const stop = (leave = false): void => {
    if (isStopping) return;
    isStopping = true;
    if (leave) vrrp?.abandon();
    else vrrp?.stop();
    log("Stopped", false);
    server?.close();
    setTimeout(() => process.exit(0), LINGER);
  };
  process
    .on("SIGTERM", () => stop())
    .on("SIGINT", () => stop())
    .on("SIGHUP", reload)
    .on("disconnect", () => stop());
  hearDumpSignals((what) => report({ type: "dump", what }));
  process.on("message", (order: Order) => {
    if (order.type === "configure") configure(() => order.config);
    else if (order.type === "status") report(status());
    else if (order.type === "bfd") vrrp?.tellBfd(order.up);
    else if (order.type === "clear") vrrp?.clearCounters();
    else if (order.type === "ping") report({ type: "pong" });
    else stop(order.leave);
  });
  reload();
}

/** Says what is when somebody connects, and again for every line that is sent. */
function serve(path: string, watchers: Set<Socket>, status: () => Report): Server {
  try {
    unlinkSync(path);
  } catch {
    // was not there
  }
  const before = process.umask(0o177);
  const server = createServer((socket) => {
    const tell = (): boolean => socket.write(`${JSON.stringify(status())}\n`);
    watchers.add(socket);
    socket.on("close", () => watchers.delete(socket)).on("error", () => socket.destroy());
    socket.on("data", tell);
    tell();
  });
  server.listen(path);
  process.umask(before);
  return server;
}
