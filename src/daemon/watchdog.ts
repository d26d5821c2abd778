/** What the service manager is told again and again: that we live, and that something still takes its time. */

/** systemd's watchdog (sd_watchdog_enabled(3)): told as long as the event loop turns and the children answer. */

export interface WatchdogWorld {
  notify(state: string): unknown;
  /** Whether every child answers within `ms`. */
  isAlive(ms: number): Promise<boolean>;
  readonly env?: NodeJS.ProcessEnv;
}

/** Tells at half of $WATCHDOG_USEC, or never when nobody asks. */
export function startWatchdog({ notify, isAlive, env = process.env }: WatchdogWorld): { stop(): void } {
  const period = periodOf(env);
  if (period === undefined) return { stop() {} };
  const tell = async (): Promise<void> => {
    if (await isAlive(period / 2)) tellOrNot(notify, "WATCHDOG=1");
  };
  const clock = setInterval(() => void tell(), period);
  return { stop: () => clearInterval(clock) };
}

/** Between two requests for time, and what each asks for: ms. */
const ASK = 5000;
const MORE = 15_000;

/**
 * Has the service manager wait beyond its timeout for a start or a stop, until `stop` (EXTEND_TIMEOUT_USEC of sd_notify(3)).
 * Only for what ends by a time of its own.
 */
export function askForTime(notify: WatchdogWorld["notify"]): { stop(): void } {
  const clock = setInterval(() => tellOrNot(notify, `EXTEND_TIMEOUT_USEC=${MORE * 1000}`), ASK).unref();
  return { stop: () => clearInterval(clock) };
}

/** A manager that does not listen just now is told the next time. */
function tellOrNot(notify: WatchdogWorld["notify"], state: string): void {
  try {
    notify(state);
  } catch {
    // its socket is full, or gone
  }
}

/** ms; undefined: not for this process. */
export function periodOf({ WATCHDOG_USEC: usec, WATCHDOG_PID: pid }: NodeJS.ProcessEnv): number | undefined {
  const period = Number(usec) / 2000;
  return period > 0 && (pid === undefined || pid === String(process.pid)) ? period : undefined;
}
