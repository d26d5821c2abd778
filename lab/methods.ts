import type { Host } from "./host.ts";
import type { Lab } from "./lab.ts";
import { runScript, startRealServer } from "./lvsd.ts";
import * as drLab from "./topologies/dr.ts";
import * as fullnatLab from "./topologies/fullnat.ts";
import * as natLab from "./topologies/nat.ts";
import * as tunLab from "./topologies/tun.ts";
import type { Topology } from "./topology.ts";

/** The four methods as ipvsadm and the lab's topologies know them. */
export interface Method {
  readonly name: string;
  readonly topology: Topology<Machine>;
  readonly vip: string;
  readonly vip6: string;
  /** ipvsadm's option, and its word in listings. */
  readonly flag: string;
  readonly word: string;
  /** The port real servers listen on; only a method that rewrites ports may have one of its own. */
  readonly port: number;
  /** Source addresses that FullNAT takes, of both families. */
  readonly pool: readonly string[];
  /** What its real servers have to do beyond listening. */
  readonly realServer?: "route" | "tunnel";
}

export type Machine = "client" | "director" | "rs1" | "rs2" | "rs3";
export type Family = "ipv4" | "ipv6";

const vips = ({ VIP, VIP6 }: { readonly VIP: string; readonly VIP6: string }) => ({ vip: VIP, vip6: VIP6 });

export const methods = {
  nat: { name: "NAT", topology: natLab.nat, ...vips(natLab), flag: "-m", word: "Masq", port: 8080, pool: [] },
  dr: { name: "DR", topology: drLab.dr, ...vips(drLab), flag: "-g", word: "Route", port: 80, pool: [] },
  tun: {
    name: "TUN",
    topology: tunLab.tun,
    ...vips(tunLab),
    flag: "-i",
    word: "Tunnel",
    port: 80,
    pool: [],
    realServer: "tunnel",
  },
  fullnat: {
    name: "FullNAT",
    topology: fullnatLab.fullnat,
    ...vips(fullnatLab),
    flag: "--fullnat",
    word: "FullNat",
    port: 8080,
    pool: [...fullnatLab.LOCAL_ADDRESSES, ...fullnatLab.LOCAL_ADDRESSES6],
  },
} as const satisfies Record<string, Method>;

/** "10.1.0.100:80", "[fd00:1::100]:80" */
export const endpoint = (address: string, port: number): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

/** Where clients find the method's web service. */
export const webOf = (method: Method, family: Family = "ipv4"): string =>
  `http://${endpoint(family === "ipv4" ? method.vip : method.vip6, 80)}/`;

/** The lines that serve VIP:80 from rs1, rs2, … with these weights, on an empty table. */
export function serviceLines(
  method: Method,
  hosts: Readonly<Record<string, Host>>,
  scheduler: string,
  weights: readonly number[],
  family: Family = "ipv4",
): string[] {
  const service = `-t ${endpoint(family === "ipv4" ? method.vip : method.vip6, 80)}`;
  const pool = method.pool.filter((address) => address.includes(":") === (family === "ipv6"));
  return [
    "ipvsadm -C",
    `ipvsadm -A ${service} -s ${scheduler}`,
    ...pool.map((address) => `ipvsadm -P ${service} -z ${address}`),
    ...weights.map((weight, i) => {
      const server = endpoint(hosts[`rs${i + 1}`]!.address(undefined, family), method.port);
      return `ipvsadm -a ${service} -r ${server} ${method.flag} -w ${weight}`;
    }),
  ];
}

/** Serves it; the lines are fed to one `ipvsadm -R`, because each command by itself is another tenth of a second. */
export function serve(
  lab: Lab<Machine>,
  method: Method,
  scheduler: string,
  weights: readonly number[],
  family: Family = "ipv4",
): Promise<string> {
  const [clear, ...rules] = serviceLines(method, lab.hosts, scheduler, weights, family);
  return runScript(lab.hosts.director, `${clear}\nipvsadm -R`, {
    input: rules.map((line) => line.replace("ipvsadm ", "")).join("\n"),
  });
}

/** What a method wants of its real servers, for each of its VIPs. */
export async function prepareRealServers(lab: Lab<Machine>, method: Method): Promise<void> {
  const { realServer } = method;
  if (realServer === undefined) return;
  const { rs1, rs2, rs3 } = lab.hosts;
  await Promise.all([rs1, rs2, rs3].map((host) => startRealServer(host, [method.vip, method.vip6], realServer)));
}
