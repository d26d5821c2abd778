import { onSignal } from "../../platform/signals.ts";
import { SIGNALS } from "../signals.ts";

/** What a signal asks for (spec 1.3). */
export type Asked = "DATA" | "STATS" | "STATS_CLEAR" | "JSON";

/** From now on these signals ask, and do nothing else: of themselves they would end the process, or open Node's debugger. */
export function hearDumpSignals(ask: (what: Asked) => void): void {
  process.on("SIGUSR1", () => ask("DATA"));
  process.on("SIGUSR2", () => ask("STATS"));
  onSignal(SIGNALS.STATS_CLEAR, () => ask("STATS_CLEAR"));
  onSignal(SIGNALS.JSON, () => ask("JSON"));
}
