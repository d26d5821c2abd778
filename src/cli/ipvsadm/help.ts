import { type Option, options } from "./options.ts";

export const versionLine = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n";

const synopsis = `Usage:
  ipvsadm -A|E SERVICE [-s NAME] [-p [SECONDS]] [-M MASK] [--pe NAME] [-b FLAGS] [-o]
  ipvsadm -D SERVICE
  ipvsadm -C
  ipvsadm -R
  ipvsadm -S [-n]
  ipvsadm -a|e SERVICE -r HOST[:PORT] [-g|-i|-m|--fullnat [--toa]] [-w N] [-x N] [-y N] [tunnel options]
  ipvsadm -d SERVICE -r HOST[:PORT]
  ipvsadm -L|l [SERVICE] [list options]
  ipvsadm -Z [SERVICE]
  ipvsadm -P|Q SERVICE -z ADDRESS
  ipvsadm -G [SERVICE]
  ipvsadm --set TCP TCPFIN UDP
  ipvsadm --start-daemon master|backup [daemon options]
  ipvsadm --stop-daemon master|backup
  ipvsadm -h

SERVICE is -t HOST[:PORT], -u HOST[:PORT], --sctp-service HOST[:PORT] or -f MARK [-6].
`;

/** The usage text, from the table that the parser reads. */
export const helpText = (): string =>
  [
    versionLine,
    synopsis,
    "\nCommands:\n",
    ...options.filter((option) => option.command !== undefined).map(line),
    "\nOptions:\n",
    ...options.filter((option) => option.command === undefined).map(line),
  ].join("");

function line({ short, long, arity, help }: Option): string {
  const value = { none: "", required: " VALUE", optional: " [VALUE]" }[arity];
  const names = [
    short === undefined ? "   " : `-${short}${long === undefined ? "" : ","}`,
    long === undefined ? "" : `--${long}`,
  ];
  return `  ${`${names.join(" ")}${value}`.padEnd(28)} ${help}\n`;
}
