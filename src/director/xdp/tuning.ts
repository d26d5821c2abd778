import type { Defence } from "../defence.ts";
import type { Timeouts } from "../director.ts";
import type { ServiceRecord } from "../records.ts";
import * as abi from "./abi.gen.ts";
import type { DataPath } from "./loader.ts";
import { setU32 } from "./memory.ts";

/** Timeouts and settings, as the data path reads them. */

/** Seconds by state (spec 4.5); those of `--set` are filled in. */
const tcpSeconds = ({ tcp, tcpFin }: Timeouts): readonly number[] => [2, tcp, 120, 60, tcpFin, 120, 10, 60, 30, 120, 120, 2];
/** Spec 4.7. */
const sctpSeconds: readonly number[] = [2, 4, 61, 61, 61, 61, 61, 61, 900, 61, 61, 61, 4, 61];
const OTHER_SECONDS = 180;
const STATES = 16;

export function writeTimeouts(path: DataPath, timeouts: Timeouts): void {
  const rows: Readonly<Record<keyof typeof abi.protocolRow, readonly number[]>> = {
    tcp: tcpSeconds(timeouts),
    udp: new Array<number>(STATES).fill(timeouts.udp),
    sctp: sctpSeconds,
    other: new Array<number>(STATES).fill(OTHER_SECONDS),
  };
  const { view } = path.memory.settings;
  for (const [name, row] of Object.entries(abi.protocolRow))
    rows[name as keyof typeof rows].forEach((seconds, state) => {
      setU32(view, abi.settings.timeout + (row * STATES + state) * 4, Math.min(seconds * path.hz, 0x7fffffff));
    });
}

/** By the data path's fields; `true` when the value is on. */
const switches: readonly (readonly [name: string, field: number])[] = [
  ["sloppy_tcp", abi.settings.sloppyTcp],
  ["sloppy_sctp", abi.settings.sloppySctp],
  ["cache_bypass", abi.settings.cacheBypass],
  ["expire_nodest_conn", abi.settings.expireNodestConn],
  ["expire_quiescent_template", abi.settings.expireQuiescentTemplate],
  ["nat_icmp_send", abi.settings.natIcmpSend],
  ["pmtu_disc", abi.settings.pmtuDisc],
  ["schedule_icmp", abi.settings.scheduleIcmp],
];

const FTP_PORT = 21;
const UNPRIVILEGED_PORT = 1024;

export function writeSettings(
  path: DataPath,
  settings: Readonly<Record<string, string>>,
  services: Iterable<ServiceRecord>,
): void {
  const { view } = path.memory.settings;
  for (const [name, field] of switches) setU32(view, field, Number(settings[name] ?? "0") === 0 ? 0 : 1);
  setU32(view, abi.settings.connReuseMode, Number(settings.conn_reuse_mode ?? "1") >>> 0);
  setU32(view, abi.settings.lblcrExpiration, Math.min(Number(settings.lblcr_expiration ?? "86400") * path.hz, 0x7fffffff));
  setU32(view, abi.settings.unprivilegedPort, UNPRIVILEGED_PORT);

  const counts = { ftp: 0, anyPort: 0, mark: 0 };
  for (const { spec } of services) {
    if (spec.key.fwmark !== undefined) counts.mark++;
    else if (spec.key.port === FTP_PORT) counts.ftp++;
    else if (spec.key.port === 0) counts.anyPort++;
  }
  setU32(view, abi.settings.ftpServices, counts.ftp);
  setU32(view, abi.settings.anyPortServices, counts.anyPort + counts.mark);
  setU32(view, abi.settings.markServices, counts.mark);
}

export function writeDefence(path: DataPath, { dropEntry, dropRate, secureTcp }: Defence): void {
  const { view } = path.memory.settings;
  setU32(view, abi.settings.dropEntry, dropEntry ? 1 : 0);
  setU32(view, abi.settings.dropRate, dropRate);
  setU32(view, abi.settings.secureTcp, secureTcp ? 1 : 0);
}
