import { explain } from "../../fault.ts";
import type { Ip } from "../../net/ip.ts";
import type { Heard } from "../../vrrp/accept.ts";
import type { Instance } from "../../vrrp/config.ts";
import type { InterfaceAddress } from "../../wire/rtnetlink-address.ts";
import type { Link } from "../../wire/rtnetlink-link.ts";
import { isUp } from "./network.ts";
import type { Listen, Receiver, Sender } from "./ports.ts";
import { sourceOf } from "./source.ts";
import type { Unit } from "./unit.ts";

/** The sockets of all instances: opened when links and addresses allow it, shared where they can be. */

export interface SocketMaker {
  openSender(of: { family: Instance["family"]; link: Link | undefined; source: Ip; ttl: number }): Sender;
  openReceiver(listen: Listen, onPacket: (vrid: number, heard: Heard) => void): Receiver;
}

export class Wires {
  readonly #make: SocketMaker;
  readonly #onPacket: (listen: Listen, vrid: number, heard: Heard) => void;
  readonly #receivers = new Map<string, { readonly receiver: Receiver; readonly users: Set<Unit> }>();

  constructor(make: SocketMaker, onPacket: (listen: Listen, vrid: number, heard: Heard) => void) {
    this.#make = make;
    this.#onPacket = onPacket;
  }

  /** Opens, keeps or closes the sockets of an instance; nothing is sent from virtual addresses. Why they cannot be, in the words after "entering FAULT state". */
  check(unit: Unit, links: readonly Link[], addresses: readonly InterfaceAddress[], virtual: ReadonlySet<Ip>): readonly string[] {
    const { config: c, wire } = unit;
    const name = (c.vmacXmitBase ? undefined : c.vmac) ?? c.interface;
    const link = links.find((l) => l.name === name);
    const base = links.find((l) => l.name === c.interface);
    const source = sourceOf(c, base, addresses, virtual);
    const vmac = c.vmac === undefined ? undefined : links.find((l) => l.name === c.vmac);
    const trouble = troubleOf(c, { link, base, vmac }, source);
    if (trouble !== undefined || source === undefined) {
      this.close(unit);
      return trouble === undefined ? [] : [trouble];
    }
    if (wire !== undefined && wire.source === source && wire.link?.ifindex === link?.ifindex) return [];
    this.close(unit);
    try {
      this.#open(unit, link, source);
      return [];
    } catch (error) {
      this.close(unit);
      return [` (${explain(error)})`];
    }
  }

  #open(unit: Unit, link: Link | undefined, source: Ip): void {
    const { config: c } = unit;
    const { family } = c;
    // Where one of AH and plain is wanted the other is to be refused with a reason, so both are heard.
    const receivers = (family === "ipv4" && c.version === 2 ? [false, true] : [false]).map((ah) => {
      const receiver = this.#receiver(unit, { family, link, ah });
      if (c.receiveRoom !== undefined) receiver.makeRoom?.(c.receiveRoom);
      if (c.peers.length === 0) receiver.join(c.group);
      return receiver;
    });
    unit.wire = { sender: this.#make.openSender({ family, link, source, ttl: c.ttl }), receivers, source, link };
  }

  #receiver(unit: Unit, listen: Listen): Receiver {
    const key = `${listen.family} ${listen.link?.ifindex ?? 0} ${listen.ah}`;
    const known = this.#receivers.get(key);
    known?.users.add(unit);
    if (known !== undefined) return known.receiver;
    const receiver = this.#make.openReceiver(listen, (vrid, heard) => this.#onPacket(listen, vrid, heard));
    this.#receivers.set(key, { receiver, users: new Set([unit]) });
    return receiver;
  }

  drain(): void {
    for (const { receiver } of [...this.#receivers.values()]) receiver.drain();
  }

  close(unit: Unit): void {
    unit.wire?.sender.close();
    unit.wire = undefined;
    for (const [key, { receiver, users }] of this.#receivers) {
      if (!users.delete(unit) || users.size > 0) continue;
      receiver.close();
      this.#receivers.delete(key);
    }
  }
}

type Places = Readonly<Record<"link" | "base" | "vmac", Link | undefined>>;

function troubleOf(c: Instance, { link, base, vmac }: Places, source: Ip | undefined): string | undefined {
  if (c.faultWithoutPeers && c.peers.length === 0) return " (unicast without any peers)";
  const isMissing = c.interface !== undefined && (link === undefined || base === undefined);
  if (isMissing || (c.trackPrimary && base !== undefined && !isUp(base))) return ` (interface ${c.interface} down)`;
  if (vmac !== undefined && vmac.lower !== base?.ifindex) return ` (interface ${vmac.name} is not on ${c.interface})`;
  return source === undefined ? ` (no ${c.family === "ipv4" ? "IPv4" : "IPv6"} address for interface)` : undefined;
}

/** Is the packet for this instance at all? Multicast and unicast ones of one VRID may live side by side. */
export function isFor({ config, wire }: Unit, listen: Listen, heard: Heard): boolean {
  if (config.family !== listen.family || wire === undefined || wire.link?.ifindex !== listen.link?.ifindex) return false;
  if (heard.from === wire.source) return false; // an echo of our own
  return config.peers.length === 0 || heard.to === wire.source || heard.to === config.group;
}

/** May the sockets of an instance stay when it is configured anew? */
export const isSameWire = (a: Instance, b: Instance): boolean =>
  a.ttl === b.ttl && a.version === b.version && a.vmac === b.vmac && a.vmacXmitBase === b.vmacXmitBase;
