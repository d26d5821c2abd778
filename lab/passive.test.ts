import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import { type Lab, startLab } from "./lab.ts";
import { diagnose, ipvsadm, startLvsd } from "./lvsd.ts";
import type { Machine } from "./methods.ts";
import { missing } from "./needs.ts";
import { type Nginx, startNginx } from "./nginx.ts";
import { nat, VIP } from "./topologies/nat.ts";
import { curlEach } from "./traffic.ts";
import { until } from "./until.ts";

/** `passive_check`: what the data path sees of a server has it checked long before its next turn. */

const reason = missing("bin/lvsd", "bin/ipvsadm");
const SERVERS = ["rs1", "rs2"] as const;
/** Between two checks, s: far longer than the test. */
const LONG = 60;

describe.skipIf(reason !== undefined)(`failures of traffic (${reason ?? "here"})`, () => {
  let lab: Lab<Machine>;
  const webs: Partial<Record<(typeof SERVERS)[number], Nginx>> = {};
  /** Port 80 with passive_check, port 81 without. */
  const service = (port: number, words: string): string => `virtual_server ${VIP} ${port} {
    delay_loop ${LONG}
    warmup 0
    lb_algo rr
    lb_kind NAT
    protocol TCP
    ${words}
${SERVERS.map((name) => `    real_server ${lab.hosts[name].address()} 80 {\n TCP_CHECK {\n retry 0\n connect_timeout 1\n }\n }\n`).join("")}}
`;
  const dests = async (port: number): Promise<number> => {
    const { stdout } = await ipvsadm(lab.hosts.director, `-Ln -t ${VIP}:${port}`);
    return stdout.match(/->.*Masq/g)?.length ?? 0;
  };

  beforeAll(async () => {
    lab = await startLab(nat);
    const conf = join(lab.directory, "keepalived.conf");
    writeFileSync(conf, service(80, "passive_check") + service(81, ""));
    for (const name of SERVERS) webs[name] = await startNginx(lab, lab.hosts[name], ["0.0.0.0:80"]);
    await startLvsd(lab.hosts.director, { arguments: ["-f", conf] });
    await until("two dests", async () => (await dests(80)) === 2 && (await dests(81)) === 2);
    await delay(2200); // the first checks, and a look at the counters
  });
  afterAll(() => lab?.close());

  test("a server that refuses connections is out within seconds, not at its next check", async () => {
    onTestFailed(async () => console.error(await diagnose(lab.hosts.director)));
    await webs.rs1!.stop();
    const died = Date.now();
    await curlEach(lab.hosts.client, `http://${VIP}/`, 4).catch(() => {});
    await until("one dest", async () => (await dests(80)) === 1);
    console.log(`out ${Date.now() - died} ms after its death, with checks ${LONG} s apart`);
    expect(Date.now() - died).toBeLessThan(5000);
    expect(await dests(81)).toBe(2); // nobody doubts it there
    expect(new Set(await curlEach(lab.hosts.client, `http://${VIP}/`, 4))).toEqual(new Set(["rs2"]));
  });

  test("so is one that falls silent, when clients have to ask again", async () => {
    onTestFailed(async () => console.error(await diagnose(lab.hosts.director)));
    const { rs2, client } = lab.hosts;
    await rs2.run(`ip address del ${rs2.address()}/24 dev inside`); // what comes for it is dropped without a word
    const fell = Date.now();
    await client.exec(["curl", "-s", "-m", "3", `http://${VIP}/`]);
    await until("no dest", async () => (await dests(80)) === 0);
    console.log(`out ${Date.now() - fell} ms after its last word, with checks ${LONG} s apart`);
    expect(Date.now() - fell).toBeLessThan(8000);
    expect(await dests(81)).toBe(2);
  });
});
