import { appendFileSync, readFileSync } from "node:fs";
import type { OpenDirector } from "../../director/engine.ts";
import { explain } from "../../fault.ts";
import { nameProcess } from "../../platform/scheduling.ts";
import { VERSION } from "../../version.ts";
import { EXIT_DEFECT } from "../failure.ts";
import { LINES, type Lines, openLines } from "../lines.ts";
import { type Ending, type Front, type RunOptions, runDaemon } from "../run.ts";
import { goToBackground, takeWork, tellReady } from "./background.ts";
import { type KeepalivedOptions, parseKeepalivedLine } from "./line.ts";
import { phraseLog } from "./phrases.ts";
import { type PidFile, type PidName, pidPath, takePidFile } from "./pid-file.ts";
import { testConfig, type Wanted } from "./read.ts";

/** lvsd under keepalived's name: its command line, its pid files, its log, its exit codes (spec 1). */

/** What ps, pgrep and killall find keepalived by. */
const NAME = "keepalived";

/** spec 1.5 */
const EXIT = { fatal: 1, config: 2, permission: 4, noFile: 6 } as const;

export async function main(argv: readonly string[], open: OpenDirector): Promise<void> {
  const isWorker = takeWork();
  const line = parseKeepalivedLine(argv);
  if ("print" in line) {
    process[line.to].write(line.print);
    process.exitCode = line.exit;
  } else if ("test" in line) judge(line.test, line.logTo);
  else if (line.run.fork && !isWorker) process.exit(await goToBackground(argv, "--dont-fork"));
  else await serve(line.run, argv, open, isWorker);
}

function judge(options: KeepalivedOptions, logTo: string | undefined): void {
  const { print, exit } = testConfig(options.file, options);
  const text = options.notes.map((note) => `${note}\n`).join("") + print;
  if (logTo === undefined) process.stderr.write(text);
  else appendFileSync(logTo, text);
  process.exitCode = exit;
}

async function serve(options: KeepalivedOptions, argv: readonly string[], open: OpenDirector, isWorker: boolean): Promise<void> {
  process.stderr.on("error", () => {}); // whoever read the log is gone
  if (options.umask !== undefined) process.umask(options.umask);
  nameProcess(NAME);
  let line = openLines(linesOf(options, "parent", ""));
  const write = (text: string): void => line(text);
  const log = phraseLog(write, options.detail);
  const crash = (error: unknown): void => {
    write(`Defect: ${explain(error)} ${error instanceof Error ? error.stack : ""}`.replaceAll(/\s*\n\s*/g, " "));
    process.exit(EXIT_DEFECT);
  };
  process.on("uncaughtException", crash).on("unhandledRejection", crash);
  write(`Starting Keepalived (lvsd ${VERSION})`);
  write(`Command line: ${["keepalived", ...argv].map((word) => `'${word}'`).join(" ")}`);
  for (const note of options.notes) write(note);
  const pids = new PidFiles(options);
  const change = (): void => {
    if (pids.suffix === "") return;
    write(`Changing syslog ident to Keepalived${pids.suffix}`);
    line = openLines(linesOf(options, "parent", pids.suffix));
  };
  const front: Front = {
    ...{ open, log },
    begin: (wanted, run) => begin(wanted, run, { options, pids, write, change }),
    ready() {
      write("Startup complete");
      if (isWorker) tellReady();
    },
    care: {
      onStart: (name, pid) => pids.take(name === "health" ? "checkers" : (name as PidName), pid),
      onEnd: (name) => pids.release(name === "health" ? "checkers" : (name as PidName)),
    },
    setting: (name) => ({
      title: NAME,
      args: name !== "health" && options.detail > 0 ? ["--detail"] : [],
      env: { [LINES]: JSON.stringify(linesOf(options, name, pids.suffix)) },
    }),
  };
  const ending = await runDaemon(runOptions(options), front);
  const exit = tellEnding(ending, options, write);
  pids.releaseAll();
  write(`Stopped Keepalived (lvsd ${VERSION})`);
  process.exit(exit);
}

interface Around {
  readonly options: KeepalivedOptions;
  readonly pids: PidFiles;
  write(line: string): void;
  /** Other words in the log from now on. */
  change(): void;
}

/** The file is read; nothing has been started. */
function begin(wanted: Wanted, run: RunOptions, { options, pids, write, change }: Around): RunOptions | number {
  write(`Configuration file ${options.file}`);
  pids.place(wanted);
  change();
  if (!pids.take("parent", process.pid)) {
    write("daemon is already running");
    return 0;
  }
  const hasServices = wanted.health.services.length > 0;
  if (!hasServices && !wanted.hasVrrp) write("Warning - keepalived has no configuration to run");
  if (options.dump)
    for (const line of JSON.stringify({ vrrp: wanted.vrrp, check: wanted.health }, undefined, 1).split("\n")) write(line);
  const isOurs = options.engine === "xdp" && options.interfaces === undefined;
  return isOurs && hasServices ? { ...run, interfaces: upInterfaces() } : run;
}

function runOptions(options: KeepalivedOptions): RunOptions {
  const { file, only, noBfd, configId, namespace, engine, hook, strict, respawn, leaveVips, leaveServices } = options;
  return {
    ...{ file, engine, hook, strict, respawn, leaveVips, leave: leaveServices, xdpMode: "auto", connTableSize: 1_048_576 },
    interfaces: options.interfaces ?? [],
    ...(only === undefined ? {} : { only }),
    ...(noBfd === undefined ? {} : { noBfd }),
    ...(configId === undefined ? {} : { configId }),
    ...(namespace === undefined ? {} : { namespace }),
  };
}

/** Links on which packets for a service may come: all that are up, but loopback and the VRRP process's own. */
function upInterfaces(): string[] {
  const names = [...readFileSync("/proc/self/net/dev", "utf8").matchAll(/^\s*([^\s:|]+):/gm)].map((found) => found[1]!);
  const isUp = (name: string): boolean => {
    try {
      return (Number(readFileSync(`/sys/class/net/${name}/flags`, "utf8")) & 1) === 1;
    } catch {
      return true; // /sys is of another network namespace
    }
  };
  return names.filter((name) => name !== "lo" && !/^vrrp6?\./.test(name) && isUp(name));
}

function tellEnding(ending: Ending, { file }: KeepalivedOptions, write: (line: string) => void): number {
  if (ending.why === "stopped") return ending.exit;
  if (ending.why === "failure") {
    write(ending.failure.line);
    return ending.failure.exit === 77 ? EXIT.permission : EXIT.fatal;
  }
  if (ending.isMissing) {
    write(`Config files missing '${file}'.`);
    return EXIT.noFile;
  }
  for (const problem of ending.problems) for (const line of problem.split("\n")) write(line);
  return EXIT.config;
}

const SUFFIXES = { parent: "", vrrp: "_vrrp", health: "_healthcheckers", bfd: "_bfd" } as const;

function linesOf(
  { log: { syslog, facility, console, file } }: KeepalivedOptions,
  who: keyof typeof SUFFIXES,
  suffix: string,
): Lines {
  const path = file?.replace(/(\.[^./]*)?$/, `${SUFFIXES[who]}$1`);
  return {
    ...{ ident: `Keepalived${SUFFIXES[who]}${suffix}`, console },
    ...(syslog ? { facility } : {}),
    ...(path === undefined ? {} : { file: path }),
  };
}

/** Of the parent and its children; where they are is known when the file is read. */
class PidFiles {
  readonly #options: KeepalivedOptions;
  readonly #held = new Map<PidName, PidFile>();
  #place: Parameters<typeof pidPath>[1] = {};

  constructor(options: KeepalivedOptions) {
    this.#options = options;
  }

  /** What names of this one end with: its namespace and its instance. */
  get suffix(): string {
    const { namespace, instance } = this.#place;
    return [namespace, instance].map((word) => (word ? `_${word}` : "")).join("");
  }

  place({ parent: { namespace, instance, usePidDir } }: Wanted): void {
    this.#place = { namespace: this.#options.namespace ?? namespace, instance, usePidDir };
  }

  /** false: a process that lives has it. */
  take(name: PidName, pid: number): boolean {
    this.release(name);
    const file = takePidFile(this.#options.pids[name] ?? pidPath(name, this.#place), pid);
    if (file !== undefined) this.#held.set(name, file);
    return file !== undefined;
  }

  release(name: PidName): void {
    this.#held.get(name)?.release();
    this.#held.delete(name);
  }

  releaseAll(): void {
    for (const name of [...this.#held.keys()]) this.release(name);
  }
}
