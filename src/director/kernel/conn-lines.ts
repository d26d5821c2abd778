import { type Ip, ipBytes, ipFromUint32, parseIp } from "../../net/ip.ts";
import type { Conn, ConnMethod, Endpoint, Protocol } from "../director.ts";

/** Lines of /proc/net/ip_vs_conn (spec 4.12). */

/** The kernel does not tell how a conn's packets reach its dest. */
export type MethodOf = (conn: Omit<Conn, "method">) => ConnMethod;

const LINE =
  /^(\S+) +([0-9A-Fa-f:]+) ([0-9A-F]{4}) ([0-9A-Fa-f:]+) ([0-9A-F]{4}) ([0-9A-Fa-f:]+) ([0-9A-F]{4}) (\S+) +(\d+)(?: (\S+) (.*))?$/;

const protocols: Readonly<Record<string, Protocol>> = { TCP: "tcp", UDP: "udp", SCTP: "sctp" };
/** By state, where conns of a protocol count as active in some (spec 4.5, 4.7). */
const activeStates: Readonly<Record<string, ReadonlySet<string>>> = {
  tcp: new Set(["ESTABLISHED", "SYN_SENT", "SYN_RECV", "SYNACK"]),
  sctp: new Set(["ESTABLISHED"]),
};
const templateStates: ReadonlySet<string> = new Set(["NONE", "ASSURED"]);

/** undefined: the title, or no line of a conn. */
export function parseConnLine(line: string, methodOf: MethodOf): Conn | undefined {
  const found = LINE.exec(line);
  if (found === null) return undefined;
  const [, pro = "", caddr, cport, vaddr, vport, daddr, dport, state = "", left, pe, data = ""] = found;
  const client = endpoint(caddr, cport);
  const virtual = endpoint(vaddr, vport);
  const dest = endpoint(daddr, dport);
  if (client === undefined || virtual === undefined || dest === undefined) return undefined;
  const protocol = protocols[pro] ?? "ip";
  const template = client.port === 0 && templateStates.has(state);
  const conn: Omit<Conn, "method"> = {
    ...{ protocol, client, virtual, dest, state, template },
    expiresIn: Number(left),
    active: !template && activeStates[protocol]?.has(state) === true,
    fwmark: template && pro === "IP" ? markOf(virtual.addr) : 0,
    ...(pe !== undefined && { pe: { name: pe, data } }),
  };
  return { ...conn, method: methodOf(conn) };
}

/** "0A010064" or "fd01:0000:…:0002". */
function endpoint(address = "", port = ""): Endpoint | undefined {
  const addr = address.includes(":")
    ? parseIp(address)
    : address.length === 8
      ? ipFromUint32(Number.parseInt(address, 16))
      : undefined;
  return addr && { addr, port: Number.parseInt(port, 16) };
}

/** A template of a firewall mark has the mark where others have the service's address: in the first 32 bits. */
function markOf(addr: Ip): number {
  const bytes = ipBytes(addr);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

/** Text in pieces becomes lines, one after the other; the last may lack its end. */
export function* linesOf(pieces: Iterable<string>): Generator<string> {
  let rest = "";
  for (const piece of pieces) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
