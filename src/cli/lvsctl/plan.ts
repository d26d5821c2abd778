import { resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import type { Outcome, Plan } from "../../director/plan.ts";
import { type AddCommand, asJson, type Context, Findings, jsonText } from "./command.ts";
import { outcomeText, planText } from "./plan-text.ts";

/** What becomes of lvsd's configuration file: look at a change before it is made, make it, and take it back. */
export const addPlan: AddCommand = (program, context) => {
  const { control } = context;
  const command = (name: string, about: string): Command =>
    program
      .command(name)
      .description(about)
      .option(...asJson);
  const withFile = (name: string, about: string): Command =>
    command(name, about).option("-f, --file <file>", "a keepalived.conf instead of lvsd's own", (path) => resolve(path));

  withFile("plan", "what carrying out the file would change")
    .option("--detailed-exitcode", "end with 2 when there is something to change", false)
    .action(async ({ file, json, detailedExitcode }: { file?: string; json?: true; detailedExitcode: boolean }) => {
      const plan = await control.plan(file);
      await show(plan, json, context, planText(plan, context.colors));
      if (plan.problems.length > 0) throw new Findings(1);
      if (detailedExitcode && plan.changes.length > 0) throw new Findings(2);
    });

  withFile("apply", "carries out the file")
    .option("--confirm <time>", "take it back after this time (60s, 5m) unless lvsctl confirm", seconds)
    .action(async ({ file, json, confirm }: { file?: string; json?: true; confirm?: number }) =>
      finish(await control.applyFile(file, confirm), "applied", json, context),
    );

  command("reload", "has lvsd read its file again, as SIGHUP does, and tells what came of it").action(
    async ({ json }: { json?: true }) => finish(await control.reload(), "reloaded", json, context),
  );
  command("confirm", "what was applied with --confirm stays").action(async ({ json }: { json?: true }) =>
    finish(await control.confirm(), "confirmed", json, context),
  );
  command("revert", "what was applied with --confirm is taken back at once").action(async ({ json }: { json?: true }) =>
    finish(await control.revert(), "went back to", json, context),
  );
};

async function finish(done: Outcome, word: string, json: true | undefined, context: Context): Promise<void> {
  if (done.isDone) {
    await show(done, json, context, outcomeText(done, word, context.colors));
    if (done.troubles.length === 0) return;
    if (!json) for (const trouble of done.troubles) context.io.err(`lvsctl: not all of it is carried out: ${trouble}\n`);
  } else if (json) await context.io.out(jsonText(done));
  else
    for (const line of [...done.problems, `lvsctl: ${done.remarks.join("; ")}; nothing is changed`]) context.io.err(`${line}\n`);
  throw new Findings(1);
}

/** Problems and warnings of the file go to standard error. */
async function show(plan: Plan, json: true | undefined, { io }: Context, text: string): Promise<void> {
  if (json) return io.out(jsonText(plan));
  for (const line of [...plan.problems, ...plan.notes]) io.err(`${line}\n`);
  if (plan.problems.length === 0) await io.out(text);
  else if (plan.file !== "") io.err(`lvsctl: ${plan.file} has errors; it would change nothing\n`);
}

const UNITS: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600 };
const LONGEST = 86_400;

function seconds(text: string): number {
  const [, number = "", unit = ""] = /^(\d{1,5})([smh]?)$/.exec(text) ?? [];
  const n = Number(number) * UNITS[unit]!;
  if (n < 1 || n > LONGEST) throw new InvalidArgumentError("A time such as 60s, 5m or 1h, at most a day.");
  return n;
}
