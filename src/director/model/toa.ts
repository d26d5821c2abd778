import { change16 } from "../../wire/checksum.ts";
import { PROTOCOL } from "../../wire/ipv4.ts";
import { TCP_FLAG, TCP_HEADER, TcpView } from "../../wire/tcp.ts";
import type { Conn } from "./conns.ts";
import type { Packet } from "./packet.ts";

/**
 * TOA (spec 10.2): a TCP option that tells the real server whose connection this is. It is the first option of the SYN
 * and of every client segment that still acknowledges nothing but the server's SYN, so until the server has sent data.
 */
const TOA_KIND = 254;
const TCP_HEADER_MAX = 60;

const toaLength = (packet: Packet): number => (packet.family === "ipv4" ? 8 : 20);

/** Nothing is in the way: no options or extension headers between, room in the header and on the path. */
export function wantsToa(packet: Packet, conn: Conn, mtu: number): boolean {
  if (!conn.hasToa || packet.fragment !== "whole" || packet.l4 !== packet.addressesAt + packet.addressBytes) return false;
  const tcp = new TcpView(packet.view, packet.l4, packet.end);
  const length = toaLength(packet);
  if (tcp.headerLength < TCP_HEADER || tcp.headerLength + length > TCP_HEADER_MAX || packet.length + length > mtu) return false;
  if (packet.tcpFlags & TCP_FLAG.rst) return false;
  return (packet.tcpFlags & TCP_FLAG.syn) !== 0 || tcp.ack === (conn.serverIsn + 1) >>> 0;
}

/** To be called after the rewrite: the client stands in conn.in. */
export function insertToa(packet: Packet, conn: Conn): void {
  const { addresses, sourcePort } = conn.in;
  const client = addresses.subarray(0, addresses.length / 2);
  const option = Uint8Array.from([TOA_KIND, 4 + client.length, sourcePort >>> 8, sourcePort & 255, ...client]);
  packet.insert(packet.l4 + TCP_HEADER, option);
  const { view, l4 } = packet;
  const before = view.getUint16(l4 + 12);
  const after = before + ((option.length / 4) << 12);
  view.setUint16(l4 + 12, after);
  let changes = change16(before, after) + option.length; // the pseudo header's length grows as well
  for (let i = 0; i < option.length; i += 2) changes += (option[i]! << 8) | option[i + 1]!;
  packet.updateTransportChecksum(changes);
  packet.setLength();
}

/** The server's SYN+ACK tells what the client will acknowledge first. */
export function noteServerIsn(packet: Packet, conn: Conn): void {
  if (!conn.hasToa || packet.protocol !== PROTOCOL.tcp || packet.fragment !== "whole") return;
  const isSynAck = (packet.tcpFlags & (TCP_FLAG.syn | TCP_FLAG.ack)) === (TCP_FLAG.syn | TCP_FLAG.ack);
  if (isSynAck) conn.serverIsn = new TcpView(packet.view, packet.l4, packet.end).seq;
}
