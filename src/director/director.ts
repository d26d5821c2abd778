import type { Family, Ip } from "../net/ip.ts";

/** What every part of lvsd sees of a data path. Its makers: xdp/, model/ and kernel/. Spec: ipvs.md chapters 1, 2, 6. */

export type Protocol = "tcp" | "udp" | "sctp";

/** How a dest's packets reach it. `local` and `bypass` appear on conns only. */
export type Method = "nat" | "route" | "tunnel" | "fullnat";
export type ConnMethod = Method | "local" | "bypass";

/** What tells one service from another: an address and port, or a firewall mark. */
export type ServiceKey =
  | { readonly protocol: Protocol; readonly addr: Ip; readonly port: number; readonly fwmark?: undefined }
  | { readonly fwmark: number; readonly family: Family };

export type SchedulerName =
  | "rr"
  | "wrr"
  | "lc"
  | "wlc"
  | "lblc"
  | "lblcr"
  | "dh"
  | "sh"
  | "sed"
  | "nq"
  | "fo"
  | "ovf"
  | "mh"
  | "twos";

export interface ServiceSpec {
  readonly key: ServiceKey;
  /** A name of SchedulerName, or one this data path does not have (refused with ENOENT). */
  readonly scheduler: string;
  /** Scheduler flags 1..3 (ipvsadm -b): sh-fallback/mh-fallback, sh-port/mh-port, flag-3. */
  readonly schedFlags: readonly (1 | 2 | 3)[];
  /** Persistence timeout in seconds; 0: not persistent. */
  readonly persistSeconds: number;
  /** Persistence granularity: IPv4 mask as a number in host order (0xffffffff: single hosts); IPv6 prefix length. */
  readonly netmask: number;
  readonly onePacket: boolean;
  /** Persistence engine, "" for none. */
  readonly pe: string;
}

export type TunnelType = "ipip" | "gue" | "gre";

export interface DestKey {
  readonly addr: Ip;
  /** 0: the port of the packet. */
  readonly port: number;
}

export interface DestSpec extends DestKey {
  readonly method: Method;
  /** 0..2^31-1; 0 drains: no new conns. */
  readonly weight: number;
  /** Upper and lower connection thresholds, 0: none. */
  readonly upper: number;
  readonly lower: number;
  readonly tunnel: { readonly type: TunnelType; readonly port: number; readonly checksum: "none" | "csum" | "remcsum" };
  /** FullNAT over TCP: tell the real server the client's address in a TOA option (spec 10.2). */
  readonly toa: boolean;
}

/** Counters since the last zero; 64-bit in the data path, exact up to 2^53 here. */
export interface Counters {
  readonly conns: number;
  readonly inPackets: number;
  readonly outPackets: number;
  readonly inBytes: number;
  readonly outBytes: number;
}

/** Estimated rates per second (spec 6.2). */
export interface Rates {
  readonly cps: number;
  readonly inPps: number;
  readonly outPps: number;
  readonly inBps: number;
  readonly outBps: number;
}

/** Attempts to connect that came to nothing, since the dest was made. No more than counted: health checks may act on it. */
export interface Failures {
  /** SYNs answered with a RST. */
  readonly resets: number;
  /** SYNs that came again because no answer had. */
  readonly unanswered: number;
}

export interface Dest extends DestSpec {
  readonly activeConns: number;
  readonly inactiveConns: number;
  readonly persistConns: number;
  readonly counters: Counters;
  readonly rates: Rates;
  /** undefined where a data path does not see the answers, or does not count them. */
  readonly failures?: Failures;
  /** Where its packets go, for people: undefined where a data path does not know. */
  readonly hop?: { readonly state: "resolved" | "unresolved" | "unreachable" | "local"; readonly via?: string };
}

/** A director address of a FullNAT service's pool. */
export interface LocalAddress {
  readonly addr: Ip;
  /** Port candidates that were in use already, since the address was added. */
  readonly conflicts: number;
  readonly conns: number;
}

export interface Service extends ServiceSpec {
  /** Newest first, which is the order the schedulers walk (spec chapter 3). */
  readonly dests: readonly Dest[];
  readonly localAddresses: readonly LocalAddress[];
  readonly counters: Counters;
  readonly rates: Rates;
}

/** Seconds. */
export interface Timeouts {
  readonly tcp: number;
  readonly tcpFin: number;
  readonly udp: number;
}

export interface Endpoint {
  readonly addr: Ip;
  readonly port: number;
}

/** A flow that has been given a dest, or a persistence template (client port 0). */
export interface Conn {
  readonly protocol: Protocol | "ip";
  readonly client: Endpoint;
  readonly virtual: Endpoint;
  readonly dest: Endpoint;
  /** FullNAT: the source the real server sees. */
  readonly local?: Endpoint;
  readonly method: ConnMethod;
  /** The kernel's word: SYN_RECV, ESTABLISHED, UDP, NONE, ASSURED, … */
  readonly state: string;
  /** Seconds until expiry, whole, never negative. */
  readonly expiresIn: number;
  readonly active: boolean;
  readonly template: boolean;
  readonly fwmark: number;
  readonly pe?: { readonly name: string; readonly data: string };
}

export interface SyncDaemon {
  readonly state: "master" | "backup";
  readonly interface: string;
  readonly syncId: number;
  readonly maxLen?: number;
  readonly group?: Ip;
  readonly port?: number;
  readonly ttl?: number;
}

/** One change. ipvsadm's commands, a restore and a configuration reload are all lists of these. */
export type Operation =
  | { readonly op: "add-service" | "edit-service"; readonly service: ServiceSpec }
  | { readonly op: "delete-service"; readonly key: ServiceKey }
  | { readonly op: "flush" }
  | { readonly op: "add-dest" | "edit-dest"; readonly key: ServiceKey; readonly dest: DestSpec }
  | { readonly op: "delete-dest"; readonly key: ServiceKey; readonly dest: DestKey }
  | { readonly op: "add-laddr" | "delete-laddr"; readonly key: ServiceKey; readonly addr: Ip }
  | { readonly op: "zero"; readonly key?: ServiceKey }
  | { readonly op: "set-timeouts"; readonly timeouts: Partial<Timeouts> } // 0 or absent: unchanged
  | { readonly op: "set-setting"; readonly name: string; readonly value: string }
  | { readonly op: "start-daemon"; readonly daemon: SyncDaemon }
  | { readonly op: "stop-daemon"; readonly state: "master" | "backup" };

/** Why an operation of a list was refused: the kernel's errno name and a sentence. */
export interface Refusal {
  readonly index: number;
  readonly code: string;
  readonly message: string;
}

export interface DirectorInfo {
  /** 0x00010201: IPVS 1.2.1, whose behaviour is reproduced. */
  readonly version: number;
  /** Conn table size, as ipvsadm shows it. */
  readonly connTableSize: number;
}

export interface Director {
  readonly engine: "xdp" | "model" | "kernel";
  info(): DirectorInfo;
  /**
   * All operations or none: the list is checked as a whole before anything changes. Returns the refusals, [] when done.
   * Codes as spec 1.7 (EEXIST, ESRCH, ENOENT, ERANGE, EINVAL, EAFNOSUPPORT), and EOPNOTSUPP with a sentence for what
   * this data path cannot do.
   */
  apply(operations: readonly Operation[]): readonly Refusal[];
  services(): readonly Service[];
  service(key: ServiceKey): Service | undefined;
  conns(): Iterable<Conn>;
  timeouts(): Timeouts;
  settings(): Readonly<Record<string, string>>;
  syncDaemons(): readonly SyncDaemon[];
  /** Let time pass: expiry, estimators. `now` in ms of a monotonic clock. */
  tick(now: number): void;
  close(): void;
}

/** One text per key, for Maps and messages: "tcp 10.0.0.1:80", "fwmark 5 ipv6". */
export function serviceId(key: ServiceKey): string {
  return key.fwmark === undefined ? `${key.protocol} ${endpointText(key)}` : `fwmark ${key.fwmark} ${key.family}`;
}

export const familyOfService = (key: ServiceKey): Family =>
  key.fwmark === undefined ? (key.addr.includes(":") ? "ipv6" : "ipv4") : key.family;

export const endpointText = (e: Endpoint): string => (e.addr.includes(":") ? `[${e.addr}]:${e.port}` : `${e.addr}:${e.port}`);
export const sameDest = (a: DestKey, b: DestKey): boolean => a.addr === b.addr && a.port === b.port;

export const noCounters: Counters = { conns: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 };
export const noRates: Rates = { cps: 0, inPps: 0, outPps: 0, inBps: 0, outBps: 0 };
