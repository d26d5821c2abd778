import { checksText } from "./checks.ts";
import { type AddCommand, asJson, jsonText } from "./command.ts";
import { vrrpText } from "./vrrp.ts";

/** What lvsd does of its configuration file: VRRP and health checks. */
export const addConfigured: AddCommand = (program, context) => {
  const { control, io } = context;
  program
    .command("vrrp")
    .description("VRRP instances of the configuration file")
    .option(...asJson)
    .action(async ({ json }: { json?: true }) => {
      const instances = await control.vrrp();
      await io.out(json ? jsonText(instances) : vrrpText(instances, context));
    });

  program
    .command("checks")
    .description("real servers of the configuration file and their checks")
    .option(...asJson)
    .action(async ({ json }: { json?: true }) => {
      const services = await control.checks();
      await io.out(json ? jsonText(services) : checksText(services, context));
    });
};
