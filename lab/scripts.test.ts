import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hooks } from "./hooks.ts";
import { type Lab, startLab } from "./lab.ts";
import { ipvsadm, runScript, startLvsd } from "./lvsd.ts";
import { type Machine, type Method, methods } from "./methods.ts";
import { missing } from "./needs.ts";
import { startNginx } from "./nginx.ts";
import { curlEach } from "./traffic.ts";
import { until } from "./until.ts";

/** The scripts that LVS how-tos have printed for twenty years, run as they are. */

const DIRECTOR_SCRIPT = `
VIP=10.2.0.100
RIP1=10.2.0.11
RIP2=10.2.0.12
ipvsadm -C
ipvsadm -A -t $VIP:80 -s wlc
ipvsadm -a -t $VIP:80 -r $RIP1 -g -w 1
ipvsadm -a -t $VIP:80 -r $RIP2 -g -w 1
ipvsadm -L -n
`;

const NAT_SCRIPT = `
VIP=10.1.0.100
RIP1=10.2.0.11
RIP2=10.2.0.12
echo 1 > /proc/sys/net/ipv4/ip_forward
ipvsadm -C
ipvsadm -A -t $VIP:80 -s wlc
ipvsadm -a -t $VIP:80 -r $RIP1:8080 -m -w 1
ipvsadm -a -t $VIP:80 -r $RIP2:8080 -m -w 1
ipvsadm -L -n
`;

const TITLE = `IP Virtual Server version 1.2.1 (size=N)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
`;

const reason = missing("bin/lvsd", "bin/ipvsadm");

const cases: [name: string, method: Method, script: string, dests: (active: number, inactive: number) => string][] = [
  [
    "director script",
    methods.dr,
    DIRECTOR_SCRIPT,
    (active, inactive) => listing("TCP  10.2.0.100:80 wlc", "80", "Route", active, inactive),
  ],
  [
    "NAT script",
    methods.nat,
    NAT_SCRIPT,
    (active, inactive) => listing("TCP  10.1.0.100:80 wlc", "8080", "Masq", active, inactive),
  ],
];

for (const [hook, [name, method, script, expected]] of hooks.flatMap((hook) => cases.map((row) => [hook, row] as const))) {
  describe.skipIf(reason !== undefined)(`the old ${name} by ${hook.name} (${reason ?? "here"})`, () => {
    let lab: Lab<Machine>;
    beforeAll(async () => {
      lab = await startLab(hook.prepare(method.topology));
      for (const server of ["rs1", "rs2"] as const) await startNginx(lab, lab.hosts[server], [`0.0.0.0:${method.port}`]);
      await startLvsd(lab.hosts.director, hook.lvsd);
    });
    afterAll(() => lab?.close());

    const list = async () => (await ipvsadm(lab.hosts.director, "-L -n")).stdout.replace(/size=\d+/, "size=N");

    test("runs unchanged and prints the original layout", async () => {
      const printed = await runScript(lab.hosts.director, script);
      expect(printed.replace(/size=\d+/, "size=N")).toBe(TITLE + expected(0, 0));
      expect(await runScript(lab.hosts.director, script)).toBe(printed); // and again, over what it left
    });

    test("is followed by right counts of live and finished connections", async () => {
      const { client, director } = lab.hosts;
      await runScript(director, script);
      const held = `for i in 1 2 3 4; do exec {fd}<>/dev/tcp/${method.vip}/80 || exit; done; echo held; exec sleep 60`;
      const holder = client.spawn(["bash", "-c", held]);
      await holder.hear(/held/);
      await until("four live connections", async () => (await list()) === TITLE + expected(2, 0), 3000).catch(() => {});
      expect(await list()).toBe(TITLE + expected(2, 0));

      await curlEach(client, `http://${method.vip}/`, 4);
      expect(await list()).toBe(TITLE + expected(2, 2));

      await holder.stop();
      await until("no live connection", async () => (await list()) === TITLE + expected(0, 4), 3000).catch(() => {});
      expect(await list()).toBe(TITLE + expected(0, 4));
    });
  });
}

function listing(service: string, port: string, word: string, active: number, inactive: number): string {
  const dest = (address: string) =>
    `  -> ${`${address}:${port}`.padEnd(28)} ${word.padEnd(7)} ${"1".padEnd(6)} ${String(active).padEnd(10)} ${String(inactive).padEnd(10)}\n`;
  return `${service}\n${dest("10.2.0.11")}${dest("10.2.0.12")}`;
}
