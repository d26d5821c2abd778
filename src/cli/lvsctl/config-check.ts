import type { Command } from "commander";
import { parseLdirectord } from "../../config/ldirectord.ts";
import { adviceOn } from "../../config/lint.ts";
import { comparePair, type Node } from "../../config/pair.ts";
import { type ParseResult, parseConfig } from "../../config/parse.ts";
import { explainProblem, type Problem } from "../../config/source.ts";
import { type Context, Findings, jsonText } from "./command.ts";
import { type ConfigMachine, DEFAULT_FILE } from "./config-machine.ts";

/** lvsctl config check: everything that can be said about a file, or about the files of a pair. */

interface Options {
  readonly file?: string;
  readonly id: readonly string[];
  readonly host: boolean;
  readonly lint: boolean;
  readonly dialect?: "2.2.7";
  readonly ldirectord?: true;
  readonly strict?: true;
  readonly json?: true;
}

/** A file as one node of the pair reads it. */
interface Target {
  readonly path: string;
  readonly id: string | undefined;
}

interface Judged {
  readonly name: string;
  readonly problems: readonly Problem[];
  /** Words that are read and not carried out. */
  readonly undone: readonly string[];
  readonly result?: ParseResult;
}

export function addCheck(group: Command, { io }: Context, machine: ConfigMachine): void {
  group
    .command("check")
    .description("judge a file, and what it would do; with two files, or two ids, also whether they make a pair")
    .argument("[file...]", `keepalived.conf or ldirectord.cf (default: ${DEFAULT_FILE})`)
    .option("-f, --file <file>", "the same as FILE")
    .option("-i, --id <id>", "what @ID lines are compared with; may be repeated", collect, [])
    .option("--no-host", "do not hold it against this machine's interfaces, users and scripts; so with several files")
    .option("--no-lint", "only what keepalived -t would say")
    .option("--strict", "warnings count as well")
    .option("--ldirectord", "it is an ldirectord.cf, whatever it looks like")
    .option("--json", "for programs")
    .addHelpText("after", "\nExit codes: 0 in order, 1 an error was found, 2 usage.")
    .action(async (paths: readonly string[], options: Options) => {
      const judged = judgeAll(targetsOf(paths, options), options, machine);
      await io.out(options.json ? jsonText(judged.map(forPrograms)) : textOf(judged));
      const counts = (p: Problem): boolean => p.severity === "error" || options.strict === true;
      if (judged.some(({ problems }) => problems.some(counts))) throw new Findings();
    });
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

function targetsOf(paths: readonly string[], { file, id }: Options): Target[] {
  const files = [...(file === undefined ? [] : [file]), ...paths];
  const ids = id.length === 0 ? [undefined] : id;
  return (files.length === 0 ? [DEFAULT_FILE] : files).flatMap((path) => ids.map((one) => ({ path, id: one })));
}

function judgeAll(targets: readonly Target[], options: Options, machine: ConfigMachine): Judged[] {
  const judged = targets.map((target) => judge(target, targets, options, machine));
  const nodes = judged.flatMap(({ name, result }): Node[] => (result === undefined ? [] : [{ name, result }]));
  return [...judged, ...pairsOf(nodes)];
}

function judge({ path, id }: Target, all: readonly Target[], options: Options, machine: ConfigMachine): Judged {
  const name = all.some((other) => other.path === path && other.id !== id) ? `${path} as ${id}` : path;
  const text = machine.files.read(path);
  if (text === undefined) return { name, problems: [unreadable(path)], undone: [] };
  if (options.ldirectord ?? isLdirectord(text)) return { name, problems: parseLdirectord(text, path).problems, undone: [] };
  const isHere = options.host && all.length === 1;
  const result = parseConfig(path, machine.files, {
    configId: id ?? machine.configId(),
    ...(isHere && { facts: machine.facts() }),
  });
  const advice = options.lint ? adviceOn(result, isHere ? machine.lintFacts() : {}) : [];
  const problems = [...result.problems, ...advice];
  return { name, result, problems, undone: machine.undone(result) };
}

const unreadable = (file: string): Problem => ({
  severity: "error",
  origin: { file, line: 0, column: 0 },
  message: "the file is not there or cannot be read",
  text: "",
  length: 0,
});

/** Its services are named as `virtual = …`, which no keepalived.conf has. */
export const isLdirectord = (text: string): boolean => /^virtual6?\s*=/m.test(text);

/** Every file with the first one: the nodes of one virtual router. */
function pairsOf([first, ...others]: readonly Node[]): Judged[] {
  if (first === undefined) return [];
  return others.map((other) => ({
    name: `${first.name} and ${other.name}`,
    problems: comparePair(first, other),
    undone: [],
  }));
}

function textOf(judged: readonly Judged[]): string {
  return judged
    .map(({ name, problems, undone }) => {
      const lines = [...problems.map(explainProblem), ...undone.map((note) => note.replace(": ", ": warning: "))];
      return [...lines, `${name}: ${verdictOf(problems, undone.length)}`].map((line) => `${line}\n`).join("");
    })
    .join("");
}

/** "2 errors, 1 warning", "in order". */
function verdictOf(problems: readonly Problem[], undone: number): string {
  const errors = problems.filter(({ severity }) => severity === "error").length;
  const warnings = problems.length - errors + undone;
  const counted = [
    ...(errors > 0 ? [`${errors} error${errors > 1 ? "s" : ""}`] : []),
    ...(warnings > 0 ? [`${warnings} warning${warnings > 1 ? "s" : ""}`] : []),
  ];
  return counted.length === 0 ? "in order" : counted.join(", ");
}

const forPrograms = ({ name, problems, undone }: Judged) => ({
  name,
  isInOrder: problems.length === 0,
  problems: problems.map(({ origin, ...rest }) => ({ ...origin, ...rest })),
  undone,
});
