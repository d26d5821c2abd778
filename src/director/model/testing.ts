import { type Ip, ip } from "../../net/ip.ts";
import { mac } from "../../net/mac.ts";
import { eth, type Frame } from "../../wire/build.ts";
import type { Conn, DestSpec, Operation, ServiceKey, ServiceSpec } from "../director.ts";
import { Model, type ModelOptions } from "./model.ts";
import type { Outcome } from "./outcome.ts";
import { resolvedHop, StaticWorld } from "./world.ts";

/**
 * A small network for tests:
 *
 *   client 10.1.0.3, 2001:db8:1::3        dests 10.2.0.11.., 2001:db8:2::11..
 *        |                                     |
 *        +-- if 1 --- director --- if 2 -------+
 *            VIP 10.1.0.100, 2001:db8:1::100   10.2.0.1, 2001:db8:2::1
 */
export const CLIENT_MAC = "02:00:00:00:01:03";
export const DIRECTOR_MAC1 = "02:00:00:00:01:01";
export const DIRECTOR_MAC2 = "02:00:00:00:02:01";
export const destMac = (n: number): string => `02:00:00:00:02:${n.toString().padStart(2, "0")}`;

export const CLIENT = "10.1.0.3";
export const VIP = "10.1.0.100";
export const RIP = "10.2.0.11";
export const CLIENT6 = "2001:db8:1::3";
export const VIP6 = "2001:db8:1::100";
export const RIP6 = "2001:db8:2::11";

export const web: ServiceKey = { protocol: "tcp", addr: ip(VIP), port: 80 };
export const dns: ServiceKey = { protocol: "udp", addr: ip(VIP), port: 53 };
export const web6: ServiceKey = { protocol: "tcp", addr: ip(VIP6), port: 80 };

export function addService(key: ServiceKey, more: Partial<ServiceSpec> = {}): Operation {
  const isIpv6 = key.fwmark === undefined ? key.addr.includes(":") : key.family === "ipv6";
  const plain = { scheduler: "rr", schedFlags: [], persistSeconds: 0, onePacket: false, pe: "" };
  return { op: "add-service", service: { key, netmask: isIpv6 ? 128 : 0xffffffff, ...plain, ...more } };
}

export function destSpec(addr: string, more: Partial<DestSpec> = {}): DestSpec {
  const tunnel = { type: "ipip", port: 0, checksum: "none" } as const;
  return { addr: ip(addr), port: 80, method: "nat", weight: 1, upper: 0, lower: 0, tunnel, toa: false, ...more };
}
export const addDest = (key: ServiceKey, addr: string, more: Partial<DestSpec> = {}): Operation => ({
  op: "add-dest",
  key,
  dest: destSpec(addr, more),
});
export const editDest = (key: ServiceKey, addr: string, more: Partial<DestSpec> = {}): Operation => ({
  op: "edit-dest",
  key,
  dest: destSpec(addr, more),
});
export const set = (name: string, value: string): Operation => ({ op: "set-setting", name, value });

/** A model in the network above, with a clock. */
export class Lab {
  readonly world: StaticWorld;
  readonly model: Model;
  now = 1_000_000; // ms
  /** Interface by which frames come when the test does not say. */
  constructor(operations: readonly Operation[] = [], options: Partial<ModelOptions> = {}) {
    const hops = Object.fromEntries([
      ...["10.1.0.2", CLIENT, "10.1.0.4", CLIENT6].map((addr) => [
        addr,
        resolvedHop(1, mac(CLIENT_MAC), mac(DIRECTOR_MAC1), ip("10.1.0.1")),
      ]),
      ...[11, 12, 13].flatMap((n) => [
        [`10.2.0.${n}`, resolvedHop(2, mac(destMac(n)), mac(DIRECTOR_MAC2), ip("10.2.0.1"))],
        [`2001:db8:2::${n}`, resolvedHop(2, mac(destMac(n)), mac(DIRECTOR_MAC2), ip("2001:db8:2::1"))],
      ]),
    ]);
    this.world = new StaticWorld(
      { 1: mac(DIRECTOR_MAC1), 2: mac(DIRECTOR_MAC2) },
      [ip(VIP), ip(VIP6), ip("10.2.0.1"), ip("10.2.0.2")],
      hops,
    );
    this.model = new Model({ world: this.world, random: () => 0, ...options });
    this.model.tick(this.now);
    this.apply(...operations);
  }

  apply(...operations: readonly Operation[]): void {
    const refusals = this.model.apply(operations);
    if (refusals.length > 0) throw new Error(JSON.stringify(refusals));
  }

  /** From the client's side. */
  in(frame: Frame | Uint8Array, mark = 0): Outcome {
    return this.model.receive(bytesOf(frame), { ifindex: 1, now: this.now, mark });
  }

  /** From the dests' side. */
  out(frame: Frame | Uint8Array): Outcome {
    return this.model.receive(bytesOf(frame), { ifindex: 2, now: this.now });
  }

  /** Seconds pass. */
  wait(seconds: number): void {
    this.now += seconds * 1000;
    this.model.tick(this.now);
  }

  conns(): Conn[] {
    return [...this.model.conns()];
  }
  /** "ESTABLISHED 900 active" of the only conn that is no template. */
  state(): string {
    const [conn] = this.conns().filter((each) => !each.template);
    return conn === undefined ? "none" : `${conn.state} ${conn.expiresIn}${conn.active ? " active" : ""}`;
  }
  /** "active/inactive" of a dest. */
  load(key: ServiceKey, addr: string): string {
    const dest = this.model.service(key)?.dests.find((each) => each.addr === (addr as Ip));
    return dest === undefined ? "none" : `${dest.activeConns}/${dest.inactiveConns}`;
  }
}

const bytesOf = (frame: Frame | Uint8Array): Uint8Array => (frame instanceof Uint8Array ? frame : frame.bytes());

/** A frame as the client sends it to the director, and as the director sends it to a dest or to the client. */
export const fromClient = (): Frame => eth(CLIENT_MAC, DIRECTOR_MAC1);
export const toClient = (): Frame => eth(DIRECTOR_MAC1, CLIENT_MAC);
export const fromDest = (n: number): Frame => eth(destMac(n), DIRECTOR_MAC2);
export const toDest = (n: number): Frame => eth(DIRECTOR_MAC2, destMac(n));

export const syn = (port = 1004, from = CLIENT, to = VIP): Frame => fromClient().ipv4(from, to).tcp(port, 80, "S");
