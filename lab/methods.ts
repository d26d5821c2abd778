import type { Host } from "./host.ts";
import type { Lab } from "./lab.ts";
import { runScript, startRealServer } from "./lvsd.ts";
import { VIP as DR_VIP, dr } from "./topologies/dr.ts";
import { VIP as FULLNAT_VIP, fullnat, LOCAL_ADDRESSES } from "./topologies/fullnat.ts";
import { VIP as NAT_VIP, nat } from "./topologies/nat.ts";
import { VIP as TUN_VIP, tun } from "./topologies/tun.ts";
import type { Topology } from "./topology.ts";

/** The four methods as ipvsadm and the lab's topologies know them. */
export interface Method {
  readonly name: string;
  readonly topology: Topology<Machine>;
  readonly vip: string;
  /** ipvsadm's option, and its word in listings. */
  readonly flag: string;
  readonly word: string;
  /** The port real servers listen on; only a method that rewrites ports may have one of its own. */
  readonly port: number;
  /** ipvsadm lines after the service's own. */
  readonly pool: readonly string[];
  /** What its real servers have to do beyond listening. */
  readonly realServer?: "route" | "tunnel";
}

export type Machine = "client" | "director" | "rs1" | "rs2" | "rs3";

export const methods = {
  nat: { name: "NAT", topology: nat, vip: NAT_VIP, flag: "-m", word: "Masq", port: 8080, pool: [] },
  dr: { name: "DR", topology: dr, vip: DR_VIP, flag: "-g", word: "Route", port: 80, pool: [] },
  tun: { name: "TUN", topology: tun, vip: TUN_VIP, flag: "-i", word: "Tunnel", port: 80, pool: [], realServer: "tunnel" },
  fullnat: {
    name: "FullNAT",
    topology: fullnat,
    vip: FULLNAT_VIP,
    flag: "--fullnat",
    word: "FullNat",
    port: 8080,
    pool: LOCAL_ADDRESSES.map((address) => `ipvsadm -P -t ${FULLNAT_VIP}:80 -z ${address}`),
  },
} as const satisfies Record<string, Method>;

/** The lines that serve VIP:80 from rs1, rs2, … with these weights, on an empty table. */
export function serviceLines(
  method: Method,
  hosts: Readonly<Record<string, Host>>,
  scheduler: string,
  weights: readonly number[],
): string[] {
  const service = `-t ${method.vip}:80`;
  return [
    "ipvsadm -C",
    `ipvsadm -A ${service} -s ${scheduler}`,
    ...method.pool,
    ...weights.map((weight, i) => {
      const server = `${hosts[`rs${i + 1}`]!.address()}:${method.port}`;
      return `ipvsadm -a ${service} -r ${server} ${method.flag} -w ${weight}`;
    }),
  ];
}

export const serve = (lab: Lab<Machine>, method: Method, scheduler: string, weights: readonly number[]): Promise<string> =>
  runScript(lab.hosts.director, serviceLines(method, lab.hosts, scheduler, weights).join("\n"));

/** What a method wants of its real servers. */
export async function prepareRealServers(lab: Lab<Machine>, method: Method): Promise<void> {
  const { rs1, rs2, rs3 } = lab.hosts;
  if (method.realServer === undefined) return;
  for (const host of [rs1, rs2, rs3]) await startRealServer(host, method.vip, method.realServer);
}
