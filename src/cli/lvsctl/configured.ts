import { checksText } from "./checks.ts";
import { type AddCommand, asJson, type Context, jsonText } from "./command.ts";
import type { VrrpInstance } from "./control.ts";
import { duration, left, right, table } from "./text.ts";

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

const instanceColumns = [
  ...["INSTANCE", "STATE", "SINCE", "INTERFACE"].map(left),
  ...["VRID", "PRIORITY"].map(right),
  left("ADDRESSES"),
];

function vrrpText(instances: readonly VrrpInstance[], { colors }: Context): string {
  if (instances.length === 0) return "no VRRP instances\n";
  const state = ({ state: word }: VrrpInstance): string =>
    word === "MASTER" ? colors.green(word) : word === "FAULT" ? colors.red(word) : word;
  const rows = instances.map((i) => [
    ...[colors.bold(i.name), state(i), duration(Math.floor(i.age / 1000)), i.interface ?? ""],
    ...[String(i.vrid), String(i.effectivePriority), [...i.addresses, ...i.faults.map((fault) => colors.red(fault))].join(" ")],
  ]);
  return table(instanceColumns, rows, colors.dim);
}
