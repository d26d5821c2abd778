import { readFileSync } from "node:fs";
import type { Protocol } from "../../director/director.ts";
import { type Ip, parseIp } from "../../net/ip.ts";

/** Names for addresses and ports and back. Numbers never come here, so that numeric work touches neither files nor DNS. */
export interface Names {
  /** The (first) IPv4 address of a host; ipvsadm looks up no IPv6 ones. */
  hostAddress(name: string): Promise<Ip | undefined>;
  hostName(address: Ip): Promise<string | undefined>;
  /** Without a protocol there is no name for a port. */
  servicePort(name: string, protocol: Protocol | undefined): number | undefined;
  serviceName(port: number, protocol: Protocol | undefined): string | undefined;
}

/** What the machine calls things: the C library's resolver (so nsswitch.conf, hosts and DNS) and /etc/services. */
export function systemNames(): Names {
  const read = once(() => parseServices(readServices()));
  const reverse = new Map<Ip, Promise<string | undefined>>();
  return {
    hostAddress,
    hostName(address) {
      const known = reverse.get(address) ?? hostName(address);
      reverse.set(address, known);
      return known;
    },
    servicePort: (name, protocol) => (protocol === undefined ? undefined : read().ports.get(`${name}/${protocol}`)),
    serviceName: (port, protocol) => (protocol === undefined ? undefined : read().names.get(`${port}/${protocol}`)),
  };
}

async function hostAddress(name: string): Promise<Ip | undefined> {
  if (name === "") return undefined;
  const { lookup } = await import("node:dns/promises");
  return lookup(name, { family: 4 }).then(
    ({ address }) => parseIp(address),
    () => undefined,
  );
}

async function hostName(address: Ip): Promise<string | undefined> {
  const { lookupService } = await import("node:dns/promises");
  return lookupService(address, 0).then(
    ({ hostname }) => hostname,
    () => undefined,
  );
}

export interface ServiceNames {
  /** "http/tcp" and aliases to 80. */
  readonly ports: ReadonlyMap<string, number>;
  /** "80/tcp" to "http". */
  readonly names: ReadonlyMap<string, string>;
}

/** services(5): `name port/protocol alias… # comment`; the first line that names a thing counts. */
export function parseServices(text: string): ServiceNames {
  const ports = new Map<string, number>();
  const names = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [name, at, ...aliases] = line.replace(/#.*/, "").trim().split(/\s+/);
    const [port, protocol] = at?.split("/") ?? [];
    if (name === undefined || port === undefined || protocol === undefined) continue;
    for (const alias of [name, ...aliases]) {
      if (!ports.has(`${alias}/${protocol}`)) ports.set(`${alias}/${protocol}`, Number(port));
    }
    if (!names.has(`${Number(port)}/${protocol}`)) names.set(`${Number(port)}/${protocol}`, name);
  }
  return { ports, names };
}

function readServices(): string {
  try {
    return readFileSync("/etc/services", "utf8");
  } catch {
    return ""; // a machine without the file has numbers only
  }
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
