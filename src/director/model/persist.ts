import { Conn } from "./conns.ts";
import type { DestState } from "./dest-state.ts";
import { type Flow, flowOf } from "./flow.ts";
import type { Plane } from "./plane.ts";
import type { ServiceState } from "./services.ts";

/** Persistence: templates keep the conns of a client, or of its network, on one dest (spec 4.9). */

const FTP = 21;
const NOWHERE = 0xffff;

/**
 * The template for the client of a flow, made when there is none that is valid.
 * @param pick the service's scheduler
 */
export function templateFor(
  plane: Plane,
  service: ServiceState,
  seen: Flow,
  mark: number,
  pick: () => DestState | undefined,
): Conn | "no-dest" | "table-full" {
  const hasPort = seen.destinationPort === service.port && service.port !== FTP;
  const flow = templateFlow(service, seen, hasPort ? seen.destinationPort : 0);
  const known = plane.conns.findTemplate(flow.key);
  if (known !== undefined && isValid(plane, known)) return known;
  if (known !== undefined) setAside(plane, known);
  const dest = pick();
  if (dest === undefined) return "no-dest";
  if (plane.conns.size >= plane.conns.capacity) return "table-full";
  const template = new Conn(service, flow, dest.spec.method, dest, hasPort ? dest.port : 0, { isTemplate: true, fwmark: mark });
  template.timeout = service.spec.persistSeconds * 1000;
  plane.conns.add(template, plane.now);
  return template;
}

/** Client network, port 0, to address and port; fwmark services have the mark in the place of the address. */
function templateFlow(service: ServiceState, seen: Flow, port: number): Flow {
  const { family } = seen;
  const addresses = seen.addresses.slice();
  const { key, netmask } = service.spec;
  const half = addresses.length / 2;
  mask(addresses.subarray(0, half), netmask);
  if (key.fwmark === undefined) return flowOf(family, seen.protocol, addresses, 0, port);
  addresses.fill(0, half);
  new DataView(addresses.buffer, addresses.byteOffset + half).setUint32(0, key.fwmark);
  return flowOf(family, 0, addresses, 0, port);
}

/** IPv4 by a mask in host order, IPv6 by a prefix length. */
function mask(address: Uint8Array, netmask: number): void {
  for (let i = 0; i < address.length; i++) {
    const bits = address.length === 4 ? netmask >>> (24 - 8 * i) : 0xff00 >>> Math.min(8, Math.max(0, netmask - 8 * i));
    address[i]! &= bits;
  }
}

function isValid(plane: Plane, template: Conn): boolean {
  const { dest } = template;
  return dest?.available === true && !(dest.weight === 0 && plane.knobs.expireQuiescentTemplate);
}

function setAside(plane: Plane, template: Conn): void {
  const { family, protocol, addresses } = template.in;
  plane.conns.setAside(template, flowOf(family, protocol, addresses, 0, NOWHERE));
}
