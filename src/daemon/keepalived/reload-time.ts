import { readFileSync, rmSync } from "node:fs";
import type { Log } from "../../director/engine.ts";
import { explain } from "../../fault.ts";

/** `reload_time_file`: reloads at a time that stands in a file (spec 1.8). */

const FORM = /^(?:(\d{2}|\d{4})-(\d{2})-(\d{2}) )?(\d{2}):(\d{2}):(\d{2})(Z?)$/;

/**
 * When a line of that file means: "HH:MM:SS", with a date before it "YY-MM-DD" or "YYYY-MM-DD", and with a Z behind it UTC.
 * A time without a date is the next one after `now`.
 * @param now ms since 1970
 */
export function reloadTime(line: string, now: number): { readonly at: number } | { readonly problem: string } {
  const found = FORM.exec(line);
  if (found === null) return { problem: `Reload time ${line} format is incorrect - ignoring` };
  const [, year, month, day, ...clock] = found;
  const [hour, minute, second] = clock.map(Number) as [number, number, number];
  if (hour > 23 || minute > 59 || second > 60 || Number(month ?? 1) > 12 || Number(day ?? 1) > 31)
    return { problem: `Reload date/time ${line} invalid - ignoring` };
  const isUtc = found[7] === "Z";
  const at = (date: readonly [number, number, number]): number =>
    isUtc ? Date.UTC(...date, hour, minute, second) : new Date(...date, hour, minute, second).getTime();
  if (year === undefined) {
    const days = [0, 1].map((later) => at(dateOf(now, later, isUtc)));
    return second > 59 ? { problem: invalid(line) } : { at: days.find((time) => time > now) ?? days[1]! };
  }
  const date = [Number(year.padStart(4, "20")), Number(month) - 1, Number(day)] as const;
  const [, , there] = dateOf(at(date), 0, isUtc);
  if (second > 59 || there !== date[2] || date[1] < 0) return { problem: invalid(line) };
  return at(date) > now ? { at: at(date) } : { problem: `Reload time ${line} is in the past - ignoring` };
}

const invalid = (line: string): string => `Reload time ${line} is not valid - ignoring`;

function dateOf(time: number, later: number, isUtc: boolean): readonly [year: number, month: number, day: number] {
  const d = new Date(time);
  return isUtc
    ? [d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate() + later]
    : [d.getFullYear(), d.getMonth(), d.getDate() + later];
}

export interface TimeDesk {
  /** Of the configuration that runs. */
  words(): { readonly reloadTimeFile: string | undefined; readonly reloadRepeat: boolean } | undefined;
  reload(): void;
  readonly log: Log;
  /** ms since 1970 */
  now(): number;
}

/** Between two looks at the file and the clock, ms. */
const LOOK = 500;

/** @returns how to end it */
export function followReloadTime({ words, reload, log, now }: TimeDesk): () => void {
  let line: string | undefined;
  let at: number | undefined;
  const schedule = (next: string | undefined): void => {
    if (at !== undefined && next === undefined) log.info("reload time", { reason: "the file is gone: cancelled" });
    line = next;
    at = undefined;
    if (next === undefined) return;
    const time = reloadTime(next, now());
    if ("at" in time) at = time.at;
    if ("at" in time) log.info("reload scheduled", { at: new Date(time.at).toISOString() });
    else log.warn("reload time", { reason: time.problem });
  };
  const timer = setInterval(() => {
    const { reloadTimeFile: path, reloadRepeat = false } = words() ?? {};
    const next = path === undefined ? undefined : firstLine(path);
    if (next !== line) schedule(next);
    if (path === undefined || at === undefined || now() < at) return;
    if (reloadRepeat || isDeleted(path, log)) line = undefined; // what is there is read again: a time without a date is tomorrow's
    at = undefined;
    reload();
  }, LOOK);
  return () => clearInterval(timer);
}

/** It may stand where nothing can be deleted: then its line is not followed a second time. */
function isDeleted(path: string, log: Log): boolean {
  try {
    rmSync(path, { force: true });
    return true;
  } catch (error) {
    log.warn("reload time", { reason: `the file cannot be deleted: ${explain(error)}` });
    return false;
  }
}

function firstLine(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").split("\n", 1)[0];
  } catch {
    return undefined;
  }
}
