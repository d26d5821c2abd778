import {
  type Conn,
  type DestSpec,
  familyOfService,
  type Operation,
  type Service,
  type ServiceKey,
  type ServiceSpec,
} from "../src/director/director.ts";
import { type Family, familyOf, type Ip, ip } from "../src/net/ip.ts";
import { eth, Frame, type Ipv4Options, type Ipv6Options } from "../src/wire/build.ts";
import {
  answersGoBack,
  extensionsEnd,
  ipv6Share,
  mixedShare,
  overloadsByOnePacket,
  refusesLastHopErrors,
  walksQuotes,
} from "./gaps.ts";
import { markOf } from "./model-plane.ts";
import { MARK, MARKED, ownMac, type Side, wireMac } from "./network.ts";
import type { Plane } from "./plane.ts";
import type { Random } from "./random.ts";
import type { Step } from "./script.ts";

/**
 * Random configurations, packets, edits and steps of time. The pools are small, so that packets meet conns, edits meet dests
 * and flows meet each other; the plane is asked what there is to answer or to break.
 */

/** Addresses of each family. */
const POOLS = {
  ipv4: {
    vips: [ip("10.1.0.100"), ip("10.1.0.101")],
    clients: ["10.1.0.3", "10.1.0.4", "172.16.0.1", "172.16.7.9", "10.1.0.30", "10.1.0.9", "203.0.113.7"].map(ip),
    dests: [11, 11, 12, 12, 13, 14, 20, 30, 31, 100].map((n) => ip(`10.2.0.${n}`)).concat(ip("10.1.0.21")),
    locals: [ip("10.2.0.100"), ip("10.2.0.101"), ip("10.2.0.1")],
    router: { client: ip("10.1.0.9"), server: ip("10.2.0.19") },
  },
  ipv6: {
    vips: [ip("2001:db8:1::100"), ip("2001:db8:1::101")],
    clients: [
      "2001:db8:1::3",
      "2001:db8:1::4",
      "2001:db8:16::1",
      "2001:db8:16::7:9",
      "2001:db8:1::30",
      "2001:db8:1::9",
      "2001:db8:9::7",
    ].map(ip),
    dests: [11, 11, 12, 12, 13, 14, 20, 30, 31, 100].map((n) => ip(`2001:db8:2::${n}`)).concat(ip("2001:db8:1::21")),
    locals: [ip("2001:db8:2::100"), ip("2001:db8:2::101"), ip("2001:db8:2::1")],
    router: { client: ip("2001:db8:1::9"), server: ip("2001:db8:2::19") },
  },
};
const PORTS = [80, 80, 443, 21];
const CLIENT_PORTS = [0, 1, 2, 3];
const FTP_DATA = 20;
const otherFamily = { ipv4: "ipv6", ipv6: "ipv4" } as const;
const PROTOCOLS = ["tcp", "tcp", "tcp", "udp", "udp", "sctp"] as const;
const SCHEDULERS = ["rr", "rr", "wrr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "dh", "sh", "mh", "lblc", "lblcr"];
const METHODS = ["nat", "nat", "route", "tunnel", "fullnat"] as const;
const TUNNELS: readonly DestSpec["tunnel"][] = [
  { type: "ipip", port: 0, checksum: "none" },
  { type: "gre", port: 0, checksum: "none" },
  { type: "gre", port: 0, checksum: "csum" },
  { type: "gue", port: 6080, checksum: "none" },
  { type: "gue", port: 6080, checksum: "csum" },
];
const TRANSLATING = ["nat", "fullnat"] as const;
const SETTINGS: readonly (readonly [string, readonly string[]])[] = [
  ["secure_tcp", ["0", "3"]],
  ["sloppy_tcp", ["0", "1"]],
  ["pmtu_disc", ["0", "1"]],
  ["conn_reuse_mode", ["0", "1", "2", "3"]],
  ["expire_quiescent_template", ["0", "1"]],
  ["nat_icmp_send", ["0", "1"]],
  ["schedule_icmp", ["0", "1"]],
];

/**
 * A template that is due while it has children lives on for 60 s, as long as a conn in SYN_RECV; two that are due at once have
 * no order. So only UDP's templates, whose children live for 4 s or 290 s, are that short-lived.
 */
const UDP_TIMEOUT = 290; // s
const PERSIST = { tcp: [0, 0, 0, 1000], udp: [0, 0, 0, 7, 33, 77, 400] }; // s
const NETMASKS = { ipv4: [0xffffffff, 0xffffff00, 0xff00ff00], ipv6: [128, 64, 33, 126] };

/** Each of the fewer than 50 waits ends at another fraction of a second: what lives for whole seconds never ends with one. */
const FRACTION = 20; // ms
const RANDOM_WAITS = 28;
const WAITS = [0, 0, 1, 2, 5, 9, 10, 30, 59, 60, 120, 200]; // s
/** As many ICMP errors are allowed by the time of the shortest wait: their limit has cases of its own. */
const MAX_IN_A_ROW = 18;
/** Packets between two looks at the conns that there are, which cost as much as a packet. */
const LOOK_EVERY = 4;

export class Generator {
  readonly #random: Random;
  readonly #plane: Plane;
  readonly #deleted: { key: ServiceKey; addr: Ip; port: number }[] = [];
  #waits = 0;
  #sinceWait = 0;
  #id = 0;
  #knownServices: readonly Service[] | undefined;
  #knownConns: readonly Conn[] = [];
  #sinceLook = LOOK_EVERY;

  constructor(random: Random, plane: Plane) {
    this.#random = random;
    this.#plane = plane;
  }

  /** The steps of one script, of about this many packets. Each is made after the plane has done the one before. */
  *steps(packets: number): Steps {
    const random = this.#random;
    yield { do: "wait", ms: FRACTION };
    yield this.#apply({ op: "set-timeouts", timeouts: { udp: UDP_TIMEOUT } });
    // Switched on later, it would be a matter of taste whether it is about dests that went before.
    if (random.chance(0.3)) yield this.#apply({ op: "set-setting", name: "expire_nodest_conn", value: "1" });
    for (let services = 1 + random.below(3); services > 0; services--) yield* this.#newService();
    for (let sent = 0; sent < packets; sent++) {
      const dice = random.next();
      if (dice < 0.03) yield* this.#change();
      if (++this.#sinceWait >= MAX_IN_A_ROW) yield this.#wait(0);
      else if (dice > 0.98 && this.#waits < RANDOM_WAITS) yield this.#wait(random.pick(WAITS));
      yield this.#packet();
    }
  }

  #wait(seconds: number): Step {
    this.#waits++;
    this.#sinceWait = 0;
    return { do: "wait", ms: seconds * 1000 + FRACTION };
  }

  // ---- what there is

  #services(): readonly Service[] {
    this.#knownServices ??= this.#plane.services();
    return this.#knownServices;
  }

  /** But for those that came a moment ago. */
  #conns(): readonly Conn[] {
    if (++this.#sinceLook < LOOK_EVERY) return this.#knownConns;
    this.#sinceLook = 0;
    this.#knownConns = this.#plane.conns().filter(({ template }) => !template);
    return this.#knownConns;
  }

  // ---- configuration

  #apply(operation: Operation): Step {
    this.#knownServices = undefined;
    return { do: "apply", operation };
  }

  *#newService(): Steps {
    const key = this.#key();
    if (this.#services().some((service) => JSON.stringify(service.key) === JSON.stringify(key))) return;
    yield this.#apply({ op: "add-service", service: this.#service(key) });
    for (let locals = this.#random.below(3); locals > 0; locals--) yield* this.#newLocal();
    for (let dests = this.#random.below(6); dests > 0; dests--) yield* this.#newDest(key);
  }

  #key(): ServiceKey {
    const random = this.#random;
    const family = this.#family();
    if (random.chance(0.15)) return { fwmark: MARK, family };
    return { protocol: random.pick(PROTOCOLS), addr: random.pick(POOLS[family].vips), port: random.pick(PORTS) };
  }

  #family(): Family {
    return this.#random.chance(ipv6Share) ? "ipv6" : "ipv4";
  }

  #service(key: ServiceKey): ServiceSpec {
    const random = this.#random;
    const isUdp = key.fwmark === undefined && key.protocol === "udp";
    return {
      ...{ key, scheduler: random.pick(SCHEDULERS), schedFlags: ([1, 2] as const).filter(() => random.chance(0.4)), pe: "" },
      persistSeconds: random.pick(PERSIST[isUdp ? "udp" : "tcp"]),
      netmask: random.pick(NETMASKS[familyOfService(key)]),
      onePacket: isUdp && random.chance(0.2),
    };
  }

  /** Without translation the port stays, as in ipvsadm. */
  #dest(key: ServiceKey, addr: Ip, port: number): DestSpec {
    const random = this.#random;
    const mayBeOnePacket = key.fwmark === undefined && key.protocol === "udp" && !overloadsByOnePacket;
    const upper = !mayBeOnePacket && random.chance(0.2) ? 1 + random.below(5) : 0;
    const isServicePort = key.fwmark === undefined && key.port === port;
    const isMixed = familyOf(addr) !== familyOfService(key);
    const method = isMixed ? "tunnel" : random.pick(isServicePort ? METHODS : TRANSLATING);
    return {
      ...{ addr, port, method, upper },
      lower: upper > 1 && random.chance(0.5) ? 1 + random.below(upper - 1) : 0,
      weight: random.pick([0, 1, 1, 1, 2, 3, 4, 6, 100]),
      tunnel: random.pick(TUNNELS),
      toa: method === "fullnat" && familyOf(addr) === "ipv4" && random.chance(0.5),
    };
  }

  *#newDest(key: ServiceKey): Steps {
    const service = this.#services().find((each) => JSON.stringify(each.key) === JSON.stringify(key));
    const isMixed = this.#random.chance(mixedShare);
    const port =
      isMixed && key.fwmark === undefined ? key.port : this.#random.pick([8080, key.fwmark === undefined ? key.port : 80]);
    const family = isMixed ? otherFamily[familyOfService(key)] : familyOfService(key);
    const dest = this.#dest(key, this.#random.pick(POOLS[family].dests), port);
    if (service === undefined || service.dests.some(({ addr, port }) => addr === dest.addr && port === dest.port)) return;
    yield this.#apply({ op: "add-dest", key, dest });
  }

  *#newLocal(): Steps {
    const service = this.#anyService();
    const addr = this.#random.pick(POOLS[service === undefined ? "ipv4" : familyOfService(service.key)].locals);
    if (service !== undefined && !service.localAddresses.some((local) => local.addr === addr))
      yield this.#apply({ op: "add-laddr", key: service.key, addr });
  }

  #anyService() {
    const services = this.#services();
    return services.length === 0 ? undefined : this.#random.pick(services);
  }

  *#change(): Steps {
    const random = this.#random;
    const service = this.#anyService();
    const dice = random.below(20);
    if (service === undefined || dice === 0) return yield* this.#newService();
    const { key } = service;
    if (dice === 1) {
      for (const { addr, port } of service.dests) this.#deleted.push({ key, addr, port });
      return yield this.#apply({ op: "delete-service", key });
    }
    if (dice === 2) return yield this.#apply({ op: "edit-service", service: this.#service(key) });
    if (dice === 3) return yield this.#setting();
    if (dice === 4) return yield this.#apply(random.chance(0.5) ? { op: "zero", key } : { op: "zero" });
    if (dice === 5) return yield* this.#changeLocals();
    if (dice === 6 && this.#deleted.length > 0) return yield* this.#revive();
    if (dice < 10 || service.dests.length === 0) return yield* this.#newDest(key);
    const dest = random.pick(service.dests);
    if (dice < 15) return yield this.#apply({ op: "edit-dest", key, dest: this.#dest(key, dest.addr, dest.port) });
    this.#deleted.push({ key, addr: dest.addr, port: dest.port });
    yield this.#apply({ op: "delete-dest", key, dest: { addr: dest.addr, port: dest.port } });
  }

  #setting(): Step {
    const random = this.#random;
    if (random.chance(0.3)) {
      const timeouts = { tcp: random.pick([5, 900]), tcpFin: random.pick([3, 120]), udp: random.pick([4, UDP_TIMEOUT]) };
      return this.#apply({ op: "set-timeouts", timeouts });
    }
    const [name, values] = random.pick(SETTINGS);
    return this.#apply({ op: "set-setting", name, value: random.pick(values) });
  }

  *#changeLocals(): Steps {
    const service = this.#services().find(({ localAddresses }) => localAddresses.length > 0);
    if (service === undefined || this.#random.chance(0.5)) return yield* this.#newLocal();
    yield this.#apply({ op: "delete-laddr", key: service.key, addr: this.#random.pick(service.localAddresses).addr });
  }

  /** A dest that was deleted, and may be in the trash, or its service as well. */
  *#revive(): Steps {
    const { key, addr, port } = this.#random.pick(this.#deleted);
    const services = this.#services();
    const service = services.find((each) => JSON.stringify(each.key) === JSON.stringify(key));
    if (service === undefined) yield this.#apply({ op: "add-service", service: this.#service(key) });
    if (!service?.dests.some((dest) => dest.addr === addr && dest.port === port))
      yield this.#apply({ op: "add-dest", key, dest: this.#dest(key, addr, port) });
  }

  // ---- packets

  #packet(): Step {
    const random = this.#random;
    const conns = this.#conns();
    const conn = conns.length > 0 && random.chance(0.75) ? random.pick(conns) : undefined;
    const dice = random.next();
    const [frame, by] =
      conn === undefined
        ? this.#opening()
        : dice < 0.45
          ? this.#request(conn)
          : dice < 0.85
            ? this.#answer(conn)
            : this.#icmp(conn);
    const bytes = frame.bytes();
    if (random.chance(0.03)) {
      const mutated = this.#mutated(bytes);
      if (!isTaboo(mutated)) return { do: "send", frame: mutated, by };
    }
    return { do: "send", frame: random.chance(0.05) && bytes.length < 60 ? padded(bytes) : bytes, by };
  }

  /** A packet as it reaches the director; its IP header is by chance. */
  #from(side: Side, source: Ip, destination: Ip, leastTtl = 0): Frame {
    return this.#ip(eth(wireMac(source), ownMac(side)), source, destination, true, leastTtl);
  }

  #ip(frame: Frame, source: Ip, destination: Ip, hasExtensions = true, leastTtl = 0): Frame {
    return familyOf(source) === "ipv4"
      ? frame.ipv4(source, destination, this.#ipv4(leastTtl))
      : frame.ipv6(source, destination, this.#ipv6(hasExtensions, leastTtl));
  }

  #ttl(): number {
    return this.#random.pick([1, 2, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 255, this.#random.below(256)]);
  }

  #ipv4(leastTtl: number): Ipv4Options {
    const random = this.#random;
    const isLater = random.chance(0.02);
    return {
      id: this.#id++ & 0xffff,
      ttl: Math.max(this.#ttl(), leastTtl),
      tos: random.chance(0.2) ? random.below(256) : 0,
      df: random.chance(0.7),
      ...(random.chance(0.03) && { options: Array.from({ length: 1 + random.below(10) }, () => [1, 1, 1, 1]).flat() }),
      ...(isLater && { fragmentOffset: 8 * (1 + random.below(100)) }),
      ...(random.chance(isLater ? 0.5 : 0.02) && { moreFragments: true }),
    };
  }

  #ipv6(hasExtensions: boolean, leastTtl: number): Ipv6Options {
    const random = this.#random;
    const extensions = [];
    if (hasExtensions && random.chance(0.03))
      extensions.push({ type: random.pick([0, 43, 60]), body: random.bytes(random.pick([6, 14])) });
    if (hasExtensions && random.chance(0.04)) extensions.push({ type: 44, body: this.#fragment() });
    return {
      hopLimit: Math.max(this.#ttl(), leastTtl),
      trafficClass: random.chance(0.2) ? random.below(256) : 0,
      flowLabel: random.chance(0.2) ? random.below(1 << 20) : 0,
      extensions,
    };
  }

  /** A fragment header without its next header; the second byte is 0 by the builder, as it should be. */
  #fragment(): Uint8Array {
    const random = this.#random;
    const id = this.#id++;
    const offset = random.pick([0, 0, 8, 800]) | random.below(2);
    return Uint8Array.from([offset >>> 8, offset & 255, 0, 0, id >>> 8, id & 255]);
  }

  #payload(): Uint8Array {
    const random = this.#random;
    const length = random.chance(0.06)
      ? random.pick([940, 960, 961, 980, 1260, 1261, 1272, 1273, 1400, 1432, 1440, 1441, 1452, 1460, 1461, 1480])
      : random.below(20);
    return new Uint8Array(length).fill(random.below(256));
  }

  #opening(): [Frame, Side] {
    const random = this.#random;
    const service = this.#anyService();
    const key = service !== undefined && random.chance(0.9) ? service.key : this.#key();
    const isMarked = key.fwmark !== undefined;
    const addr = isMarked ? MARKED[key.family] : key.addr;
    const protocol = isMarked ? random.pick(PROTOCOLS) : key.protocol;
    const port = isMarked ? random.pick(PORTS) : key.port;
    const { clients } = POOLS[familyOf(addr)];
    const flags = random.chance(0.8) ? "S" : this.#flags();
    const dport = isMarked || random.chance(0.95) ? port : random.pick([20, 22, 5000]);
    const packet = this.#from("client", random.pick(clients), addr);
    return [this.#segment(packet, protocol, this.#clientPort(addr, dport), dport, flags), "client"];
  }

  /** Another one for each service: see gaps.ts. */
  #clientPort(addr: Ip, port: number): number {
    if (this.#random.chance(0.02)) return FTP_DATA;
    const service = 1 + POOLS[familyOf(addr)].vips.indexOf(addr) * PORTS.length + PORTS.indexOf(port);
    return 1000 + (answersGoBack ? 0 : 16 * service) + this.#random.pick(CLIENT_PORTS);
  }

  #flags(): string {
    return this.#random.pick(["S", "SA", "A", "A", "A", "PA", "FA", "FA", "F", "R", "RA", "", "P", "SF", "SR", "AU"]);
  }

  #segment(packet: Frame, protocol: string, from: number, to: number, flags: string): Frame {
    const random = this.#random;
    const payload = this.#payload();
    if (protocol === "udp") return packet.udp(from, to, { payload, ...(random.chance(0.1) ? { checksum: 0 } : {}) });
    if (protocol === "sctp") return packet.sctp(from, to, { chunks: this.#chunks(flags === "S") });
    const seq = random.pick([0, 1, 1000, 0xffffffff]);
    const ack = random.pick([0, 1, 2, 1001, 0xffffffff]);
    const options = random.chance(0.2) ? random.bytes(4 * random.below(11)) : [];
    return packet.tcp(from, to, flags, {
      seq,
      ack,
      payload,
      options,
      ...(random.chance(0.01) && { checksum: random.below(65536) }),
    });
  }

  /** SCTP's: INIT opens. */
  #chunks(isOpening: boolean): { readonly type: number; readonly body: Uint8Array }[] {
    const random = this.#random;
    const type = isOpening ? 1 : random.pick([0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 14, 192]);
    const more = random.chance(0.3) ? [{ type: random.pick([0, 3, 6]), body: random.bytes(random.below(8)) }] : [];
    return [{ type, body: random.bytes(random.below(20)) }, ...more];
  }

  #request({ client, virtual, protocol }: Conn): [Frame, Side] {
    const packet = this.#from("client", client.addr, virtual.addr);
    return [this.#segment(packet, protocol, client.port, virtual.port, this.#flags()), "client"];
  }

  #answer({ client, virtual, dest, local, method, protocol }: Conn): [Frame, Side] {
    const isTranslated = method === "nat" || method === "fullnat";
    const from = isTranslated ? dest : virtual;
    const packet = this.#from("server", from.addr, (local ?? client).addr);
    return [this.#segment(packet, protocol, from.port, (local ?? client).port, this.#flags()), "server"];
  }

  /** An error about a request, from the server's side, or about an answer, from the client's. */
  #icmp({ client, virtual, dest, local, protocol }: Conn): [Frame, Side] {
    const random = this.#random;
    const isMixed = familyOf(dest.addr) !== familyOf(client.addr);
    const isAboutRequest = !isMixed && random.chance(0.6);
    const from = isAboutRequest ? (local ?? client) : virtual;
    const to = isAboutRequest ? dest : client;
    const header = this.#ip(new Frame(), from.addr, to.addr, walksQuotes);
    const quote = this.#segment(header, protocol, from.port, to.port, this.#flags());
    const payload = quote
      .bytes()
      .subarray(0, random.chance(0.7) ? (familyOf(from.addr) === "ipv4" ? 28 : 48) : random.below(120));
    const { router } = POOLS[familyOf(from.addr)];
    const packet = isAboutRequest
      ? this.#from("server", random.pick([dest.addr, router.server]), from.addr)
      : this.#from("client", random.pick([client.addr, router.client]), virtual.addr, refusesLastHopErrors ? 0 : 2);
    const side = isAboutRequest ? "server" : "client";
    const rest = random.pick([0, 1400]);
    if (familyOf(from.addr) === "ipv6")
      return [packet.icmpv6(random.pick([1, 1, 2, 3, 4, 100, 128, 129, 135]), random.below(5), { rest, payload }), side];
    return [packet.icmp(random.pick([3, 3, 3, 11, 11, 4, 5, 12, 0, 8]), random.below(5), { rest, payload }), side];
  }

  /** Some bytes are changed, or the end is cut off, or put on. */
  #mutated(bytes: Uint8Array): Uint8Array {
    const random = this.#random;
    const dice = random.below(4);
    if (dice === 0) return bytes.subarray(0, 14 + random.below(bytes.length - 13));
    if (dice === 1) return Uint8Array.from([...bytes, ...random.bytes(random.below(40))]);
    const changed = bytes.slice();
    for (let n = 1 + random.below(3); n > 0; n--) changed[random.below(Math.min(changed.length, 60))] = random.below(256);
    return changed;
  }
}

type Steps = globalThis.Generator<Step, void, undefined>;

function padded(bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(60);
  frame.set(bytes);
  return frame;
}

/** Another port of a fwmark's address would be one more service behind which a dest answers from one port: see gaps.ts. */
const isTaboo = (mutated: Uint8Array): boolean => reachesTooFar(mutated) || (!answersGoBack && markOf(mutated) !== 0);

/** Extension headers of IPv6 that end, or seem to, where the data path does not look any more. */
function reachesTooFar(frame: Uint8Array): boolean {
  if (frame[12] !== 0x86) return false;
  let [next, at] = [frame[20], 54];
  while ((next === 0 || next === 43 || next === 60 || next === 44) && at <= extensionsEnd) {
    const length = next === 44 ? 8 : ((frame[at + 1] ?? 0) + 1) * 8;
    next = frame[at];
    at += length;
  }
  return at > extensionsEnd;
}
