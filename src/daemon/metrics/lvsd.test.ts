import { expect, test } from "vitest";
import { parseText } from "../../config/parse.ts";
import { type Dest, noCounters, noRates, type Service, type ServiceKey } from "../../director/director.ts";
import { ip } from "../../net/ip.ts";
import { fromConfig as bfdFrom } from "../bfd/from-config.ts";
import { fromConfig as healthFrom } from "../health/from-config.ts";
import type { CheckStatus } from "../health/status.ts";
import { fromConfig as vrrpFrom } from "../vrrp/from-config.ts";
import { statusOf } from "../vrrp/status.ts";
import { nothingTracked } from "../vrrp/trackers.ts";
import { newUnit } from "../vrrp/unit.ts";
import { metricsText } from "./lvsd.ts";
import type { FileScrape, Scrape } from "./scrape.ts";
import { parseStrictly } from "./testing/strict.ts";

const counters = { conns: 7, inPackets: 70, outPackets: 60, inBytes: 7000, outBytes: 6000 };
const dest = (addr: string, n: number): Dest => ({
  ...{ addr: ip(addr), port: 8080, method: "nat", weight: n, upper: 0, lower: 0, toa: false },
  tunnel: { type: "ipip", port: 0, checksum: "none" },
  ...{ activeConns: n, inactiveConns: 2 * n, persistConns: 0, counters, rates: noRates },
});
const service = (key: ServiceKey, dests: readonly Dest[]): Service => ({
  ...{ key, scheduler: "wlc", schedFlags: [], persistSeconds: 0, netmask: 0xffffffff, onePacket: false, pe: "" },
  ...{ dests, localAddresses: [], counters, rates: noRates },
});
const web: ServiceKey = { protocol: "tcp", addr: ip("10.0.0.100"), port: 80 };

const scrape = (services: readonly Service[], file?: FileScrape): Scrape => ({
  status: {
    ...{ pid: 1, version: "1.2.3", engine: "xdp", uptimeSeconds: 5, attachments: [] },
    table: { conns: 3, capacity: 1024, services: services.length, dests: 0 },
    exits: { nat: 1000, "no-service": 3 },
  },
  ...{ startTime: 1_700_000_000.5, services, totals: counters },
  ...(file === undefined ? {} : { file }),
});
const read = (of: Scrape) => parseStrictly([...metricsText(of)].join(""));
const samples = (of: Scrape, name: string) => Object.fromEntries(read(of).get(name)?.samples ?? []);

test("services and dests have the names and labels of node_exporter", () => {
  const of = scrape([service(web, [dest("10.0.0.11", 4)]), service({ fwmark: 0xabc, family: "ipv6" }, [dest("fd00::11", 5)])]);
  const first =
    '{local_address="10.0.0.100",local_mark="",local_port="80",proto="TCP",remote_address="10.0.0.11",remote_port="8080"}';
  const second =
    '{local_address="",local_mark="00000ABC",local_port="0",proto="FWM",remote_address="fd00::11",remote_port="8080"}';
  expect(samples(of, "node_ipvs_backend_connections_active")).toEqual({ [first]: 4, [second]: 5 });
  expect(samples(of, "node_ipvs_backend_connections_inactive")).toEqual({ [first]: 8, [second]: 10 });
  expect(samples(of, "node_ipvs_backend_weight")).toEqual({ [first]: 4, [second]: 5 });
  const totals = ["connections", "incoming_packets", "outgoing_packets", "incoming_bytes", "outgoing_bytes"];
  expect(totals.map((name) => samples(of, `node_ipvs_${name}_total`)[""])).toEqual([7, 70, 60, 7000, 6000]);
  expect(samples(of, "lvsd_packets_total")).toEqual({
    '{fate="forwarded",reason="nat"}': 1000,
    '{fate="passed",reason="no-service"}': 3,
  });
});

test("two services of one mark do not make a series twice", () => {
  const of = scrape([
    service({ fwmark: 5, family: "ipv4" }, [dest("10.0.0.11", 4)]),
    service({ fwmark: 5, family: "ipv6" }, [dest("10.0.0.11", 6)]),
  ]);
  expect(Object.values(samples(of, "node_ipvs_backend_weight"))).toEqual([10]);
  expect(Object.keys(samples(of, "lvsd_service_connections_total"))).toHaveLength(2);
  expect(Object.keys(samples(of, "lvsd_backend_connections_total"))).toHaveLength(2);
});

test("10 000 series are written in a few milliseconds", () => {
  const services = Array.from({ length: 60 }, (_, s) =>
    service(
      { ...web, port: s + 1 },
      Array.from({ length: 20 }, (_, d) => dest(`10.0.${s}.${d + 1}`, d)),
    ),
  );
  const time = (): number => {
    const before = performance.now();
    let length = 0;
    for (const piece of metricsText(scrape(services))) length += piece.length;
    expect(length).toBeGreaterThan(1_000_000);
    return performance.now() - before;
  };
  const [best] = Array.from({ length: 8 }, time).sort((a, b) => a - b);
  expect([...read(scrape(services)).values()].reduce((sum, family) => sum + family.samples.size, 0)).toBeGreaterThan(10_000);
  expect(best).toBeLessThan(60); // 8 ms where nothing else runs
});

const conf = `
vrrp_script chk {
  script "/bin/true"
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  virtual_ipaddress {
    10.9.0.100/24
    10.9.0.101 dev eth1
  }
  track_script {
    chk
  }
}
`;

function file(): FileScrape {
  const { config } = parseText(conf);
  const vrrp = vrrpFrom(config);
  const unit = newUnit(vrrp.instances[0]!);
  unit.state = { name: "master", advertAt: 100, announceAt: undefined, announceRepeat: 0, refreshAt: undefined };
  Object.assign(unit.counters, { advertsSent: 12, becameMaster: 1 });
  unit.counters.refused.set("ttl", 2).set("auth-data", 3);
  const scripts = { chk: { result: 1, isUp: true, isKnown: true, state: "running" } } as const;
  return {
    ...{ config, vrrp, health: healthFrom(config).health, bfd: bfdFrom(config), hasVrrp: true, hasHealth: false },
    status: { instances: [statusOf(unit, 50)], groups: {}, trackers: { ...nothingTracked, scripts } },
    ...{ services: undefined, sessions: [], reloads: { done: 1, refused: 2, isGood: false, lastGood: 1_700_000_001 } },
  };
}

test("VRRP has the names and labels of keepalived-exporter", () => {
  const of = scrape([], file());
  const labels = '{iname="VI_1",intf="eth0",state="MASTER",vrid="51"}';
  expect(samples(of, "keepalived_up")).toEqual({ "": 1 });
  expect(samples(of, "keepalived_advertisements_sent_total")).toEqual({ [labels]: 12 });
  expect(samples(of, "keepalived_become_master_total")).toEqual({ [labels]: 1 });
  expect(samples(of, "keepalived_ip_ttl_errors_total")).toEqual({ [labels]: 2 });
  expect(samples(of, "keepalived_authentication_failure_total")).toEqual({ [labels]: 3 });
  expect(samples(of, "keepalived_gratuitous_arp_delay_total")).toEqual({ [labels]: 5 });
  expect(samples(of, "keepalived_vrrp_state")).toEqual({
    '{iname="VI_1",intf="eth0",ip_address="10.9.0.100/24",vrid="51"}': 2,
    '{iname="VI_1",intf="eth1",ip_address="10.9.0.101",vrid="51"}': 2,
  });
  expect(samples(of, "keepalived_script_status")).toEqual({ '{name="chk"}': 1 });
  expect(samples(of, "keepalived_script_state")).toEqual({ '{name="chk"}': 1 });
  expect(samples(of, "lvsd_config_last_reload_successful")).toEqual({ "": 0 });
  expect(samples(of, "lvsd_config_reloads_total")).toEqual({ '{result="done"}': 1, '{result="refused"}': 2 });
});

test("a VRRP process that does not answer is told, and nothing is made up about it", () => {
  const of = scrape([], { ...file(), status: undefined });
  expect(samples(of, "keepalived_up")).toEqual({ "": 0 });
  expect(samples(of, "lvsd_process_up")).toEqual({ '{process="vrrp"}': 0 });
  expect(read(of).has("keepalived_vrrp_state")).toBe(false);
});

test("checks tell their state, their results and how long they took", () => {
  const check: CheckStatus = {
    ...{ type: "TCP_CHECK", isUp: false, hasRun: true, age: 5, retriesLeft: 0, isHeld: false, took: 250, weight: 0 },
    ...{ last: 'refused "\n\\', tries: { ok: 3, failed: 2, unknown: 0 } },
  };
  const server = { name: "[10.0.0.11]:tcp:80", isAlive: false, age: 5, weight: 3, weightNow: 0, checks: [check, check] };
  const services = [
    { name: "[10.0.0.100]:tcp:80", hasQuorum: false, quorum: 1, weight: 0, isSuspended: false, servers: [server] },
  ];
  const of = scrape([], { ...file(), hasHealth: true, services });
  const labels = (index: number, more = ""): string =>
    `{check="TCP_CHECK",index="${index}"${more},server="[10.0.0.11]:tcp:80",service="[10.0.0.100]:tcp:80"}`;
  expect(samples(of, "lvsd_check_up")).toEqual({ [labels(0)]: 0, [labels(1)]: 0 });
  expect(samples(of, "lvsd_check_results_total")[labels(0, ',result="failed"')]).toBe(2);
  expect(samples(of, "lvsd_check_duration_seconds")[labels(1)]).toBe(0.25);
  expect(samples(of, "lvsd_virtual_server_quorum_up")).toEqual({ '{service="[10.0.0.100]:tcp:80"}': 0 });
});

test("before there is anything the text is in order too", () => {
  const none = read({ ...scrape([]), totals: noCounters });
  expect(none.get("node_ipvs_connections_total")?.samples).toEqual(new Map([["", 0]]));
  expect(none.has("keepalived_up")).toBe(false);
});
