import type { Conn, Endpoint } from "../../director/director.ts";
import { familyOf, type Ip, ipFromBytes, ipFromUint32 } from "../../net/ip.ts";
import type { Names } from "./names.ts";
import { endpointName, numericEndpoint } from "./text.ts";

/** The listing of connections, `ipvsadm -L -c` (spec 9.4). */

const cells = (values: readonly [width: number, text: string][]): string =>
  values.map(([width, text]) => text.padEnd(width)).join(" ");

/** @param engines the columns of persistence engines too */
export function connTitle(engines: boolean): string {
  const state: [number, string][] = [
    [3, "pro"],
    [6, "expire"],
    [11, "state"],
    [18, "source"],
    [18, "virtual"],
  ];
  const last: [number, string][] = engines
    ? [
        [18, "destination"],
        [16, "pe name"],
        [0, "pe_data"],
      ]
    : [[0, "destination"]];
  return `IPVS connection entries\n${cells([...state, ...last])}\n`;
}

/** @param names undefined: numbers only, which a listing of a million need not wait for */
export async function connLines(conns: readonly Conn[], engines: boolean, names: Names | undefined): Promise<string> {
  if (names === undefined) return conns.map((conn) => connLine(conn, engines, endpointsOf(conn).map(numericEndpoint))).join("");
  const lines = conns.map(async (conn) => {
    const protocol = conn.protocol === "ip" ? undefined : conn.protocol;
    return connLine(conn, engines, await Promise.all(endpointsOf(conn).map((e) => endpointName(e, protocol, names))));
  });
  return (await Promise.all(lines)).join("");
}

const endpointsOf = (conn: Conn): Endpoint[] => [conn.client, virtualOf(conn), conn.dest];

function connLine(conn: Conn, engines: boolean, [source, virtual, dest]: readonly string[]): string {
  const pe = engines ? conn.pe : undefined;
  const columns: [number, string][] = [
    [3, conn.protocol.toUpperCase()],
    [6, clock(conn.expiresIn)],
    [11, conn.state],
    [18, source!],
    [18, virtual!],
    [pe === undefined ? 0 : 16, dest!],
  ];
  // The original's widths, which are not those of its title; it reads the data up to the first blank.
  if (pe !== undefined) columns.push([18, pe.name], [0, pe.data.split(" ", 1)[0]!]);
  return `${cells(columns)}\n`;
}

/** A template of a firewall mark has the mark where others have an address. */
function virtualOf({ protocol, template, fwmark, virtual }: Conn): Endpoint {
  if (protocol !== "ip" || !template || fwmark === 0) return virtual;
  return { addr: markAddress(fwmark, virtual.addr), port: virtual.port };
}

function markAddress(fwmark: number, like: Ip): Ip {
  if (familyOf(like) === "ipv4") return ipFromUint32(fwmark);
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(0, fwmark);
  return ipFromBytes(bytes);
}

const two = (n: number): string => String(n).padStart(2, "0");
const clock = (seconds: number): string => `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
