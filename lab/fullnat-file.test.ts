import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import { type Lab, startLab } from "./lab.ts";
import { diagnose, ipvsadm, startLvsd } from "./lvsd.ts";
import type { Machine } from "./methods.ts";
import { missing } from "./needs.ts";
import { type Nginx, startNginx } from "./nginx.ts";
import { fullnat, LOCAL_ADDRESSES, LOCAL_ADDRESSES6, VIP, VIP6 } from "./topologies/fullnat.ts";
import { countEach, curlEach } from "./traffic.ts";
import { until } from "./until.ts";

/** FullNAT from a file, in the words of keepalived's forks: its pool, its checks, and a reload that changes the pool. */

const reason = missing("bin/lvsd", "bin/ipvsadm", "bin/lvsctl");
const SERVERS = ["rs1", "rs2"] as const;
const PORT = 8080;

describe.skipIf(reason !== undefined)(`FullNAT from one file (${reason ?? "here"})`, () => {
  let lab: Lab<Machine>;
  let conf: string;
  let pid: number;
  const webs: Partial<Record<(typeof SERVERS)[number], Nginx>> = {};

  const service = (vip: string, group: string, family: "ipv4" | "ipv6"): string => `virtual_server ${vip} 80 {
    delay_loop 0.3
    lb_algo rr
    lb_kind FNAT
    protocol TCP
    laddr_group_name ${group}
${SERVERS.map(
  (name) => `    real_server ${lab.hosts[name].address(undefined, family)} ${PORT} {
        HTTP_GET {
            url {
                path /
            }
            connect_timeout 1
            retry 0
        }
    }
`,
).join("")}}
`;
  const write = (pool: readonly string[]): void => {
    const group = (name: string, addresses: readonly string[]) =>
      `local_address_group ${name} {\n${addresses.map((a) => `    ${a}\n`).join("")}}\n`;
    writeFileSync(
      conf,
      group("out4", pool) + group("out6", LOCAL_ADDRESSES6) + service(VIP, "out4", "ipv4") + service(VIP6, "out6", "ipv6"),
    );
  };
  /** The pool of the IPv4 service. */
  const pool = async (): Promise<string[]> => {
    const { stdout } = await ipvsadm(lab.hosts.director, `-G -n -t ${VIP}:80`);
    return [...stdout.matchAll(/^ *(10\.2\.0\.\d+) +\d+ +\d+ *$/gm)].map((found) => found[1]!).toSorted();
  };
  const shares = async (times: number, url = `http://${VIP}/`) =>
    Object.fromEntries(countEach(await curlEach(lab.hosts.client, url, times)));

  beforeAll(async () => {
    lab = await startLab(fullnat);
    conf = join(lab.directory, "keepalived.conf");
    write(["10.2.0.51-52"]);
    await Promise.all(
      SERVERS.map(async (name) => {
        webs[name] = await startNginx(lab, lab.hosts[name], [`0.0.0.0:${PORT}`, `[::]:${PORT}`]);
      }),
    );
    const lvsd = await startLvsd(lab.hosts.director, { arguments: ["-f", conf] });
    pid = lvsd.running.pid;
    await until("the service", async () => (await ipvsadm(lab.hosts.director, "-Ln")).stdout.includes(`${VIP}:80 rr`));
  });
  afterAll(() => lab?.close());

  test("its services have their dests and their pools", async () => {
    onTestFailed(async () => console.error(await diagnose(lab.hosts.director)));
    const { stdout } = await ipvsadm(lab.hosts.director, "-Ln");
    expect(stdout.match(/FullNat/g)?.length).toBe(4);
    expect(await pool()).toEqual(LOCAL_ADDRESSES);
  });

  test("a client is served by all, and servers see the pool's addresses and no client", async () => {
    onTestFailed(async () => console.error(await diagnose(lab.hosts.director)));
    const before = webs.rs1!.clients().length;
    expect(await shares(20)).toEqual({ rs1: 10, rs2: 10 });
    const seen = new Set(webs.rs1!.clients().slice(before));
    seen.delete(lab.hosts.director.address()); // the checks
    expect([...seen].filter((address) => !LOCAL_ADDRESSES.includes(address))).toEqual([]);
    expect(seen.size).toBeGreaterThan(0);
  });

  test("IPv6 is served alike", async () => {
    expect(await shares(6, `http://[${VIP6}]/`)).toEqual({ rs1: 3, rs2: 3 });
  });

  test("a reload takes an address out of the pool and breaks nothing", async () => {
    write(["10.2.0.52"]);
    process.kill(pid, "SIGHUP");
    await until("the smaller pool", async () => (await pool()).join() === "10.2.0.52");
    expect(await shares(10)).toEqual({ rs1: 5, rs2: 5 });
    write([...LOCAL_ADDRESSES]);
    process.kill(pid, "SIGHUP");
    await until("the whole pool", async () => (await pool()).length === 2);
  });

  test("a dead server's share goes to the other and comes back", async () => {
    await webs.rs1!.stop();
    const table = async () => (await ipvsadm(lab.hosts.director, "-Ln")).stdout;
    const rs1 = `${lab.hosts.rs1.address()}:${PORT}`;
    await until("rs1 out", async () => !(await table()).includes(rs1));
    expect(await shares(6)).toEqual({ rs2: 6 });
    webs.rs1 = await startNginx(lab, lab.hosts.rs1, [`0.0.0.0:${PORT}`, `[::]:${PORT}`]);
    await until("rs1 back", async () => (await table()).includes(rs1));
    expect(await shares(6)).toEqual({ rs1: 3, rs2: 3 });
  });
});
