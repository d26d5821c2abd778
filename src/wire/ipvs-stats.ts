import { attribute, nested, parseAttributes, readUint32, uint32Bytes } from "./netlink.ts";
import { readUint64, uint64Bytes } from "./netlink-numbers.ts";

/** The STATS and STATS64 nests (spec 9.1): the same numbers, narrow and wide. */

/** Counters as the last estimation saw them, and rates per second (spec 6.2, 6.3). */
export interface IpvsStats {
  readonly conns: number;
  readonly inPackets: number;
  readonly outPackets: number;
  readonly inBytes: number;
  readonly outBytes: number;
  readonly cps: number;
  readonly inPps: number;
  readonly outPps: number;
  readonly inBps: number;
  readonly outBps: number;
}

/** Their attributes are numbered from 1. */
const names = [
  ...(["conns", "inPackets", "outPackets", "inBytes", "outBytes"] as const),
  ...(["cps", "inPps", "outPps", "inBps", "outBps"] as const),
];

/** Reads either, whatever the width of a number; what is absent is 0. Padding (attribute 11) is passed over. */
export function parseStats(bytes: Uint8Array | undefined): IpvsStats {
  const attributes = parseAttributes(bytes ?? new Uint8Array(0));
  const read = (value: Uint8Array | undefined) => readUint64(value) ?? readUint32(value) ?? 0;
  return Object.fromEntries(names.map((name, i) => [name, read(attributes.get(i + 1))])) as unknown as IpvsStats;
}

/** @param type the number of the nest: 10 STATS or 12 STATS64 */
export const emitStats64 = (type: number, stats: IpvsStats): Uint8Array =>
  nested(type, ...names.map((name, i) => attribute(i + 1, uint64Bytes(stats[name]))));

/** Bytes are wide here as well; the rest is cut to 32 bits, as in the kernel (spec 6.5). */
export const emitStats = (type: number, stats: IpvsStats): Uint8Array =>
  nested(
    type,
    ...names.map((name, i) =>
      attribute(i + 1, name === "inBytes" || name === "outBytes" ? uint64Bytes(stats[name]) : uint32Bytes(stats[name])),
    ),
  );
