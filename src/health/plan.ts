import { differences, items, seconds, type Tellers, text, untold, value, within } from "../director/differences.ts";
import {
  type DestSpec,
  endpointText,
  type Dest as LiveDest,
  type Service as LiveService,
  type ServiceKey,
  type ServiceSpec,
  sameDest,
  serviceId,
} from "../director/director.ts";
import type { Change, FieldChange, LiveConns } from "../director/plan.ts";
import type { HealthConfig, Server, Service, Sorry } from "./config.ts";
import { checkChanges } from "./plan-checks.ts";
import { destIn } from "./table.ts";

/** What another configuration would change about services, their servers and their checks. */

/** What the director has now. */
export type Live = (key: ServiceKey) => Pick<LiveService, "dests"> | undefined;

export function planHealth(before: HealthConfig, after: HealthConfig, live: Live): Change[] {
  const old = new Map(before.services.map((service) => [service.name, service]));
  const wanted = new Set(after.services.map(({ name }) => name));
  return [
    ...differences(before, after, globals).map(globalChange),
    ...after.services.flatMap((service) => {
      const twin = old.get(service.name);
      return twin === undefined ? added(service) : changed(twin, service, live);
    }),
    ...before.services.flatMap((service) => (wanted.has(service.name) ? [] : [removed(service, live)])),
  ];
}

const globals: Tellers<HealthConfig> = {
  services: untold,
  tls: value("SSL"),
  initNotifies: value("rs_init_notifies"),
  scriptSecurity: untold, // as VRRP says it
  tuning: (from, to) =>
    differences<object>(from ?? {}, to ?? {}, {}).map((change) => ({ ...change, field: `checker process ${change.field}` })),
};

/** One field of all. */
export const globalChange = (field: FieldChange): Change => ({
  ...{ what: "change", kind: "global", name: field.field, fields: [field], effects: [] },
});

const METHODS = { nat: "NAT", route: "DR", tunnel: "TUN", fullnat: "FNAT" } as const;
const keyText = (key: ServiceKey): string => (key.fwmark === undefined ? endpointText(key) : `fwmark ${key.fwmark}`);
const sorryText = ({ name, inhibit }: Sorry): string => (inhibit ? `${name} (inhibited)` : name);

const specTellers: Tellers<ServiceSpec> = {
  key: untold,
  scheduler: value("lb_algo"),
  schedFlags: value("lb_algo flags", (flags) => flags.join(",") || "none"),
  persistSeconds: value("persistence_timeout"),
  netmask: value("persistence_granularity", (mask) => (mask > 128 ? `0x${mask.toString(16)}` : String(mask))),
  onePacket: value("ops"),
  pe: value("persistence_engine", (name) => name || "none"),
};

const destTellers: Tellers<DestSpec> = {
  addr: untold,
  port: untold,
  method: value("lb_kind", (method) => METHODS[method]),
  upper: value("uthreshold"),
  lower: value("lthreshold"),
  tunnel: value("tunnel", ({ type, port }) => (port > 0 ? `${type} port ${port}` : type)),
};

const sorryTellers: Tellers<Sorry> = {
  name: value("sorry_server"),
  dest: (from, to) => differences(from, to, destTellers).map((change) => ({ ...change, field: `sorry_server ${change.field}` })),
  inhibit: value("sorry_server_inhibit"),
};

const serviceTellers: Tellers<Service> = {
  specs: specChanges,
  quorumUp: value("quorum_up"),
  quorumDown: value("quorum_down"),
  sorry: (from, to) =>
    from === undefined || to === undefined
      ? value<Sorry | undefined>("sorry_server", sorryText)(from, to)
      : differences(from, to, sorryTellers),
  passive: value("passive_check"),
  localAddresses: (before, after) => items("laddr", String)(before ?? [], after ?? []),
  suspendWithout: value("ha_suspend", (addresses) => (addresses.length > 0 ? "on" : "off")),
  servers: untold,
};

/** The services of a group differ by address and family only, so a setting is told once. */
function specChanges(before: readonly ServiceSpec[], after: readonly ServiceSpec[]): FieldChange[] {
  const old = new Map(before.map((spec) => [serviceId(spec.key), spec]));
  const settings = after.flatMap((spec) => {
    const twin = old.get(serviceId(spec.key));
    return twin === undefined ? [] : differences(twin, spec, specTellers);
  });
  const once = [...new Map(settings.map((change) => [JSON.stringify(change), change])).values()];
  const keys = [before, after].map((specs) => specs.map(({ key }) => keyText(key)));
  return [...once, ...(keys[0]!.join() === keys[1]!.join() ? [] : items("address", String)(keys[0]!, keys[1]!))];
}

const serverTellers: Tellers<Server> = {
  name: untold,
  dest: within(destTellers),
  inhibit: value("inhibit_on_failure"),
  slowStart: value("slow_start", seconds),
  alerts: value("smtp_alert"),
  notifyUp: value("notify_up"),
  notifyDown: value("notify_down"),
  checks: (before, after) => checkChanges(before, after).fields,
};

function added(service: Service): Change[] {
  const [spec] = service.specs;
  const fields = [
    { field: "lb_algo", to: spec!.scheduler },
    ...(service.specs.length > 1 ? [{ field: "addresses", to: String(service.specs.length) }] : []),
    ...(spec!.persistSeconds > 0 ? [{ field: "persistence_timeout", to: String(spec!.persistSeconds) }] : []),
    ...(service.quorum > 1 ? [{ field: "quorum", to: String(service.quorum) }] : []),
    ...(service.sorry === undefined ? [] : [{ field: "sorry_server", to: sorryText(service.sorry) }]),
  ];
  const head: Change = { what: "add", kind: "service", name: service.name, fields, effects: [] };
  return [head, ...together(service.servers.map((server) => serverAdded(server, service)))];
}

const serverAdded = ({ name, dest, checks }: Server, service: Service): Change => ({
  ...{ what: "add", kind: "server", name, of: service.name },
  fields: [
    { field: "lb_kind", to: METHODS[dest.method] },
    { field: "weight", to: text(dest.weight) },
    ...checks.map(({ type }) => ({ field: "check", to: type })),
  ],
  effects: checks.some((check) => check.alpha) ? ["down until its first good check"] : [],
});

function changed(before: Service, after: Service, live: Live): Change[] {
  if (before === after) return [];
  const fields = differences(before, after, serviceTellers);
  const there = fields.length > 0 ? [serviceChange(before, after, fields, live)] : [];
  if (before.servers === after.servers) return there;
  const twinOf = (server: Server): Server | undefined => before.servers.find(({ dest }) => sameDest(dest, server.dest));
  const isKept = ({ dest }: Server): boolean => after.servers.some((server) => sameDest(server.dest, dest));
  const changes = [
    ...after.servers.flatMap((server): Change[] => {
      const twin = twinOf(server);
      return twin === undefined ? [serverAdded(server, after)] : serverChange(twin, server, before, live);
    }),
    ...before.servers.flatMap((server): Change[] => (isKept(server) ? [] : [serverRemoved(server, before, live)])),
  ];
  return [...there, ...together(changes)];
}

const serviceChange = (before: Service, after: Service, fields: FieldChange[], live: Live): Change => ({
  ...{ what: "change", kind: "service", name: after.name, fields, conns: connsOf(before, live), effects: [] },
});

function serverChange(before: Server, after: Server, service: Service, live: Live): Change[] {
  const fields = differences(before, after, serverTellers);
  if (fields.length === 0) return [];
  const { begun } = checkChanges(before.checks, after.checks);
  const isDrained = before.dest.weight > 0 && after.dest.weight === 0;
  const conns = connsOf(service, live, before.dest);
  const effects = [...(isDrained ? ["no new connections"] : []), ...begun.map((type) => `${type} starts anew`)];
  return [{ what: "change", kind: "server", name: after.name, of: service.name, fields, conns, effects }];
}

const ENDED = "their packets are dropped from then on";

function serverRemoved(server: Server, service: Service, live: Live): Change {
  const conns = connsOf(service, live, server.dest);
  const about = { what: "remove", kind: "server", name: server.name, of: service.name, fields: [] } as const;
  return { ...about, conns, effects: hasAny(conns) ? [ENDED] : [] };
}

function removed(service: Service, live: Live): Change {
  const conns = connsOf(service, live);
  const fields = [{ field: "servers", from: String(service.servers.length) }];
  const about = { what: "remove", kind: "service", name: service.name, fields } as const;
  return { ...about, conns, effects: hasAny(conns) ? [ENDED] : [] };
}

const hasAny = ({ active, inactive }: LiveConns): boolean => active + inactive > 0;

/** @param only one of its servers */
function connsOf(service: Service, live: Live, only?: DestSpec): LiveConns {
  const dests = service.specs.flatMap((spec): readonly LiveDest[] => {
    const all = live(spec.key)?.dests ?? [];
    return only === undefined ? all : all.filter((dest) => sameDest(dest, destIn(spec, only)));
  });
  return sum(dests.map((d) => ({ active: d.activeConns, inactive: d.inactiveConns, persistent: d.persistConns })));
}

const sum = (all: readonly LiveConns[]): LiveConns =>
  all.reduce(
    (a, b) => ({ active: a.active + b.active, inactive: a.inactive + b.inactive, persistent: a.persistent + b.persistent }),
    { active: 0, inactive: 0, persistent: 0 },
  );

/** Servers of one service of which the same is to be said become one change. */
function together(changes: readonly Change[]): Change[] {
  const groups = new Map<string, Change[]>();
  for (const change of changes) {
    const { name: _, conns: __, ...same } = change;
    const key = JSON.stringify(same);
    groups.set(key, [...(groups.get(key) ?? []), change]);
  }
  return [...groups.values()].map(([first, ...rest]) =>
    rest.length === 0
      ? first!
      : {
          ...first!,
          and: rest.map(({ name }) => name),
          ...(first!.conns === undefined ? {} : { conns: sum([first!, ...rest].flatMap(({ conns }) => conns ?? [])) }),
        },
  );
}
