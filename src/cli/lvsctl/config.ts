import { convertLdirectord } from "../../config/convert.ts";
import { explainWord, nearestWord, wordText } from "../../config/explain.ts";
import { formatConfig } from "../../config/format.ts";
import { parseLdirectord } from "../../config/ldirectord.ts";
import { parseConfig } from "../../config/parse.ts";
import { showConfig, shownValues } from "../../config/show.ts";
import { describe, explainProblem } from "../../config/source.ts";
import { Fault } from "../../fault.ts";
import { type AddCommand, asJson, Findings, jsonText } from "./command.ts";
import { addCheck } from "./config-check.ts";
import { type ConfigMachine, DEFAULT_FILE } from "./config-machine.ts";

/** lvsctl config: a keepalived.conf before it is carried out. No lvsd is asked. */

interface FileOptions {
  readonly file: string;
  readonly json?: true;
}

const fromFile = ["-f, --file <file>", "the keepalived.conf", DEFAULT_FILE] as const;

export const addConfig =
  (machine: ConfigMachine): AddCommand =>
  (program, context) => {
    const { io } = context;
    const group = program.command("config").description("judge, show, tidy and explain a keepalived.conf; needs no lvsd");
    addCheck(group, context, machine);

    const textOf = (path: string): string => {
      const text = machine.files.read(path);
      if (text === undefined) throw new Fault("config", "ENOENT", `${path} is not there or cannot be read`);
      return text;
    };

    group
      .command("show")
      .description("the effective configuration, after includes, conditions and definitions, and where each value stands")
      .option(...fromFile)
      .option("-i, --id <id>", "what @ID lines are compared with")
      .option("--defaults", "also what nobody wrote")
      .option(...asJson)
      .action(async ({ file, id, defaults, json }: FileOptions & { id?: string; defaults?: true }) => {
        textOf(file);
        const { config, problems } = parseConfig(file, machine.files, { configId: id ?? machine.configId() });
        const options = { defaults: defaults === true };
        await io.out(json ? jsonText(shownValues(config, options)) : showConfig(config, options));
        const errors = problems.filter(({ severity }) => severity === "error");
        for (const problem of errors) io.err(`${describe(problem)}\n`);
        if (errors.length > 0) throw new Findings();
      });

    group
      .command("fmt")
      .description("the file in its canonical form: one statement to a line, comments stay")
      .option(...fromFile)
      .option("-w, --write", "into the file, instead of standard output")
      .option("--check", "only say whether it is in that form")
      .action(async ({ file, write, check }: FileOptions & { write?: true; check?: true }) => {
        const before = textOf(file);
        const after = formatConfig(before);
        if (check && before !== after) {
          await io.out(`${file}: not in the canonical form\n`);
          throw new Findings();
        }
        if (check) return;
        if (!write) await io.out(after);
        else if (before !== after) machine.write(file, after);
      });

    group
      .command("explain")
      .description("what a word of keepalived.conf means, its range, its default, and where it may stand")
      .argument("<word...>", "the word, if need be after a block: vrrp_instance priority")
      .option(...asJson)
      .action(async (words: readonly string[], { json }: { json?: true }) => {
        const docs = explainWord(words.join(" "));
        if (docs.length === 0) {
          const near = nearestWord(words.at(-1)!);
          throw new Error(`keepalived.conf has no '${words.join(" ")}'${near === undefined ? "" : ` (did you mean '${near}'?)`}`);
        }
        await io.out(json ? jsonText(docs) : wordText(docs));
      });

    group
      .command("convert")
      .description("an ldirectord.cf as a keepalived.conf")
      .argument("<file>", "the ldirectord.cf")
      .action(async (file: string) => {
        const { config, problems } = parseLdirectord(textOf(file), file);
        const errors = problems.filter(({ severity }) => severity === "error");
        for (const problem of errors) io.err(`${explainProblem(problem)}\n`);
        if (errors.length > 0) throw new Findings();
        const { text, notes } = convertLdirectord(config, machine.portOf);
        await io.out(text);
        for (const { origin, message } of notes) io.err(`${origin.file}:${origin.line}: ${message}\n`);
      });
  };
