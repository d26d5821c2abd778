import { Command, CommanderError } from "commander";
import pc from "picocolors";
import { explain } from "../../fault.ts";
import { VERSION } from "../../version.ts";
import { NoDaemon } from "../client.ts";
import { addBfd } from "./bfd.ts";
import { type AddCommand, Findings, type Io } from "./command.ts";
import { addConfigured } from "./configured.ts";
import type { Control } from "./control.ts";
import { addDump } from "./dump.ts";
import { addExplain } from "./explain.ts";
import { addLists } from "./list.ts";
import { addMarks } from "./marks.ts";
import { addPlan } from "./plan.ts";
import { addSettings } from "./settings.ts";
import { addStatus } from "./status.ts";
import { addTop } from "./top.ts";

/** lvsctl's commands, in the order of its help. */
const commands: readonly AddCommand[] = [
  ...[addStatus, addTop, addLists, addConfigured, addDump, addBfd, addPlan],
  ...[addExplain, addMarks, addSettings],
];

const REFUSED = 1;
const USAGE = 2;

/**
 * @param argv without node and the script
 * @param more commands of other folders, which this one may not import
 * @returns the exit code
 */
export async function lvsctl(
  argv: readonly string[],
  io: Io,
  control: Control,
  colored: boolean,
  more: readonly AddCommand[] = [],
): Promise<number> {
  const program = new Command("lvsctl")
    .description("Look at the lvsd of this network namespace, change its settings; make a host a real server.")
    .version(`lvsctl ${VERSION}`, "--version")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.out(text),
      writeErr: (text) => io.err(text),
      outputError: (text, write) => write(text.replace(/^error: /, "lvsctl: ")),
    });
  for (const add of [...commands, ...more]) add(program, { control, io, colors: pc.createColors(colored) });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    if (error instanceof Findings) return error.exit;
    io.err(`lvsctl: ${problemText(error)}\n`);
    return REFUSED;
  }
}

function problemText(error: unknown): string {
  if (!(error instanceof NoDaemon)) return explain(error).replaceAll(/\s*\n\s*/g, " ");
  if (error.code === "EACCES") return `not permitted to open ${error.path}; lvsd serves its own user, mostly root`;
  return `no lvsd answers at ${error.path} (${error.code}); is one running in this network namespace?`;
}
