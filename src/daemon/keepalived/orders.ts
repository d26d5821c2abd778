import { isDeepStrictEqual } from "node:util";
import type { Director, Service, ServiceKey, Timeouts } from "../../director/director.ts";
import type { Log } from "../../director/engine.ts";
import type { Change, InForce, Outcome, Plan, Waiting } from "../../director/plan.ts";
import { explain } from "../../fault.ts";
import type { Configured, Done } from "./configured.ts";
import { planOf } from "./plan.ts";
import type { Reading, Wanted } from "./read.ts";
import { tellFailedCheck, unchangeable, whileReading } from "./reload-words.ts";

/**
 * What may be asked of a configuration at work: reload, plan, apply with or without a confirmation to come. One at a time.
 *
 * lvsd starts as keepalived does with a file that has errors, and leaves out what is wrong. While it runs, an error that it did
 * not start with refuses the file: a slip of the pen must not take a service away.
 */
export interface Orders {
  /** Reads lvsd's own file again. With errors everything stays as it is. */
  reload(): Promise<Outcome>;
  /** What a file would change; changes nothing. @param file lvsd's own if absent */
  plan(file?: string): Promise<Plan>;
  /** @param confirmSeconds after that time it is taken back, unless confirm() comes */
  apply(file?: string, confirmSeconds?: number): Promise<Outcome>;
  /** What waits stays. */
  confirm(): Promise<Outcome>;
  /** What waits is taken back at once. */
  revert(): Promise<Outcome>;
  inForce(): InForce;
  close(): void;
}

export interface Desk {
  /** lvsd's own file. */
  readonly path: string;
  /** What was wrong with it at the start, and left out. */
  readonly errors: readonly string[];
  readonly configured: Pick<Configured, "wanted" | "carryOut" | "vrrp">;
  readonly director: Pick<Director, "service" | "timeouts" | "apply">;
  readonly log: Log;
  /** ms of a monotonic clock */
  now(): number;
  read(path: string): Reading;
}

/** A configuration that is carried out, and where it is from. */
interface Running {
  readonly file: string;
  readonly wanted: Wanted;
  /** What is wrong in the file and left out, without its place. */
  readonly known: ReadonlySet<string>;
}

/** A file that may be carried out, or why not. */
type Verdict = { readonly next: Running; readonly notes: readonly string[] } | { readonly problems: readonly string[] };

interface Pending {
  readonly file: string;
  readonly before: Running;
  /** What it has set anew; no file need tell of them. */
  readonly timeouts: Timeouts | undefined;
  readonly until: number;
  readonly timer: NodeJS.Timeout;
}

export function openOrders({ path, errors, configured, director, log, now, read }: Desk): Orders {
  let running: Running = { file: path, wanted: configured.wanted(), known: new Set(errors.map(withoutPlace)) };
  let since = now();
  let pending: Pending | undefined;
  let last: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(job: () => Promise<T>): Promise<T> => {
    const done = last.then(job);
    last = done.catch(() => {});
    return done;
  };
  const waiting = (): { readonly waiting?: Waiting } =>
    pending === undefined
      ? {}
      : { waiting: { file: pending.file, seconds: Math.max(0, Math.ceil((pending.until - now()) / 1000)) } };
  const live = (key: ServiceKey): Service | undefined => {
    try {
      return director.service(key);
    } catch (error) {
      log.warn("connections not counted", { reason: explain(error) });
      return undefined;
    }
  };
  const judge = (file: string): Verdict => {
    const found = read(file);
    if ("problems" in found) return found;
    const { config } = running.wanted;
    const isChecked = config.globalDefs?.reloadCheckConfig !== undefined;
    const fresh = found.errors.filter((error) => isChecked || !running.known.has(withoutPlace(error)));
    const problems = [...fresh, ...unchangeable(config, found.wanted.config).map((text) => `${file}: error: ${text}`)];
    if (problems.length > 0) return { problems };
    const known = new Set(found.errors.map(withoutPlace));
    return { next: { file, wanted: found.wanted, known }, notes: [...found.errors, ...found.notes] };
  };
  const changesTo = async ({ wanted: next }: Running): Promise<Change[]> => {
    const before = running.wanted;
    const seen = isDeepStrictEqual(before.vrrp, next.vrrp) ? [] : await configured.vrrp();
    return planOf(before, next, live, seen);
  };
  const carryOut = async (next: Running): Promise<Done> => {
    const done = await configured.carryOut(next.wanted);
    running = next;
    since = now();
    return done;
  };
  const outcome = (
    of: string,
    began: number,
    isDone: boolean,
    remarks: readonly string[],
    rest: Partial<Outcome> = {},
  ): Outcome => ({
    ...{
      file: of,
      problems: [],
      notes: [],
      changes: [],
      troubles: [],
      operations: 0,
      ...rest,
      isDone,
      remarks,
      took: Math.round(now() - began),
    },
    ...waiting(),
  });

  /** Reads a file and carries it out, unless it has errors or another one waits. */
  const adopt = async (from: string, confirmSeconds: number | undefined): Promise<Outcome> => {
    const began = now();
    if (pending !== undefined)
      return outcome(from, began, false, [`an apply of ${pending.file} waits: lvsctl confirm, or lvsctl revert`]);
    const { config } = running.wanted;
    const found = whileReading(config, log, () => judge(from));
    if ("problems" in found) {
      const { problems } = found;
      return outcome(from, began, false, [tellFailedCheck(config, problems, log) ?? "the file has errors"], { problems });
    }
    const before = running;
    const changes = await changesTo(found.next);
    const isPending = confirmSeconds !== undefined && changes.length > 0;
    const timeouts = isPending && setsTimeouts(before, found.next) ? director.timeouts() : undefined;
    const { troubles, operations } = await carryOut(found.next);
    if (isPending) wait({ file: from, before, timeouts }, confirmSeconds);
    return outcome(from, began, true, remarksOn(from, path, isPending), { notes: found.notes, changes, troubles, operations });
  };
  const wait = (what: Pick<Pending, "file" | "before" | "timeouts">, seconds: number): void => {
    const late = (): void => void inTurn(async () => pending !== undefined && takeBack("it was not confirmed"));
    pending = { ...what, until: now() + seconds * 1000, timer: setTimeout(late, seconds * 1000) };
    log.info("applied until confirmed", { file: what.file, seconds });
  };
  const takeBack = async (reason: string): Promise<Outcome> => {
    const began = now();
    const { file: of, before, timeouts, timer } = pending!;
    clearTimeout(timer);
    const changes = await changesTo(before);
    const { troubles: others, operations } = await carryOut(before);
    pending = undefined;
    const troubles = timeouts === undefined ? others : [...others, ...setBack(timeouts)];
    log.warn("taken back", { file: of, reason });
    return outcome(before.file, began, true, [], { changes, troubles, operations });
  };
  /** @returns what went wrong */
  const setBack = (timeouts: Timeouts): string[] => {
    try {
      return director.apply([{ op: "set-timeouts", timeouts }]).map(({ message }) => message);
    } catch (error) {
      return [explain(error)];
    }
  };
  const nothingWaits = (): Outcome => outcome(running.file, now(), false, ["nothing waits for a confirmation"]);

  return {
    reload: () => inTurn(() => adopt(path, undefined)).then((done) => told(done, "reloaded", log)),
    async plan(from = path) {
      const found = judge(from);
      if ("problems" in found) return { file: from, problems: found.problems, notes: [], changes: [], ...waiting() };
      return { file: from, problems: [], notes: found.notes, changes: await changesTo(found.next), ...waiting() };
    },
    apply: (from = path, confirmSeconds) => inTurn(() => adopt(from, confirmSeconds)).then((done) => told(done, "applied", log)),
    confirm: () =>
      inTurn(async () => {
        if (pending === undefined) return nothingWaits();
        const { file: of, timer } = pending;
        clearTimeout(timer);
        pending = undefined;
        log.info("confirmed", { file: of });
        return outcome(of, now(), true, remarksOn(of, path, false));
      }),
    revert: () => inTurn(async () => (pending === undefined ? nothingWaits() : takeBack("lvsctl revert"))),
    inForce: () => ({ file: running.file, seconds: Math.floor((now() - since) / 1000), ...waiting() }),
    close: () => clearTimeout(pending?.timer),
  };
}

const setsTimeouts = ({ wanted: before }: Running, { wanted: next }: Running): boolean =>
  next.timeouts !== undefined && !isDeepStrictEqual(before.timeouts, next.timeouts);

/** A problem of a file as it is anywhere in it: "a.conf:3:5: error: …" without its place. */
const withoutPlace = (problem: string): string => problem.replace(/^[^\n]*?:\d+(?::\d+)?: /, "");

/** What an lvsd says that was started without a file. */
export const withoutFile: Orders = {
  reload: async () => refused,
  plan: async () => ({ ...refused, problems: refused.remarks }),
  apply: async () => refused,
  confirm: async () => refused,
  revert: async () => refused,
  inForce: () => ({ file: "", seconds: 0 }),
  close() {},
};

const refused: Outcome = {
  ...{ file: "", problems: [], notes: [], changes: [], isDone: false, troubles: [], operations: 0, took: 0 },
  remarks: ["no configuration file is in use: lvsd was started without -f"],
};

/** What of it does not last. */
function remarksOn(file: string, own: string, isPending: boolean): string[] {
  if (file !== own) return [`lvsd reads ${own} at its next start and on SIGHUP: that ${file} was applied is not remembered`];
  return isPending ? [`the file itself stays as it is: at its next start lvsd reads it, confirmed or not`] : [];
}

function told(done: Outcome, word: string, log: Log): Outcome {
  const { file, isDone, problems, notes, changes, troubles, remarks, took } = done;
  for (const problem of problems) log.error("configuration", { problem });
  for (const note of notes) log.warn("configuration", { note });
  if (!isDone) log.error(`not ${word}`, { file, reason: `${remarks.join("; ")}; everything stays as it is` });
  else if (troubles.length > 0) log.error(`${word} in part`, { file, reason: troubles.join("; ") });
  else log.info(word, { file, changes: changes.length, ms: took });
  return done;
}
