import type { OpenDirector } from "../director/engine.ts";
import { explain } from "../fault.ts";
import { EXIT_CONFIG, EXIT_DEFECT } from "./failure.ts";
import { testConfig } from "./keepalived/read.ts";
import { createLog } from "./log.ts";
import { type LvsdOptions, parseCommandLine } from "./options.ts";
import { type Ending, runDaemon } from "./run.ts";

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
  const ending = await runDaemon(line.run, { open, log });
  for (const text of wordsOf(ending, line.run)) process.stderr.write(`${text}\n`);
  process.exit(ending.why === "file" ? EXIT_CONFIG : ending.why === "failure" ? ending.failure.exit : ending.exit);
}

function wordsOf(ending: Ending, { file }: LvsdOptions): readonly string[] {
  if (ending.why === "file") return [...ending.problems, `lvsd: ${file} has errors; nothing was started`];
  return ending.why === "failure" ? [`lvsd: ${ending.failure.line}`] : [];
}
