import type { BfdConfig } from "../../bfd/config.ts";
import { diagnosticText } from "../../bfd/words.ts";
import { explain } from "../../fault.ts";
import type { BfdState } from "../../wire/bfd.ts";
import { type Asked, hearDumpSignals } from "../dump/hear.ts";
import { openLines } from "../lines.ts";
import { openBfd, type Up } from "./bfd.ts";
import type { SessionStatus } from "./status.ts";

/**
 * The BFD process: a child. Its configuration comes by message, and what becomes of the sessions goes to the parent by message.
 * When the parent is gone it ends.
 */

/** From the parent. */
export type Order =
  | { readonly type: "configure"; readonly config: BfdConfig }
  | { readonly type: "status" }
  | { readonly type: "ping" }
  | { readonly type: "stop" };

/** To the parent. */
export type Report =
  | { readonly type: "ready"; readonly up: Up }
  | { readonly type: "pong" }
  | { readonly type: "failed"; readonly reason: string }
  /** A session has entered another state; `up`: those that are up now. */
  | {
      readonly type: "event";
      readonly event: { readonly name: string; readonly state: BfdState; readonly diagnostic: string };
      readonly up: Up;
    }
  | { readonly type: "status"; readonly sessions: readonly SessionStatus[] }
  /** A signal asks for dumps. */
  | { readonly type: "dump"; readonly what: Asked };

const LINGER = 50; // ms, for the last messages to leave

export function main(argv: readonly string[]): void {
  const isDetailed = argv.includes("--detail");
  const report = (message: Report): void => void (process.connected && process.send?.(message));
  const line = openLines();
  const log = (text: string, isDetail: boolean): void => {
    if (!isDetail || isDetailed) line(text);
  };
  process.stderr.on("error", () => {}); // whoever read the log is gone
  const bfd = openBfd({
    log,
    onEvent: ({ name, state, diagnostic }) =>
      report({ type: "event", event: { name, state, diagnostic: diagnosticText(diagnostic) }, up: bfd.up() }),
  });
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    bfd.stop();
    setTimeout(() => process.exit(0), LINGER);
  };
  hearDumpSignals((what) => report({ type: "dump", what }));
  process.on("SIGTERM", stop).on("SIGINT", stop).on("disconnect", stop);
  process.on("message", (order: Order) => {
    if (order.type === "stop") stop();
    else if (order.type === "ping") report({ type: "pong" });
    else if (order.type === "status") report({ type: "status", sessions: bfd.status() });
    else {
      try {
        bfd.configure(order.config);
        report({ type: "ready", up: bfd.up() });
      } catch (error) {
        log(explain(error), false);
        report({ type: "failed", reason: explain(error) });
      }
    }
  });
}
