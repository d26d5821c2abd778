import { fateOf } from "../../director/exits.ts";
import { bfdFamilies, healthFamilies } from "./health.ts";
import { ipvsFamilies } from "./ipvs.ts";
import type { FileScrape, Scrape } from "./scrape.ts";
import { exposition, type Family, labelText } from "./text.ts";
import { vrrpFamilies } from "./vrrp.ts";

/** All metrics of a scrape, as text. */
export const metricsText = (scrape: Scrape): Generator<string> => exposition(families(scrape));

function* families(scrape: Scrape): Generator<Family> {
  yield* daemonFamilies(scrape);
  yield* ipvsFamilies(scrape);
  if (scrape.file === undefined) return;
  yield* fileFamilies(scrape.file);
  yield* vrrpFamilies(scrape.file);
  yield* healthFamilies(scrape.file.services ?? []);
  yield* bfdFamilies(scrape.file.sessions);
}

const one = (name: string, type: Family["type"], help: string, value: number): Family => ({
  ...{ name, type, help },
  samples: [["", value]],
});

function* daemonFamilies({ status, startTime }: Scrape): Generator<Family> {
  const { table, exits, attachments, engine, version } = status;
  const { heapUsed, rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  yield {
    ...{ name: "lvsd_build_info", type: "gauge", help: "What runs here." },
    samples: [[labelText({ version, engine, node: process.versions.node }), 1]],
  };
  yield one("process_start_time_seconds", "gauge", "When the director process was started.", startTime);
  yield one("process_cpu_seconds_total", "counter", "CPU time of the director process.", (user + system) / 1e6);
  yield one("process_resident_memory_bytes", "gauge", "Memory of the director process.", rss);
  yield one("lvsd_heap_used_bytes", "gauge", "JavaScript heap of the director process.", heapUsed);
  yield {
    ...{ name: "lvsd_interface_info", type: "gauge", help: "Interfaces where packets are taken." },
    samples: attachments.map(({ interface: name, hook, mode }) => [labelText({ interface: name, hook, mode }), 1]),
  };
  yield {
    ...{ name: "lvsd_packets_total", type: "counter", help: "Packets by the reason they left the data path." },
    samples: Object.entries(exits).map(([reason, n]) => [labelText({ reason, fate: fateOf(reason) }), n]),
  };
  yield one("lvsd_connections", "gauge", "Entries of the connection table.", table.conns);
  yield one("lvsd_connections_capacity", "gauge", "The most that the connection table holds; 0: no limit.", table.capacity);
  yield one("lvsd_services", "gauge", "Virtual services.", table.services);
  yield one("lvsd_backends", "gauge", "Real servers of all services.", table.dests);
}

function* fileFamilies({ reloads, hasVrrp, hasHealth, status, services }: FileScrape): Generator<Family> {
  yield one("lvsd_config_last_reload_successful", "gauge", "Whether the last reload was carried out.", Number(reloads.isGood));
  yield one(
    "lvsd_config_last_reload_success_timestamp_seconds",
    "gauge",
    "When the configuration in force was carried out.",
    reloads.lastGood,
  );
  yield {
    ...{ name: "lvsd_config_reloads_total", type: "counter", help: "Reloads by what became of them." },
    samples: [
      [labelText({ result: "done" }), reloads.done],
      [labelText({ result: "refused" }), reloads.refused],
    ],
  };
  const processes = [
    ["vrrp", hasVrrp, status !== undefined],
    ["health", hasHealth, services !== undefined],
  ] as const;
  yield {
    ...{ name: "lvsd_process_up", type: "gauge", help: "Whether a process beside the director answers." },
    samples: processes.flatMap(([name, isWanted, isUp]) => (isWanted ? [[labelText({ process: name }), Number(isUp)]] : [])),
  };
}
