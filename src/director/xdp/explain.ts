import { familyOf, type Ip, ipBytes, ipFromBytes, ipFromUint32, uint32FromIp } from "../../net/ip.ts";
import { type Conn, type Endpoint, endpointText, type Service, type ServiceKey, sameDest, serviceId } from "../director.ts";
import { findMark, markRuleText, maskBytes } from "../marks.ts";
import type { ExplainQuery, Explanation, Schedule } from "../status.ts";
import type { DestFacts, ExplainFacts, FoundConn, ServiceFacts } from "./explain-facts.ts";
import { depart, line, wayText } from "./explain-leaving.ts";
import { type Forecast, forecast } from "./forecast.ts";

/**
 * What would become of a packet, told in the order the data path decides (bpf/lvs.h, bpf/open.h). A TCP packet without a conn
 * is taken for a SYN, an SCTP one for an INIT.
 */

const FTP = 21;
const FTP_DATA = 20;
const UNPRIVILEGED = 1024;

export function explainFlow(query: ExplainQuery, facts: ExplainFacts): Explanation {
  const { protocol, client: source, virtual: destination } = query;
  const mark = explainMark(query, facts);
  const start = join({ lines: [line("packet", `${protocol} ${flowText(query)}`)] }, mark);
  const answer = facts.conn({ side: "out", kind: "packet", protocol, source, destination });
  if (answer !== undefined && isTranslated(answer.conn)) return join(start, explainAnswer(answer.conn, facts));
  const service = findService(query, mark.mark?.mark ?? 0, facts);
  const found = facts.conn({ side: "in", kind: "packet", protocol, source, destination });
  if (found === undefined) return join(start, { lines: [line("conn", "none")] }, explainNew(query, service, facts));
  const known = explainConn(query, found, facts);
  return known.verdict !== undefined ? join(start, known) : join(start, known, explainNew(query, service, facts));
}

/** One after the other: lines follow each other, the rest is what each adds. */
const join = (...parts: readonly Explanation[]): Explanation =>
  Object.assign({}, ...parts, { lines: parts.flatMap(({ lines }) => lines) });

const flowText = ({ client, virtual }: ExplainQuery): string => `${endpointText(client)} -> ${endpointText(virtual)}`;
const isOn = (facts: ExplainFacts, name: string): boolean => Number(facts.settings[name] ?? "0") !== 0;
const setting = (facts: ExplainFacts, name: string, text: string): string =>
  line("setting", `${name} ${facts.settings[name] ?? "0"}: ${text}`);

// ---- the mark

function explainMark(query: ExplainQuery, { marks }: ExplainFacts): Explanation {
  if (marks.length === 0) return { lines: [] };
  const { protocol, client: source, virtual: destination } = query;
  const found = findMark(marks, { protocol, source, destination, interface: query.interface });
  const hint = query.interface === undefined && marks.some((rule) => rule.interface !== undefined);
  const unsaid = hint ? [line("", "  (rules that ask for an interface do not fit: none was named)")] : [];
  if (found === undefined) return { lines: [line("mark", `none: of ${marks.length} rules none fits`), ...unsaid] };
  const { at, rule } = found;
  const mark = { rule: at + 1, mark: rule.mark };
  return { lines: [line("mark", `${rule.mark}, by rule ${at + 1}: ${markRuleText(rule)}`), ...unsaid], mark };
}

// ---- conns

/** Only the answers of translated conns pass us. */
const isTranslated = ({ method }: Conn): boolean => method === "nat" || method === "fullnat";

function explainAnswer(conn: Conn, facts: ExplainFacts): Explanation {
  const lines = [
    line("conn", `yes, as its dest's answer: ${connText(conn)}`),
    line("leaves", `${endpointText(conn.virtual)} -> ${endpointText(conn.client)}, one hop older`),
    line("next hop", `${wayText(facts.hop(conn.client.addr), facts)}, by the route to the client`),
  ];
  return { lines, verdict: conn.method === "nat" ? "nat-reply" : "fullnat-reply", conn, dest: conn.dest };
}

const connText = (conn: Conn): string =>
  `${conn.state}, ${conn.method} to ${endpointText(conn.dest)}, expires in ${conn.expiresIn} s`;

/** Without a verdict: the conn ends, and the packet is one without conn. */
function explainConn(query: ExplainQuery, { slot, conn }: FoundConn, facts: ExplainFacts): Explanation {
  const dest = facts.destOf(slot);
  const lines = [line("conn", `yes: ${connText(conn)}`)];
  if (dest?.isAvailable === false) return orphaned(lines, conn, facts);
  const reopening = reopeningText(query, conn, dest, facts);
  if (reopening !== undefined) lines.push(reopening);
  const departure = depart({ query, method: conn.method, dest: conn.dest, spec: dest?.spec, local: conn.local }, facts);
  return { ...departure, lines: [...lines, ...departure.lines], conn, dest: conn.dest };
}

function orphaned(lines: readonly string[], conn: Conn, facts: ExplainFacts): Explanation {
  const gone = line("dest", `${endpointText(conn.dest)} was removed`);
  if (isOn(facts, "expire_nodest_conn"))
    return { lines: [...lines, gone, setting(facts, "expire_nodest_conn", "the conn ends, and another is opened")] };
  const quiet = setting(facts, "expire_nodest_conn", "packets are dropped, in case it comes back");
  return { lines: [...lines, gone, quiet], verdict: "dest-gone", conn };
}

/** What a SYN would do to this conn (spec 5.2 step 8); undefined: nothing. */
function reopeningText(query: ExplainQuery, conn: Conn, dest: DestFacts | undefined, facts: ExplainFacts): string | undefined {
  const opening = query.protocol === "tcp" ? "a SYN" : query.protocol === "sctp" ? "an INIT" : undefined;
  if (opening === undefined) return undefined;
  if (dest?.spec.weight === 0 && isOn(facts, "expire_nodest_conn"))
    return setting(facts, "expire_nodest_conn", `the dest drains: ${opening} would open another conn`);
  const isOver = ["TIME_WAIT", "CLOSE", "CLOSED"].includes(conn.state);
  if (!isOver) return undefined;
  return isOn(facts, "conn_reuse_mode")
    ? setting(facts, "conn_reuse_mode", `${opening} would open another conn, unless this one is persistent`)
    : setting(facts, "conn_reuse_mode", `${opening} would go on with this conn`);
}

// ---- services

/** In the data path's order (spec 1.4). */
function findService({ protocol, virtual }: ExplainQuery, mark: number, facts: ExplainFacts): ServiceFacts | undefined {
  const { addr, port } = virtual;
  const at = (key: ServiceKey) => facts.service(key);
  const byMark = mark === 0 ? undefined : at({ fwmark: mark, family: familyOf(addr) });
  if (byMark !== undefined) return byMark;
  const isFtp = protocol === "tcp" && (port === FTP_DATA || port >= UNPRIVILEGED) && facts.hasFtpService();
  return (
    at({ protocol, addr, port }) ?? (isFtp ? at({ protocol, addr, port: FTP }) : undefined) ?? at({ protocol, addr, port: 0 })
  );
}

const portOf = ({ key }: Service): number => (key.fwmark === undefined ? key.port : 0);
const isFor = (query: ExplainQuery, { key }: Service): boolean => key.fwmark === undefined && key.port === query.virtual.port;

/** A packet of no conn. */
function explainNew(query: ExplainQuery, found: ServiceFacts | undefined, facts: ExplainFacts): Explanation {
  if (found === undefined) return withoutService(query, facts);
  const { service } = found;
  const about = [service.scheduler, `${service.dests.length} dests`, ...(service.persistSeconds > 0 ? ["persistent"] : [])];
  const start: Explanation = { lines: [line("service", `${serviceId(service.key)}, ${about.join(", ")}`)], service: service.key };
  if (query.client.port === FTP_DATA)
    return join(start, { lines: [line("opens", "no conn: source port 20 belongs to FTP")], verdict: "not-scheduled" });
  const opens = { lines: [line("opens", openingText(query, facts)), ...defenceLines(facts)] };
  return join(start, opens, service.persistSeconds > 0 ? persistent(query, found, facts) : scheduled(query, found, facts));
}

function withoutService(query: ExplainQuery, facts: ExplainFacts): Explanation {
  if (isOn(facts, "nat_icmp_send") && facts.isNatDest(query.protocol, query.client, familyOf(query.client.addr))) {
    const text = `${endpointText(query.client)} is a NAT dest: it is told by ICMP port unreachable`;
    return { lines: [line("service", "none"), setting(facts, "nat_icmp_send", text)], verdict: "nat-icmp-send" };
  }
  return { lines: [line("service", "none: the packet goes to the local stack, untouched")], verdict: "no-service" };
}

function openingText({ protocol }: ExplainQuery, facts: ExplainFacts): string {
  if (protocol === "udp") return "any packet opens a conn";
  const name = `sloppy_${protocol}`;
  const [opening, last] = protocol === "tcp" ? ["a SYN", "RST"] : ["an INIT", "ABORT"];
  return isOn(facts, name)
    ? `any packet but ${last} opens a conn (${name})`
    : `${opening} opens a conn; others are left to the local stack (${name} 0)`;
}

const defenceLines = ({ dropRate }: ExplainFacts): string[] =>
  dropRate === 0 ? [] : [line("defence", `one of ${dropRate} new conns is dropped (drop_packet)`)];

// ---- persistence

/** The template that a packet would follow (spec 4.9). */
function findTemplate(query: ExplainQuery, service: Service, facts: ExplainFacts): FoundConn | undefined {
  const source = { addr: masked(query.client.addr, service.netmask), port: 0 };
  const { fwmark } = service.key;
  const kind = { side: "in", kind: "template" } as const;
  if (fwmark !== undefined)
    return facts.conn({ ...kind, protocol: "ip", source, destination: { addr: markAddress(fwmark, source.addr), port: 0 } });
  const isPortBound = isFor(query, service) && query.virtual.port !== FTP;
  const destination = { addr: query.virtual.addr, port: isPortBound ? query.virtual.port : 0 };
  return facts.conn({ ...kind, protocol: query.protocol, source, destination });
}

/** @param netmask IPv4: a mask as a number; IPv6: a prefix length */
function masked(address: Ip, netmask: number): Ip {
  if (familyOf(address) === "ipv4") return ipFromUint32((uint32FromIp(address) & netmask) >>> 0);
  const mask = maskBytes({ addr: address, length: netmask });
  return ipFromBytes(ipBytes(address).map((byte, i) => byte & mask[i]!));
}

/** 5 is 0.0.0.5, or 0:5:: */
function markAddress(mark: number, like: Ip): Ip {
  const bytes = new Uint8Array(ipBytes(like).length);
  new DataView(bytes.buffer).setUint32(0, mark);
  return ipFromBytes(bytes);
}

function persistent(query: ExplainQuery, found: ServiceFacts, facts: ExplainFacts): Explanation {
  const template = findTemplate(query, found.service, facts);
  const network = endpointText({ addr: masked(query.client.addr, found.service.netmask), port: 0 });
  if (template === undefined) {
    const text = `none of ${network}: the pick is kept for ${found.service.persistSeconds} s`;
    return join({ lines: [line("template", text)] }, scheduled(query, found, facts));
  }
  const { dest, expiresIn } = template.conn;
  const standing = facts.destOf(template.slot);
  const isDrained = standing?.spec.weight === 0;
  const isValid = standing?.isAvailable === true && !(isDrained && isOn(facts, "expire_quiescent_template"));
  const told: Explanation = {
    lines: [line("template", `${network} stays with ${endpointText(endpointOf(standing, dest))} for ${expiresIn} s`)],
    template: { dest: endpointOf(standing, dest), expiresIn, isValid },
  };
  const drained = isDrained
    ? {
        lines: [
          setting(
            facts,
            "expire_quiescent_template",
            isValid ? "the dest drains, its templates hold" : "the dest drains, and its template with it",
          ),
        ],
      }
    : { lines: [] };
  if (!isValid || standing === undefined) return join(told, drained, scheduled(query, found, facts));
  return join(told, drained, towards(query, found.service, standing, facts));
}

const endpointOf = (standing: DestFacts | undefined, dest: Endpoint): Endpoint =>
  standing === undefined ? dest : { addr: standing.spec.addr, port: standing.spec.port };

// ---- the pick

function scheduled(query: ExplainQuery, found: ServiceFacts, facts: ExplainFacts): Explanation {
  const { service } = found;
  if (service.persistSeconds === 0 && service.key.fwmark === undefined && !isFor(query, service)) {
    const text = `none: only a persistent service serves other ports by its port ${portOf(service)}`;
    return join({ lines: [line("pick", text)] }, withoutDest(query, service, facts));
  }
  const cast = castOf(query, found);
  const lines = [line("schedule", `${service.scheduler}: ${cast.state}`), ...prospectLines(cast, found, facts)];
  const scheduler = scheduleOf(service, cast);
  if (!cast.isForeseeable && cast.dests.some(({ dest }) => dest.weight > 0 && !dest.overloaded))
    return { lines: [...lines, line("pick", "not foreseeable")], scheduler, verdict: "schedule" };
  const dest = service.dests.find((each) => cast.pick !== undefined && sameDest(each, cast.pick));
  if (dest === undefined) return join({ lines: [...lines, line("pick", "none")], scheduler }, withoutDest(query, service, facts));
  const picked = { lines: [...lines, line("pick", endpointText(dest))], scheduler };
  return join(picked, towards(query, service, { spec: dest, isAvailable: true }, facts));
}

function castOf({ protocol, client, virtual }: ExplainQuery, { service, candidates, turn }: ServiceFacts): Forecast {
  const state = {
    ...{ scheduler: service.scheduler, family: familyOf(virtual.addr), flags: service.schedFlags },
    ...{ dests: candidates, turn },
  };
  return forecast(state, {
    ...{ protocol, sourceAddr: client.addr, sourcePort: client.port },
    ...{ destinationAddr: virtual.addr, destinationPort: virtual.port },
  });
}

const prospectLines = (cast: Forecast, { service }: ServiceFacts, facts: ExplainFacts): string[] =>
  cast.dests.map(({ dest, why }) => {
    const method = service.dests.find((each) => sameDest(each, dest))?.method ?? "";
    const load = `weight ${dest.weight}, ${dest.activeConns} active, ${dest.totalConns - dest.activeConns} inactive`;
    return line("  dest", `${endpointText(dest)} ${method}, ${load}: ${why}; ${wayText(facts.hop(dest.addr), facts)}`);
  });

const scheduleOf = ({ scheduler: name }: Service, { state, pick, dests }: Forecast): Schedule => ({
  ...{ name, state },
  ...(pick && { pick: { addr: pick.addr, port: pick.port } }),
  dests: dests.map(({ dest: { addr, port }, why, cost }) => ({ addr, port, why, ...(cost !== undefined && { cost }) })),
});

/** Spec 5.6. */
function withoutDest(query: ExplainQuery, service: Service, facts: ExplainFacts): Explanation {
  if (portOf(service) === FTP && query.virtual.port !== FTP)
    return { lines: [line("no dest", "left to the local stack: it may belong to FTP")], verdict: "not-scheduled" };
  if (service.key.fwmark !== undefined && isOn(facts, "cache_bypass"))
    return { lines: [setting(facts, "cache_bypass", "on to its own destination, by way of the stack")], verdict: "bypass" };
  return { lines: [line("no dest", "dropped; the client is told by ICMP port unreachable")], verdict: "no-dest" };
}

/** To a dest, by its own port or the packet's: a persistent service translates its own port only (spec 4.9). */
function towards(query: ExplainQuery, service: Service, { spec }: DestFacts, facts: ExplainFacts): Explanation {
  const isOwnPort = service.persistSeconds === 0 || isFor(query, service);
  const dest = { addr: spec.addr, port: isOwnPort && spec.port !== 0 ? spec.port : query.virtual.port };
  if (spec.method === "fullnat" && service.localAddresses.length === 0)
    return { lines: [line("dropped", "the service has no local address to speak from")], verdict: "no-local-address", dest };
  const departure = depart({ query, method: spec.method, dest, spec, local: undefined }, facts);
  return { ...departure, dest };
}
