import type { Operation } from "../../director/director.ts";
import type { Command } from "./command.ts";
import type { Names } from "./names.ts";
import { parseCommand } from "./parse.ts";
import { tryHelp, Usage } from "./usage.ts";

/**
 * Rules from a file. The original carries out line by line and stops at the first bad one, with half of the table in place;
 * here every line is read before anything is done, and all operations are one batch that the director takes or refuses.
 */
export interface Batch {
  readonly operations: readonly Operation[];
  /** The line of each operation, from 1. */
  readonly lines: readonly number[];
  /** Listings among the rules; they are answered when the batch is in place. */
  readonly queries: readonly Command[];
}

export interface BadLine {
  readonly line: number;
  readonly usage: Usage;
}

const blanks = /[ \t\r]+/;

/** The batch, or every line that is wrong. */
export async function parseBatch(text: string, names: Names): Promise<Batch | readonly BadLine[]> {
  const operations: Operation[] = [];
  const lines: number[] = [];
  const queries: Command[] = [];
  const bad: BadLine[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    const args = line.split(blanks).filter((token) => token !== "" && token !== "ipvsadm");
    if (args.length === 0) continue;
    try {
      const command = await parseCommand(args, names);
      if (command.kind === "restore") throw tryHelp();
      if (command.kind === "apply") {
        operations.push(command.operation);
        lines.push(i + 1);
      } else {
        queries.push(command);
      }
    } catch (error) {
      if (!(error instanceof Usage)) throw error;
      bad.push({ line: i + 1, usage: error });
    }
  }
  return bad.length > 0 ? bad : { operations, lines, queries };
}

/** Lines that begin with # emptied, so that the numbers of the others stay: ipvsadm-restore drops them, ipvsadm -R does not. */
export const withoutComments = (text: string): string => text.replace(/^#.*/gm, "");
