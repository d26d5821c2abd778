import { familyOf, type Ip, ip, ipBytes, ipFromBytes } from "../src/net/ip.ts";

/** What a laboratory looks like, as a value, and the commands that make it. Nothing here touches the machine. */

/** One machine. `H` names hosts, in all of these types. */
export interface HostSpec {
  /** Routes packets between its interfaces. */
  readonly forward?: boolean;
  /** Carries an XDP program: what its interfaces' peers send is made plain, and they can take redirected frames. */
  readonly director?: boolean;
  /** Reverse path filter, 0 unless asked for. */
  readonly rpFilter?: 0 | 1 | 2;
  /** Addresses on lo that it answers for but never announces by ARP: a DR real server's VIP. */
  readonly vips?: readonly string[];
  /** In the words of ip-route(8): "default via 10.2.0.1". */
  readonly routes?: readonly string[];
  /** "net.ipv4.ip_no_pmtu_disc": 1 */
  readonly sysctls?: Readonly<Record<string, string | number>>;
}

/** One cable (two hosts) or one switch (more). Each of its hosts has an interface with the segment's name. */
export interface SegmentSpec<H extends string> {
  readonly subnet: string;
  readonly subnet6?: string;
  /** Bytes, 1500 unless given. */
  readonly mtu?: number;
  /** Each host's number in the subnet. Of several the first is its own; the others (a VIP, a local address) are /32. */
  readonly hosts: { readonly [host in H]?: number | readonly number[] };
  /** "static": permanent neighbour entries for everyone, so that nobody sends ARP. */
  readonly neighbours?: "static" | "dynamic";
  /** Leave checksum and segmentation offload on, as for a tc director. Default: plain packets, as XDP must have them. */
  readonly offload?: boolean;
}

export interface Topology<H extends string = string> {
  readonly picture?: string;
  readonly hosts: { readonly [host in H]: HostSpec };
  readonly segments: Readonly<Record<string, SegmentSpec<NoInfer<H>>>>;
}

/** For the types: host names are checked in segments, and later in `lab.hosts`. */
export const topology = <H extends string>(described: Topology<H>): Topology<H> => described;

/** The same with offloads left on everywhere, as a tc director can have them. */
export const withOffloads = <H extends string>(described: Topology<H>): Topology<H> => ({
  ...described,
  segments: Object.fromEntries(Object.entries(described.segments).map(([name, spec]) => [name, { ...spec, offload: true }])),
});

/**
 * How to make a topology: namespaces, then cables (`ip -batch` lines), then a shell script inside each namespace, and
 * when all of those are done another.
 */
export interface Plan {
  readonly namespaces: readonly string[];
  readonly links: readonly string[];
  readonly scripts: ReadonlyMap<string, readonly string[]>;
  readonly settle: ReadonlyMap<string, readonly string[]>;
}

/** An interface of a host: the place where a segment reaches it. */
export interface Port {
  readonly host: string;
  readonly segment: string;
  readonly mac: string;
  /** With prefix lengths, the host's own first. */
  readonly addresses: readonly string[];
}

/** @param prefix starts every namespace's name */
export function plan(described: Topology, prefix: string): Plan {
  const ports = portsOf(described);
  const scripts = new Map<string, readonly string[]>();
  const settle = new Map<string, readonly string[]>();
  for (const [host, spec] of Object.entries(described.hosts)) {
    scripts.set(netnsName(prefix, host), hostScript(described, host, spec, ports));
    const own = ports.filter((port) => port.host === host);
    settle.set(
      netnsName(prefix, host),
      own.flatMap((port) => settled(port.segment, isPlain(described, port.segment) && hasDirectorPeer(described, port))),
    );
  }
  const links: string[] = [];
  for (const segment of Object.keys(described.segments)) {
    const members = ports.filter((port) => port.segment === segment);
    const mtu = described.segments[segment]?.mtu ?? 1500;
    const isSwitched = members.length > 2;
    const switchName = netnsName(prefix, `switch-${segment}`);
    if (isSwitched) {
      scripts.set(switchName, switchScript(described, segment, members));
      settle.set(
        switchName,
        members.flatMap(({ host }) => settled(host, isPlain(described, segment) && isDirector(described, host))),
      );
    }
    const end = (port: Port) => `name ${segment} netns ${netnsName(prefix, port.host)} address ${port.mac} mtu ${mtu}`;
    if (isSwitched) {
      for (const port of members)
        links.push(`link add ${end(port)} type veth peer name ${port.host} netns ${switchName} mtu ${mtu}`);
    } else if (members.length === 2) {
      links.push(`link add ${end(members[0]!)} type veth peer ${end(members[1]!)}`);
    } else {
      throw new RangeError(`segment ${segment} has ${members.length} hosts; it takes two to talk`);
    }
  }
  return { namespaces: [...scripts.keys()], links, scripts, settle };
}

export const netnsName = (prefix: string, name: string): string => `${prefix}-${name}`;

/** Every interface of every host, in the order of the description. */
export function portsOf(described: Topology): readonly Port[] {
  return Object.entries(described.segments).flatMap(([segment, spec], s) =>
    Object.entries(spec.hosts).map(([host, given]) => {
      if (!(host in described.hosts)) throw new RangeError(`segment ${segment} names an unknown host ${host}`);
      const numbers = typeof given === "number" ? [given] : (given ?? []);
      const subnets = spec.subnet6 === undefined ? [spec.subnet] : [spec.subnet, spec.subnet6];
      const addresses = subnets.flatMap((subnet) => numbers.map((n, i) => addressIn(subnet, n, i === 0)));
      return { host, segment, mac: macOf(s + 1, numbers[0] ?? 0), addresses };
    }),
  );
}

/** The address without its prefix length. */
export const bare = (address: string): Ip => ip(address.split("/")[0]!);

/** Number 100 of 10.1.0.0/24 is 10.1.0.100; of fd00:1::/64 it is fd00:1::100, so that the two read alike. */
function addressIn(subnet: string, number: number, isFirst: boolean): string {
  const [base = "", length] = subnet.split("/");
  const bytes = ipBytes(ip(base));
  const isIpv4 = bytes.length === 4;
  const value = isIpv4 ? number : Number.parseInt(String(number), 16);
  const last = bytes.length - 1;
  bytes[last] = (bytes[last] ?? 0) + (value & 255);
  bytes[last - 1] = (bytes[last - 1] ?? 0) + (value >> 8);
  return `${ipFromBytes(bytes)}/${isFirst ? length : isIpv4 ? 32 : 128}`;
}

/** Locally administered, and telling: 02:00:00:<segment>:<host number>. */
function macOf(segment: number, number: number): string {
  const hex = (n: number) => n.toString(16).padStart(2, "0");
  return `02:00:00:${hex(segment)}:${hex(number >> 8)}:${hex(number & 255)}`;
}

function hostScript(described: Topology, host: string, spec: HostSpec, ports: readonly Port[]): string[] {
  const own = ports.filter((port) => port.host === host);
  const hasIpv6 = own.some((port) => port.addresses.some(isIpv6)) || (spec.vips ?? []).some(isIpv6);
  return [
    ...sysctls(spec, hasIpv6),
    ...(spec.vips ?? []).map((vip) => `ip address add ${vip}/${isIpv6(vip) ? 128 : 32} dev lo`),
    "ip link set dev lo up",
    ...own.flatMap((port) => [
      ...port.addresses.map((a) => `ip address add ${a} dev ${port.segment}${isIpv6(a) ? " nodad" : ""}`),
      ...(isPlain(described, port.segment) ? [plain(port.segment)] : []),
      `ip link set dev ${port.segment} up`,
      ...neighbours(described, port, ports),
    ]),
    ...(spec.routes ?? []).map((route) => `ip ${isIpv6(route) ? "-6 " : ""}route add ${route}`),
  ];
}

function sysctls(spec: HostSpec, hasIpv6: boolean): string[] {
  const forward = spec.forward === true ? 1 : 0;
  const everywhere = (family: "ipv4" | "ipv6", settings: Record<string, number>) =>
    Object.entries(settings).map(
      ([name, value]) => `for i in /proc/sys/net/${family}/conf/*; do echo ${value} > $i/${name}; done`,
    );
  const silent: Record<string, number> = spec.vips === undefined ? {} : { arp_ignore: 1, arp_announce: 2 };
  return [
    `echo ${forward} > /proc/sys/net/ipv4/ip_forward`,
    ...everywhere("ipv4", { rp_filter: spec.rpFilter ?? 0, accept_redirects: 0, send_redirects: 0, ...silent }),
    ...everywhere("ipv6", hasIpv6 ? { forwarding: forward, accept_ra: 0, accept_dad: 0 } : { disable_ipv6: 1 }),
    ...Object.entries(spec.sysctls ?? {}).map(([name, value]) => `echo ${value} > /proc/sys/${name.replaceAll(".", "/")}`),
  ];
}

function switchScript(described: Topology, segment: string, members: readonly Port[]): string[] {
  return [
    "for i in /proc/sys/net/ipv6/conf/*; do echo 1 > $i/disable_ipv6; done",
    "ip link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
    ...members.flatMap(({ host }) => [
      ...(isPlain(described, segment) && isDirector(described, host) ? [plain(host)] : []),
      `ip link set dev ${host} master br0 up`,
    ]),
    "ip link set dev br0 up",
  ];
}

const isDirector = (described: Topology, host: string): boolean => described.hosts[host]?.director === true;
const isPlain = (described: Topology, segment: string): boolean => described.segments[segment]?.offload !== true;

/** What leaves here has whole checksums and is no longer than the MTU: an XDP program at the other end depends on it. */
const plain = (name: string): string => `ethtool -K ${name} tx off tso off gso off`;

/**
 * The kernel may take a second to tell IPv6 that a cable was plugged in, and until then multicast has no route there.
 * Asking for the link's state makes it look at once. A director's peer has to poll (GRO asks for it), or it takes no
 * frames from XDP; the kernel notes that only when both ends are up.
 */
function settled(name: string, facesDirector: boolean): string[] {
  return [`ethtool ${name} > /dev/null`, ...(facesDirector ? [`ethtool -K ${name} gro on`] : [])];
}

/** Only on a cable is the peer another host; on a switch it is the switch's port. */
function hasDirectorPeer(described: Topology, port: Port): boolean {
  const others = Object.keys(described.segments[port.segment]?.hosts ?? {}).filter((host) => host !== port.host);
  return others.length === 1 && isDirector(described, others[0]!);
}

function neighbours(described: Topology, port: Port, ports: readonly Port[]): string[] {
  if (described.segments[port.segment]?.neighbours !== "static") return [];
  return ports
    .filter((other) => other.segment === port.segment && other.host !== port.host)
    .flatMap((o) => o.addresses.map((a) => `ip neigh replace ${bare(a)} lladdr ${o.mac} dev ${port.segment} nud permanent`));
}

const isIpv6 = (text: string): boolean => text.includes(":");

/** The host's own address on a segment. */
export function addressOf(
  ports: readonly Port[],
  host: string,
  segment: string,
  family: "ipv4" | "ipv6" = "ipv4",
): Ip | undefined {
  const port = ports.find((candidate) => candidate.host === host && candidate.segment === segment);
  return port?.addresses.map(bare).find((address) => familyOf(address) === family);
}
