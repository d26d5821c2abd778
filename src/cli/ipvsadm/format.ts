import type { Counters, Dest, DirectorInfo, Method, Rates, Service, SyncDaemon, Timeouts } from "../../director/director.ts";
import type { Columns, Listing } from "./command.ts";
import type { Names } from "./names.ts";
import { sortedDests, sortedServices } from "./sort.ts";
import { endpointName, markText, maskText, numericAddress, protocolOf, schedFlagsText } from "./text.ts";

/** Listings, column for column as ipvsadm prints them (spec 9.4). */

const SERVICE_CHARS = 33;
const DEST_CHARS = 28;

const left = (value: string | number, width: number): string => String(value).padEnd(width);
const right = (value: string | number, width: number): string => String(value).padStart(width);

export const versionText = ({ version }: Pick<DirectorInfo, "version">): string =>
  `${(version >> 16) & 0xff}.${(version >> 8) & 0xff}.${version & 0xff}`;

export const bannerLine = (info: DirectorInfo): string =>
  `IP Virtual Server version ${versionText(info)} (size=${info.connTableSize})\n`;

export function titleLines(columns: Columns): string {
  const service = left("Prot LocalAddress:Port", SERVICE_CHARS);
  const dest = "  -> RemoteAddress:Port";
  const numbers = (words: string) =>
    words
      .split(" ")
      .map((word) => right(word, 8))
      .join(" ");
  const words = (line: string) =>
    line
      .split(" ")
      .map((word) => left(word, 10))
      .join(" ");
  switch (columns) {
    case "stats":
      return `${service} ${numbers("Conns InPkts OutPkts InBytes OutBytes")}\n${dest}\n`;
    case "rate":
      return `${service} ${numbers("CPS InPPS OutPPS InBPS OutBPS")}\n${dest}\n`;
    case "thresholds":
      return `${service} ${words("Uthreshold Lthreshold ActiveConn InActConn")}\n${dest}\n`;
    case "persistent-conn":
      return `${service} ${left("Weight", 9)} ${left("PersistConn", 11)} ${words("ActiveConn InActConn")}\n${dest}\n`;
    case "tun-info":
      return `Prot LocalAddress:Port Scheduler Flags\n${left(dest, SERVICE_CHARS)} Forward TunnelInfo    Weight ActiveConn InActConn\n`;
    case "default":
      return `Prot LocalAddress:Port Scheduler Flags\n${left(dest, SERVICE_CHARS)} Forward Weight ActiveConn InActConn\n`;
  }
}

/** @param names undefined: numbers only */
export async function serviceLines(services: readonly Service[], listing: Listing, names: Names | undefined): Promise<string> {
  const sorted = listing.sort ? sortedServices(services) : services;
  const blocks = await Promise.all(sorted.map((service) => serviceBlock(service, listing, names)));
  return blocks.join("");
}

async function serviceBlock(service: Service, listing: Listing, names: Names | undefined): Promise<string> {
  const { columns, exact } = listing;
  const name = await serviceName(service, names);
  const lines = [
    columns === "stats"
      ? `${left(name, SERVICE_CHARS)}${counterTexts(service.counters, exact)}`
      : columns === "rate"
        ? `${left(name, SERVICE_CHARS)}${rateTexts(service.rates, exact)}`
        : `${name} ${settingsText(service)}`,
  ];
  const dests = listing.sort ? sortedDests(service.dests) : service.dests;
  const destNames = await Promise.all(dests.map((dest) => destName(dest, service, names)));
  for (const [i, dest] of dests.entries()) lines.push(`  -> ${left(destNames[i]!, DEST_CHARS)}${destText(dest, columns, exact)}`);
  return `${lines.join("\n")}\n`;
}

/** `TCP  10.0.0.1:80`, `FWM  6 IPv6`. IPv4 texts are cut to their column, IPv6 texts shift what follows. */
async function serviceName({ key }: Service, names: Names | undefined): Promise<string> {
  if (key.fwmark !== undefined) return `FWM  ${markText(key)}${key.family === "ipv6" ? " IPv6" : ""}`;
  const text = `${left(key.protocol.toUpperCase(), 4)} ${await endpointName(key, key.protocol, names)}`;
  return key.addr.includes(":") ? text : text.slice(0, SERVICE_CHARS);
}

async function destName(dest: Dest, { key }: Service, names: Names | undefined): Promise<string> {
  const text = await endpointName(dest, protocolOf(key), names);
  return dest.addr.includes(":") ? text : text.slice(0, DEST_CHARS);
}

/** `sh (sh-port) persistent 360 mask 255.255.255.0 pe sip ops` */
function settingsText(service: Service): string {
  let text = service.scheduler;
  const flags = schedFlagsText(service);
  if (service.schedFlags.length > 0) text += ` (${flags})`;
  if (service.persistSeconds > 0) {
    text += ` persistent ${service.persistSeconds}`;
    const mask = maskText(service);
    if (mask !== "") text += ` mask ${mask}`;
    if (service.pe !== "") text += ` pe ${service.pe}`;
  }
  if (service.onePacket) text += " ops";
  return text;
}

const forwardWord: Readonly<Record<Method, string>> = { nat: "Masq", route: "Route", tunnel: "Tunnel", fullnat: "FullNat" };

/** What follows the name of a dest, from the blank on. The last column keeps its trailing blanks. */
function destText(dest: Dest, columns: Columns, exact: boolean): string {
  const conns = `${left(dest.activeConns, 10)} ${left(dest.inactiveConns, 10)}`;
  const forward = left(forwardWord[dest.method], 7);
  switch (columns) {
    case "stats":
      return counterTexts(dest.counters, exact);
    case "rate": {
      const { cps, inPps, outPps, inBps, outBps } = dest.rates;
      return ` ${right(cps, 8)} ${right(inPps, 8)} ${right(outPps, 8)}${largeNumber(inBps, exact)}${largeNumber(outBps, exact)}`;
    }
    case "thresholds":
      return ` ${left(dest.upper, 10)} ${left(dest.lower, 10)} ${conns}`;
    case "persistent-conn":
      return ` ${left(dest.weight, 9)} ${left(dest.persistConns, 11)} ${conns}`;
    case "tun-info":
      return ` ${forward} ${left(tunnelText(dest), 13)} ${left(dest.weight, 6)} ${conns}`;
    case "default":
      return ` ${forward} ${left(dest.weight, 6)} ${conns}`;
  }
}

function tunnelText({ method, tunnel: { type, port, checksum } }: Dest): string {
  if (method !== "tunnel") return "n/a";
  const flag = { none: "-c", csum: "+c", remcsum: "r+c" }[checksum];
  return type === "ipip" ? type : type === "gue" ? `gue:${port}:${flag}` : `gre:${flag}`;
}

const counterTexts = ({ conns, inPackets, outPackets, inBytes, outBytes }: Counters, exact: boolean): string =>
  [conns, inPackets, outPackets, inBytes, outBytes].map((n) => largeNumber(n, exact)).join("");

const rateTexts = ({ cps, inPps, outPps, inBps, outBps }: Rates, exact: boolean): string =>
  [cps, inPps, outPps, inBps, outBps].map((n) => largeNumber(n, exact)).join("");

/** Nine columns, thousands and more cut off with a letter; exact: all digits, with one blank before them. */
export function largeNumber(n: number, exact: boolean): string {
  if (exact) return right(n, Math.max(9, String(n).length + 1));
  if (n < 1e8) return right(n, 9);
  if (n < 1e9) return `${right(Math.floor(n / 1e3), 8)}K`;
  if (n < 1e11) return `${right(Math.floor(n / 1e6), 8)}M`;
  if (n < 1e14) return `${right(Math.floor(n / 1e9), 8)}G`;
  return `${right(Math.floor(n / 1e12), 8)}T`;
}

export const timeoutsLine = ({ tcp, tcpFin, udp }: Timeouts): string => `Timeout (tcp tcpfin udp): ${tcp} ${tcpFin} ${udp}\n`;

/** What a daemon leaves open has the kernel's default. */
export const daemonLines = (daemons: readonly SyncDaemon[]): string =>
  daemons
    .map((d) => {
      const settings = `maxlen=${d.maxLen ?? 1472}, group=${d.group ?? "224.0.0.81"}, port=${d.port ?? 8848}, ttl=${d.ttl ?? 1}`;
      return `${d.state} sync daemon (mcast=${d.interface}, syncid=${d.syncId}, ${settings})\n`;
    })
    .join("");

const laddrLine = (...cells: readonly (string | number)[]): string =>
  `${[20, 8, 20, 10, 10]
    .slice(0, cells.length)
    .map((width, i) => left(cells[i]!, width))
    .join(" ")}\n`;

/** The pools of FullNAT services, laid out as by the ipvsadm of Alibaba and DPVS (spec 10.1). */
export async function laddrLines(services: readonly Service[], names: Names | undefined): Promise<string> {
  const pools = sortedServices(services.filter((service) => service.localAddresses.length > 0));
  const blocks = await Promise.all(
    pools.map(async ({ key, localAddresses }) => {
      const name = key.fwmark === undefined ? await endpointName(key, key.protocol, names) : `FWM ${markText(key)}`;
      const rows = localAddresses.map(({ addr, conflicts, conns }) => laddrLine("", "", numericAddress(addr), conflicts, conns));
      return laddrLine(name, localAddresses.length) + rows.join("");
    }),
  );
  return laddrLine("VIP:VPORT", "TOTAL", "SNAT_IP", "CONFLICTS", "CONNS") + blocks.join("");
}
