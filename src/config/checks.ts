import { checkVirtualServers } from "./checks/lvs.ts";
import { checkScripts } from "./checks/scripts.ts";
import { checkTrackers } from "./checks/trackers.ts";
import { checkGroups, checkInstances } from "./checks/vrrp.ts";
import type { KeepalivedConfig } from "./keywords.ts";
import type { Origin, Problem, ProblemKind } from "./source.ts";
import type { Facts } from "./table.ts";
import type { Line } from "./tokens.ts";

/** What can be said only when all values are known (spec 2.11 to 2.18). The values are left as they are written. */

export interface CheckInput {
  readonly facts: Facts;
  readonly lines: readonly Line[];
  /** Found problems are added here. */
  readonly problems: Problem[];
  readonly dialect: "2.2.7" | undefined;
}

/** Reports problems at the origin of a value. */
export class Report {
  readonly facts: Facts;
  readonly dialect: "2.2.7" | undefined;
  private readonly input: CheckInput;
  private texts: Map<string, string> | undefined;

  constructor(input: CheckInput) {
    this.input = input;
    this.facts = input.facts;
    this.dialect = input.dialect;
  }

  error(origin: Origin, message: string, kind?: ProblemKind): void {
    this.add("error", origin, message, kind);
  }

  /** A problem told already is worse than it looked. */
  worsen(problem: number, kind: ProblemKind): void {
    const before = this.input.problems[problem];
    if (before !== undefined && before.kind === undefined) this.input.problems[problem] = { ...before, kind };
  }

  warn(origin: Origin, message: string): void {
    this.add("warning", origin, message);
  }

  private add(severity: Problem["severity"], origin: Origin, message: string, kind?: ProblemKind): void {
    const text = this.textAt(origin);
    const word = /^"[^"]*"?|^[^\s{}"]+/.exec(text.slice(origin.column - 1));
    this.input.problems.push({
      severity,
      origin,
      message,
      text,
      length: word?.[0].length ?? 1,
      ...(kind !== undefined && { kind }),
    });
  }

  private textAt({ file, line }: Origin): string {
    this.texts ??= new Map(this.input.lines.map((l) => [`${l.file}\n${l.line}`, l.text]));
    return this.texts.get(`${file}\n${line}`) ?? "";
  }
}

export function checkConfig(config: KeepalivedConfig, input: CheckInput): void {
  const report = new Report(input);
  checkTrackers(config, report);
  checkInstances(config, report);
  checkGroups(config, report);
  checkVirtualServers(config, report);
  checkScripts(config, report);
}
