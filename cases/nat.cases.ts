import { client, conns, counts, holds, type PacketCase, run, server, serviceCounts, size, wait } from "./case.ts";
import { FAR_MTU, fromClient, fromServer, toClient, toServer, VIP } from "./network.ts";

/** NAT: both directions, ports, checksums, what else may stand in a packet (spec 5.4, 5.5, A.5). */

const service = `
  -A -t 10.1.0.100:80 -s rr
  -a -t 10.1.0.100:80 -r 10.2.0.11:80 -m
`;
const mapped = `
  -A -t 10.1.0.100:80 -s rr
  -a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m
`;
const udp = `
  -A -u 10.1.0.100:53 -s rr
  -a -u 10.1.0.100:53 -r 10.2.0.11:5353 -m
`;
const hello = { payload: "hello, world!" };
const bytes = (n: number) => ({ payload: new Uint8Array(n) });
const stamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
const C = "10.1.0.3";
const S = "10.2.0.11";
const FAR = "10.1.0.9";

/** What the real server hears of such an answer, from the director and about the packet as it was sent. */
const tooLong = (flags: string, options: { payload: Uint8Array }) =>
  toServer(S, "10.2.0.1", S, { ttl: 64, tos: 0xc0 }).icmp(3, 4, {
    rest: FAR_MTU,
    payload: fromServer(S, FAR)
      .tcp(8080, 1004, flags, options)
      .bytes()
      .subarray(14, 14 + 548),
  });

export const natCases: readonly PacketCase[] = [
  {
    name: "a request and its answer leave as the kernel sent them (spec A.5)",
    setup: service,
    steps: [
      client(fromClient(C, VIP, { id: 0x1234, df: true }).tcp(1004, 80, "S", { seq: 1000 }), "redirect nat", kernelRequest()),
      server(fromServer(S, C, { id: 0x1234 }).tcp(80, 1004, "SA", { seq: 1000 }), "redirect nat-reply", kernelReply()),
    ],
  },
  {
    name: "NAT maps the port and maps it back",
    setup: mapped,
    steps: [
      client(fromClient(C, VIP).tcp(1004, 80, "S"), "redirect nat", toServer(S, C, S).tcp(1004, 8080, "S")),
      server(fromServer(S, C).tcp(8080, 1004, "SA"), "redirect nat-reply", toClient(C, VIP).tcp(80, 1004, "SA")),
      client(fromClient(C, VIP).tcp(1004, 80, "PA", hello), "redirect nat", toServer(S, C, S).tcp(1004, 8080, "PA", hello)),
      server(fromServer(S, C).tcp(8080, 1004, "PA", hello), "redirect nat-reply", toClient(C, VIP).tcp(80, 1004, "PA", hello)),
      conns("tcp 10.1.0.3:1004 10.1.0.100:80 10.2.0.11:8080 nat ESTABLISHED active 900 s"),
      counts("10.2.0.11:8080", 1, 2, 2, 40 + 53, 40 + 53),
      serviceCounts(1, 2, 2, 93, 93),
    ],
  },
  {
    name: "a dest with port 0 is sent the packet's own port",
    setup: "-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.11:0 -m",
    steps: [client(fromClient(C, VIP).tcp(1004, 80, "S"), "redirect nat", toServer(S, C, S).tcp(1004, 80, "S"))],
  },
  {
    name: "UDP goes both ways, and each packet starts its 300 seconds anew",
    setup: udp,
    steps: [
      client(fromClient(C, VIP).udp(4000, 53, hello), "redirect nat", toServer(S, C, S).udp(4000, 5353, hello)),
      wait(200),
      server(fromServer(S, C).udp(5353, 4000, hello), "redirect nat-reply", toClient(C, VIP).udp(53, 4000, hello)),
      wait(299),
      conns("udp 10.1.0.3:4000 10.1.0.100:53 10.2.0.11:5353 nat UDP inactive 1 s"),
      holds("10.2.0.11:5353", "0/1"),
      wait(1.2),
      size(0),
      holds("10.2.0.11:5353", "0/0"),
      server(fromServer(S, C).udp(5353, 4000, hello), "pass no-service", "same"),
    ],
  },
  {
    name: "a datagram without a checksum leaves with one, in both directions (spec 5.5)",
    setup: udp,
    steps: [
      client(
        fromClient(C, VIP).udp(4000, 53, { ...hello, checksum: 0 }),
        "redirect nat",
        toServer(S, C, S).udp(4000, 5353, hello),
      ),
      server(
        fromServer(S, C).udp(5353, 4000, { ...hello, checksum: 0 }),
        "redirect nat-reply",
        toClient(C, VIP).udp(53, 4000, hello),
      ),
    ],
  },
  {
    name: "an empty datagram and one of odd length",
    setup: udp,
    steps: [
      client(fromClient(C, VIP).udp(4000, 53), "redirect nat", toServer(S, C, S).udp(4000, 5353)),
      client(
        fromClient(C, VIP).udp(4000, 53, { payload: "odd" }),
        "redirect nat",
        toServer(S, C, S).udp(4000, 5353, { payload: "odd" }),
      ),
    ],
  },
  {
    name: "IP and TCP options go along untouched",
    setup: mapped,
    steps: [
      client(
        fromClient(C, VIP, { options: [7, 7, 4, 0, 0, 0, 0] }).tcp(1004, 80, "S", { options: stamps }),
        "redirect nat",
        toServer(S, C, S, { options: [7, 7, 4, 0, 0, 0, 0] }).tcp(1004, 8080, "S", { options: stamps }),
      ),
      client(
        fromClient(C, VIP, { options: new Uint8Array(40).fill(1) }).tcp(1004, 80, "A", { options: new Uint8Array(40).fill(1) }),
        "redirect nat",
        toServer(S, C, S, { options: new Uint8Array(40).fill(1) }).tcp(1004, 8080, "A", { options: new Uint8Array(40).fill(1) }),
      ),
    ],
  },
  {
    name: "a wrong transport checksum is not made right: the dest will see that it is wrong",
    setup: mapped,
    steps: [
      client(fromClient(C, VIP).tcp(1004, 80, "S", { checksum: 0x1111 }), "redirect nat"),
      client(fromClient(C, VIP, { checksum: 0x1111 }).tcp(1005, 80, "S"), "pass bad-checksum", "same"),
      size(1),
    ],
  },
  {
    name: "padding behind a short packet is not its payload",
    setup: mapped,
    steps: [
      client(padded(fromClient(C, VIP).tcp(1004, 80, "S").bytes()), "redirect nat", toServer(S, C, S).tcp(1004, 8080, "S")),
      counts("10.2.0.11:8080", 1, 1, 0, 40, 0),
    ],
  },
  {
    name: "a client behind a gateway is answered through it",
    setup: mapped,
    steps: [
      client(fromClient("172.16.0.1", VIP).tcp(1004, 80, "S"), "redirect nat", toServer(S, "172.16.0.1", S).tcp(1004, 8080, "S")),
      server(
        fromServer(S, "172.16.0.1").tcp(8080, 1004, "SA"),
        "redirect nat-reply",
        toClient("172.16.0.1", VIP).tcp(80, 1004, "SA"),
      ),
    ],
  },
  {
    name: "a client whose next hop is not known is answered through the stack: translated, TTL as it was",
    setup: mapped,
    steps: [
      client(fromClient("203.0.113.7", VIP).tcp(1004, 80, "S"), "redirect nat"),
      server(fromServer(S, "203.0.113.7").tcp(8080, 1004, "SA"), "pass reply-slow", slowReply()),
    ],
  },
  {
    name: "an answer too long for the way to the client is refused with that way's MTU, be it the first or a later one",
    setup: mapped,
    steps: [
      client(fromClient(FAR, VIP).tcp(1004, 80, "S"), "redirect nat"),
      server(fromServer(S, FAR).tcp(8080, 1004, "SA", bytes(1261)), "tx too-big", tooLong("SA", bytes(1261))),
      server(
        fromServer(S, FAR).tcp(8080, 1004, "SA", bytes(1260)),
        "redirect nat-reply",
        toClient(FAR, VIP).tcp(80, 1004, "SA", bytes(1260)),
      ),
      server(fromServer(S, FAR).tcp(8080, 1004, "A", bytes(1261)), "tx too-big", tooLong("A", bytes(1261))),
      counts("10.2.0.11:8080", 1, 1, 1, 40, 1300),
      client(fromClient(C, VIP).tcp(1004, 80, "S"), "redirect nat"),
      server(
        fromServer(S, C).tcp(8080, 1004, "SA", bytes(1261)),
        "redirect nat-reply",
        toClient(C, VIP).tcp(80, 1004, "SA", bytes(1261)),
      ),
    ],
  },
  {
    name: "a real server beside the clients is reached through the interface the packet came by",
    setup: "-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.1.0.21:80 -m",
    steps: [
      client(fromClient(C, VIP).tcp(1004, 80, "S"), "tx nat"),
      client(fromClient("10.1.0.21", C).tcp(80, 1004, "SA"), "tx nat-reply", toClient(C, VIP).tcp(80, 1004, "SA")),
    ],
  },
  {
    name: "two clients with one port each keep their own conn",
    setup: mapped,
    steps: [
      client(fromClient(C, VIP).tcp(1004, 80, "S"), "redirect nat"),
      client(fromClient("10.1.0.4", VIP).tcp(1004, 80, "S"), "redirect nat"),
      server(
        fromServer(S, "10.1.0.4").tcp(8080, 1004, "SA"),
        "redirect nat-reply",
        toClient("10.1.0.4", VIP).tcp(80, 1004, "SA"),
      ),
      server(fromServer(S, C).tcp(8080, 1004, "SA"), "redirect nat-reply", toClient(C, VIP).tcp(80, 1004, "SA")),
      size(2),
    ],
  },
  {
    name: "TTL 255 and 2 are forwarded with one less",
    setup: mapped,
    steps: [
      client(fromClient(C, VIP, { ttl: 255 }).tcp(1, 80, "S"), "redirect nat", toServer(S, C, S, { ttl: 254 }).tcp(1, 8080, "S")),
      client(fromClient(C, VIP, { ttl: 2 }).tcp(1, 80, "A"), "redirect nat", toServer(S, C, S, { ttl: 1 }).tcp(1, 8080, "A")),
    ],
  },
  {
    name: "an answer with TTL 1 goes to the stack as it is, and is not counted",
    setup: mapped,
    steps: [
      client(fromClient(C, VIP).tcp(1004, 80, "S"), "redirect nat"),
      server(fromServer(S, C, { ttl: 1 }).tcp(8080, 1004, "SA"), "pass ttl", "same"),
      counts("10.2.0.11:8080", 1, 1, 0, 40, 0),
    ],
  },
  {
    name: "a conn keeps the method it began with when the dest is edited",
    setup: service,
    steps: [
      client(fromClient(C, VIP).tcp(1004, 80, "S"), "redirect nat"),
      run("-e -t 10.1.0.100:80 -r 10.2.0.11:80 -g"),
      client(fromClient(C, VIP).tcp(1004, 80, "A"), "redirect nat"),
      client(fromClient(C, VIP).tcp(1005, 80, "S"), "redirect route"),
    ],
  },
  {
    name: "a NAT dest that is the director itself gets the packet translated, through the stack",
    setup: "-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.1:8080 -m",
    steps: [client(fromClient(C, VIP).tcp(1004, 80, "S"), "pass local", fromClient(C, "10.2.0.1").tcp(1004, 8080, "S"))],
  },
];

function padded(bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(60);
  frame.set(bytes);
  return frame;
}

/** Ethernet as the director writes it, IP as the kernel did. */
function kernelRequest(): Uint8Array {
  const packet = "45000028123440003f06158c0a0100030a02000b03ec0050000003e8000000005002200073ae0000";
  return Uint8Array.from([...toServer(S, C, S).bytes().subarray(0, 14), ...Buffer.from(packet, "hex")]);
}
function kernelReply(): Uint8Array {
  const packet = "45000028123400003f0655340a0100640a010003005003ec000003e8000000005012200073460000";
  return Uint8Array.from([...toClient(C, VIP).bytes().subarray(0, 14), ...Buffer.from(packet, "hex")]);
}
/** Still on its way to the director's MAC. */
function slowReply(): Uint8Array {
  const rewritten = toClient("203.0.113.7", VIP, { ttl: 64 }).tcp(80, 1004, "SA").bytes();
  return Uint8Array.from([...fromServer(S, "203.0.113.7").bytes().subarray(0, 14), ...rewritten.subarray(14)]);
}
