import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CONNECT,
  DELAY,
  GLOBALS,
  instanceText,
  masterDown,
  RETRIES,
  serviceText,
  skew,
  startDebianVrrp,
  startOurKeepalived,
} from "./keepalived.ts";
import { startLab } from "./lab.ts";
import { ipvsadm, type Lvsd } from "./lvsd.ts";
import { missing } from "./needs.ts";
import { startNginx } from "./nginx.ts";
import { cable, killAll, owners, type Pair, startDirector } from "./pair.ts";
import { breakage, breakageText, startPulse } from "./pulse.ts";
import { pair, VIPS } from "./topologies/pair.ts";
import { withOffloads } from "./topology.ts";
import { countEach, curlEach } from "./traffic.ts";
import { lines, until } from "./until.ts";

/** The whole chain from one file a director: a VIP by VRRP, three web servers by DR, their checks, a sorry server, scripts. */

const reason = missing("bin/lvsd", "bin/ipvsadm", "bin/keepalived");
const VIP = VIPS[0];
const [HIGH, LOW] = [150, 100];
const WEIGHTS = { rs1: 2, rs2: 1, rs3: 1 } as const;
const SERVERS = ["rs1", "rs2", "rs3"] as const;
const NAMES = [...SERVERS, "sorry"] as const;
/** What a server's death may cost: delay_loop x retry + timeout, ms. */
const VERDICT = (DELAY * RETRIES + CONNECT) * 1000;
/** For a machine that is shared, ms. */
const SLACK = 500;

describe.skipIf(reason !== undefined)(`the chain from one file (${reason ?? "here"})`, () => {
  let lab: Pair;
  let script: string;
  const lvsds: Partial<Record<"d1" | "d2", Lvsd>> = {};

  beforeAll(async () => {
    lab = await startLab(withOffloads(pair));
    script = join(lab.directory, "quorum");
    writeFileSync(script, `#!/bin/sh\necho "$#:$*" >> ${script}.calls\n`);
    chmodSync(script, 0o755);
    await Promise.all(NAMES.map(web));
    await Promise.all([start("d1"), start("d2")]);
    await owners(lab, { [VIP]: "d1" });
  });
  afterAll(() => lab?.close());

  const web = (name: (typeof NAMES)[number]) => startNginx(lab, lab.hosts[name], ["0.0.0.0:80"]);
  const serviceOf = (name: "d1" | "d2"): string => {
    const servers = SERVERS.map((server) => ({ address: lab.hosts[server].address(), weight: WEIGHTS[server] }));
    return serviceText({ vip: VIP, servers, sorry: lab.hosts.sorry.address(), quorumScript: `${script} ${name}` });
  };
  const instanceOf = (name: "d1" | "d2"): string =>
    instanceText({ name: "VI_1", vrid: 51, priority: name === "d1" ? HIGH : LOW, vip: VIP });
  const fileOf = (name: "d1" | "d2"): string => GLOBALS + instanceOf(name) + serviceOf(name);
  const start = async (name: "d1" | "d2", file = fileOf(name)): Promise<Lvsd> =>
    (lvsds[name] = await startDirector(lab, lab.hosts[name], file));

  /** Calls of the quorum scripts, as "how many words:the words". */
  const calls = (): string[] => (existsSync(`${script}.calls`) ? lines(readFileSync(`${script}.calls`, "utf8")).toSorted() : []);
  const forgetCalls = (): void => rmSync(`${script}.calls`, { force: true });
  /** The weights in a director's table, by server. */
  const table = async (name: "d1" | "d2"): Promise<Record<string, number>> => {
    const { stdout } = await ipvsadm(lab.hosts[name], "-Ln");
    const rows = [...stdout.matchAll(/-> (\S+):80 +Route +(\d+)/g)];
    const nameOf = (address: string) => NAMES.find((server) => lab.hosts[server].address() === address) ?? address;
    return Object.fromEntries(rows.map(([, address, weight]) => [nameOf(address!), Number(weight)]));
  };
  const bothTables = (wanted: Record<string, number>): Promise<unknown> =>
    until(`tables with ${JSON.stringify(wanted)}`, async () =>
      isDeepStrictEqual(await Promise.all([table("d1"), table("d2")]), [wanted, wanted]),
    );
  const answers = async (times: number) =>
    Object.fromEntries(countEach(await curlEach(lab.hosts.client, `http://${VIP}/`, times)));

  test("each server has its share, and quorum_up is called once at the start, as keepalived does it", async () => {
    await bothTables(WEIGHTS);
    expect(await answers(16)).toEqual({ rs1: 8, rs2: 4, rs3: 4 });
    expect(calls()).toEqual([`3:d1 up ${VIP}`, `3:d2 up ${VIP}`]);
  });

  test("a dead server's share goes to the others within delay_loop x retry + timeout, and it comes back with its weight", async () => {
    const { client, rs1 } = lab.hosts;
    forgetCalls();
    const pulse = await startPulse(client, VIP);
    const died = Date.now();
    killAll(rs1);
    await bothTables({ rs2: 1, rs3: 1 });
    const without = Date.now();
    await delay(200);
    const alive = Date.now();
    await web("rs1");
    await bothTables(WEIGHTS);
    const tries = await pulse.stop();
    const others = breakage(tries, without, alive);
    expect(others.broken).toBe(0);
    expect(Math.abs(others.answers.get("rs2")! - others.answers.get("rs3")!)).toBeLessThanOrEqual(1);
    expect(await answers(16)).toEqual({ rs1: 8, rs2: 4, rs3: 4 });
    const last = Math.max(...tries.flatMap(({ begun, error }) => (error === undefined ? [] : [begun]))) - died;
    const first = Math.min(...tries.flatMap(({ ended, answer }) => (answer === "rs1" && ended > alive ? [ended] : []))) - alive;
    console.log(
      `a server dies: ${breakageText(breakage(tries))}; refused for ${ms(last)}, served again ${ms(first)} after its start`,
    );
    expect(last).toBeGreaterThan(0);
    expect(last).toBeLessThan(VERDICT);
    expect(first).toBeLessThan(DELAY * 1000 + SLACK);
    expect(calls()).toEqual([]); // there was a quorum all the time
  });

  test("when all are dead the sorry server answers, and each director calls each quorum script once", async () => {
    forgetCalls();
    for (const name of SERVERS) killAll(lab.hosts[name]);
    await bothTables({ sorry: 1 });
    expect(await answers(4)).toEqual({ sorry: 4 });
    expect(calls()).toEqual([`3:d1 down ${VIP}`, `3:d2 down ${VIP}`]);
    await Promise.all(SERVERS.map(web));
    await bothTables(WEIGHTS);
    expect(await answers(16)).toEqual({ rs1: 8, rs2: 4, rs3: 4 });
    expect(calls()).toEqual(["d1 down", "d1 up", "d2 down", "d2 up"].map((words) => `3:${words} ${VIP}`));
  });

  test("Debian's keepalived with the same file is a peer for VRRP, of lvsd -f and of our keepalived: each takes over from the other", async () => {
    const { client, d1, d2 } = lab.hosts;
    await lvsds.d2!.stop();
    await start("d2", GLOBALS + serviceOf("d2"));
    const debian = startDebianVrrp(lab, d2, fileOf("d2"));
    await debian.hear(/Entering BACKUP STATE/);
    await owners(lab, { [VIP]: "d1" });
    let ours = lvsds.d1!.running;
    const startAsKeepalived = async (): Promise<void> => {
      ours = await startOurKeepalived(lab, d1, fileOf("d1"));
    };
    const pulse = await startPulse(client, VIP);
    const steps: [what: string, bound: number, does: () => Promise<unknown>, owner: string][] = [
      ["our cable is pulled", masterDown(LOW), () => cable(d1, "out"), "d2"],
      ["it is back", 0, () => cable(d1, "in"), "d1"],
      ["ours is stopped", skew(LOW), () => lvsds.d1!.stop(), "d2"],
      ["ours starts as keepalived", 0, startAsKeepalived, "d1"],
      ["Debian's is stopped", 0, () => debian.stop(), "d1"],
    ];
    const at: number[] = [];
    for (const [, , does, owner] of steps) {
      at.push(Date.now());
      await does();
      await owners(lab, { [VIP]: owner });
    }
    const tries = await pulse.stop();
    for (const [i, [what, bound]] of steps.entries()) {
      const found = breakage(tries, at[i], at[i + 1]);
      console.log(`${what}: ${breakageText(found)}`);
      expect(found.gap, what).toBeLessThan(bound + SLACK);
    }
    const refused = /bogus|mismatch|invalid|incorrect|inconsistent|expected/i;
    expect(lines(debian.stdout + debian.stderr).filter((line) => refused.test(line))).toEqual([]);
    expect(lines(lvsds.d1!.running.stderr + ours.stdout + ours.stderr).filter((line) => refused.test(line))).toEqual([]);
    expect(await table("d1")).toEqual(WEIGHTS);
  });
});

const ms = (time: number): string => `${time.toFixed(0)} ms`;
