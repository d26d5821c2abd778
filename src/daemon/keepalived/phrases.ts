import type { Log, LogValues } from "../../director/engine.ts";

/** lvsd's events as lines of keepalived's log, with its words where there are some (spec 1.5, 1.7). */

const NAMES: Readonly<Record<string, string>> = { vrrp: "VRRP", health: "Healthcheck", bfd: "BFD" };
const who = ({ process }: LogValues): string => NAMES[String(process)] ?? String(process);
/** Why a child of ours gave up, by its exit code. */
const REASONS: Readonly<Record<string, string>> = { "exit 1": "FATAL", "exit 2": "CONFIG", "exit 4": "missing permission" };

const phrases: Readonly<Record<string, (values: LogValues) => string | undefined>> = {
  configuration: ({ problem, note }) => String(problem ?? note),
  ...{ vrrp: () => undefined, bfd: () => undefined }, // their processes say it
  ready: () => undefined, // the director; its front tells when all is
  "process started": (values) => `Starting ${who(values)} child process, pid=${values.pid}`,
  "process died": (values) => {
    const seconds = Number(values.againInMs ?? 0) / 1000;
    const died = `${who(values)} child process(${values.pid}) died: ${values.again === false ? "Exiting" : "Respawning"}`;
    return seconds > 0 ? `${died}\nRestart of ${who(values)} process delayed ${seconds} seconds to limit respawn rate` : died;
  },
  "process failed": ({ pid, reason }) =>
    `pid ${pid} exited with permanent error ${REASONS[String(reason)] ?? "FATAL"}. Terminating`,
  killed: (values) => `${who(values)} process failed to die - forcing termination`,
  stopping: () => "Stopping",
  stopped: () => undefined,
  "no interface": () => undefined, // for VRRP alone none is needed
  "network namespace": () => undefined,
  reloading: () => "Reloading ...",
  reloaded: ({ changes, ms }) => `Reload complete (${changes} changes, ${ms} ms)`,
  "not reloaded": ({ file, reason }) => `Reload${file === undefined ? "" : ` of ${file}`} refused: ${reason}`,
};

/** `write` gets single lines. */
export function phraseLog(write: (line: string) => void, detail: number): Log {
  const tell = (event: string, values: LogValues = {}): void => {
    const text = Object.hasOwn(phrases, event) ? phrases[event]!(values) : plain(event, values);
    if (text !== undefined) for (const line of text.split("\n")) write(line);
  };
  return { debug: (event, values) => void (detail > 1 && tell(event, values)), info: tell, warn: tell, error: tell };
}

function plain(event: string, values: LogValues): string {
  const parts = Object.entries(values).map(
    ([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return parts.length === 0 ? event : `${event}: ${parts.join(", ")}`;
}
