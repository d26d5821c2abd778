import { type Operation, sameDest, serviceId } from "../director/director.ts";
import type { Millis, Script, Server, Service } from "./config.ts";
import { checkMail, type Mail, quorumMail, removalMail, stopMail } from "./mail.ts";
import { type Change, isAlive, type ServerState, startServer, stepServer, warmDeadline, weightNow, weightOf } from "./server.ts";
import { absentOf, difference, poolChanges, removals, type Table, tableOf } from "./table.ts";

/** A virtual service: its servers, the quorum and the sorry server (spec 4.3, 4.4). Pure: changes of checks in, effects out. */

export interface ServiceState {
  readonly servers: readonly ServerState[];
  readonly hasQuorum: boolean;
  /** The dests as they were last asked for. */
  readonly table: Table;
  /** Those that are not to be there, and have been taken away if they were (see absentOf). */
  readonly absent: Table;
}

export type ServiceEffect =
  | { readonly type: "apply"; readonly operations: readonly Operation[] }
  | { readonly type: "run"; readonly script: Script; readonly about: string }
  /** A line for the checkers' FIFO (spec 3.13). */
  | { readonly type: "tell"; readonly line: string }
  | { readonly type: "mail"; readonly mail: Mail }
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

/**
 * Servers that are not alpha are in the table before any check. That there is a quorum is told; that there is none only where
 * a sorry server stands in (so keepalived does it).
 */
export function startService(c: Service, now: Millis): ServiceStep {
  const servers = c.servers.map((server) => startServer(server, now));
  const sum = weightSum(c, servers);
  const hasQuorum = sum >= c.quorum + c.hysteresis;
  const told = hasQuorum ? started(c, sum) : c.sorry === undefined ? [] : lost(c, sum, true);
  return settle(c, { servers, hasQuorum, table: none, absent: none }, servers, told, now);
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
  if (turn === undefined) return { state: { ...s, servers }, effects: mailsOf(c, input, false) };
  const news = turn === "weight" ? weighed(c, weightOf(server, before), server, state) : turned(c, server, before, state, turn);
  news.push(...mailsOf(c, input, turn !== undefined));
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
  const news = [...removalsOf(old, s, c), ...reweighed(old, s, c, servers)];
  const { state, effects } = settle({ ...c, specs: kept }, s, servers, news, now, "reload");
  return {
    state,
    effects: [
      ...apply([
        ...old.specs.flatMap(({ key }) => (keys.has(serviceId(key)) ? [] : [{ op: "delete-service", key } as const])),
        ...edited.map((service) => ({ op: "edit-service", service }) as const),
        ...fresh.map((service) => ({ op: "add-service", service }) as const),
        ...poolChanges(fresh, [], c.localAddresses),
        ...poolChanges(kept, old.localAddresses, c.localAddresses),
        ...difference(fresh, new Map(), state.table),
      ]),
      ...effects,
    ],
  };
}

/** All dests go; with omega down is told of servers that are at work and of the service in any case (spec 4.4). */
export function stopService(c: Service, s: ServiceState): ServiceStep {
  const isTold = (server: Server, i: number): boolean => isAlive(s.servers[i]!) || !server.inhibit;
  return {
    state: { ...s, table: new Map() },
    effects: [
      ...c.servers.filter(isTold).map((server) => log(`Shutting down service ${server.name} from VS ${c.name}`)),
      ...apply(difference(c.specs, s.table, new Map())),
      ...(c.omega
        ? [
            ...c.servers.filter((_, i) => isAtWork(c, s, i)).flatMap((server) => downOf(c, server)),
            ...downNews(c),
            ...(c.alert ? mail(stopMail(c)) : []),
          ]
        : []),
    ],
  };
}

/** It is no more in the configuration: what was up is told to be down, with omega or without (keepalived 2.2.7). */
export function removeService(c: Service, s: ServiceState): ServiceStep {
  return {
    state: { ...s, table: new Map() },
    effects: [
      log(`Removing Virtual Server ${c.name}`),
      ...apply(difference(c.specs, s.table, new Map())),
      ...c.servers.filter((_, i) => isAtWork(c, s, i)).flatMap((server) => removed(c, server)),
      ...(s.hasQuorum ? [...downNews(c), ...(c.alert ? mail(quorumMail(c, false, 0, false)) : [])] : []),
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
  when: "run" | "reload" = "run",
): ServiceStep {
  const sum = weightSum(c, servers);
  const hasQuorum = s.hasQuorum ? sum > 0 && sum >= c.quorum - c.hysteresis : sum >= c.quorum + c.hysteresis;
  const table = tableOf(c, servers, hasQuorum, now);
  const absent = absentOf(c, servers, hasQuorum, table, s.absent);
  // Nobody has put these there in this life. What a reload brings has not been there in an earlier one either.
  const strays = new Map([...absent].filter(([id]) => when === "run" && !s.absent.has(id) && !s.table.has(id)));
  const quorum = hasQuorum === s.hasQuorum ? [] : hasQuorum ? gained(c, sum, when === "reload") : lost(c, sum, false);
  const effects = [...news, ...quorum];
  return {
    state: { servers, hasQuorum, table, absent },
    effects: [
      ...effects.filter((e) => e.type === "log"),
      ...apply(difference(c.specs, s.table, table)),
      ...apply(c.specs.flatMap((spec) => removals(spec, strays, table))), // apart: mostly there are none, which refuses a list
      ...effects.filter((e) => e.type !== "log"),
    ],
  };
}

function turned(c: Service, server: Server, before: ServerState, after: ServerState, turn: "up" | "down"): ServiceEffect[] {
  const isMoved = isAlive(before) !== (turn === "up");
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

function weighed(c: Service, from: number, server: Server, after: ServerState): ServiceEffect[] {
  const to = weightOf(server, after);
  if (from === to) return [];
  const kind = isAlive(after) ? "active" : "inactive";
  return [log(`Changing weight from ${from} to ${to} for ${kind} service ${server.name} of VS ${c.name}`)];
}

/** A check whose state changed, which is less than one that has come to a verdict for the first time. */
function mailsOf(c: Service, { server: at, check: place, change }: ServiceInput, isTurn: boolean): ServiceEffect[] {
  const server = c.servers[at]!;
  const check = server.checks[place]!;
  if (change.type === "weight" || server.alerts === "none") return [];
  // keepalived tells of the first success of a script, though nothing has changed by it.
  const isScript = check.type === "MISC_CHECK" && change.type === "up";
  const isChange = isScript || !(change.isFirst && check.alpha === (change.type === "down"));
  if (!isChange || (server.alerts === "changes" && !isTurn)) return [];
  return mail(checkMail(c, server, check, change.type === "down" ? change.reason : undefined));
}

/** Servers that were at work and are no more in the configuration are told to be down. */
function removalsOf(old: Service, s: ServiceState, c: Service): ServiceEffect[] {
  const isLeft = (server: Server): boolean => c.servers.some(({ dest }) => sameDest(dest, server.dest));
  return old.servers.filter((server, i) => isAtWork(old, s, i) && !isLeft(server)).flatMap((server) => removed(old, server));
}

const removed = (c: Service, server: Server): ServiceEffect[] => [
  log(`Removing service ${server.name} from VS ${c.name}`),
  ...downOf(c, server),
  ...(server.alerts === "none" ? [] : mail(removalMail(c, server))),
];

const downOf = (c: Service, server: Server): ServiceEffect[] => [
  ...run(server.notifyDown, server.name),
  { type: "tell", line: `RS ${server.name} ${c.name} DOWN\n` },
];

const isAtWork = (c: Service, s: ServiceState, i: number): boolean =>
  isAlive(s.servers[i]!) && (s.hasQuorum || c.sorry === undefined);

/** Weights that a reload has changed. */
function reweighed(old: Service, s: ServiceState, c: Service, servers: readonly ServerState[]): ServiceEffect[] {
  return c.servers.flatMap((server, i) => {
    const at = old.servers.findIndex(({ dest }) => sameDest(dest, server.dest));
    return at < 0 ? [] : weighed(c, weightOf(old.servers[at]!, s.servers[at]!), server, servers[i]!);
  });
}

const started = (c: Service, sum: number): ServiceEffect[] => [
  log(`Gained quorum ${c.quorum}+${c.hysteresis}=${c.quorum + c.hysteresis} <= ${sum} for VS ${c.name}`),
  ...upNews(c, sum, true),
];

const upNews = (c: Service, sum: number, isStart: boolean): ServiceEffect[] => [
  ...run(c.quorumUp, c.name),
  { type: "tell", line: `VS ${c.name} UP\n` },
  ...(c.alert ? mail(quorumMail(c, true, sum, isStart)) : []),
];

const downNews = (c: Service): ServiceEffect[] => [...run(c.quorumDown, c.name), { type: "tell", line: `VS ${c.name} DOWN\n` }];

function gained(c: Service, sum: number, isReload: boolean): ServiceEffect[] {
  const { quorum, hysteresis } = c;
  return [
    log(`Gained quorum ${quorum}+${hysteresis}=${quorum + hysteresis} <= ${sum} for VS ${c.name}`),
    ...(c.sorry === undefined
      ? []
      : [
          log(`${c.sorry.inhibit ? "Disabling" : "Removing"} sorry server ${c.sorry.name} from VS ${c.name}`),
          log(`Adding alive servers to the pool for VS ${c.name}`),
        ]),
    ...upNews(c, sum, isReload), // so keepalived's mail has it
  ];
}

function lost(c: Service, sum: number, isStart: boolean): ServiceEffect[] {
  const { quorum, hysteresis } = c;
  const limit = isStart ? quorum + hysteresis : quorum - hysteresis; // keepalived writes a minus for both
  const how = `${quorum}-${hysteresis}=${limit} > ${sum} for VS ${c.name}`;
  return [
    log(isStart ? `Starting with quorum down ${how}` : `Lost quorum ${how}`),
    ...(c.sorry === undefined
      ? []
      : [
          log(`${c.sorry.inhibit ? "Enabling" : "Adding"} sorry server ${c.sorry.name} to VS ${c.name}`),
          log(`Removing alive servers from the pool for VS ${c.name}`),
        ]),
    ...downNews(c),
    ...(c.alert ? mail(quorumMail(c, false, sum, isStart)) : []),
  ];
}

const none: Table = new Map();
const mail = (what: Mail): ServiceEffect[] => [{ type: "mail", mail: what }];
const log = (text: string): ServiceEffect => ({ type: "log", text });
const run = (script: Script | undefined, about: string): ServiceEffect[] =>
  script === undefined ? [] : [{ type: "run", script, about }];
const apply = (operations: readonly Operation[]): ServiceEffect[] =>
  operations.length === 0 ? [] : [{ type: "apply", operations }];
