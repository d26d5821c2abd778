import {
  type DestSpec,
  familyOfService,
  type Method,
  type Protocol,
  type ServiceKey,
  type SyncDaemon,
  type TunnelType,
} from "../../director/director.ts";
import { ANY4, anyOf, type Family, familyOf, type Ip, parseIp, uint32FromIp } from "../../net/ip.ts";
import { parseAddress, parseNumber, resolve4 } from "./address.ts";
import type { Names } from "./names.ts";
import type { Option, OptionName, Word } from "./options.ts";
import { Usage } from "./usage.ts";

/**
 * A command while its options are read, one after the other and in the order in which they stand: a real server without a
 * port gets the port of the service address that stands before it, and `-M` is an IPv6 prefix length only behind one.
 */
export interface Draft {
  readonly given: Set<OptionName>;
  protocol: Protocol | undefined;
  family: Family;
  addr: Ip;
  port: number;
  /** 0: none. */
  fwmark: number;
  scheduler: string;
  persistSeconds: number;
  netmask: number;
  onePacket: boolean;
  pe: string;
  schedFlags: string;
  destAddr: Ip;
  destPort: number;
  method: Method;
  weight: number;
  upper: number;
  lower: number;
  tunnelType: TunnelType;
  tunnelPort: number;
  checksum: DestSpec["tunnel"]["checksum"];
  laddr: Ip;
  daemon: { -readonly [key in keyof SyncDaemon]: SyncDaemon[key] };
}

const SINGLE_HOSTS = 0xffffffff;
const MAX_INT = 2 ** 31 - 1;
const MAX_TIMEOUT = 31 * 24 * 3600;
const BARE_PERSISTENCE = 360;
const NAME_CHARS = 15;

export const newDraft = (): Draft => ({
  given: new Set(),
  protocol: undefined,
  family: "ipv4",
  addr: ANY4,
  port: 0,
  fwmark: 0,
  scheduler: "",
  persistSeconds: 0,
  netmask: SINGLE_HOSTS,
  onePacket: false,
  pe: "",
  schedFlags: "",
  destAddr: ANY4,
  destPort: 0,
  method: "route",
  weight: 1,
  upper: 0,
  lower: 0,
  tunnelType: "ipip",
  tunnelPort: 0,
  checksum: "none",
  laddr: ANY4,
  daemon: { state: "master", interface: "eth0", syncId: 0 },
});

/** Takes one option into the draft. Throws Usage when its value is illegal. */
export function takeOption(draft: Draft, option: Option, value: string, names: Names): void | Promise<void> {
  return takers[option.word!](draft, value, names, option);
}

type Taker = (draft: Draft, value: string, names: Names, option: Option) => void | Promise<void>;

/** `value` is "" for options without one. */
const takers: Readonly<Record<Word, Taker>> = {
  "service-address": takeService,
  ipv6(draft) {
    if (draft.fwmark === 0) throw new Usage("-6 used before -f\n");
    draft.family = "ipv6";
    draft.netmask = 128;
    draft.addr = anyOf("ipv6");
  },
  scheduler(draft, value) {
    draft.scheduler = value.slice(0, NAME_CHARS);
  },
  pe(draft, value) {
    draft.pe = value.slice(0, NAME_CHARS + 1);
  },
  persistent(draft, value) {
    draft.persistSeconds = timeout(value, 1);
  },
  netmask: takeNetmask,
  ops(draft) {
    draft.onePacket = true;
  },
  "sched-flags"(draft, value) {
    draft.schedFlags = value;
  },
  "real-server": takeServer,
  "forwarding-method"(draft, _value, _names, option) {
    draft.method = option.choice as Method;
  },
  weight(draft, value) {
    draft.weight = legal(parseNumber(value, 0, MAX_INT), "illegal weight specified");
  },
  "u-threshold"(draft, value) {
    draft.upper = legal(parseNumber(value, 0, MAX_INT), "illegal u_threshold specified");
  },
  "l-threshold"(draft, value) {
    draft.lower = legal(parseNumber(value, 0, MAX_INT), "illegal l_threshold specified");
  },
  "tun-type"(draft, value) {
    if (value !== "ipip" && value !== "gue" && value !== "gre") throw new Usage("illegal tunnel type specified");
    draft.tunnelType = value;
  },
  "tun-port"(draft, value) {
    draft.tunnelPort = legal(parseNumber(value, 1, 65535), "illegal tunnel port specified");
  },
  "tun-nocsum"(draft) {
    draft.checksum = "none";
  },
  "tun-csum"(draft) {
    draft.checksum = "csum";
  },
  "tun-remcsum"(draft) {
    draft.checksum = "remcsum";
  },
  async laddr(draft, value, names) {
    draft.laddr = legal(parseIp(value) ?? (await resolve4(value, names)), "illegal local address specified");
  },
  toa: nothing,
  numeric: nothing,
  connection: nothing,
  timeout: nothing,
  daemon: nothing,
  stats: nothing,
  rate: nothing,
  thresholds: nothing,
  "persistent-conn": nothing,
  "tun-info": nothing,
  nosort: nothing,
  sort: nothing,
  exact: nothing,
  "mcast-interface"(draft, value) {
    draft.daemon.interface = value.slice(0, NAME_CHARS) || "eth0";
  },
  syncid(draft, value) {
    draft.daemon.syncId = legal(parseNumber(value, 0, 255), "illegal syncid specified");
  },
  "sync-maxlen"(draft, value) {
    draft.daemon.maxLen = legal(parseNumber(value, 1, 65507), "illegal sync-maxlen specified");
  },
  "mcast-group"(draft, value) {
    draft.daemon.group = multicast(value);
  },
  "mcast-port"(draft, value) {
    draft.daemon.port = legal(parseNumber(value, 1, 65535), "illegal mcast-port specified");
  },
  "mcast-ttl"(draft, value) {
    draft.daemon.ttl = legal(parseNumber(value, 1, 255), "illegal mcast-ttl specified");
  },
};

function nothing(): void {}

/** @param value undefined: `-p` without a timeout */
export const persistence = (value: string | undefined): string => value ?? String(BARE_PERSISTENCE);

export function timeout(value: string, min: 0 | 1): number {
  return legal(parseNumber(value, min, MAX_TIMEOUT), `invalid timeout value \`${value}' specified`);
}

function legal<T>(value: T | undefined, message: string): T {
  if (value === undefined) throw new Usage(message);
  return value;
}

function takeService(draft: Draft, value: string, names: Names, option: Option): void | Promise<void> {
  if (option.choice === "fwmark") {
    draft.fwmark = legal(parseNumber(value, 1, 0xffffffff), `invalid fwmark value \`${value}' specified`);
    draft.protocol = "tcp"; // whose names the ports of its real servers may have
    return;
  }
  draft.protocol = option.choice as Protocol;
  return later(parseAddress(value, draft.protocol, names), (address) => {
    const { addr, port } = legal(address, "illegal virtual server address[:port] specified");
    draft.addr = addr;
    draft.port = port ?? 0;
    draft.family = familyOf(addr);
    if (draft.family === "ipv6") draft.netmask = 128;
  });
}

function takeServer(draft: Draft, value: string, names: Names): void | Promise<void> {
  return later(parseAddress(value, draft.protocol, names), (address) => {
    const { addr, port } = legal(address, "illegal real server address[:port] specified");
    draft.destAddr = addr;
    draft.destPort = port ?? draft.port;
  });
}

function takeNetmask(draft: Draft, value: string, names: Names): void | Promise<void> {
  if (draft.family === "ipv6") {
    draft.netmask = legal(parseNumber(value, 1, 128), "illegal ipv6 netmask specified");
    return;
  }
  return later(resolve4(value, names), (mask) => {
    draft.netmask = uint32FromIp(legal(mask, "illegal virtual server persistent mask specified"));
  });
}

function multicast(value: string): Ip {
  const address = parseIp(value);
  const family: Family = value.includes(":") ? "ipv6" : "ipv4";
  const may = address !== undefined && (family === "ipv6" ? address.startsWith("ff") : uint32FromIp(address) >>> 28 === 0xe);
  if (!may) throw new Usage(`invalid IPv${family.slice(3)} mcast-group \`${value}'`);
  return address;
}

function later<T>(value: T | Promise<T>, then: (value: T) => void): void | Promise<void> {
  return value instanceof Promise ? value.then(then) : then(value);
}

export const draftKey = (draft: Draft): ServiceKey =>
  draft.fwmark !== 0
    ? { fwmark: draft.fwmark, family: draft.family }
    : { protocol: draft.protocol ?? "tcp", addr: draft.addr, port: draft.port };

export const draftFamily = (draft: Draft): Family => familyOfService(draftKey(draft));
