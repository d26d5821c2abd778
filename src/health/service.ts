import { type Operation, serviceId } from "../director/director.ts";
import type { Millis, Script, Server, Service } from "./config.ts";
import { type Change, isAlive, type ServerState, startServer, stepServer, warmDeadline, weightNow, weightOf } from "./server.ts";
import { difference, type Table, tableOf } from "./table.ts";

/** A virtual service: its servers, the quorum and the sorry server (spec 4.3, 4.4). Pure: changes of checks in, effects out. */

export interface ServiceState {
  readonly servers: readonly ServerState[];
  readonly hasQuorum: boolean;
  /** The dests as they were last asked for. */
  readonly table: Table;
}

export type ServiceEffect =
  | { readonly type: "apply"; readonly operations: readonly Operation[] }
  | { readonly type: "run"; readonly script: Script; readonly about: string }
  /** A line for the checkers' FIFO (spec 3.13). */
  | { readonly type: "tell"; readonly line: string }
  | { readonly type: "log"; readonly text: string };

export interface ServiceStep {
  readonly state: ServiceState;
  readonly effects: readonly ServiceEffect[];
}

export interface ServiceInput {
  readonly server: number;
  readonly check: number;
  readonly change: Change;
}

/** Servers that are not alpha are in the table before any check. The quorum is taken to be there until it is counted. */
export function startService(c: Service, now: Millis): ServiceStep {
  const servers = c.servers.map((server) => startServer(server, now));
  return settle(c, { servers, hasQuorum: true, table: new Map() }, servers, [], now, "start");
}

/** When a slow start wants the next warmService(). */
export function warmth(c: Service, s: ServiceState, now: Millis): Millis | undefined {
  const times = c.servers.flatMap((server, i) => warmDeadline(server, s.servers[i]!, now) ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Weights of servers in a slow start as they are by now. The quorum counts them in full. */
export const warmService = (c: Service, s: ServiceState, now: Millis): ServiceStep => settle(c, s, s.servers, [], now);

export function stepService(c: Service, s: ServiceState, input: ServiceInput, now: Millis, initNotifies = false): ServiceStep {
  const server = c.servers[input.server]!;
  const before = s.servers[input.server]!;
  const { state, turn } = stepServer(before, input.check, input.change, now, initNotifies);
  const servers = s.servers.map((old, i) => (i === input.server ? state : old));
  if (turn === undefined) return { state: { ...s, servers }, effects: [] };
  const news = turn === "weight" ? weighed(c, server, before, state) : turned(c, s, server, before, state, turn);
  return settle(c, s, servers, news, now);
}

/**
 * The service as another configuration has it; `servers` is what is known of its servers already. Nobody is told of servers,
 * but of the quorum when it changes by this.
 */
export function reloadService(
  old: Service,
  s: ServiceState,
  c: Service,
  servers: readonly ServerState[],
  now: Millis,
): ServiceStep {
  const before = new Map(old.specs.map((spec) => [serviceId(spec.key), spec]));
  const keys = new Set(c.specs.map((spec) => serviceId(spec.key)));
  const fresh = c.specs.filter(({ key }) => !before.has(serviceId(key)));
  const kept = c.specs.filter(({ key }) => before.has(serviceId(key)));
  const edited = kept.filter((spec) => JSON.stringify(spec) !== JSON.stringify(before.get(serviceId(spec.key))));
  const { state, effects } = settle({ ...c, specs: kept }, s, servers, [], now);
  return {
    state,
    effects: [
      ...apply([
        ...old.specs.flatMap(({ key }) => (keys.has(serviceId(key)) ? [] : [{ op: "delete-service", key } as const])),
        ...edited.map((service) => ({ op: "edit-service", service }) as const),
        ...fresh.map((service) => ({ op: "add-service", service }) as const),
        ...difference(fresh, new Map(), state.table),
      ]),
      ...effects,
    ],
  };
}

/** All dests go; with omega the down scripts run (spec 4.4). */
export function stopService(c: Service, s: ServiceState): ServiceStep {
  const wasAlive = c.servers.filter((_, i) => isAlive(s.servers[i]!));
  const scripts = !c.omega
    ? []
    : [...wasAlive.flatMap((server) => run(server.notifyDown, server.name)), ...(s.hasQuorum ? run(c.quorumDown, c.name) : [])];
  return {
    state: { ...s, table: new Map() },
    effects: [
      ...wasAlive.map((server) => log(`Shutting down service ${server.name} from VS ${c.name}`)),
      ...apply(difference(c.specs, s.table, new Map())),
      ...scripts,
    ],
  };
}

/** Sum of the weights of the servers that are alive. */
export const weightSum = (c: Service, servers: readonly ServerState[]): number =>
  c.servers.reduce((sum, server, i) => sum + (isAlive(servers[i]!) ? weightOf(server, servers[i]!) : 0), 0);

/** Counts the quorum, then changes the table once for all that has happened: no packet sees a state between. */
function settle(
  c: Service,
  s: ServiceState,
  servers: readonly ServerState[],
  news: readonly ServiceEffect[],
  now: Millis,
  start?: "start",
): ServiceStep {
  const sum = weightSum(c, servers);
  const hasQuorum = s.hasQuorum ? sum > 0 && sum >= c.quorum - c.hysteresis : sum >= c.quorum + c.hysteresis;
  const table = tableOf(c, servers, hasQuorum, now);
  const quorum = hasQuorum === s.hasQuorum ? [] : hasQuorum ? gained(c, sum) : lost(c, sum, start === "start");
  const effects = [...news, ...quorum];
  return {
    state: { servers, hasQuorum, table },
    effects: [
      ...effects.filter((e) => e.type === "log"),
      ...apply(difference(c.specs, s.table, table)),
      ...effects.filter((e) => e.type !== "log"),
    ],
  };
}

function turned(
  c: Service,
  s: ServiceState,
  server: Server,
  before: ServerState,
  after: ServerState,
  turn: "up" | "down",
): ServiceEffect[] {
  const isMoved = isAlive(before) !== (turn === "up") && (s.hasQuorum || c.sorry === undefined);
  const [up, down] = server.inhibit ? ["Enabling service", "Disabling service"] : ["Adding service", "Removing service"];
  const [verb, link] = turn === "up" ? [up, server.inhibit ? "of" : "to"] : [down, server.inhibit ? "of" : "from"];
  return [
    ...(isMoved ? [log(`${verb} ${server.name} ${link} VS ${c.name}`)] : []),
    ...(isCold(server, after) ? [log(slowWords(c, server, after))] : []),
    ...run(turn === "up" ? server.notifyUp : server.notifyDown, server.name),
    { type: "tell", line: `RS ${server.name} ${c.name} ${turn.toUpperCase()}\n` },
  ];
}

const isCold = (server: Server, s: ServerState): boolean =>
  s.warmsFrom !== undefined && isAlive(s) && weightNow(server, s, s.warmsFrom) < weightOf(server, s);

const slowWords = (c: Service, server: Server, s: ServerState): string =>
  `Slow start of service ${server.name} of VS ${c.name}: weight ${weightOf(server, s)} in ${server.slowStart / 1000} s`;

function weighed(c: Service, server: Server, before: ServerState, after: ServerState): ServiceEffect[] {
  const [from, to] = [weightOf(server, before), weightOf(server, after)];
  if (from === to) return [];
  const kind = isAlive(after) ? "active" : "inactive";
  return [log(`Changing weight from ${from} to ${to} for ${kind} service ${server.name} of VS ${c.name}`)];
}

function gained(c: Service, sum: number): ServiceEffect[] {
  const { quorum, hysteresis } = c;
  return [
    log(`Gained quorum ${quorum}+${hysteresis}=${quorum + hysteresis} <= ${sum} for VS ${c.name}`),
    ...(c.sorry === undefined
      ? []
      : [
          log(`${c.sorry.inhibit ? "Disabling" : "Removing"} sorry server ${c.sorry.name} from VS ${c.name}`),
          log(`Adding alive servers to the pool for VS ${c.name}`),
        ]),
    ...run(c.quorumUp, c.name),
    { type: "tell", line: `VS ${c.name} UP\n` },
  ];
}

function lost(c: Service, sum: number, isStart: boolean): ServiceEffect[] {
  const { quorum, hysteresis } = c;
  const how = `quorum ${quorum}-${hysteresis}=${quorum - hysteresis} > ${sum} for VS ${c.name}`;
  return [
    log(isStart ? `Starting with quorum down for VS ${c.name}` : `Lost ${how}`),
    ...(c.sorry === undefined
      ? []
      : [
          log(`${c.sorry.inhibit ? "Enabling" : "Adding"} sorry server ${c.sorry.name} to VS ${c.name}`),
          log(`Removing alive servers from the pool for VS ${c.name}`),
        ]),
    ...run(c.quorumDown, c.name),
    { type: "tell", line: `VS ${c.name} DOWN\n` },
  ];
}

const log = (text: string): ServiceEffect => ({ type: "log", text });
const run = (script: Script | undefined, about: string): ServiceEffect[] =>
  script === undefined ? [] : [{ type: "run", script, about }];
const apply = (operations: readonly Operation[]): ServiceEffect[] =>
  operations.length === 0 ? [] : [{ type: "apply", operations }];
