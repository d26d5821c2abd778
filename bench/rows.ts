import type { Method } from "../src/director/director.ts";

/** What is measured, and how much it may cost. */

export type Protocol = "tcp" | "udp";

export type Row = {
  readonly name: string;
  readonly protocol: Protocol;
  /** Flows that take turns; of new conns, how many are opened in one run. */
  readonly flows: number;
  /** In which order flows take their turns: as they were opened, or scattered, so that no cache foresees the next one. */
  readonly order: "as opened" | "scattered";
  /** ns a packet. */
  readonly target?: number;
} & (
  | { readonly kind: "request" | "reply" | "new"; readonly method: Method }
  /** A packet for no service. */
  | { readonly kind: "pass" }
);

export const METHODS: readonly Method[] = ["route", "tunnel", "nat", "fullnat"];
const rewrites = (method: Method): boolean => method === "nat" || method === "fullnat";
const HOT = { route: 60, tunnel: 90, nat: 90, fullnat: 90 } as const;
const MILLION = 300;
const NEW = { route: 400, tunnel: 400, nat: 650, fullnat: 650 } as const;

function targetOf(method: Method, flows: number, order: Row["order"]): { target?: number } {
  if (flows === 1) return { target: HOT[method] };
  return flows === 1_000_000 && order === "as opened" ? { target: MILLION } : {};
}

/** Packets of conns that exist: requests, and replies where they pass the director. */
function established(protocol: Protocol, flows: number): Row[] {
  const orders = flows < 100_000 ? (["as opened"] as const) : (["as opened", "scattered"] as const);
  return METHODS.flatMap((method) => {
    const row = (kind: "request" | "reply", order: Row["order"]): Row => ({
      name: `${protocol} ${method}${kind === "reply" ? " reply" : ""}${order === "scattered" ? " scattered" : ""}`,
      ...{ kind, method, protocol, flows, order },
      ...targetOf(method, flows, order),
    });
    const kinds = rewrites(method) ? (["request", "reply"] as const) : (["request"] as const);
    return kinds.flatMap((kind) => orders.map((order) => row(kind, order)));
  });
}

/** First packets of flows: TCP SYNs, UDP datagrams. */
const opened = (protocol: Protocol, flows: number): Row[] =>
  METHODS.map((method) => ({
    name: `${protocol} new ${method}`,
    ...{ kind: "new", method, protocol, flows, order: "scattered" },
    target: NEW[method],
  }));

const pass: Row = { name: "no service", kind: "pass", protocol: "tcp", flows: 1, order: "as opened" };

/** The fewest conns first: emptying the table takes as long as its fullest time was. */
export const ALL_ROWS: readonly Row[] = [
  ...[1, 1_000, 100_000].flatMap((flows) => established("tcp", flows)),
  ...opened("tcp", 65_536),
  ...established("udp", 1),
  ...opened("udp", 65_536),
  pass,
  ...established("tcp", 1_000_000),
];

export const QUICK_ROWS: readonly Row[] = [...established("tcp", 1), ...opened("tcp", 16_384), pass];

/** The same on tc, where a tunnel cannot be repeated: its buffer stays marked as wrapped up. */
export const onTc = (rows: readonly Row[]): readonly Row[] =>
  rows.filter((row) => row.kind === "pass" || (row.method !== "tunnel" && (row.flows === 1 || row.kind === "new")));
