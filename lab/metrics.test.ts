import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from "vitest";
import { type Family, parseStrictly } from "../src/daemon/metrics/testing/strict.ts";
import { type Lab, startLab } from "./lab.ts";
import { diagnose, ipvsadm, type Lvsd, runScript, startLvsd } from "./lvsd.ts";
import type { Machine } from "./methods.ts";
import { missing } from "./needs.ts";
import { startNginx } from "./nginx.ts";
import { nat, VIP } from "./topologies/nat.ts";
import { curlEach } from "./traffic.ts";
import { until } from "./until.ts";

/** What Prometheus sees of a director that carries out a keepalived.conf: the same numbers as ipvsadm, whatever happens to services. */

const PORT = 9130;
const reason = missing("bin/lvsd", "bin/ipvsadm", "bin/lvsctl", "bin/lvsd-vrrp", "bin/lvsd-health");

const conf = (outside: string): string => `
vrrp_instance VI_1 {
  interface ${outside}
  virtual_router_id 51
  version 3
  advert_int 0.05
  virtual_ipaddress {
    10.1.0.99
  }
}
virtual_server ${VIP} 80 {
  protocol TCP
  delay_loop 1
  lb_algo rr
  lb_kind NAT
${[11, 12, 13]
  .map(
    (n) => `  real_server 10.2.0.${n} 8080 {
    weight ${n}
    TCP_CHECK {
      connect_timeout 1
    }
  }
`,
  )
  .join("")}}
`;

describe.skipIf(reason !== undefined)(`metrics of a director (${reason ?? "here"})`, () => {
  let lab: Lab<Machine>;
  let lvsd: Lvsd;
  const flags = (): string[] => ["--metrics", `127.0.0.1:${PORT}`, "-f", join(lab.directory, "keepalived.conf")];
  beforeAll(async () => {
    lab = await startLab(nat);
    const { director, rs1, rs2, rs3 } = lab.hosts;
    writeFileSync(join(lab.directory, "keepalived.conf"), conf(director.interfaces[0]!));
    await Promise.all([rs1, rs2, rs3].map((host) => startNginx(lab, host, ["0.0.0.0:8080"])));
    lvsd = await startLvsd(director, { arguments: flags() });
    await until("three checked servers", async () => (await ups()) === 3);
  });
  afterAll(() => lab?.close());
  beforeEach(() => onTestFailed(async () => console.error(await diagnose(lab.hosts.director))));

  const scrape = async (): Promise<ReadonlyMap<string, Family>> =>
    parseStrictly(await lab.hosts.director.run(`curl -sf http://127.0.0.1:${PORT}/metrics`));
  const value = async (name: string, labels = ""): Promise<number | undefined> => (await scrape()).get(name)?.samples.get(labels);
  const ups = async (): Promise<number> => {
    const samples = (await scrape().catch(() => new Map<string, Family>())).get("lvsd_check_up")?.samples ?? new Map();
    return [...samples.values()].filter((up) => up === 1).length;
  };
  const web = (n: number): string =>
    `{local_address="${VIP}",local_mark="",local_port="80",proto="TCP",remote_address="10.2.0.${n}",remote_port="8080"}`;

  test("connections, packets and bytes are those of ipvsadm --stats, to the last one", async () => {
    await curlEach(lab.hosts.client, `http://${VIP}/`, 30);
    const { stdout } = await ipvsadm(lab.hosts.director, "-L -n --stats --exact");
    const counts = (line: RegExp): number[] => line.exec(stdout)![1]!.trim().split(/ +/).map(Number);
    const service = counts(/^TCP +10\.1\.0\.100:80 +([\d ]+)$/m);
    expect(service[0]).toBe(30);
    const families = await scrape();
    const fields = ["connections", "incoming_packets", "outgoing_packets", "incoming_bytes", "outgoing_bytes"];
    const of = (prefix: string, labels: string) => fields.map((f) => families.get(`${prefix}_${f}_total`)?.samples.get(labels));
    expect(of("node_ipvs", "")).toEqual(service);
    const local = `{family="ipv4",local_address="${VIP}",local_mark="",local_port="80",proto="TCP"}`;
    expect(of("lvsd_service", local)).toEqual(service);
    for (const n of [11, 12, 13]) {
      const labels = web(n).replace("{", '{family="ipv4",');
      expect(of("lvsd_backend", labels)).toEqual(counts(new RegExp(`-> 10\\.2\\.0\\.${n}:8080 +([\\d ]+)$`, "m")));
      expect(families.get("node_ipvs_backend_weight")!.samples.get(web(n))).toBe(n);
    }
  });

  test("the control socket tells the same families", async () => {
    const text = await runScript(
      lab.hosts.director,
      "curl -sf --unix-socket /run/lvsd/$(stat -Lc %i /proc/self/ns/net).sock http://x/metrics",
    );
    expect([...parseStrictly(text).keys()]).toEqual([...(await scrape()).keys()]);
  });

  test("VRRP and checks are told, and of a server that is gone what its checks found", async () => {
    const families = await scrape();
    const state = [...families.get("keepalived_vrrp_state")!.samples];
    expect(state).toEqual([[expect.stringContaining('ip_address="10.1.0.99"'), 2]]);
    expect(families.get("keepalived_up")!.samples.get("")).toBe(1);
    await lab.hosts.rs3.run(`ip link set ${lab.hosts.rs3.interfaces[0]} down`);
    await until("a check that failed", async () => (await ups()) === 2);
    const results = [...(await scrape()).get("lvsd_check_results_total")!.samples];
    const failed = results.filter(([labels, n]) => labels.includes('result="failed"') && n > 0);
    expect(failed).toEqual([[expect.stringContaining('server="[10.2.0.13]:tcp:8080"'), expect.any(Number)]]);
    expect((await scrape()).get("node_ipvs_backend_weight")!.samples.has(web(13))).toBe(false);
    expect(families.get("lvsd_config_last_reload_successful")!.samples.get("")).toBe(1);
  });

  test("a reload that is refused is seen", async () => {
    const file = join(lab.directory, "keepalived.conf");
    writeFileSync(file, `${conf(lab.hosts.director.interfaces[0]!)}virtual_sever 1.2.3.4 80 {\n}\n`);
    lvsd.running.kill("SIGHUP");
    await until("a refused reload", async () => (await value("lvsd_config_last_reload_successful")) === 0);
    expect(await value("lvsd_config_reloads_total", '{result="refused"}')).toBe(1);
    writeFileSync(file, conf(lab.hosts.director.interfaces[0]!));
    lvsd.running.kill("SIGHUP");
    await until("a good reload", async () => (await value("lvsd_config_last_reload_successful")) === 1);
  });

  test("totals go on when the service is deleted, and after kill -9; zeroing all begins at zero", async () => {
    const { director } = lab.hosts;
    const before = (await value("node_ipvs_connections_total"))!;
    expect(before).toBeGreaterThanOrEqual(30);
    await ipvsadm(director, `-D -t ${VIP}:80`);
    expect(await value("node_ipvs_connections_total")).toBe(before);
    await lvsd.kill9();
    lvsd = await startLvsd(director, { arguments: flags() });
    await until("the metrics again", async () => (await value("node_ipvs_connections_total").catch(() => undefined)) === before);
    await ipvsadm(director, "-Z");
    expect(await value("node_ipvs_connections_total")).toBe(0);
  });
});
