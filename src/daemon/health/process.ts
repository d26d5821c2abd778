import type { Operation, Refusal } from "../../director/director.ts";
import { explain } from "../../fault.ts";
import { changed, type HealthChange } from "../../health/change.ts";
import type { HealthConfig } from "../../health/config.ts";
import type { Mail } from "../../health/mail.ts";
import type { Suspect } from "../../health/passive.ts";
import { parseIp } from "../../net/ip.ts";
import type { Tuning } from "../../tuning.ts";
import { type Asked, hearDumpSignals } from "../dump/hear.ts";
import { openLines } from "../lines.ts";
import { openTuner } from "../tuner.ts";
import { type OpenHealth, openHealth } from "./health.ts";
import type { ServiceStatus } from "./status.ts";

/**
 * The checkers process: a child of whoever has the director. Its configuration comes by message, and what is to be done to
 * the director goes to the parent by message, in order. When the parent is gone it ends and leaves everything as it is.
 */

/** From the parent. */
export type Order =
  | { readonly type: "configure"; readonly config: HealthConfig }
  /** To the configuration of before; answered as "configure" is. */
  | { readonly type: "change"; readonly change: HealthChange }
  /** The addresses on this host, for `ha_suspend`. */
  | { readonly type: "addresses"; readonly addresses: readonly string[] }
  /** The BFD sessions that are up, all of them. */
  | { readonly type: "bfd"; readonly up: readonly string[] }
  /** Traffic to these servers fails. */
  | { readonly type: "suspect"; readonly servers: readonly Suspect[] }
  | { readonly type: "status" }
  | { readonly type: "ping" }
  /** Take the services away and end, within so many ms; down scripts that wait for others are waited for no longer. */
  | { readonly type: "stop"; readonly within?: number };

/** To the parent. */
export type Report =
  | { readonly type: "ready" }
  | { readonly type: "pong" }
  | { readonly type: "failed"; readonly reason: string }
  /** For applyForgiving. */
  | { readonly type: "apply"; readonly operations: readonly Operation[] }
  /** A line for the checkers' FIFO. */
  | { readonly type: "tell"; readonly line: string }
  /** A signal asked for dumps, which the parent writes. */
  | { readonly type: "dump"; readonly what: Asked }
  /** To be sent. */
  | { readonly type: "mail"; readonly mail: Mail }
  | { readonly type: "status"; readonly services: readonly ServiceStatus[] };

/** What ties it to its parent; in life it is `process`. */
export interface Parent {
  send(report: Report): void;
  /** Before what is configured with it begins. */
  tune?(tuning: Tuning): void;
  log(text: string): void;
  /** When these are done and everything is sent, or `within` ms have passed. */
  end(last?: Promise<unknown>, within?: number): void;
}

/** What is done about orders. `gone`: the parent is no more. */
export function obey(parent: Parent, bootstrap?: number): { order(order: Order): void; gone(): void } {
  let health: OpenHealth | undefined;
  let current: HealthConfig | undefined;
  const director = {
    apply(operations: readonly Operation[]): readonly Refusal[] {
      parent.send({ type: "apply", operations });
      return [];
    },
  };
  const configure = (config: HealthConfig): void => {
    try {
      current = config;
      if (config.tuning !== undefined) parent.tune?.(config.tuning);
      if (health !== undefined) health.replace(config);
      else {
        const tell = (line: string): void => parent.send({ type: "tell", line });
        const mail = (what: Mail): void => parent.send({ type: "mail", mail: what });
        health = openHealth(config, { director, tell, mail, log: parent.log, ...(bootstrap === undefined ? {} : { bootstrap }) });
      }
      parent.send({ type: "ready" });
    } catch (error) {
      parent.log(explain(error));
      parent.send({ type: "failed", reason: explain(error) });
    }
  };
  return {
    order(order) {
      if (order.type === "configure") configure(order.config);
      else if (order.type === "change") current && configure(changed(current, order.change));
      else if (order.type === "addresses") health?.holds(new Set(order.addresses.flatMap((text) => parseIp(text) ?? [])));
      else if (order.type === "bfd") health?.tellBfd(order.up);
      else if (order.type === "suspect") health?.suspect(order.servers);
      else if (order.type === "status") parent.send({ type: "status", services: health?.status() ?? [] });
      else if (order.type === "ping") parent.send({ type: "pong" });
      else {
        health?.stop();
        parent.end(health?.scriptsBegun(), order.within);
      }
    },
    gone() {
      health?.close();
      parent.end(undefined, LINGER);
    },
  };
}

const LINGER = 50; // ms, for the log
const PATIENCE = 5000; // ms, as `child_wait_time` when nothing is said

export function main(): void {
  const line = openLines();
  process.stderr.on("error", () => {}); // whoever read the log is gone
  let isEnding = false;
  const tuner = openTuner(line);
  /** Everything so far is on its way: what is beyond the socket's buffer waits in this process, and would go with it. */
  let sent = Promise.resolve();
  const send = (report: Report): void => {
    if (process.connected) sent = new Promise((resolve) => process.send?.(report, undefined, undefined, () => resolve()));
  };
  const { order, gone } = obey({
    send,
    tune: tuner.apply,
    log: line,
    end(last, within = PATIENCE) {
      if (isEnding) return;
      isEnding = true;
      setTimeout(() => process.exit(0), within);
      const isSent = Promise.resolve(last).then(() => sent);
      void isSent.then(() => setTimeout(() => process.exit(0), LINGER));
    },
  });
  hearDumpSignals((what) => send({ type: "dump", what }));
  process.on("disconnect", gone).on("message", order);
  process.on("SIGTERM", () => order({ type: "stop" })).on("SIGINT", () => order({ type: "stop" }));
}
