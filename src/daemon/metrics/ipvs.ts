import { type Counters, type Dest, familyOfService, type Service, type ServiceKey } from "../../director/director.ts";
import type { Scrape } from "./scrape.ts";
import { type Family, labelText, type Sample } from "./text.ts";

/** Services and dests: by the names of node_exporter's ipvs collector, and what that one has not by ours. */

interface Row {
  readonly service: Service;
  readonly labels: string;
}
interface DestRow {
  readonly dest: Dest;
  readonly labels: string;
  /** With the family, which tells two services of one mark from each other. */
  readonly ownLabels: string;
}

/** Row by row as they are asked for: of a large table others get their turn between. */
export function* ipvsFamilies({ services, totals }: Pick<Scrape, "services" | "totals">): Generator<Family> {
  const rows = remembered(function* (): Generator<Row> {
    for (const service of services)
      yield { service, labels: labelText({ family: familyOfService(service.key), ...localLabels(service.key) }) };
  });
  const dests = remembered(function* (): Generator<DestRow> {
    for (const service of services) yield* destRows(service);
  });
  const isMixed = hasTwins(services);
  yield* counters("node_ipvs", "", (field) => [["", totals[field]]]);
  for (const [field, name, help] of BACKENDS) {
    const samples = mapped(dests, ({ labels, dest }): Sample => [labels, dest[field]]);
    yield { name: `node_ipvs_backend_${name}`, help, type: "gauge", samples: isMixed ? summed(samples) : samples };
  }
  yield* counters("lvsd_service", " of a service", (field) =>
    mapped(rows, ({ labels, service }): Sample => [labels, service.counters[field]]),
  );
  yield* counters("lvsd_backend", " of a backend", (field) =>
    mapped(dests, ({ ownLabels, dest }): Sample => [ownLabels, dest.counters[field]]),
  );
  yield {
    ...{ name: "lvsd_backend_persistent_connections", type: "gauge" },
    help: "Persistence templates of a backend.",
    samples: mapped(dests, ({ ownLabels, dest }): Sample => [ownLabels, dest.persistConns]),
  };
}

const COUNTERS: readonly (readonly [field: keyof Counters, name: string, help: string])[] = [
  ["conns", "connections_total", "The total number of connections made"],
  ["inPackets", "incoming_packets_total", "The total number of incoming packets"],
  ["outPackets", "outgoing_packets_total", "The total number of outgoing packets"],
  ["inBytes", "incoming_bytes_total", "The total amount of incoming data"],
  ["outBytes", "outgoing_bytes_total", "The total amount of outgoing data"],
];

const BACKENDS = [
  ["activeConns", "connections_active", "The current active connections by local and remote address."],
  ["inactiveConns", "connections_inactive", "The current inactive connections by local and remote address."],
  ["weight", "weight", "The current backend weight by local and remote address."],
] as const;

function* counters(prefix: string, of: string, samples: (field: keyof Counters) => Iterable<Sample>): Generator<Family> {
  for (const [field, name, help] of COUNTERS)
    yield { name: `${prefix}_${name}`, help: `${help}${of}.`, type: "counter", samples: samples(field) };
}

/** What has been made once is not made again. */
function remembered<T>(make: () => Iterator<T>): Iterable<T> {
  const made: T[] = [];
  const rest = make();
  return {
    *[Symbol.iterator]() {
      for (let i = 0; ; i++) {
        if (i === made.length) {
          const next = rest.next();
          if (next.done === true) return;
          made.push(next.value);
        }
        yield made[i]!;
      }
    },
  };
}

function* mapped<A, B>(items: Iterable<A>, to: (item: A) => B): Generator<B> {
  for (const item of items) yield to(item);
}

/** Two services of one mark, of both families, look the same to node_exporter: it adds them up. */
function hasTwins(services: readonly Service[]): boolean {
  const marks = services.flatMap(({ key }) => (key.fwmark === undefined ? [] : [key.fwmark]));
  return new Set(marks).size < marks.length;
}

function summed(samples: Iterable<Sample>): Iterable<Sample> {
  const sums = new Map<string, number>();
  for (const [labels, value] of samples) sums.set(labels, (sums.get(labels) ?? 0) + value);
  return sums;
}

function* destRows({ key, dests }: Service): Generator<DestRow> {
  const local = localLabels(key);
  const family = familyOfService(key);
  for (const dest of dests) {
    const labels = { ...local, remote_address: dest.addr, remote_port: dest.port };
    yield { dest, labels: labelText(labels), ownLabels: labelText({ family, ...labels }) };
  }
}

/** As /proc/net/ip_vs has them: a mark is eight hexadecimal digits, and has no address. */
function localLabels(key: ServiceKey) {
  if (key.fwmark === undefined)
    return { local_address: key.addr, local_mark: "", local_port: key.port, proto: key.protocol.toUpperCase() };
  const mark = key.fwmark.toString(16).toUpperCase().padStart(8, "0");
  return { local_address: "", local_mark: mark, local_port: 0, proto: "FWM" };
}
