import type { Family } from "../../net/ip.ts";
import { change16, checksumOf, crc32c, sumOf, updated } from "../../wire/checksum.ts";
import { ETH_HEADER, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../../wire/eth.ts";
import { Ipv4View, PROTOCOL } from "../../wire/ipv4.ts";
import { IPV6_HEADER, Ipv6View, upperOf } from "../../wire/ipv6.ts";
import { SCTP_HEADER, SctpView } from "../../wire/sctp.ts";
import { TCP_HEADER } from "../../wire/tcp.ts";
import { UDP_HEADER } from "../../wire/udp.ts";
import { type Flow, flowOf } from "./flow.ts";

const IP = ETH_HEADER; // offset of the IP header in a frame
const ISAKMP = 500; // port of key exchange
const SCTP_LEAST = SCTP_HEADER + 4; // the first chunk's header is needed (spec 5.3)

/** One packet on its way through the pipeline: its frame, and where things stand in it. The frame that came is not changed. */
export class Packet {
  frame: Uint8Array;
  view: DataView;
  family: Family = "ipv4";
  protocol = 0;
  /** Offset of the transport header. */
  l4 = 0;
  /** Of the IP packet, bytes. */
  length = 0;
  ttl = 0;
  /** Must not be fragmented. Always so in IPv6. */
  df = false;
  fragment: "whole" | "first" | "later" = "whole";
  /** Tells the fragments of one datagram from others'. */
  fragmentKey = "";
  sourcePort = 0;
  destinationPort = 0;
  tcpFlags = 0;
  /** By which interface it came. */
  ifindex: number;
  mark: number;
  /** May it open a conn? */
  isOpening = true;
  #isOwn = false;

  constructor(frame: Uint8Array, ifindex: number, mark: number) {
    this.frame = frame;
    this.view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    this.ifindex = ifindex;
    this.mark = mark;
  }

  /** The network layer; undefined: all is well. */
  parseIp(): "malformed" | "bad-checksum" | "not-ip" | undefined {
    if (this.frame.length < ETH_HEADER) return "malformed";
    const type = this.view.getUint16(12);
    if (type === ETHERTYPE_IPV4) return this.#parseIpv4();
    return type === ETHERTYPE_IPV6 ? this.#parseIpv6() : "not-ip";
  }

  #parseIpv4(): "malformed" | "bad-checksum" | undefined {
    const ip = new Ipv4View(this.view, IP);
    if (ip.problem() !== undefined) return "malformed";
    if (!ip.isChecksumRight) return "bad-checksum";
    this.family = "ipv4";
    this.protocol = ip.protocol;
    this.l4 = ip.payloadAt;
    this.length = ip.totalLength;
    this.ttl = ip.ttl;
    this.df = ip.dontFragment;
    this.fragment = ip.fragmentOffset > 0 ? "later" : ip.moreFragments ? "first" : "whole";
    if (this.fragment !== "whole") this.fragmentKey = `${this.#text(IP + 12, 8)}${ip.protocol} ${ip.id}`;
    return undefined;
  }

  #parseIpv6(): "malformed" | undefined {
    const ip = new Ipv6View(this.view, IP);
    if (ip.problem() !== undefined) return "malformed";
    const upper = upperOf(ip);
    if (upper === "truncated") return "malformed";
    this.family = "ipv6";
    this.protocol = upper.protocol;
    this.l4 = upper.at;
    this.length = ip.totalLength;
    this.ttl = ip.hopLimit;
    this.df = true;
    if (upper.fragment !== undefined) {
      this.fragment = upper.fragment.offset > 0 ? "later" : upper.fragment.more ? "first" : "whole";
      this.fragmentKey = `${this.#text(IP + 8, 32)}${upper.protocol} ${this.view.getUint32(upper.at - 4)}`;
    }
    return undefined;
  }

  /** Ports and TCP flags; "truncated": the transport header is cut short. */
  parseTransport(): "truncated" | undefined {
    const header = this.protocol === PROTOCOL.tcp ? TCP_HEADER : this.protocol === PROTOCOL.udp ? UDP_HEADER : SCTP_LEAST;
    if (this.l4 + header > this.end) return "truncated";
    this.sourcePort = this.view.getUint16(this.l4);
    this.destinationPort = this.view.getUint16(this.l4 + 2);
    if (this.protocol === PROTOCOL.tcp) this.tcpFlags = this.view.getUint8(this.l4 + 13);
    return undefined;
  }

  /** AH and ESP have no ports: they follow the conn of their key exchange, and never open one (spec 4.2, 5.3). */
  followKeyExchange(): void {
    this.protocol = PROTOCOL.udp;
    this.sourcePort = ISAKMP;
    this.destinationPort = ISAKMP;
    this.fragment = "later"; // nothing of a transport header is here
    this.isOpening = false;
  }

  /** Where the IP packet ends; padding may follow. */
  get end(): number {
    return IP + this.length;
  }

  get addressesAt(): number {
    return this.family === "ipv4" ? IP + 12 : IP + 8;
  }
  get addressBytes(): number {
    return this.family === "ipv4" ? 8 : 32;
  }

  get key(): string {
    if (this.fragment === "later") return this.flow().key; // its ports stand in another packet
    const protocol = String.fromCharCode(this.protocol);
    if (this.l4 === this.addressesAt + this.addressBytes) return protocol + this.#text(this.addressesAt, this.addressBytes + 4);
    return protocol + this.#text(this.addressesAt, this.addressBytes) + this.#text(this.l4, 4);
  }

  flow(): Flow {
    const addresses = this.frame.slice(this.addressesAt, this.addressesAt + this.addressBytes);
    return flowOf(this.family, this.protocol, addresses, this.sourcePort, this.destinationPort);
  }

  /** Types of its SCTP chunks. */
  chunks(): number[] {
    return [...new SctpView(this.view, this.l4, this.end).chunks()];
  }

  #text(at: number, length: number): string {
    return Buffer.from(this.frame.buffer, this.frame.byteOffset + at, length).toString("latin1");
  }

  /** From here on the frame is a copy that may be changed. */
  own(): void {
    if (!this.#isOwn) this.#replace(this.frame.slice());
  }

  #replace(frame: Uint8Array): void {
    this.#isOwn = true;
    this.frame = frame;
    this.view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  }

  decrementTtl(): void {
    this.own();
    this.ttl--;
    if (this.family === "ipv6") {
      this.view.setUint8(IP + 7, this.ttl);
      return;
    }
    const before = this.view.getUint16(IP + 8);
    this.view.setUint16(IP + 8, before - 0x100);
    this.#updateIpChecksum(change16(before, before - 0x100));
  }

  /** The packet's flow becomes `to`; checksums follow by difference. SCTP's covers no addresses, but ports (spec 5.5). */
  setFlow(to: Flow): void {
    const addresses = this.setAddresses(to.addresses);
    if (this.fragment === "later") return;
    const ports = change16(this.sourcePort, to.sourcePort) + change16(this.destinationPort, to.destinationPort);
    const hasNewPorts = this.sourcePort !== to.sourcePort || this.destinationPort !== to.destinationPort;
    this.view.setUint16(this.l4, to.sourcePort);
    this.view.setUint16(this.l4 + 2, to.destinationPort);
    if (this.#isDatagramWithoutChecksum) this.#computeUdpChecksum(to);
    else if (this.protocol !== PROTOCOL.sctp) this.updateTransportChecksum(addresses + ports);
    else if (hasNewPorts) this.#computeSctpChecksum(); // as in the data path; of a fragment it is wrong either way
  }

  /** Source and destination; what the change adds to the sum of a checksum that covers them. */
  setAddresses(to: Uint8Array): number {
    this.own();
    let changes = 0;
    for (let i = 0; i < to.length; i += 2) {
      const after = (to[i]! << 8) | to[i + 1]!;
      changes += change16(this.view.getUint16(this.addressesAt + i), after);
      this.view.setUint16(this.addressesAt + i, after);
    }
    if (this.family === "ipv4") this.#updateIpChecksum(changes);
    return changes;
  }

  #updateIpChecksum(changes: number): void {
    this.view.setUint16(IP + 10, updated(this.view.getUint16(IP + 10), changes));
  }

  get #isDatagramWithoutChecksum(): boolean {
    return this.protocol === PROTOCOL.udp && this.family === "ipv4" && this.view.getUint16(this.l4 + 6) === 0;
  }

  /** The kernel gives it one (spec 5.5). A fragment's cannot be known. */
  #computeUdpChecksum({ addresses }: Flow): void {
    if (this.fragment !== "whole") return;
    const length = this.end - this.l4;
    const pseudo = sumOf(new DataView(addresses.buffer, addresses.byteOffset), 0, addresses.length) + PROTOCOL.udp + length;
    this.view.setUint16(this.l4 + 6, checksumOf(pseudo + sumOf(this.view, this.l4, length)) || 0xffff);
  }

  /** UDP: a checksum of 0 means none and stays so; a computed 0 is sent as ffff (RFC 768). */
  updateTransportChecksum(changes: number): void {
    const at = this.l4 + (this.protocol === PROTOCOL.tcp ? 16 : 6);
    const isUdp = this.protocol === PROTOCOL.udp;
    const before = this.view.getUint16(at);
    if (isUdp && before === 0) return;
    const after = updated(before, changes);
    this.view.setUint16(at, isUdp && after === 0 ? 0xffff : after);
  }

  #computeSctpChecksum(): void {
    this.view.setUint32(this.l4 + 8, 0);
    this.view.setUint32(this.l4 + 8, crc32c(this.frame.subarray(this.l4, this.end)), true);
  }

  /** Bytes put into the IP packet at `at`; lengths and checksums are the caller's. */
  insert(at: number, bytes: Uint8Array): void {
    const frame = new Uint8Array(this.frame.length + bytes.length);
    frame.set(this.frame.subarray(0, at));
    frame.set(bytes, at);
    frame.set(this.frame.subarray(at), at + bytes.length);
    this.length += bytes.length;
    this.#replace(frame);
  }

  /** Writes the length of the IP packet into its header. */
  setLength(): void {
    const [at, value] = this.family === "ipv4" ? [IP + 2, this.length] : [IP + 4, this.length - IPV6_HEADER];
    const before = this.view.getUint16(at);
    this.view.setUint16(at, value);
    if (this.family === "ipv4") this.#updateIpChecksum(change16(before, value));
  }

  /** Headers in front of the IP packet. */
  prepend(etherType: number, headers: Uint8Array): void {
    this.insert(IP, headers);
    this.view.setUint16(12, etherType);
  }

  /** Everything behind the MAC addresses is replaced. */
  setIp(etherType: number, ip: Uint8Array): void {
    const frame = new Uint8Array(ETH_HEADER + ip.length);
    frame.set(this.frame.subarray(0, 12));
    frame[12] = etherType >>> 8;
    frame[13] = etherType & 255;
    frame.set(ip, ETH_HEADER);
    this.length = ip.length;
    this.#replace(frame);
  }

  /** The IP packet, without padding. */
  ipBytes(): Uint8Array {
    return this.frame.subarray(IP, this.end);
  }
}
