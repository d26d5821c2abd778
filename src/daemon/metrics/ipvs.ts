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

export function* ipvsFamilies({ services, totals }: Pick<Scrape, "services" | "totals">): Generator<Family> {
  const rows = services.map((service): Row => {
    const family = familyOfService(service.key);
    return { service, labels: labelText({ family, ...localLabels(service.key) }) };
  });
  const dests = services.flatMap(destRows);
  yield* counters("node_ipvs", "", (field) => [["", totals[field]]]);
  yield backend("connections_active", "The current active connections by local and remote address.", dests, "activeConns");
  yield backend("connections_inactive", "The current inactive connections by local and remote address.", dests, "inactiveConns");
  yield backend("weight", "The current backend weight by local and remote address.", dests, "weight");
  yield* counters("lvsd_service", " of a service", (field) =>
    rows.map(({ labels, service }) => [labels, service.counters[field]]),
  );
  yield* counters("lvsd_backend", " of a backend", (field) =>
    dests.map(({ ownLabels, dest }) => [ownLabels, dest.counters[field]]),
  );
  yield {
    ...{ name: "lvsd_backend_persistent_connections", type: "gauge" },
    help: "Persistence templates of a backend.",
    samples: dests.map(({ ownLabels, dest }) => [ownLabels, dest.persistConns]),
  };
}

const COUNTERS: readonly (readonly [field: keyof Counters, name: string, help: string])[] = [
  ["conns", "connections_total", "The total number of connections made"],
  ["inPackets", "incoming_packets_total", "The total number of incoming packets"],
  ["outPackets", "outgoing_packets_total", "The total number of outgoing packets"],
  ["inBytes", "incoming_bytes_total", "The total amount of incoming data"],
  ["outBytes", "outgoing_bytes_total", "The total amount of outgoing data"],
];

function* counters(prefix: string, of: string, samples: (field: keyof Counters) => readonly Sample[]): Generator<Family> {
  for (const [field, name, help] of COUNTERS)
    yield { name: `${prefix}_${name}`, help: `${help}${of}.`, type: "counter", samples: samples(field) };
}

function backend(
  name: string,
  help: string,
  rows: readonly DestRow[],
  field: "activeConns" | "inactiveConns" | "weight",
): Family {
  const samples = rows.map(({ labels, dest }): Sample => [labels, dest[field]]);
  return { name: `node_ipvs_backend_${name}`, help, type: "gauge", samples: summed(samples) };
}

/** Two services of one mark look the same there: as node_exporter does, such are added up. */
function summed(samples: readonly Sample[]): Iterable<Sample> {
  const sums = new Map<string, number>();
  for (const [labels, value] of samples) sums.set(labels, (sums.get(labels) ?? 0) + value);
  return sums;
}

function destRows({ key, dests }: Service): DestRow[] {
  const local = localLabels(key);
  const family = familyOfService(key);
  return dests.map((dest) => {
    const labels = { ...local, remote_address: dest.addr, remote_port: dest.port };
    return { dest, labels: labelText(labels), ownLabels: labelText({ family, ...labels }) };
  });
}

/** As /proc/net/ip_vs has them: a mark is eight hexadecimal digits, and has no address. */
function localLabels(key: ServiceKey) {
  if (key.fwmark === undefined)
    return { local_address: key.addr, local_mark: "", local_port: key.port, proto: key.protocol.toUpperCase() };
  const mark = key.fwmark.toString(16).toUpperCase().padStart(8, "0");
  return { local_address: "", local_mark: mark, local_port: 0, proto: "FWM" };
}
