import { type Endpoint, familyOfService, type Protocol, type Service, type ServiceKey } from "../../director/director.ts";
import { familyOf, type Ip, ipFromUint32 } from "../../net/ip.ts";
import type { Names } from "./names.ts";

/** The texts that listings and saved rules have in common. `names` undefined: numbers only. */

/** ipvsadm keeps an address and port in a buffer of 60 bytes. */
const NAME_CHARS = 59;

export async function endpointName(e: Endpoint, protocol: Protocol | undefined, names: Names | undefined): Promise<string> {
  if (names === undefined) return numericEndpoint(e);
  const host = (await names.hostName(e.addr)) ?? numericAddress(e.addr);
  const port = names.serviceName(e.port, protocol) ?? e.port;
  return (familyOf(e.addr) === "ipv6" ? `[${host}]:${port}` : `${host}:${port}`).slice(0, NAME_CHARS);
}

export const numericEndpoint = ({ addr, port }: Endpoint): string =>
  addr.includes(":") ? `[${numericAddress(addr)}]:${port}` : `${addr}:${port}`;

/** As inet_ntop(3), which also writes the IPv4-compatible ::1.2.3.4 with dots. */
export function numericAddress(address: Ip): string {
  const words = /^::([\da-f]{1,4}):([\da-f]{1,4})$/.exec(address);
  if (words === null) return address;
  return `::${ipFromUint32(((Number.parseInt(words[1]!, 16) << 16) | Number.parseInt(words[2]!, 16)) >>> 0)}`;
}

/** The protocol of a service's ports, undefined for a firewall mark. */
export const protocolOf = (key: ServiceKey): Protocol | undefined => (key.fwmark === undefined ? key.protocol : undefined);

/** ipvsadm prints marks with %d. */
export const markText = (key: ServiceKey & { fwmark: number }): string => String(key.fwmark | 0);

/** The names of a service's scheduler flags; `sh` and `mh` have no name for the third. */
export function schedFlagsText({ scheduler, schedFlags }: Service): string {
  const own =
    scheduler === "sh" || scheduler === "mh" ? [`${scheduler}-fallback`, `${scheduler}-port`] : ["flag-1", "flag-2", "flag-3"];
  return schedFlags.flatMap((flag) => own[flag - 1] ?? []).join(",");
}

/** The persistence mask of a service, "" when it is of single hosts. */
export function maskText(service: Service): string {
  if (familyOfService(service.key) === "ipv6") return service.netmask === 128 ? "" : String(service.netmask);
  return service.netmask === 0xffffffff ? "" : ipFromUint32(service.netmask);
}
