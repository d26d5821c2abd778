import { type Conn, type Dest, endpointText, type Service, type ServiceKey, sameDest, serviceId } from "../director.ts";
import type { ExplainQuery, Explanation } from "../status.ts";

/** What the kernel's tables say about a packet. Its marks, routes and schedulers' states are not to be seen from here. */

export interface ExplainFacts {
  service(key: ServiceKey): Service | undefined;
  conns(): Iterable<Conn>;
}

export function explainFlow(query: ExplainQuery, facts: ExplainFacts): Explanation {
  const { protocol, client, virtual } = query;
  const lines = [`packet    ${protocol} ${endpointText(client)} -> ${endpointText(virtual)}`];
  const conn = findConn(query, facts.conns());
  if (conn !== undefined) {
    lines.push(`conn      yes: ${conn.state}, to ${endpointText(conn.dest)}, expires in ${conn.expiresIn} s`);
    return { lines, conn, dest: conn.dest };
  }
  lines.push("conn      none");
  const service = findService(query, facts);
  if (service === undefined) {
    lines.push("service   none by address; one by firewall mark would come first, and the kernel alone knows the mark");
    return { lines };
  }
  const ready = service.dests.filter((dest) => dest.weight > 0);
  const persistence = service.persistSeconds > 0 ? `, unless a template of the client says otherwise` : "";
  lines.push(
    `service   ${serviceId(service.key)}, unless a firewall mark chooses another`,
    `scheduler ${service.scheduler} picks one of ${ready.length} dests${persistence}`,
    ...service.dests.map(destLine),
  );
  return { lines, service: service.key, ...(ready.length === 0 && { verdict: "no-dest" }) };
}

const destLine = (dest: Dest): string =>
  `          ${endpointText(dest)} ${dest.method}, weight ${dest.weight}, ${dest.activeConns} active, ${dest.inactiveConns} inactive`;

function findConn({ protocol, client, virtual }: ExplainQuery, conns: Iterable<Conn>): Conn | undefined {
  for (const conn of conns)
    if (conn.protocol === protocol && sameDest(conn.client, client) && sameDest(conn.virtual, virtual)) return conn;
  return undefined;
}

/** By the packet's port, else port 0 of its address (spec 1.4 steps 2 and 4). */
function findService({ protocol, virtual }: ExplainQuery, facts: ExplainFacts): Service | undefined {
  return facts.service({ protocol, ...virtual }) ?? facts.service({ protocol, addr: virtual.addr, port: 0 });
}
