import type { Context } from "./command.ts";
import { duration, left, right, table } from "./text.ts";

/** Real servers and their checks, for people: a line for each check. */

/** As src/daemon/health/status.ts has it. Ages and waits are ms. */
export interface CheckedService {
  readonly name: string;
  readonly hasQuorum: boolean;
  readonly isSuspended: boolean;
  readonly servers: readonly CheckedServer[];
}

export interface CheckedServer {
  readonly name: string;
  readonly isAlive: boolean;
  readonly age: number;
  readonly weight: number;
  readonly weightNow: number;
  readonly checks: readonly CheckOfServer[];
}

export interface CheckOfServer {
  readonly type: string;
  readonly isUp: boolean;
  readonly hasRun: boolean;
  readonly age: number;
  readonly retriesLeft: number;
  readonly isHeld: boolean;
  readonly last?: string;
  readonly warning?: string;
  readonly failure?: { readonly reason: string; readonly age: number };
  readonly took?: number;
  readonly nextIn?: number;
}

const columns = [
  ...["SERVICE", "SERVER", "STATE", "SINCE"].map(left),
  ...[right("WEIGHT"), left("CHECK"), right("TOOK"), right("NEXT"), right("RETRIES"), left("RESULT")],
];

export function checksText(services: readonly CheckedService[], { colors }: Pick<Context, "colors">): string {
  if (services.length === 0) return "no checked services\n";
  const rows = services.flatMap((service) => {
    const lines = service.servers.flatMap((server) => linesOf(server, colors));
    return lines.map((line, i) => [i > 0 ? "" : titleOf(service, colors), ...line]);
  });
  return table(columns, rows, colors.dim);
}

type Colors = Context["colors"];

const titleOf = ({ name, hasQuorum, isSuspended }: CheckedService, colors: Colors): string =>
  `${colors.bold(name)}${hasQuorum ? "" : colors.red(" without quorum")}${isSuspended ? colors.dim(" suspended") : ""}`;

function linesOf({ name, isAlive, age, weight, weightNow, checks }: CheckedServer, colors: Colors): string[][] {
  const state = isAlive ? colors.green("up") : colors.red("down");
  const head = [name, state, seconds(age), weightNow === weight ? String(weight) : `${weightNow} of ${weight}`];
  if (checks.length === 0) return [[...head, "none"]];
  return checks.map((check, i) => [...(i === 0 ? head : ["", "", "", ""]), ...cellsOf(check, colors)]);
}

function cellsOf(check: CheckOfServer, colors: Colors): string[] {
  const { type, isUp, retriesLeft, took, nextIn } = check;
  return [
    ...[type, took === undefined ? "" : tookText(took), nextIn === undefined ? "" : waitText(nextIn)],
    ...[isUp ? String(retriesLeft) : "", resultOf(check, colors)],
  ];
}

/** What the last try came to, and if that was good, when and why one failed before. */
function resultOf({ last, failure, warning, isUp, isHeld, hasRun }: CheckOfServer, colors: Colors): string {
  if (last === undefined) return "not yet tried";
  if (last !== "ok") return isUp && hasRun ? colors.yellow(`failed, may be tried again: ${last}`) : colors.red(last);
  const before = failure === undefined ? "" : `${seconds(failure.age)} ago: ${failure.reason}`;
  const soon = warning === undefined ? "" : colors.yellow(`; ${warning}`);
  if (isUp) return before === "" ? `ok${soon}` : `ok${soon}; failed ${before}`;
  return colors.yellow(`ok, but not yet for long enough${isHeld ? ", since it flaps" : ""}; failed ${before}`);
}

const seconds = (ms: number): string => duration(Math.floor(ms / 1000));
const waitText = (ms: number): string => (ms < 9950 ? `${(ms / 1000).toFixed(1)}s` : seconds(ms));
const tookText = (ms: number): string => (ms < 10 ? `${ms.toFixed(1)}ms` : ms < 10_000 ? `${Math.round(ms)}ms` : seconds(ms));
