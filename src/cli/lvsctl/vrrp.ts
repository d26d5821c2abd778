import type { Context } from "./command.ts";
import { duration, left, right, table } from "./text.ts";

/** What lvsctl shows of a VRRP instance; the answer has more. */
export interface VrrpInstance {
  readonly name: string;
  readonly vrid: number;
  readonly interface?: string;
  readonly state: "INIT" | "BACKUP" | "MASTER" | "FAULT";
  /** ms in this state. */
  readonly age: number;
  readonly effectivePriority: number;
  /** Of a backup: whom it follows. */
  readonly master?: { readonly from: string; readonly priority: number };
  readonly addresses: readonly string[];
  readonly faults: readonly string[];
  /** What is wrong with the adverts of peers. */
  readonly troubles: readonly VrrpTrouble[];
  /** Who leads although this one does. */
  readonly rivals: readonly string[];
}

export interface VrrpTrouble {
  readonly peer: string;
  readonly field: string;
  readonly got: string;
  readonly expected: string;
  /** Adverts so far. */
  readonly count: number;
  /** ms since the first, and since the last. */
  readonly age: number;
  readonly lastAge: number;
}

const instanceColumns = [
  ...["INSTANCE", "STATE", "SINCE", "INTERFACE"].map(left),
  ...["VRID", "PRIORITY"].map(right),
  ...["MASTER", "ADDRESSES"].map(left),
];

/** Instances, then what is wrong with the adverts of their peers. */
export function vrrpText(instances: readonly VrrpInstance[], { colors }: Context): string {
  if (instances.length === 0) return "no VRRP instances\n";
  const state = ({ state: word }: VrrpInstance): string =>
    word === "MASTER" ? colors.green(word) : word === "FAULT" ? colors.red(word) : word;
  const leads = (i: VrrpInstance): string =>
    i.rivals.length > 0
      ? colors.red(`itself and ${i.rivals.join(" ")}`)
      : i.state === "MASTER"
        ? "itself"
        : (i.master?.from ?? "");
  const rows = instances.map((i) => [
    ...[colors.bold(i.name), state(i), since(i.age), i.interface ?? "", String(i.vrid), String(i.effectivePriority), leads(i)],
    [...i.addresses, ...i.faults.map((fault) => colors.red(fault))].join(" "),
  ]);
  return table(instanceColumns, rows, colors.dim) + troublesText(instances, colors);
}

const troubleColumns = [
  ...["INSTANCE", "PEER", "FIELD", "GOT", "EXPECTED"].map(left),
  right("ADVERTS"),
  ...["SINCE", "LAST"].map(left),
];

function troublesText(instances: readonly VrrpInstance[], colors: Context["colors"]): string {
  const rows = instances.flatMap((i) =>
    i.troubles.map((t) => [
      ...[colors.bold(i.name), t.peer, colors.red(t.field), t.got, t.expected, String(t.count)],
      ...[since(t.age), `${since(t.lastAge)} ago`],
    ]),
  );
  return rows.length === 0 ? "" : `\n${table(troubleColumns, rows, colors.dim)}`;
}

const since = (ms: number): string => duration(Math.floor(ms / 1000));
