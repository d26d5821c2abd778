import { expect, test } from "vitest";
import { ip } from "../net/ip.ts";
import { messageReader } from "./message.ts";
import { closeFd } from "./process.ts";
import { ipAddress } from "./sockaddr.ts";
import { AF_INET6, bindSocket, localAddress, openSocket, SOCK_DGRAM, send, setOption } from "./socket.ts";

const SOL_IPV6 = 41;
const [RECVPKTINFO, PKTINFO, RECVHOPLIMIT, HOPLIMIT, UNICAST_HOPS] = [49, 50, 51, 52, 16];

test("a datagram comes with its hop limit and its destination, also after a collection of garbage", () => {
  const [from, to] = [openSocket(AF_INET6, SOCK_DGRAM, 0), openSocket(AF_INET6, SOCK_DGRAM, 0)];
  try {
    bindSocket(to, ipAddress(ip("::1")));
    setOption(to, SOL_IPV6, RECVPKTINFO, 1);
    setOption(to, SOL_IPV6, RECVHOPLIMIT, 1);
    setOption(from, SOL_IPV6, UNICAST_HOPS, 77);
    const into = new Uint8Array(8);
    const reader = messageReader(to, into);
    expect(reader.receive()).toBeUndefined();
    for (let n = 0; n < 200; n++) {
      for (let i = 0; i < 200; i++) new Uint8Array(4096).fill(i); // so that what is not kept is collected
      send(from, Buffer.from(`datagram ${n}`), localAddress(to));
      const got = reader.receive()!; // loopback delivers while it sends
      const control = (type: number) => got.controls.find((c) => c.level === SOL_IPV6 && c.type === type)!.data;
      expect(control(HOPLIMIT)[0]).toBe(77);
      expect(control(PKTINFO).slice(0, 16)).toEqual(Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? 1 : 0)));
      expect([got.length, Buffer.from(into).toString()]).toEqual([`datagram ${n}`.length, "datagram"]);
      expect(got.from).toMatchObject({ family: "ip", ip: "::1" });
    }
  } finally {
    closeFd(from);
    closeFd(to);
  }
});
