import { Argument } from "commander";
import type { AddCommand } from "./command.ts";

/** What keepalived writes to files when it is sent a signal. */
export const addDump: AddCommand = (program, { control, io }) => {
  program
    .command("dump")
    .description("what the configuration file has become, in the formats of keepalived's dumps")
    .addArgument(
      new Argument("<what>", "as keepalived.data, .stats, .json, keepalived_check.data, keepalived_parent.data").choices(WHAT),
    )
    .option("--clear", "stats: VRRP counts from zero after this")
    .action(async (what: string, { clear = false }: { clear?: boolean }, command) => {
      if (clear && what !== "stats") command.error("error: --clear is for stats");
      const text = await (clear ? control.clearStats() : control.dump(what));
      await io.out(text.endsWith("\n") ? text : `${text}\n`);
    });
};

const WHAT = ["data", "stats", "json", "checks", "parent"];
