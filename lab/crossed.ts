import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "./host.ts";
import { GLOBALS, instanceText, serviceText } from "./keepalived.ts";
import type { Lvsd, LvsdOptions } from "./lvsd.ts";
import { type Nginx, startNginx } from "./nginx.ts";
import { type Pair, startDirector } from "./pair.ts";
import { VIP6, VIPS } from "./topologies/pair.ts";
import { type Load, parseWrk } from "./traffic.ts";

/** VIPs with crossed priorities: each director carries one of them, and both when it is alone. */

export const [HIGH, LOW] = [150, 100] as const;

export type Director = "d1" | "d2";

const PRIORITIES = { d1: [HIGH, LOW], d2: [LOW, HIGH] } as const;

/** All VIPs and their services, each a DR service of rs1 to rs3 and the sorry server; the third, IPv6, goes with the first. */
export function crossedFile(
  { hosts }: Pair,
  priorities: readonly [number, number],
  schedulers: readonly [string, string] = ["wrr", "wrr"],
): string {
  const text = (vip: string, vrid: number, family: "ipv4" | "ipv6", place: 0 | 1): string => {
    const [sorry, ...servers] = [hosts.sorry, hosts.rs1, hosts.rs2, hosts.rs3].map((host) => host.address("front", family));
    const checked = { vip, servers: servers.map((address) => ({ address, weight: 1 })), sorry: sorry! };
    return (
      instanceText({ name: `VI_${vrid}`, vrid, priority: priorities[place], vip }) +
      serviceText({ ...checked, scheduler: schedulers[place] })
    );
  };
  return GLOBALS + text(VIPS[0], 51, "ipv4", 0) + text(VIPS[1], 52, "ipv4", 1) + text(VIP6, 53, "ipv6", 0);
}

/** lvsd on one of the directors, with the file of its place. */
export const startCrossed = (lab: Pair, name: Director, options?: LvsdOptions): Promise<Lvsd> =>
  startDirector(lab, lab.hosts[name], crossedFile(lab, PRIORITIES[name]), options);

export function startServers(lab: Pair): Promise<readonly Nginx[]> {
  const { rs1, rs2, rs3, sorry } = lab.hosts;
  return Promise.all([rs1, rs2, rs3, sorry].map((host) => startNginx(lab, host, ["0.0.0.0:80", "[::]:80"])));
}

const LONGEST = 90; // s, then wrk ends by itself

/**
 * Keep-alive requests on a few connections, some hundreds a second, and behind everybody else: two processors do all of this.
 * What comes back ends it.
 */
export function startLoad(lab: Pair, from: Host, vip: string): () => Promise<Load> {
  const script = join(lab.directory, "gently.lua");
  writeFileSync(script, "function delay() return 10 end\n"); // ms
  const flags = ["-t1", "-c4", `-d${LONGEST}s`, "--timeout", "1s", "-s", script];
  const wrk = from.spawn(["nice", "wrk", ...flags, `http://${vip}/fast`]);
  return async () => {
    wrk.kill("SIGINT");
    await wrk.ended;
    return parseWrk(wrk.stdout);
  };
}
