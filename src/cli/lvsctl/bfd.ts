import { type AddCommand, asJson, type Context, jsonText } from "./command.ts";
import { duration, left, right, table } from "./text.ts";

/** As src/daemon/bfd/status.ts has it. Times are ms; the answer has more. */
export interface BfdSession {
  readonly name: string;
  readonly neighbour: string;
  readonly state: "AdminDown" | "Down" | "Init" | "Up";
  /** In this state. */
  readonly age: number;
  readonly transmitInterval: number;
  /** 0: not known yet. */
  readonly detectionTime: number;
  readonly remote: { readonly state: string };
  readonly fell?: { readonly age: number; readonly diagnostic: string };
  readonly counters: { readonly refused: Readonly<Record<string, number>> };
}

/** BFD sessions of the configuration file. */
export const addBfd: AddCommand = (program, context) => {
  const { control, io } = context;
  program
    .command("bfd")
    .description("BFD sessions of the configuration file")
    .option(...asJson)
    .action(async ({ json }: { json?: true }) => {
      const sessions = await control.bfd();
      await io.out(json ? jsonText(sessions) : bfdText(sessions, context));
    });
};

const columns = [
  ...["SESSION", "STATE", "SINCE", "NEIGHBOUR", "ITS STATE"].map(left),
  ...["SENDS EVERY", "DETECTS IN"].map(right),
  left("LAST FAILURE"),
];

function bfdText(sessions: readonly BfdSession[], { colors }: Pick<Context, "colors">): string {
  if (sessions.length === 0) return "no BFD sessions\n";
  const rows = sessions.map(({ name, neighbour, state, age, transmitInterval, detectionTime, remote, fell, counters }) => {
    const refused = Object.entries(counters.refused).map(([word, count]) => colors.red(`${count} packets refused: ${word}`));
    const failure = fell === undefined ? [] : [`${since(fell.age)} ago: ${fell.diagnostic}`];
    return [
      ...[colors.bold(name), state === "Up" ? colors.green(state) : colors.red(state), since(age), neighbour, remote.state],
      ...[millis(transmitInterval), detectionTime === 0 ? "" : millis(detectionTime), [...failure, ...refused].join("; ")],
    ];
  });
  return table(columns, rows, colors.dim);
}

const since = (ms: number): string => duration(Math.floor(ms / 1000));
const millis = (ms: number): string => `${Number(ms.toFixed(3))} ms`;
