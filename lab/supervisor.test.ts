import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { GLOBALS, instanceText, masterDown, serviceText, skew } from "./keepalived.ts";
import { startLab } from "./lab.ts";
import { startLasting } from "./lasting.ts";
import { ipvsadm, type Lvsd } from "./lvsd.ts";
import { missing } from "./needs.ts";
import { startNginx } from "./nginx.ts";
import { childOf, holds, killAll, owners, ownersOf, type Pair, startDirector } from "./pair.ts";
import { breakage, breakageText, startPulse } from "./pulse.ts";
import { pidsIn } from "./remains.ts";
import { pair, VIPS } from "./topologies/pair.ts";
import { withOffloads } from "./topology.ts";
import { curlEach } from "./traffic.ts";
import { until } from "./until.ts";

/**
 * What becomes of a director when parts of it are killed. A child is started again, and meanwhile addresses and forwarding
 * stay. Without the parent the children end, the VRRP process with a farewell, so that the peer takes over at once; the
 * data path stays where it is, for whoever comes before the peer is known.
 */

const reason = missing("bin/lvsd", "bin/ipvsadm");
const VIP = VIPS[0];
/** Seconds: longer than a process takes to be started again. */
const ADVERT = 0.4;
const [HIGH, LOW] = [150, 100];
/** For a machine that is shared, ms. */
const SLACK = 500;
const LONG = 4; // connections

describe.skipIf(reason !== undefined)(`a director of a pair (${reason ?? "here"})`, () => {
  let lab: Pair;
  let master: Lvsd;
  let backup: Lvsd;

  beforeAll(async () => {
    lab = await startLab(withOffloads(pair));
    const { rs1, rs2, rs3, d2 } = lab.hosts;
    await Promise.all([rs1, rs2, rs3].map((host) => startNginx(lab, host, ["0.0.0.0:80"])));
    [backup] = await Promise.all([startDirector(lab, d2, conf(LOW)), start()]);
  });
  beforeEach(async () => {
    if (!master.running.isRunning) await start(); // after a test that failed
    await owners(lab, { [VIP]: "d1" });
  });
  afterAll(() => lab?.close());

  const conf = (priority: number): string => {
    const { rs1, rs2, rs3 } = lab.hosts;
    const servers = [rs1, rs2, rs3].map((host) => ({ address: host.address(), weight: 1 }));
    const instance = instanceText({ name: "VI_1", vrid: 51, priority, vip: VIP, advert: ADVERT });
    return GLOBALS + instance + serviceText({ vip: VIP, servers });
  };
  const start = async (): Promise<void> => {
    master = await startDirector(lab, lab.hosts.d1, conf(HIGH));
  };
  const table = async (): Promise<string> => (await ipvsadm(lab.hosts.d1, "-Ln")).stdout.replaceAll(/ +\d+ +\d+ *$/gm, "");
  /** What short connections see of it. */
  const during = async (what: string, does: () => Promise<void>): Promise<number> => {
    const pulse = await startPulse(lab.hosts.client, VIP);
    await does();
    const found = breakage(await pulse.stop());
    console.log(`${what}: ${breakageText(found)}`);
    return found.gap;
  };
  const takeOvers = (): number => backup.running.stderr.split("Entering MASTER STATE").length - 1;

  test("whose VRRP process is killed keeps its address and every connection; the peer does not notice", async () => {
    const { client, d1 } = lab.hosts;
    const long = await startLasting(client, VIP, LONG);
    const [before, pid] = [takeOvers(), childOf(master, "lvsd-vrrp")];
    const gap = await during("the VRRP process is killed", async () => {
      process.kill(pid, "SIGKILL");
      await until("another one", () => ![0, pid].includes(childOf(master, "lvsd-vrrp")));
      expect(await holds(d1, VIP)).toBe(true);
      await delay(masterDown(LOW, ADVERT) + SLACK);
    });
    expect([await ownersOf(lab, VIP), takeOvers(), long.alive()]).toEqual([["d1"], before, LONG]);
    expect(gap).toBeLessThan(SLACK);
    await long.stop();
  });

  test("whose checkers are killed goes on with its table, and new ones notice what dies", async () => {
    const { client, rs3 } = lab.hosts;
    const [before, pid] = [await table(), childOf(master, "lvsd-health")];
    expect(before).toContain("10.2.0.13:80");
    const long = await startLasting(client, VIP, LONG);
    const gap = await during("the checkers are killed", async () => {
      process.kill(pid, "SIGKILL");
      await until("others", () => ![0, pid].includes(childOf(master, "lvsd-health")));
      for (let i = 0; i < 5; i++) expect(await table()).toBe(before);
    });
    expect(gap).toBeLessThan(SLACK);
    expect(long.alive()).toBe(LONG);
    await long.stop();
    killAll(rs3);
    await until("rs3 gone", async () => !(await table()).includes("10.2.0.13:80"));
    await startNginx(lab, rs3, ["0.0.0.0:80"]);
    await until("rs3 back", async () => (await table()) === before);
  });

  test("whose lvsd is killed says farewell: the backup has the address at once, and what still comes here is forwarded", async () => {
    const { client, router, d1 } = lab.hosts;
    const gap = await during("lvsd is killed", async () => {
      await master.kill9();
      await owners(lab, { [VIP]: "d2" });
      await until("the end of its children", () => pidsIn([d1.netns]).length === 0);
    });
    expect(gap).toBeLessThan(skew(LOW, ADVERT) + SLACK);
    await router.run(`ip neigh replace ${VIP} lladdr ${d1.mac("front")} dev front nud permanent`);
    expect(await curlEach(client, `http://${VIP}/`, 3)).toEqual(expect.arrayContaining(["rs1", "rs2", "rs3"]));
    await router.run(`ip neigh replace ${VIP} lladdr ${lab.hosts.d2.mac("front")} dev front nud stale`);

    const back = await during("it is back", async () => {
      await start();
      await owners(lab, { [VIP]: "d1" });
    });
    expect(back).toBeLessThan(SLACK);
    expect(master.running.stderr).toContain("adopted=true");
  });

  test("whose processes are all killed at one stroke leaves its address behind, until lvsd is back; either director forwards", async () => {
    const gap = await during("all is killed at one stroke", async () => {
      killAll(lab.hosts.d1);
      await until("both answer", async () => (await ownersOf(lab, VIP)).join() === "d1,d2");
      await start();
      await owners(lab, { [VIP]: "d1" });
    });
    expect(gap).toBeLessThan(masterDown(LOW, ADVERT) + SLACK);
  });

  test("that is alone keeps every connection while lvsd is killed and started again: what comes is forwarded, though the address is away", async () => {
    await backup.stop();
    const long = await startLasting(lab.hosts.client, VIP, LONG);
    const gap = await during("lvsd is killed, and there is no other", async () => {
      await master.kill9();
      await until("no address", async () => !(await holds(lab.hosts.d1, VIP)));
      await start();
      await owners(lab, { [VIP]: "d1" });
    });
    expect([long.alive(), [...long.ends()]]).toEqual([LONG, []]);
    expect(gap).toBeLessThan(SLACK);
    await long.stop();
  });
});
