import { differences, type Tellers, untold, value } from "../director/differences.ts";
import type { Change } from "../director/plan.ts";
import { type BfdConfig, identity, type SessionConfig } from "./config.ts";

/** What another configuration would change about BFD. */

export function planBfd(before: BfdConfig, after: BfdConfig): Change[] {
  const old = new Map(before.sessions.map((session) => [session.name, session]));
  const names = new Set(after.sessions.map(({ name }) => name));
  return [
    ...differences(before, after, globals).map(
      (field): Change => ({ what: "change", kind: "global", name: field.field, fields: [field], effects: [] }),
    ),
    ...after.sessions.flatMap((session): Change[] => {
      const twin = old.get(session.name);
      return twin === undefined ? [added(session)] : changed(twin, session);
    }),
    ...before.sessions.filter(({ name }) => !names.has(name)).map(removed),
  ];
}

const globals: Tellers<BfdConfig> = {
  sessions: untold,
  tuning: (from, to) => differences(from, to, {}).map((change) => ({ ...change, field: `bfd process ${change.field}` })),
};

const millis = (ms: number): string => String(ms);

const tellers: Tellers<SessionConfig> = {
  neighbour: value("neighbor_ip"),
  source: value("source_ip"),
  minRx: value("min_rx", millis),
  minTx: value("min_tx", millis),
  idleTx: value("idle_tx", millis),
  maxHops: value("max_hops", String),
  tells: (from, to) => [
    ...(from.vrrp === to.vrrp ? [] : value<boolean>("vrrp")(from.vrrp, to.vrrp)),
    ...(from.checker === to.checker ? [] : value<boolean>("checker")(from.checker, to.checker)),
  ],
};

const added = ({ name, neighbour }: SessionConfig): Change => ({
  ...{ what: "add", kind: "bfd", name, fields: [{ field: "neighbor_ip", to: neighbour }] },
  effects: ["who tracks it finds it down until its neighbour answers"],
});

const removed = ({ name, neighbour }: SessionConfig): Change => ({
  ...{ what: "remove", kind: "bfd", name, fields: [{ field: "neighbor_ip", from: neighbour }] },
  effects: ["its neighbour is told that it is over"],
});

function changed(before: SessionConfig, after: SessionConfig): Change[] {
  const fields = differences(before, after, tellers);
  if (fields.length === 0) return [];
  const isSame = identity(before) === identity(after);
  const effects = isSame ? ["the session goes on"] : ["another session begins, down until its neighbour answers"];
  return [{ what: "change", kind: "bfd", name: after.name, fields, effects }];
}
