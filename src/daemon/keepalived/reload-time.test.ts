import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silent } from "../testing/fake-director.ts";
import { followReloadTime, reloadTime } from "./reload-time.ts";

const NOW = Date.UTC(2026, 10, 20, 8, 49, 5);
const utc = (text: string): number => Date.parse(`${text}Z`);

/** What keepalived 2.2.7 says of each, at that time. */
const cases: [line: string, outcome: number | string][] = [
  ["10:00:00Z", utc("2026-11-20T10:00:00")],
  ["01:00:00Z", utc("2026-11-21T01:00:00")],
  ["26-12-01 10:00:00Z", utc("2026-12-01T10:00:00")],
  ["2026-12-01 10:00:00Z", utc("2026-12-01T10:00:00")],
  ["2026-12-01 10:00:00", new Date(2026, 11, 1, 10).getTime()],
  ["2020-12-01 10:00:00", "Reload time 2020-12-01 10:00:00 is in the past - ignoring"],
  ["2026-13-01 10:00:00", "Reload date/time 2026-13-01 10:00:00 invalid - ignoring"],
  ["2026-02-31 10:00:00", "Reload time 2026-02-31 10:00:00 is not valid - ignoring"],
  ["25:00:00", "Reload date/time 25:00:00 invalid - ignoring"],
  ["01:60:00", "Reload date/time 01:60:00 invalid - ignoring"],
  ["01:00:60", "Reload time 01:00:60 is not valid - ignoring"],
  ...["1:00:00", " 01:00:00", "01:00:00 ", "2026-12-01  10:00:00", "hello", ""].map((line): [string, string] => [
    line,
    `Reload time ${line} format is incorrect - ignoring`,
  ]),
];
for (const [line, outcome] of cases)
  test(`a reload at '${line}'`, () =>
    expect(reloadTime(line, NOW)).toEqual(typeof outcome === "number" ? { at: outcome } : { problem: outcome }));

let folder: string;
let path: string;
let reloads: number;
let warnings: string[];
let stop = (): void => {};
const follow = (reloadRepeat: boolean): void => {
  const log = { ...silent, warn: (message: string): void => void warnings.push(message) };
  const words = () => ({ reloadTimeFile: path, reloadRepeat });
  stop = followReloadTime({ words, reload: () => reloads++, log, now: Date.now });
};

const nextDay = (n = 1): void => {
  vi.setSystemTime(NOW + (24 * n + 1) * 3_600_000);
  vi.advanceTimersByTime(2000);
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lvsd-time-"));
  path = join(folder, "when");
  [reloads, warnings] = [0, []];
  vi.useFakeTimers({ now: NOW });
});
afterEach(() => {
  stop();
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

test("at its time there is a reload, and the file goes", () => {
  follow(false);
  writeFileSync(path, "08:49:10Z\n");
  vi.advanceTimersByTime(4000);
  expect([reloads, existsSync(path)]).toEqual([0, true]);
  vi.advanceTimersByTime(2000);
  expect([reloads, existsSync(path)]).toEqual([1, false]);
  nextDay();
  expect(reloads).toBe(1);
});

test("with reload_repeat it comes every day", () => {
  follow(true);
  writeFileSync(path, "08:49:10Z\n");
  vi.advanceTimersByTime(60_000);
  expect([reloads, existsSync(path)]).toEqual([1, true]);
  nextDay();
  expect(reloads).toBe(2);
});

test("a file that cannot be deleted is told, and its line is not followed again", () => {
  writeFileSync(path, "08:49:10Z\n");
  const file = openSync(path, "r");
  const real = path;
  path = `/proc/self/fd/${file}`; // where nobody may delete
  follow(false);
  vi.advanceTimersByTime(60_000);
  expect([reloads, warnings.length]).toEqual([1, 1]);
  nextDay();
  expect(reloads).toBe(1);
  writeFileSync(real, "08:49:20Z\n");
  vi.advanceTimersByTime(1000);
  nextDay(2);
  expect([reloads, warnings.length]).toEqual([2, 2]);
  closeSync(file);
});

test("another time takes the place of the first, and none takes it away", () => {
  follow(false);
  writeFileSync(path, "08:49:10Z\n");
  vi.advanceTimersByTime(1000);
  writeFileSync(path, "08:49:20Z\n");
  vi.advanceTimersByTime(10_000);
  expect(reloads).toBe(0);
  rmSync(path);
  vi.advanceTimersByTime(20_000);
  expect(reloads).toBe(0);
});
