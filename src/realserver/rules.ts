import { familyOf, type Ip } from "../net/ip.ts";

/** What a real server's sysctls must be, and why. */

export type Method = "route" | "tunnel";

export interface Vip {
  readonly vip: Ip;
  readonly method: Method;
  /** Where tunnelled packets arrive; not for `route`. */
  readonly interface?: string;
}

export type TunnelVip = Vip & { readonly interface: string };
export const isTunnel = (vip: Vip): vip is TunnelVip => vip.method === "tunnel" && vip.interface !== undefined;

type Values = Readonly<Record<string, string>>;

export interface Rule {
  /** "net.ipv4.conf.all.arp_ignore", with "/" for "." since an interface's name may have dots: as below /proc/sys. */
  readonly key: string;
  /** What to set when it does not fit. */
  readonly value: string;
  /** For a person: what fits. */
  readonly wanted: string;
  /** What else must be read to know. */
  readonly with: readonly string[];
  /** A stricter value than ours is left alone. */
  fits(values: Values): boolean;
  /** For a person: what is wrong when it does not fit. */
  readonly harm: string;
}

const conf = (link: string, name: string): string => `net/ipv4/conf/${link}/${name}`;
const read = (values: Values, key: string): number => Number(values[key] ?? Number.NaN);

/**
 * The kernel takes the greater one of `all` and of the interface that ARP comes in by or goes out of, so `all` alone would do.
 * `lo` is what the LVS how-to and every script since set as well, and what their checks look for.
 */
const silent: readonly string[] = ["all", "lo"];

/**
 * 1: answer only for addresses of the interface that the question came in by; 2: and only to its own network; 8: never. The
 * others answer for what is on lo.
 */
const arpIgnore = (link: string): Rule => {
  const key = conf(link, "arp_ignore");
  const harm = "this server answers ARP for the VIP";
  return { key, value: "1", wanted: "1", with: [], fits: (values) => [1, 2, 8].includes(read(values, key)), harm };
};

/** 2: never name an address of another interface as one's own in a question, or the network learns the VIP from that. */
const arpAnnounce = (link: string): Rule => {
  const key = conf(link, "arp_announce");
  const harm = "this server's ARP questions tell the VIP as its own";
  return { key, value: "2", wanted: "2", with: [], fits: (values) => read(values, key) === 2, harm };
};

/**
 * A stripped packet comes from a client and in by the interface that the director is behind. Where the way back to the client is
 * another one, a strict filter (1) throws it away. The greater one of `all` and the interface counts, so 2 (loose: some way back
 * must exist, without which there would be no answer anyway) on this one interface does what is needed and leaves `all`, and with
 * it the other interfaces, alone; 0 here would be outdone by a 1 in `all`. A filter that is off stays off.
 */
const reversePath = (link: string): Rule => {
  const key = conf(link, "rp_filter");
  const all = conf("all", "rp_filter");
  const harm = "packets from the tunnel are dropped when the way back to the client is another interface";
  const fits = (values: Values) => [0, 2].includes(Math.max(read(values, key), read(values, all)));
  return { key, value: "2", wanted: "0 or 2", with: [all], fits, harm };
};

/**
 * IPv6 needs none of these: a neighbour solicitation is answered only for addresses of the interface that it came in by, and
 * there is no reverse path filter.
 */
export function rulesOf(vips: readonly Vip[]): Rule[] {
  const old = vips.filter(({ vip }) => familyOf(vip) === "ipv4");
  const interfaces = new Set(old.filter(isTunnel).map((vip) => vip.interface));
  return [
    ...(old.length > 0 ? silent.flatMap((link) => [arpIgnore(link), arpAnnounce(link)]) : []),
    ...[...interfaces].map(reversePath),
  ];
}

/** Every sysctl that rules look at. */
export const keysOf = (rules: readonly Rule[]): string[] => [...new Set(rules.flatMap((rule) => [rule.key, ...rule.with]))];
