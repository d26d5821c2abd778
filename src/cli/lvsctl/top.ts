import { endpointText, type Rates } from "../../director/director.ts";
import type { ServiceRates } from "../../director/status.ts";
import { type AddCommand, asJson, type Context, jsonText } from "./command.ts";
import { left, right, serviceText, short, table } from "./text.ts";

const SECOND = 1000;
const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";
const HOME_AND_CLEAR = "\x1b[H\x1b[J";

export const addTop: AddCommand = (program, context) => {
  program
    .command("top")
    .description("rates per second of services and dests, busiest first; on a terminal until Ctrl-C")
    .option("--once", "one look")
    .option(...asJson)
    .action(async ({ once, json }: { once?: true; json?: true }) => {
      const { control, io } = context;
      if (json) await io.out(jsonText(await control.rates()));
      else if (once || !io.terminal) await io.out(ratesText(await control.rates(), context));
      else await watch(context);
    });
};

async function watch(context: Context): Promise<void> {
  const { control, io } = context;
  await io.out(HIDE_CURSOR);
  try {
    do {
      const lines = ratesText(await control.rates(), context).split("\n");
      await io.out(HOME_AND_CLEAR + lines.slice(0, Math.max(io.rows() - 1, 1)).join("\n"));
    } while (await io.pause(SECOND));
  } finally {
    await io.out(`\n${SHOW_CURSOR}`);
  }
}

const columns = [
  left("SERVICE"),
  ...["CONNS/S", "IN PKT/S", "OUT PKT/S", "IN B/S", "OUT B/S", "ACTIVE", "INACTIVE", "WEIGHT"].map(right),
];

function ratesText(services: readonly ServiceRates[], { colors }: Context): string {
  if (services.length === 0) return "no services\n";
  const busiest = [...services].sort((a, b) => packets(b.rates) - packets(a.rates));
  const rows = busiest.flatMap(({ key, rates, dests }) => [
    [colors.bold(serviceText(key)), ...rateCells(rates)],
    ...dests.map((dest) => [
      `  ${endpointText(dest)}`,
      ...rateCells(dest.rates),
      ...[dest.activeConns, dest.inactiveConns].map(short),
      dest.weight === 0 ? colors.yellow("0") : String(dest.weight),
    ]),
  ]);
  return table(columns, rows, colors.dim);
}

const packets = (rates: Rates): number => rates.inPps + rates.outPps;
const rateCells = ({ cps, inPps, outPps, inBps, outBps }: Rates): string[] => [cps, inPps, outPps, inBps, outBps].map(short);
