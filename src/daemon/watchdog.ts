/** systemd's watchdog (sd_watchdog_enabled(3)): told that we live, as long as the event loop turns and the children answer. */

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
    if (await isAlive(period / 2)) notify("WATCHDOG=1");
  };
  const clock = setInterval(() => void tell(), period);
  return { stop: () => clearInterval(clock) };
}

/** ms; undefined: not for this process. */
export function periodOf({ WATCHDOG_USEC: usec, WATCHDOG_PID: pid }: NodeJS.ProcessEnv): number | undefined {
  const period = Number(usec) / 2000;
  return period > 0 && (pid === undefined || pid === String(process.pid)) ? period : undefined;
}
