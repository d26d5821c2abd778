import { Fault } from "../../fault.ts";
import { type AddCommand, asJson, jsonText } from "./command.ts";
import { left, table } from "./text.ts";

export const addSettings: AddCommand = (program, { control, io, colors }) => {
  program
    .command("settings")
    .description("every setting and its value (the kernel's net.ipv4.vs)")
    .option(...asJson)
    .action(async ({ json }: { json?: true }) => {
      const settings = await control.settings();
      await io.out(json ? jsonText(settings) : table([left("SETTING"), left("VALUE")], Object.entries(settings), colors.dim));
    });

  program
    .command("set")
    .description("change a setting")
    .argument("<name>")
    .argument("<value>")
    .option(...asJson)
    .action(async (name: string, value: string, { json }: { json?: true }) => {
      const [refusal] = await control.apply([{ op: "set-setting", name, value }]);
      if (refusal !== undefined) throw new Fault(`set ${name}`, refusal.code, refusal.message);
      if (json) await io.out(jsonText({ [name]: value }));
    });
};
