import type { Ip } from "../../net/ip.ts";
import { type Conn, type Dest, endpointText, type Service, serviceId } from "../director.ts";
import type { ExplainQuery, Explanation } from "../status.ts";
import type { Hop } from "./hops.ts";

/** What would become of a packet, told in the order the data path decides. */

export interface ExplainFacts {
  readonly services: readonly Service[];
  readonly conns: Iterable<Conn>;
  hop(address: Ip): Hop;
}

export function explainFlow(query: ExplainQuery, facts: ExplainFacts): Explanation {
  const flow = `${query.protocol} ${endpointText(query.client)} -> ${endpointText(query.virtual)}`;
  const lines = [`packet    ${flow}`];
  const conn = findConn(query, facts.conns);
  if (conn !== undefined) {
    lines.push(`conn      yes: ${conn.state}, ${conn.method} to ${endpointText(conn.dest)}, expires in ${conn.expiresIn} s`);
    lines.push(...leaving(conn.dest.addr, conn.method, query, conn, facts));
    return { lines, verdict: conn.method, dest: conn.dest };
  }
  lines.push("conn      none");
  const service = findService(query, facts.services);
  if (service === undefined) {
    lines.push("service   none: the packet goes to the local stack, untouched");
    return { lines, verdict: "no-service" };
  }
  lines.push(`service   ${serviceId(service.key)}, scheduler ${service.scheduler}, ${service.dests.length} dests`);
  for (const dest of service.dests) lines.push(`  dest    ${describe(dest, facts.hop(dest.addr))}`);
  const usable = service.dests.filter(isUsable);
  lines.push(
    usable.length > 0
      ? `pick      a SYN (or any UDP packet) opens a conn to one of ${usable.map(endpointText).join(", ")}, by ${service.scheduler}`
      : "pick      none: no dest takes new conns; the client is told by ICMP port unreachable",
  );
  return { lines, verdict: usable.length > 0 ? "schedule" : "no-dest", service: service.key };
}

function findConn(query: ExplainQuery, conns: Iterable<Conn>): Conn | undefined {
  for (const conn of conns)
    if (
      conn.protocol === query.protocol &&
      conn.client.addr === query.client.addr &&
      conn.client.port === query.client.port &&
      conn.virtual.addr === query.virtual.addr &&
      conn.virtual.port === query.virtual.port
    )
      return conn;
  return undefined;
}

const findService = (query: ExplainQuery, services: readonly Service[]): Service | undefined => {
  const candidates = services.filter(
    ({ key }) => key.fwmark === undefined && key.protocol === query.protocol && key.addr === query.virtual.addr,
  );
  const withPort = (port: number) => candidates.find(({ key }) => key.fwmark === undefined && key.port === port);
  return withPort(query.virtual.port) ?? withPort(0);
};

const isOverloaded = (dest: Dest): boolean => dest.upper > 0 && dest.activeConns + dest.inactiveConns >= dest.upper;
const isUsable = (dest: Dest): boolean => dest.weight > 0 && !isOverloaded(dest);

function describe(dest: Dest, hop: Hop): string {
  const why = dest.weight === 0 ? "weight 0: drains" : isOverloaded(dest) ? "at its upper threshold" : "takes new conns";
  return `${endpointText(dest)} ${dest.method}, weight ${dest.weight}, ${dest.activeConns} active, ${dest.inactiveConns} inactive: ${why}; ${wayText(hop)}`;
}

function wayText(hop: Hop): string {
  switch (hop.state) {
    case "resolved":
      return `by ${hop.via} (${hop.destinationMac}), interface ${hop.ifindex}, MTU ${hop.mtu}`;
    case "unresolved":
      return `the Ethernet address of ${hop.via} is not known: packets are dropped as hop-unresolved`;
    case "local":
      return "the director itself";
    case "unreachable":
      return `unreachable: ${hop.reason}`;
  }
}

function leaving(address: Ip, method: Conn["method"], query: ExplainQuery, conn: Conn, facts: ExplainFacts): string[] {
  const client = endpointText(query.client);
  const dest = endpointText(conn.dest);
  const virtual = endpointText(query.virtual);
  const how: Readonly<Record<Conn["method"], string>> = {
    nat: `${client} -> ${dest} (destination ${virtual} replaced)`,
    fullnat: `${conn.local === undefined ? "?" : endpointText(conn.local)} -> ${dest} (source and destination replaced)`,
    route: `${client} -> ${virtual}, unchanged but for its TTL, to the Ethernet address of ${conn.dest.addr}`,
    tunnel: `${client} -> ${virtual} inside an outer header to ${conn.dest.addr}`,
    local: "to the local stack, unchanged",
    bypass: `${client} -> ${virtual}, on to its own destination`,
  };
  return [`leaves    ${how[method]}`, `next hop  ${wayText(facts.hop(address))}`];
}
