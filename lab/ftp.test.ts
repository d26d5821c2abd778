import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from "vitest";
import { startCapture } from "./capture.ts";
import { hooks } from "./hooks.ts";
import type { Host } from "./host.ts";
import { type Lab, startLab } from "./lab.ts";
import { diagnose, ipvsadm, runScript, startLvsd } from "./lvsd.ts";
import { type Machine, methods } from "./methods.ts";
import { missing } from "./needs.ts";
import { download } from "./traffic.ts";
import { startVsftpd } from "./vsftpd.ts";

/** FTP under DR: a persistent service on port 21 takes the data connections along, to whatever port they go (spec 1.4, 1.5). */

const reason = missing("bin/lvsd", "bin/ipvsadm");
const BYTES = 10_000_000;
const servers = ["rs1", "rs2"] as const;
const dr = methods.dr;
const url = `ftp://${dr.vip}/`;

for (const hook of hooks) {
  describe.skipIf(reason !== undefined)(`FTP under DR by ${hook.name} (${reason ?? "here"})`, () => {
    let lab: Lab<Machine>;
    beforeAll(async () => {
      lab = await startLab(hook.prepare(dr.topology));
      const { hosts } = lab;
      const files = (name: string) => [
        { name: `${name}.txt`, content: `${name}\n` },
        { name: "big", content: new Uint8Array(BYTES).map((_, i) => i >> 8) },
      ];
      await Promise.all([
        startLvsd(hosts.director, hook.lvsd),
        ...servers.map((name) => startVsftpd(lab, hosts[name], dr.vip, files(name))),
      ]);
    });
    afterAll(() => lab?.close());

    /** An empty table: the next client is scheduled afresh. */
    beforeEach(async () => {
      const { director, rs1, rs2 } = lab.hosts;
      onTestFailed(async () => console.error(await diagnose(director)));
      const script = [
        "lvsctl set expire_nodest_conn 1",
        "ipvsadm -C",
        `ipvsadm -A -t ${dr.vip}:21 -s rr -p 60`,
        ...[rs1, rs2].map((host) => `ipvsadm -a -t ${dr.vip}:21 -r ${host.address()}:21 -g`),
      ];
      await runScript(director, script.join("\n"));
    });

    for (const [name, flags] of [
      ["PASV", "--disable-epsv"],
      ["EPSV", ""],
    ] as const) {
      test(`${name}: a list and ten megabytes come from the real server that has the control connection`, async () => {
        const { client } = lab.hosts;
        const listed = await client.run(`curl -sS --max-time 20 ${flags} -l ${url}`);
        expect(listed).toMatch(/^rs[12]\.txt$/m);
        expect(await download(client, `${url}big`)).toMatchObject({ bytes: BYTES });
        const server = listed.includes("rs1.txt") ? "rs1" : "rs2";
        expect(await client.run(`curl -sS --max-time 20 ${flags} ${url}${server}.txt`)).toBe(`${server}\n`);
        await expectAllAt(server);
        expect((await conns()).filter((conn) => conn.port >= 30_000 && conn.port <= 30_100)).toHaveLength(3);
      });
    }

    test("active: the real server connects from the VIP's port 20, and what the client answers finds it", async () => {
      const { client } = lab.hosts;
      const capture = await startCapture(lab, client, { interface: "outside", filter: "tcp[tcpflags] & tcp-syn != 0" });
      const listed = await client.run(`curl -sS --max-time 20 --ftp-port - --disable-eprt -l ${url}`);
      const server = listed.includes("rs1.txt") ? "rs1" : "rs2";
      expect(listed).toContain(`${server}.txt`);
      const flags = "-sS --max-time 30 --ftp-port - --disable-eprt -o /dev/null -w '%{size_download}'";
      expect(await client.run(`curl ${flags} ${url}big`)).toBe(String(BYTES));
      const came = (await capture.stop()).filter((frame) => frame.tcp?.flags === "S" && frame.ip[0]?.source === dr.vip);
      expect(came.map((frame) => frame.tcp?.source)).toEqual([20, 20]);
      await expectAllAt(server);
      const ports = new Set(came.map((frame) => frame.tcp?.destination)); // chosen by chance: now and then the same twice
      expect((await conns()).filter((conn) => conn.port === 20)).toHaveLength(ports.size);
    });

    test("two clients are shared by the servers, and each keeps its own", async () => {
      const { client } = lab.hosts;
      await client.run("ip address replace 10.1.0.3/24 dev outside");
      const list = (from: string) => client.run(`curl -sS --max-time 20 --interface ${from} -l ${url}`);
      const first = await list(client.address());
      const second = await list("10.1.0.3");
      expect(second).not.toBe(first);
      for (let i = 0; i < 3; i++) expect([await list(client.address()), await list("10.1.0.3")]).toEqual([first, second]);
    });

    async function expectAllAt(server: (typeof servers)[number]): Promise<void> {
      const host: Host = lab.hosts[server];
      expect([...new Set((await conns()).map((conn) => conn.dest))]).toEqual([host.address()]);
    }

    /** The client's conns: to which of the VIP's ports, and at which real server. The template's port is 0. */
    async function conns(): Promise<{ port: number; dest: string }[]> {
      const { stdout } = await ipvsadm(lab.hosts.director, "-L -n -c");
      const line = new RegExp(`^TCP .* ${dr.vip}:(\\d+) +([\\d.]+):\\d+`, "gm");
      return [...stdout.matchAll(line)].map(([, port, dest]) => ({ port: Number(port), dest: dest! }));
    }
  });
}
