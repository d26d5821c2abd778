import type { Ip } from "../../src/net/ip.ts";
import { type MessageReader, messageReader } from "../../src/platform/message.ts";
import { netnsPath } from "../../src/platform/namespace.ts";
import { closeFd } from "../../src/platform/process.ts";
import { interfaceIndex, openPacketSocket, SOL_SOCKET, setOption, setReceiveRoom } from "../../src/platform/socket.ts";
import { openVrrpIpv4 } from "../../src/wire/vrrp-packet.ts";

/** Adverts on a wire, each with the time that the kernel saw it: how late the listener is does not matter. */

export interface Seen {
  /** Milliseconds of Date.now()'s clock, with fractions. */
  readonly at: number;
  readonly from: Ip;
  readonly vrid: number;
  readonly priority: number;
}

export interface Ear {
  /** What has come since the last call. */
  take(): readonly Seen[];
  close(): void;
}

const SO_TIMESTAMPNS = 35;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERNET = 14; // bytes
const ROOM = 16 << 20; // bytes

export function openEar(place: string): Ear {
  const namespace = netnsPath(place);
  const fd = openPacketSocket(interfaceIndex("eth0", namespace)!, { namespace });
  setOption(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  setReceiveRoom(fd, ROOM);
  const buffer = new Uint8Array(2048);
  const reader = messageReader(fd, buffer);
  return {
    take() {
      const seen: Seen[] = [];
      for (let one = next(reader, buffer); one !== undefined; one = next(reader, buffer)) if (one !== "other") seen.push(one);
      return seen;
    },
    close: () => closeFd(fd),
  };
}

function next(reader: MessageReader, buffer: Uint8Array): Seen | "other" | undefined {
  const got = reader.receive();
  if (got === undefined) return undefined;
  const stamp = got.controls.find((c) => c.level === SOL_SOCKET && c.type === SO_TIMESTAMPNS)?.data;
  if (stamp === undefined || ((buffer[12]! << 8) | buffer[13]!) !== ETHERTYPE_IPV4) return "other";
  const packet = openVrrpIpv4(buffer.slice(ETHERNET, got.length));
  if (typeof packet === "string") return "other";
  const time = new DataView(stamp.buffer, stamp.byteOffset, 16);
  const at = Number(time.getBigInt64(0, true)) * 1000 + Number(time.getBigInt64(8, true)) / 1e6;
  return { at, from: packet.src, vrid: packet.message[1]!, priority: packet.message[2]! };
}
