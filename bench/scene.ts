import { enterNetwork } from "../cases/namespace.ts";
import { CLIENT_SIDE, fromClient, fromServer, macOf, ownMac, SERVER_SIDE } from "../cases/network.ts";
import type { Method, Operation, ServiceKey } from "../src/director/director.ts";
import * as abi from "../src/director/xdp/abi.gen.ts";
import { Attachments } from "../src/director/xdp/attach.ts";
import type { Hop } from "../src/director/xdp/hops.ts";
import { type DataPath, loadDataPath } from "../src/director/xdp/loader.ts";
import { setU32, u32 } from "../src/director/xdp/memory.ts";
import { type HopSource, XdpCore } from "../src/director/xdp/xdp-director.ts";
import { type Ip, ip } from "../src/net/ip.ts";
import type { Frame } from "../src/wire/build.ts";
import { METHODS, type Protocol, type Row } from "./rows.ts";
import { FRAME, type Plan } from "./wrapper.ts";

/**
 * A director with services to measure: of every method one with one dest, whose conns stay, and one with two in turn, for
 * new conns. Clients are 172.16.0.0/16, behind the gateway of the cases' network.
 */

const VIP = "10.1.0.100";
const DESTS = ["10.2.0.11", "10.2.0.12"] as const;
/** Low half 0, which the flow's number takes. */
const CLIENTS = "172.16.0.0";
/** FullNAT's pool, 10.2.1.0 to 10.2.1.31: room for two million conns to one dest. */
const LOCAL_BITS = 5;
const LOCAL = { net: "10.2.0.0", base: 0x0100, pool: "10.2.1", firstPort: 5000 };
const CLIENT_BITS = 16;
const CLIENT_PORT = 10_000;
const HEADERS = { tcp: 54, udp: 42 }; // bytes, Ethernet included
/** Longer than any conn lives here. */
const FOREVER = 3600; // s

const portOf = (method: Method, dests: 1 | 2): number => 80 + METHODS.indexOf(method) + dests * 100;

export class Scene {
  readonly path: DataPath;
  readonly core: XdpCore;
  readonly #network: { leave(): void };

  /** @param capacity conns */
  constructor(capacity: number) {
    this.#network = enterNetwork();
    try {
      this.path = loadDataPath({ capacity, maxServices: 64, maxDests: 256 }, undefined);
    } catch (error) {
      this.#network.leave();
      throw error;
    }
    this.core = new XdpCore({ path: this.path, attachments: new Attachments(undefined), hops: serverSide });
    this.core.writeDevices([
      { ifindex: CLIENT_SIDE, mac: ownMac("client") },
      { ifindex: SERVER_SIDE, mac: ownMac("server") },
    ]);
    const refusals = this.core.apply(METHODS.flatMap((method) => [...services("tcp", method), ...services("udp", method)]));
    if (refusals.length > 0) throw new Error(refusals.map(({ message }) => message).join("; "));
  }

  /** Every conn goes, as by age, and FullNAT's pool begins at its first address and port again. */
  empty(): void {
    const { settings, laddrs, service_states: states } = this.path.memory;
    const pass = (jiffies: number) => {
      setU32(settings.view, abi.settings.clockOffset, (u32(settings.view, abi.settings.clockOffset) + jiffies) >>> 0);
      this.path.sweep();
    };
    pass(FOREVER * this.path.hz); // taken apart
    pass(2); // their slots given back
    for (let i = 0; i < laddrs.length; i++) setU32(laddrs.view, laddrs.at(i) + abi.laddr.next, 0);
    for (let i = 0; i < states.length; i++) setU32(states.view, states.at(i) + abi.serviceState.laddrTurn, 0);
    const left = this.core.tableUse().conns;
    if (left !== 0) throw new Error(`${left} conns outlived their time`);
  }

  close(): void {
    this.core.close();
    this.#network.leave();
  }
}

/** The packets of a row. */
export function planOf(row: Row): Plan {
  const frame = FRAMES[row.kind](row);
  const common = { flows: row.flows, order: row.order };
  if (row.kind !== "reply") return { ...common, ...client("source"), frame };
  if (row.method === "nat") return { ...common, ...client("destination"), frame };
  const local = { bits: LOCAL_BITS, addr: LOCAL.base, port: LOCAL.firstPort };
  return { ...common, ...local, side: "destination", ifindex: SERVER_SIDE, frame };
}

/** The packets that open a row's conns, flow 0 first: the order in which FullNAT's local ports are given. */
export function openingOf(row: Row & { readonly method: Method }): Plan {
  const frame = request(row, portOf(row.method, 1), "S");
  return { flows: row.flows, order: "as opened", ...client("source"), frame };
}

const client = (side: "source" | "destination") => ({
  ...{ side, bits: CLIENT_BITS, addr: 0, port: CLIENT_PORT },
  ifindex: side === "source" ? CLIENT_SIDE : SERVER_SIDE,
});

const methodOf = (row: Row): Method => (row.kind === "pass" ? "nat" : row.method);

const FRAMES: Readonly<Record<Row["kind"], (row: Row) => Uint8Array>> = {
  request: (row) => request(row, portOf(methodOf(row), 1), "A"),
  new: (row) => request(row, portOf(methodOf(row), 2), "S"),
  pass: (row) => request(row, 9, "A"),
  reply: (row) =>
    finish(fromServer(DESTS[0], methodOf(row) === "nat" ? CLIENTS : LOCAL.net), row.protocol, portOf(methodOf(row), 1), 0, "A"),
};

const request = (row: Row, to: number, flags: string): Uint8Array => finish(fromClient(CLIENTS, VIP), row.protocol, 0, to, flags);

function finish(ip: Frame, protocol: Protocol, from: number, to: number, flags: string): Uint8Array {
  const payload = new Uint8Array(FRAME - HEADERS[protocol]);
  return (protocol === "tcp" ? ip.tcp(from, to, flags, { payload }) : ip.udp(from, to, { payload })).bytes();
}

function services(protocol: Protocol, method: Method): Operation[] {
  return ([1, 2] as const).flatMap((count) => {
    const port = portOf(method, count);
    const key: ServiceKey = { protocol, addr: ip(VIP), port };
    const service = { key, scheduler: "rr", schedFlags: [], persistSeconds: 0, netmask: 0xffffffff, onePacket: false, pe: "" };
    const dest = (addr: string): Operation => ({
      ...{ op: "add-dest", key },
      dest: {
        ...{ addr: ip(addr), port, method, weight: 1, upper: 0, lower: 0, toa: false },
        tunnel: { type: "ipip", port: 0, checksum: "none" },
      },
    });
    const pool = method === "fullnat" ? Array.from({ length: 1 << LOCAL_BITS }, (_, i) => `${LOCAL.pool}.${i}`) : [];
    return [
      { op: "add-service", service },
      ...DESTS.slice(0, count).map(dest),
      ...pool.map((addr): Operation => ({ op: "add-laddr", key, addr: ip(addr) })),
    ];
  });
}

/** Every dest is resolved, on the server side. */
const serverSide: HopSource = { resolve: hopTo, want() {}, close() {} };

function hopTo(address: Ip): Hop {
  const [source, sourceMac, destinationMac] = [ip("10.2.0.1"), ownMac("server"), macOf(address)];
  return { ...{ state: "resolved", ifindex: SERVER_SIDE, via: address, mtu: 1500 }, source, sourceMac, destinationMac };
}
