import { Fault } from "../src/fault.ts";
import { execute } from "./host.ts";
import { lines } from "./until.ts";

/** A captured frame as tshark understands it. Where headers nest (tunnels, ICMP errors) the outermost comes first. */
export interface Frame {
  /** Seconds since 1970. */
  readonly time: number;
  readonly bytes: Uint8Array;
  /** "eth:ethertype:ip:ip:tcp" */
  readonly layers: string;
  readonly macSource: string;
  readonly macDestination: string;
  readonly ip: readonly IpHeader[];
  readonly tcp?: { readonly source: number; readonly destination: number; readonly flags: string; readonly sequence: number };
  readonly udp?: { readonly source: number; readonly destination: number };
  /** What is wrong with its checksums: "ip 10.1.0.2 > 10.1.0.100", "tcp". */
  readonly badChecksums: readonly string[];
}

export interface IpHeader {
  readonly source: string;
  readonly destination: string;
  readonly ttl: number;
  /** 4: IPv4 inside, 6: TCP, 17: UDP, 41: IPv6 inside. */
  readonly protocol: number;
  /** IPv4 total length, IPv6 payload length; bytes. */
  readonly length: number;
  readonly id: number;
  /** Where it starts in the frame's bytes. */
  readonly at: number;
}

const FIELDS = [
  "frame.time_epoch",
  "frame.protocols",
  "eth.src",
  "eth.dst",
  "ip.src",
  "ip.dst",
  "ip.ttl",
  "ip.proto",
  "ip.len",
  "ip.id",
  "ip.checksum.status",
  "ipv6.src",
  "ipv6.dst",
  "ipv6.hlim",
  "ipv6.nxt",
  "ipv6.plen",
  "tcp.srcport",
  "tcp.dstport",
  "tcp.flags.str",
  "tcp.seq_raw",
  "tcp.checksum.status",
  "udp.srcport",
  "udp.dstport",
  "udp.checksum.status",
] as const;
type Field = (typeof FIELDS)[number];
/** Each field's occurrences in one frame. */
type Row = Readonly<Record<Field, readonly string[]>>;

const CHECK = ["ip", "tcp", "udp"].flatMap((protocol) => ["-o", `${protocol}.check_checksum:TRUE`]);
const BAD = "0"; // tshark's checksum status

/** @param frames the same file's bytes, in order */
export async function decode(path: string, frames: readonly Uint8Array[]): Promise<readonly Frame[]> {
  const columns = FIELDS.flatMap((field) => ["-e", field]);
  const format = ["-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=,"];
  const { code, stdout, stderr } = await execute(["tshark", "-n", "-r", path, ...CHECK, ...format, ...columns]);
  const rows = lines(stdout).map(rowOf);
  // tshark grumbles (exit 2) about a last record that was cut off; what it could read counts.
  if (rows.length !== frames.length) throw new Fault(`decode ${path}`, "EXIT", `exit ${code}: ${stderr.trim()}`);
  return rows.map((row, i) => frameOf(row, frames[i]!));
}

function rowOf(line: string): Row {
  const cells = line.split("\t");
  return Object.fromEntries(
    FIELDS.map((field, i) => [field, (cells[i] ?? "").split(",").filter((v) => v !== "")]),
  ) as unknown as Row;
}

function frameOf(row: Row, bytes: Uint8Array): Frame {
  const first = (field: Field): string => row[field][0] ?? "";
  const ports = (protocol: "tcp" | "udp") => ({
    source: Number(first(`${protocol}.srcport`)),
    destination: Number(first(`${protocol}.dstport`)),
  });
  return {
    time: Number(first("frame.time_epoch")),
    bytes,
    layers: first("frame.protocols"),
    macSource: first("eth.src"),
    macDestination: first("eth.dst"),
    ip: headersOf(row, bytes),
    ...(first("tcp.srcport") && {
      tcp: { ...ports("tcp"), flags: first("tcp.flags.str").replaceAll("·", ""), sequence: Number(first("tcp.seq_raw")) },
    }),
    ...(first("udp.srcport") && { udp: ports("udp") }),
    badChecksums: badChecksums(row),
  };
}

/** tshark lists the values of all IPv4 headers, then of all IPv6 headers; the layers tell how the two interleave. */
function headersOf(row: Row, bytes: Uint8Array): IpHeader[] {
  const headers: IpHeader[] = [];
  let [v4, v6, at] = [0, 0, ETHERNET];
  for (const layer of (row["frame.protocols"][0] ?? "").split(":")) {
    if (layer !== "ip" && layer !== "ipv6") continue;
    const value = (four: Field, six: Field): string => (layer === "ip" ? row[four][v4] : row[six][v6]) ?? "";
    headers.push({
      source: value("ip.src", "ipv6.src"),
      destination: value("ip.dst", "ipv6.dst"),
      ttl: Number(value("ip.ttl", "ipv6.hlim")),
      protocol: Number(value("ip.proto", "ipv6.nxt")),
      length: Number(value("ip.len", "ipv6.plen")),
      id: layer === "ip" ? Number(row["ip.id"][v4]) : 0,
      at,
    });
    at = innerAt(bytes, at);
    if (layer === "ip") v4++;
    else v6++;
  }
  return headers;
}

const ETHERNET = 14; // bytes of the link-layer header
const GUE = 4;
const ICMP_ERROR = 8;

/** Where the next IP header starts: in a tunnel (IPIP, GUE, GRE) or an ICMP error. */
function innerAt(bytes: Uint8Array, at: number): number {
  const byte = (offset: number): number => bytes[offset] ?? 0;
  const isIpv4 = byte(at) >> 4 === 4;
  const next = at + (isIpv4 ? (byte(at) & 15) * 4 : 40);
  switch (isIpv4 ? byte(at + 9) : byte(at + 6)) {
    case 17:
      return next + 8 + GUE;
    case 47:
      return next + (byte(next) & 0x80 ? 8 : 4);
    case 1:
    case 58:
      return next + ICMP_ERROR;
    default:
      return next;
  }
}

function badChecksums(row: Row): string[] {
  const bad = (field: Field, name: (i: number) => string) => row[field].flatMap((status, i) => (status === BAD ? [name(i)] : []));
  return [
    ...bad("ip.checksum.status", (i) => `ip ${row["ip.src"][i]} > ${row["ip.dst"][i]}`),
    ...bad("tcp.checksum.status", (i) => `tcp ${row["tcp.srcport"][i]} > ${row["tcp.dstport"][i]}`),
    ...bad("udp.checksum.status", (i) => `udp ${row["udp.srcport"][i]} > ${row["udp.dstport"][i]}`),
  ];
}
