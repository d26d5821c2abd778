import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Ip, ip } from "../net/ip.ts";
import { netnsInode, netnsPath } from "./namespace.ts";
import { watchFd } from "./poll.ts";
import { closeFd } from "./process.ts";
import { ipAddress, packetAddress, type SocketAddress, toSocketAddress } from "./sockaddr.ts";
import {
  AF_INET,
  AF_INET6,
  bindSocket,
  connectSocket,
  getOption,
  getOptionBytes,
  interfaceIndex,
  localAddress,
  openPacketSocket,
  openSocket,
  receive,
  receiveFrom,
  SO_BINDTODEVICE,
  SOCK_DGRAM,
  SOCK_RAW,
  SOCK_STREAM,
  SOL_SOCKET,
  send,
  setOption,
  setReceiveTimeout,
} from "./socket.ts";

/** west (10.9.0.1) ── w, e ── east (10.9.0.2) */
const [WEST, EAST] = [`lvsd-sock-${process.pid}-w`, `lvsd-sock-${process.pid}-e`];
const [west, east] = [netnsPath(WEST), netnsPath(EAST)];
const run = (command: string) => execFileSync("ip", command.split(" "));

beforeAll(() => {
  run(`netns add ${WEST}`);
  run(`netns add ${EAST}`);
  run(`-n ${WEST} link add w type veth peer name e netns ${EAST}`);
  run(`-n ${WEST} address add 10.9.0.1/24 dev w`);
  run(`-n ${EAST} address add 10.9.0.2/24 dev e`);
  for (const [name, link] of [[WEST, "w"], [EAST, "e"], [WEST, "lo"]]) run(`-n ${name} link set ${link} up`); // biome-ignore format: pairs
});
afterAll(() => {
  for (const name of [WEST, EAST]) {
    try {
      run(`netns delete ${name}`);
    } catch {
      // was not made
    }
  }
});

const UDP = 17;
const text = (bytes: Uint8Array, length = bytes.length) => Buffer.from(bytes.subarray(0, length)).toString();
/** Runs with descriptors that are closed afterwards, come what may. */
async function using(fds: number[], body: () => void | Promise<void>): Promise<void> {
  try {
    await body();
  } finally {
    for (const fd of fds) closeFd(fd);
  }
}

test("a socket belongs to the namespace it was made in, and the thread is back home", () => {
  const home = netnsInode();
  const [here, there] = [openSocket(AF_INET, SOCK_DGRAM, 0), openSocket(AF_INET, SOCK_DGRAM, 0, east)];
  return using([here, there], () => {
    expect(netnsInode()).toBe(home);
    bindSocket(there, ipAddress(ip("10.9.0.2"), 4000));
    expect(localAddress(there)).toEqual(ipAddress(ip("10.9.0.2"), 4000));
    expect(() => bindSocket(here, ipAddress(ip("10.9.0.2"), 4000))).toThrow(expect.objectContaining({ code: "EADDRNOTAVAIL" }));
  });
});

test("a namespace that is not there is a Fault, and nothing has moved", () => {
  const home = netnsInode();
  expect(() => openSocket(AF_INET, SOCK_DGRAM, 0, netnsPath("lvsd-no-such"))).toThrow(
    expect.objectContaining({ code: "ENOENT" }),
  );
  expect(netnsInode()).toBe(home);
});

test("a datagram crosses namespaces, wakes the one who watches, and tells who sent it", async () => {
  const [sender, receiver] = [openSocket(AF_INET, SOCK_DGRAM, 0, west), openSocket(AF_INET, SOCK_DGRAM, 0, east)];
  await using([sender, receiver], async () => {
    bindSocket(receiver, ipAddress(ip("10.9.0.2"), 4001));
    bindSocket(sender, ipAddress(ip("10.9.0.1"), 4002));
    const buffer = new Uint8Array(64);
    expect(receive(receiver, buffer)).toBeUndefined();
    const came = new Promise<{ length: number; from: SocketAddress } | undefined>((resolve) => {
      const watch = watchFd(receiver, () => {
        watch.close();
        watch.close();
        resolve(receiveFrom(receiver, buffer));
      });
    });
    expect(send(sender, Buffer.from("hello"), ipAddress(ip("10.9.0.2"), 4001))).toBe(true);
    expect(await came).toEqual({ length: 5, from: ipAddress(ip("10.9.0.1"), 4002) });
    expect(text(buffer, 5)).toBe("hello");
  });
});

test("a datagram that does not fit says how long it was", async () => {
  const [sender, receiver] = [openSocket(AF_INET, SOCK_DGRAM, 0, west), openSocket(AF_INET, SOCK_DGRAM, 0, west)];
  await using([sender, receiver], () => {
    bindSocket(receiver, ipAddress(ip("127.0.0.1")));
    send(sender, Buffer.from("0123456789"), localAddress(receiver));
    expect(receive(receiver, new Uint8Array(4), { wait: true })).toBe(10);
  });
});

test("to wait for what does not come ends with the timeout", async () => {
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0, west);
  await using([fd], () => {
    setReceiveTimeout(fd, 30);
    const start = performance.now();
    expect(receive(fd, new Uint8Array(4), { wait: true })).toBeUndefined();
    expect(performance.now() - start).toBeGreaterThan(25);
  });
});

test("a frame that is crafted on one end is captured on the other, byte by byte", async () => {
  const [w, e] = [interfaceIndex("w", west)!, interfaceIndex("e", east)!];
  const LVSD_TEST = 0x88b5; // IEEE 802: for local experiments
  const [out, into] = [
    openPacketSocket(w, { namespace: west, protocol: 0 }),
    openPacketSocket(e, { namespace: east, protocol: LVSD_TEST }),
  ];
  await using([out, into], () => {
    const frame = Buffer.concat([
      Buffer.alloc(6, 0xff),
      Buffer.from("02000000000188b5", "hex"),
      Buffer.from("payload of the frame"),
    ]);
    setReceiveTimeout(into, 2000);
    send(out, frame);
    const buffer = new Uint8Array(2048);
    const got = receiveFrom(into, buffer, { wait: true });
    expect(got).toMatchObject({ length: frame.length, from: { family: "packet", ifindex: e, protocol: LVSD_TEST, kind: 1 } });
    expect(buffer.subarray(0, frame.length)).toEqual(new Uint8Array(frame));
    expect(receive(out, buffer)).toBeUndefined(); // for sending only
  });
});

test("a raw IP socket sends a packet whose header is ours", async () => {
  const [out, into] = [openSocket(AF_INET, SOCK_RAW, 255, west), openSocket(AF_INET, SOCK_RAW, 253, east)]; // 253: experiments
  await using([out, into], () => {
    const packet = Buffer.from("45000018000040004 0fd00000a0900010a090002deadbeef".replace(" ", ""), "hex");
    setReceiveTimeout(into, 2000);
    send(out, packet, ipAddress(ip("10.9.0.2")));
    const buffer = new Uint8Array(64);
    expect(receive(into, buffer, { wait: true })).toBe(24);
    expect(text(buffer, 24).endsWith(text(packet.subarray(20)))).toBe(true);
  });
});

test("options are read back as they were set", async () => {
  const fd = openSocket(AF_INET6, SOCK_DGRAM, UDP, west);
  await using([fd], () => {
    setOption(fd, SOL_SOCKET, 2, 1); // SO_REUSEADDR
    setOption(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from("w\0"));
    expect(getOption(fd, SOL_SOCKET, 2)).toBe(1);
    expect(text(getOptionBytes(fd, SOL_SOCKET, SO_BINDTODEVICE, 16))).toBe("w\0");
    expect(() => setOption(fd, SOL_SOCKET, 9999, 1)).toThrow(expect.objectContaining({ code: "ENOPROTOOPT" }));
  });
});

test("a connection to a closed port is refused with a Fault", async () => {
  const fd = openSocket(AF_INET, SOCK_STREAM, 0, west);
  await using([fd], () => {
    expect(() => connectSocket(fd, ipAddress(ip("127.0.0.1"), 9))).toThrow(expect.objectContaining({ code: "ECONNREFUSED" }));
  });
});

test("an interface that is not there has no number", () => {
  expect(interfaceIndex("w")).toBeUndefined();
  expect(interfaceIndex("nosuch", west)).toBeUndefined();
});

test("addresses have the kernel's layout", () => {
  const hex = (address: SocketAddress) => Buffer.from(toSocketAddress(address)).toString("hex");
  expect(hex(ipAddress("10.9.0.2" as Ip, 80))).toBe("020000500a0900020000000000000000");
  expect(hex(ipAddress("fe80::1" as Ip, 80, 7))).toBe("0a00005000000000fe80000000000000000000000000000107000000");
  expect(hex(packetAddress(7, 0x0800, Uint8Array.of(2, 0, 0, 0, 0, 1)))).toBe("1100080007000000000000060200000000010000");
});
