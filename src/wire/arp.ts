import { type Ip, ipBytes, ipFromBytes } from "../net/ip.ts";
import { type Mac, mac, macBytes, macFromBytes } from "../net/mac.ts";
import { ETH_HEADER } from "./eth.ts";

/** ARP over Ethernet (RFC 826), and gratuitous ARP (RFC 5227 section 3). */

export const ETHERTYPE_ARP = 0x0806;
const ARP_BYTES = 28;
const BROADCAST = mac("ff:ff:ff:ff:ff:ff");
const OPERATION = { request: 1, reply: 2 } as const;

export interface Arp {
  readonly src: Mac;
  readonly dst: Mac;
  readonly operation: keyof typeof OPERATION;
  readonly senderMac: Mac;
  readonly senderIp: Ip;
  readonly targetMac: Mac;
  readonly targetIp: Ip;
}

export type ArpProblem = "length" | "type" | "operation";

/**
 * "ADDRESS is at MAC", to all. keepalived sends the request form, which all hosts heed; some switches and firewalls want
 * the reply form.
 */
export const gratuitousArp = (at: Mac, address: Ip, operation: "request" | "reply" = "request"): Arp => ({
  src: at,
  dst: BROADCAST,
  operation,
  senderMac: at,
  senderIp: address,
  targetMac: BROADCAST,
  targetIp: address,
});

/** "Who has ADDRESS?", from somebody who has one. */
export const arpRequest = (from: Mac, source: Ip, target: Ip): Arp => ({
  src: from,
  dst: BROADCAST,
  operation: "request",
  senderMac: from,
  senderIp: source,
  targetMac: mac("00:00:00:00:00:00"),
  targetIp: target,
});

/** A frame. */
export function emitArp(arp: Arp): Uint8Array {
  const bytes = new Uint8Array(ETH_HEADER + ARP_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(macBytes(arp.dst), 0);
  bytes.set(macBytes(arp.src), 6);
  view.setUint16(12, ETHERTYPE_ARP);
  view.setUint16(14, 1); // Ethernet
  view.setUint16(16, 0x0800); // IPv4
  bytes.set([6, 4], 18);
  view.setUint16(20, OPERATION[arp.operation]);
  bytes.set(macBytes(arp.senderMac), 22);
  bytes.set(ipBytes(arp.senderIp), 28);
  bytes.set(macBytes(arp.targetMac), 32);
  bytes.set(ipBytes(arp.targetIp), 38);
  return bytes;
}

/** From a frame, which may be padded. Never throws. */
export function parseArp(frame: Uint8Array): Arp | ArpProblem {
  if (frame.length < ETH_HEADER + ARP_BYTES) return "length";
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const kind = [view.getUint16(12), view.getUint16(14), view.getUint16(16), view.getUint16(18)];
  if (kind[0] !== ETHERTYPE_ARP || kind[1] !== 1 || kind[2] !== 0x0800 || kind[3] !== 0x0604) return "type";
  const number = view.getUint16(20);
  if (number !== OPERATION.request && number !== OPERATION.reply) return "operation";
  return {
    src: macAt(frame, 6),
    dst: macAt(frame, 0),
    operation: number === OPERATION.request ? "request" : "reply",
    senderMac: macAt(frame, 22),
    senderIp: ipFromBytes(frame.subarray(28, 32)),
    targetMac: macAt(frame, 32),
    targetIp: ipFromBytes(frame.subarray(38, 42)),
  };
}

const macAt = (frame: Uint8Array, at: number): Mac => macFromBytes(frame.subarray(at, at + 6))!;
