import { setTimeout as delay } from "node:timers/promises";
import { FLOOD_SOURCES, startFlood } from "../../lab/flood.ts";
import { hooks } from "../../lab/hooks.ts";
import type { Host } from "../../lab/host.ts";
import { startLab } from "../../lab/lab.ts";
import { runScript, startLvsd } from "../../lab/lvsd.ts";
import { methods, serve } from "../../lab/methods.ts";
import { until } from "../../lab/until.ts";

/** An lvsd on the same machine that has nothing but work: its whole connection table is listed again and again. */
export interface Dumps {
  /** @returns how many conns each list had */
  end(): Promise<readonly number[]>;
}

const RATE = 40_000; // SYNs a second
/** Half-open conns live for a minute; the same flood again keeps them. */
const AGAIN = 40_000; // ms

export async function startDumps(conns: number): Promise<Dumps> {
  const [nat, hook] = [methods.nat, hooks[0]!];
  const lab = await startLab(hook.prepare(nat.topology));
  let isOver = false;
  try {
    const { director, client, rs1, rs2 } = lab.hosts;
    for (const host of [rs1, rs2]) await host.run(`ip route add blackhole ${FLOOD_SOURCES}`); // no answers: half-open they stay
    await director.run(`ip route add ${FLOOD_SOURCES} via ${client.address()}`);
    await startLvsd(director, hook.lvsd);
    await serve(lab, nat, "rr", [1, 1]);
    const flood = () =>
      startFlood(lab, {
        ...{ from: client, interface: "outside", mac: director.mac("outside"), vip: nat.vip, port: 80 },
        ...{ count: conns, rate: RATE },
      });
    await flood();
    await until(`${conns} conns`, async () => (await connsOf(director)) > conns * 0.95);
    const [lists, floods] = [listAgainAndAgain(director, () => isOver), floodAgain(flood, () => isOver)];
    return {
      async end() {
        isOver = true;
        const made = await lists;
        await floods;
        await lab.close();
        return made;
      },
    };
  } catch (error) {
    isOver = true;
    await lab.close();
    throw error;
  }
}

async function listAgainAndAgain(director: Host, isOver: () => boolean): Promise<number[]> {
  const counts: number[] = [];
  while (!isOver()) counts.push(Number(await runScript(director, "ipvsadm -Lnc | wc -l")) - HEADINGS);
  return counts;
}
const HEADINGS = 2; // lines

async function floodAgain(flood: () => Promise<{ readonly ended: Promise<unknown> }>, isOver: () => boolean): Promise<void> {
  for (let next = Date.now() + AGAIN; !isOver(); await delay(200)) {
    if (Date.now() < next) continue;
    next = Date.now() + AGAIN;
    await (await flood()).ended;
  }
}

async function connsOf(director: Host): Promise<number> {
  const status = JSON.parse(await runScript(director, "lvsctl status --json")) as { table: { conns: number } };
  return status.table.conns;
}
