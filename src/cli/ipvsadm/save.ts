import type { Dest, Service, ServiceKey } from "../../director/director.ts";
import type { Names } from "./names.ts";
import { sortedDests, sortedServices } from "./sort.ts";
import { endpointName, markText, maskText, numericAddress, protocolOf, schedFlagsText } from "./text.ts";

/** The table as commands for `ipvsadm -R` (spec 9.5); thresholds are not saved, as in the original. */
export async function saveLines(services: readonly Service[], names: Names | undefined): Promise<string> {
  const blocks = await Promise.all(sortedServices(services).map((service) => serviceRules(service, names)));
  return blocks.join("");
}

async function serviceRules(service: Service, names: Names | undefined): Promise<string> {
  const name = await keyText(service.key, names);
  const pool = service.localAddresses.map(({ addr }) => `-P ${name} -z ${numericAddress(addr)}\n`);
  const dests = await Promise.all(
    sortedDests(service.dests).map(
      async (dest) => `-a ${name} -r ${await endpointName(dest, protocolOf(service.key), names)} ${destOptions(dest)}\n`,
    ),
  );
  return [`-A ${name} ${serviceOptions(service)}\n`, ...pool, ...dests].join("");
}

async function keyText(key: ServiceKey, names: Names | undefined): Promise<string> {
  if (key.fwmark !== undefined) return `-f ${markText(key)}${key.family === "ipv6" ? " -6" : ""}`;
  const option = { tcp: "-t", udp: "-u", sctp: "--sctp-service" }[key.protocol];
  return `${option} ${await endpointName(key, key.protocol, names)}`;
}

function serviceOptions(service: Service): string {
  let text = `-s ${service.scheduler}`;
  if (service.persistSeconds > 0) {
    text += ` -p ${service.persistSeconds}`;
    const mask = maskText(service);
    if (mask !== "") text += ` -M ${mask}`;
  }
  if (service.pe !== "") text += ` --pe ${service.pe}`;
  if (service.onePacket) text += " -o";
  if (service.schedFlags.length > 0) text += ` -b ${schedFlagsText(service)}`;
  return text;
}

const methodOption = { nat: "-m", route: "-g", tunnel: "-i", fullnat: "--fullnat" } as const;
const checksumOption = { none: "--tun-nocsum", csum: "--tun-csum", remcsum: "--tun-remcsum" } as const;

function destOptions({ method, weight, tunnel, toa }: Dest): string {
  const text = `${methodOption[method]} -w ${weight}`;
  if (toa) return `${text} --toa`;
  if (method !== "tunnel") return text;
  if (tunnel.type === "ipip") return `${text} --tun-type ipip`;
  const port = tunnel.type === "gue" ? ` --tun-port ${tunnel.port}` : "";
  return `${text} --tun-type ${tunnel.type}${port} ${checksumOption[tunnel.checksum]}`;
}
