import { isIPv6 } from "node:net";
import type { Protocol } from "../../director/director.ts";
import { type Ip, ipFromUint32, parseIp } from "../../net/ip.ts";
import type { Names } from "./names.ts";

/** `host[:port]` as ipvsadm reads it (spec 9.3, address syntax). */
export interface Address {
  readonly addr: Ip;
  /** undefined: none was named. */
  readonly port: number | undefined;
}

/** A decimal number as strtol(3) reads it, or undefined when it is no number or out of range. */
export function parseNumber(text: string, min: number, max: number): number | undefined {
  if (!/^[ \t\n\v\f\r]*[+-]?\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
}

/** inet_aton(3): one to four parts, decimal, octal or hexadecimal; the last part fills what is left. `10.1` is 10.0.0.1. */
export function inetAton(text: string): Ip | undefined {
  const parts = text.split(/[ \t\n\v\f\r]/, 1)[0]!.split(".");
  if (parts.length > 4) return undefined;
  let address = 0;
  for (const [i, part] of parts.entries()) {
    if (!/^(0[xX][\da-fA-F]+|0[0-7]*|[1-9]\d*)$/.test(part)) return undefined;
    const value = /^0\d/.test(part) ? Number.parseInt(part, 8) : Number(part);
    const last = i === parts.length - 1;
    if (value > (last ? 2 ** (8 * (4 - i)) - 1 : 255)) return undefined;
    address += last ? value : value * 2 ** (8 * (3 - i));
  }
  return ipFromUint32(address);
}

/** An IPv4 address in any spelling of inet_aton, or a host name. */
export const resolve4 = (host: string, names: Names): Ip | undefined | Promise<Ip | undefined> =>
  inetAton(host) ?? names.hostAddress(host);

/** @returns undefined when it is no address, or its port is none */
export function parseAddress(
  text: string,
  protocol: Protocol | undefined,
  names: Names,
): Address | undefined | Promise<Address | undefined> {
  if (/^\d*$/.test(text)) return undefined;
  const split = splitPort(text);
  if (split === undefined) return undefined;
  const { host, service } = split;
  const addr = isIPv6(host) ? parseIp(host) : resolve4(host, names);
  const withPort = (addr: Ip | undefined): Address | undefined => {
    if (addr === undefined) return undefined;
    if (service === undefined) return { addr, port: undefined };
    const port = parseNumber(service, 0, 65535) ?? names.servicePort(service, protocol);
    return port === undefined ? undefined : { addr, port };
  };
  return addr instanceof Promise ? addr.then(withPort) : withPort(addr);
}

/**
 * Brackets need a port behind them; without brackets an IPv6 address has none. In brackets that hold no IPv6 address the
 * port is looked for inside, so that `[10.0.0.1]:80` has port 0: that is how the original reads it.
 */
function splitPort(text: string): { host: string; service: string | undefined } | undefined {
  let host = text;
  let service: string | undefined;
  if (text.startsWith("[")) {
    const end = text.indexOf("]");
    if (end < 0 || text[end + 1] !== ":") return undefined;
    host = text.slice(1, end);
    service = text.slice(end + 2);
  }
  if (isIPv6(host)) return { host, service };
  const colon = host.lastIndexOf(":");
  return colon < 0 ? { host, service: undefined } : { host: host.slice(0, colon), service: host.slice(colon + 1) };
}
