import { readFileSync } from "node:fs";
import { release } from "node:os";
import { fileURLToPath } from "node:url";
import type { Log, OpenDirector } from "../director/engine.ts";
import { explain, Fault } from "../fault.ts";
import { notifyManager } from "../platform/notify.ts";
import { monotonicMs } from "../platform/timer.ts";
import { dumper } from "./dump/dumper.ts";
import { dumpText } from "./dump/dumps.ts";
import { hearDumpSignals } from "./dump/hear.ts";
import { EXIT_CONFIG, EXIT_DEFECT, failureOf } from "./failure.ts";
import { placesOf } from "./instance.ts";
import { type Configured, startConfigured } from "./keepalived/configured.ts";
import { type Orders, openOrders } from "./keepalived/orders.ts";
import { openReader, type Readable, type Reading, tellFindings, testConfig } from "./keepalived/read.ts";
import { createLog } from "./log.ts";
import { type Lvsd, startLvsd } from "./lvsd.ts";
import { type LvsdOptions, parseCommandLine } from "./options.ts";
import { preflight } from "./preflight.ts";
import type { FileStatus } from "./routes.ts";

/** lvsd as a process: its command line, its signals, its exit code. */
export async function main(argv: readonly string[], open: OpenDirector): Promise<void> {
  const line = parseCommandLine(argv);
  if ("print" in line) {
    process[line.to].write(line.print);
    process.exitCode = line.exit;
    return;
  }
  if ("test" in line) {
    const { print, exit } = testConfig(line.test, line);
    process.stderr.write(print);
    process.exitCode = exit;
    return;
  }
  process.stderr.on("error", () => {}); // whoever read the log is gone; forwarding matters more
  const log = createLog(line.run.log, (text) => process.stderr.write(text));
  const crash = (error: unknown) => {
    log.error("defect", { reason: explain(error), stack: error instanceof Error ? error.stack : undefined });
    process.exit(EXIT_DEFECT); // the programs and maps stay, and the next lvsd finds them
  };
  process.on("uncaughtException", crash).on("unhandledRejection", crash);
  await run(line.run, open, log);
}

async function run(options: LvsdOptions, open: OpenDirector, log: Log): Promise<void> {
  let reload = (): void => log.info("nothing to reload", { reason: "no configuration file is in use" });
  const asked = signals(() => reload());
  const read = openReader(options);
  const first = options.file === undefined ? undefined : readFirst(options.file, read, log);
  let configured: Configured | undefined;
  let orders: Orders | undefined;
  const onDump = dumper(() => configured, log);
  hearDumpSignals(onDump);
  const file: FileStatus = {
    vrrp: async () => (await configured?.vrrp()) ?? [],
    checks: async () => (await configured?.checks()) ?? [],
    bfd: async () => (await configured?.bfd()) ?? [],
    orders: () => orders,
    async dump(name, clear) {
      if (configured === undefined) throw new Fault("dump", "ENOENT", "no configuration file is in use");
      return dumpText(name, await configured.facts(clear));
    },
  };
  let lvsd: Lvsd;
  const places = placesOf();
  try {
    preflight(thisMachine(), options);
    lvsd = await startLvsd(options, { open, places, log, notify: notifyManager, now: monotonicMs, file });
  } catch (error) {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    process.stderr.write(`lvsd: ${failure.line}\n`);
    process.exit(failure.exit);
  }
  const { file: path = "", leave } = options;
  const { director } = lvsd;
  configured = first && startConfigured(first.wanted, { director, log, owned: places.owned, program: programBeside, onDump });
  if (first !== undefined && configured !== undefined) {
    const given = openOrders({ path, errors: first.errors, configured, director, log, now: monotonicMs, read });
    orders = given;
    reload = () => void given.reload().catch((error) => log.error("not reloaded", { reason: explain(error) }));
  }
  log.info("stopping", { signal: await asked });
  orders?.close();
  await configured?.stop({ leave });
  await lvsd.stop();
  process.exit(0);
}

/** A file that keepalived would not start with ends it before anything is started. */
function readFirst(path: string, read: (path: string) => Reading, log: Log): Readable {
  const found = read(path);
  if ("problems" in found) {
    process.stderr.write(`${found.problems.join("\n")}\nlvsd: ${path} has errors; nothing was started\n`);
    process.exit(EXIT_CONFIG);
  }
  tellFindings(found, path, log);
  return found;
}

/** The other commands lie beside this one. */
const programBeside = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** The signal that asks to stop; one that comes during the start is not forgotten. */
function signals(reload: () => void): Promise<string> {
  process.on("SIGHUP", reload);
  return new Promise((resolve) => process.on("SIGTERM", resolve).on("SIGINT", resolve));
}

const thisMachine = () => ({
  release: release(),
  status: readFileSync("/proc/self/status", "utf8"),
  netDev: readFileSync("/proc/self/net/dev", "utf8"),
});
