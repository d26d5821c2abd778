import { eth } from "../src/wire/build.ts";
import { client, conns, counts, holds, type PacketCase, run, server, size, wait } from "./case.ts";
import { fromClient, fromServer, ownMac, toClient, toServer, VIP } from "./network.ts";

/** DR, TUN, FullNAT and local delivery (spec 2.2, 5.5, 10, A.5). */

const C = "10.1.0.3";
const S = "10.2.0.11";
const hello = { payload: "hello, world!" };

/** What a tunnel packet is: outer addresses of director and real server. */
const outer = (server: string, options: { tos?: number; ttl?: number; df?: boolean; id?: number }) =>
  toServer(server, "10.2.0.1", server, options);
const payload = (length: number) => ({ payload: new Uint8Array(length - 40) });

export const routeCases: readonly PacketCase[] = [
  {
    name: "DR changes the MAC addresses and the TTL, as the kernel sent it (spec A.5)",
    setup: "-A -t 10.1.0.100:81 -s rr \n -a -t 10.1.0.100:81 -r 10.2.0.11:81 -g",
    steps: [
      client(
        fromClient(C, VIP, { id: 0x1234, df: true }).tcp(2001, 81, "S", { seq: 1000 }),
        "redirect route",
        toServer(S, C, VIP, { id: 0x1234, df: true }).tcp(2001, 81, "S", { seq: 1000 }),
      ),
      conns("tcp 10.1.0.3:2001 10.1.0.100:81 10.2.0.11:81 route SYN_RECV active 60 s"),
    ],
  },
  {
    name: "answers of a DR dest do not pass the director; one that does is nobody's",
    setup: "-A -t 10.1.0.100:81 -s rr \n -a -t 10.1.0.100:81 -r 10.2.0.11:81 -g",
    steps: [
      client(fromClient(C, VIP).tcp(2001, 81, "S"), "redirect route"),
      server(fromServer(S, C).tcp(81, 2001, "SA"), "pass no-service", "same"),
    ],
  },
  {
    name: "a DR dest beside the clients: back out of the interface it came by",
    setup: "-A -u 10.1.0.100:53 -s rr \n -a -u 10.1.0.100:53 -r 10.1.0.21:53 -g",
    steps: [client(fromClient(C, VIP).udp(1, 53, hello), "tx route")],
  },
  {
    name: "too large for the path of a DR dest: refused with its MTU",
    setup: "-A -t 10.1.0.100:81 -s rr \n -a -t 10.1.0.100:81 -r 10.2.0.20:81 -g",
    steps: [
      client(fromClient(C, VIP, { df: true }).tcp(1, 81, "S", payload(1000)), "redirect route"),
      client(
        fromClient(C, VIP, { df: true, tos: 0x28 }).tcp(1, 81, "A", payload(1001)),
        "tx too-big",
        toClient(C, VIP, { ttl: 64, tos: 0xc8 }).icmp(3, 4, {
          rest: 1000,
          payload: fromClient(C, VIP, { df: true, tos: 0x28, ttl: 63 })
            .tcp(1, 81, "A", payload(1001))
            .bytes()
            .subarray(14, 14 + 548),
        }),
      ),
      counts("10.2.0.20:81", 1, 2, 0, 2001, 0),
    ],
  },
];

export const tunnelCases: readonly PacketCase[] = [
  {
    name: "IPIP: TOS, TTL, DF and id of the inner packet are the outer ones' (spec A.5)",
    setup: "-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.13:80 -i",
    steps: [
      client(
        fromClient(C, VIP, { tos: 0x28, ttl: 33, df: true, id: 0x4711 }).tcp(1, 80, "S"),
        "redirect tunnel",
        outer("10.2.0.13", { tos: 0x28, ttl: 32, df: true, id: 0x4711 })
          .ipv4(C, VIP, { tos: 0x28, ttl: 32, df: true, id: 0x4711 })
          .tcp(1, 80, "S"),
      ),
    ],
  },
  {
    name: "IPIP: no DF inside, none outside; congestion experienced is not copied outward (RFC 6040)",
    setup: "-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.13:80 -i",
    steps: [
      client(
        fromClient(C, VIP, { tos: 3 }).tcp(1, 80, "S"),
        "redirect tunnel",
        outer("10.2.0.13", { tos: 2 }).ipv4(C, VIP, { tos: 3, ttl: 63 }).tcp(1, 80, "S"),
      ),
      client(
        fromClient(C, VIP, { tos: 0xff }).tcp(1, 80, "A"),
        "redirect tunnel",
        outer("10.2.0.13", { tos: 0xfe }).ipv4(C, VIP, { tos: 0xff, ttl: 63 }).tcp(1, 80, "A"),
      ),
    ],
  },
  {
    name: "IPIP: pmtu_disc off, the outer packet may be fragmented",
    setup: "pmtu_disc=0 \n -A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.13:80 -i",
    steps: [
      client(
        fromClient(C, VIP, { df: true }).tcp(1, 80, "S"),
        "redirect tunnel",
        outer("10.2.0.13", {}).ipv4(C, VIP, { df: true, ttl: 63 }).tcp(1, 80, "S"),
      ),
    ],
  },
  {
    name: "IPIP: 1480 bytes fit into the path's 1500, 1481 are refused with MTU 1480",
    setup: "-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.13:80 -i",
    steps: [
      client(
        fromClient(C, VIP, { df: true }).tcp(1, 80, "S", payload(1480)),
        "redirect tunnel",
        outer("10.2.0.13", { df: true }).ipv4(C, VIP, { df: true, ttl: 63 }).tcp(1, 80, "S", payload(1480)),
      ),
      client(
        fromClient(C, VIP, { df: true }).tcp(1, 80, "A", payload(1481)),
        "tx too-big",
        toClient(C, VIP, { ttl: 64, tos: 0xc0 }).icmp(3, 4, {
          rest: 1480,
          payload: fromClient(C, VIP, { df: true, ttl: 63 })
            .tcp(1, 80, "A", payload(1481))
            .bytes()
            .subarray(14, 14 + 548),
        }),
      ),
      counts("10.2.0.13:80", 1, 2, 0, 2961, 0),
    ],
  },
  {
    name: "IPIP: UDP of every small length, checksums and all",
    setup: "-A -u 10.1.0.100:53 -s rr \n -a -u 10.1.0.100:53 -r 10.2.0.13:53 -i",
    steps: [0, 1, 2, 3, 17].map((length) => {
      const data = { payload: new Uint8Array(length).fill(0xab) };
      return client(
        fromClient(C, VIP).udp(1, 53, data),
        "redirect tunnel",
        outer("10.2.0.13", {}).ipv4(C, VIP, { ttl: 63 }).udp(1, 53, data),
      );
    }),
  },
  {
    name: "IPIP to a dest whose path is smaller",
    setup: "-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.20:80 -i",
    steps: [
      client(fromClient(C, VIP, { df: true }).tcp(1, 80, "S", payload(980)), "redirect tunnel"),
      client(fromClient(C, VIP, { df: true }).tcp(1, 80, "A", payload(981)), "tx too-big"),
    ],
  },
];

const pool = `
  -A -t 10.1.0.100:80 -s rr
  -P -t 10.1.0.100:80 -z 10.2.0.100
`;
const full = `${pool} -a -t 10.1.0.100:80 -r 10.2.0.11:8080 --fullnat`;
const L = "10.2.0.100";
const toa = (port: number, address: number[]) => [254, 8, port >> 8, port & 255, ...address];

export const fullnatCases: readonly PacketCase[] = [
  {
    name: "FullNAT speaks from a local address and port, and back",
    setup: full,
    steps: [
      client(fromClient(C, VIP).tcp(1004, 80, "S"), "redirect fullnat", toServer(S, L, S).tcp(5000, 8080, "S")),
      server(fromServer(S, L).tcp(8080, 5000, "SA"), "redirect fullnat-reply", toClient(C, VIP).tcp(80, 1004, "SA")),
      client(fromClient(C, VIP).tcp(1004, 80, "PA", hello), "redirect fullnat", toServer(S, L, S).tcp(5000, 8080, "PA", hello)),
      conns("tcp 10.1.0.3:1004 10.1.0.100:80 10.2.0.11:8080 10.2.0.100:5000 fullnat ESTABLISHED active 900 s"),
      counts("10.2.0.11:8080", 1, 2, 1, 93, 40),
    ],
  },
  {
    name: "each conn has a port of its own",
    setup: full,
    steps: [
      client(fromClient(C, VIP).tcp(1004, 80, "S"), "redirect fullnat", toServer(S, L, S).tcp(5000, 8080, "S")),
      client(fromClient("10.1.0.4", VIP).tcp(1004, 80, "S"), "redirect fullnat", toServer(S, L, S).tcp(5001, 8080, "S")),
      server(fromServer(S, L).tcp(8080, 5001, "SA"), "redirect fullnat-reply", toClient("10.1.0.4", VIP).tcp(80, 1004, "SA")),
      server(fromServer(S, L).tcp(8080, 5000, "SA"), "redirect fullnat-reply", toClient(C, VIP).tcp(80, 1004, "SA")),
      server(fromServer(S, L).tcp(8080, 5002, "SA"), "pass no-service", "same"),
    ],
  },
  {
    name: "the pool's addresses take turns",
    setup: `${pool} -P -t 10.1.0.100:80 -z 10.2.0.101 \n -a -t 10.1.0.100:80 -r 10.2.0.11:80 --fullnat`,
    steps: [
      client(fromClient(C, VIP).tcp(1, 80, "S"), "redirect fullnat", toServer(S, "10.2.0.100", S).tcp(5000, 80, "S")),
      client(fromClient(C, VIP).tcp(2, 80, "S"), "redirect fullnat", toServer(S, "10.2.0.101", S).tcp(5000, 80, "S")),
      client(fromClient(C, VIP).tcp(3, 80, "S"), "redirect fullnat", toServer(S, "10.2.0.100", S).tcp(5001, 80, "S")),
    ],
  },
  {
    name: "an empty pool refuses, quietly, and leaves nothing behind",
    setup: "-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.11:80 --fullnat",
    steps: [
      client(fromClient(C, VIP).tcp(1, 80, "S"), "drop no-local-address"),
      size(0),
      holds("10.2.0.11:80", "0/0"),
      counts("10.2.0.11:80", 0, 0, 0, 0, 0),
    ],
  },
  {
    name: "the pool's address is taken away: conns stay, new ones are refused",
    setup: full,
    steps: [
      client(fromClient(C, VIP).tcp(1004, 80, "S"), "redirect fullnat"),
      run("-Q -t 10.1.0.100:80 -z 10.2.0.100"),
      client(fromClient(C, VIP).tcp(1004, 80, "A"), "redirect fullnat", toServer(S, L, S).tcp(5000, 8080, "A")),
      client(fromClient(C, VIP).tcp(1005, 80, "S"), "drop no-local-address"),
    ],
  },
  {
    name: "the client's address goes along in the SYN and in what follows until the server has sent data (spec 10.2)",
    setup: `${pool} -a -t 10.1.0.100:80 -r 10.2.0.11:80 --fullnat --toa`,
    steps: [
      client(
        fromClient(C, VIP).tcp(0xc000, 80, "S", { seq: 99, options: [2, 4, 5, 180] }),
        "redirect fullnat",
        toServer(S, L, S).tcp(5000, 80, "S", { seq: 99, options: [...toa(0xc000, [10, 1, 0, 3]), 2, 4, 5, 180] }),
      ),
      server(fromServer(S, L).tcp(80, 5000, "SA", { seq: 7000, ack: 100 }), "redirect fullnat-reply"),
      client(
        fromClient(C, VIP).tcp(0xc000, 80, "A", { seq: 100, ack: 7001 }),
        "redirect fullnat",
        toServer(S, L, S).tcp(5000, 80, "A", { seq: 100, ack: 7001, options: toa(0xc000, [10, 1, 0, 3]) }),
      ),
      client(
        fromClient(C, VIP).tcp(0xc000, 80, "PA", { seq: 100, ack: 7001, ...hello }),
        "redirect fullnat",
        toServer(S, L, S).tcp(5000, 80, "PA", { seq: 100, ack: 7001, ...hello, options: toa(0xc000, [10, 1, 0, 3]) }),
      ),
      server(fromServer(S, L).tcp(80, 5000, "PA", { seq: 7001, ack: 113, ...hello }), "redirect fullnat-reply"),
      client(
        fromClient(C, VIP).tcp(0xc000, 80, "A", { seq: 113, ack: 7014 }),
        "redirect fullnat",
        toServer(S, L, S).tcp(5000, 80, "A", { seq: 113, ack: 7014 }),
      ),
    ],
  },
  {
    name: "TOA: acknowledging a sequence number that goes round",
    setup: `${pool} -a -t 10.1.0.100:80 -r 10.2.0.11:80 --fullnat --toa`,
    steps: [
      client(fromClient(C, VIP).tcp(1, 80, "S"), "redirect fullnat"),
      server(fromServer(S, L).tcp(80, 5000, "SA", { seq: 0xffffffff }), "redirect fullnat-reply"),
      client(
        fromClient(C, VIP).tcp(1, 80, "A", { ack: 0 }),
        "redirect fullnat",
        toServer(S, L, S).tcp(5000, 80, "A", { ack: 0, options: toa(1, [10, 1, 0, 3]) }),
      ),
    ],
  },
  {
    name: "TOA: no option in a full segment, a full header, or behind IP options; none in a RST",
    setup: `${pool} -a -t 10.1.0.100:80 -r 10.2.0.11:80 --fullnat --toa`,
    steps: [
      client(
        fromClient(C, VIP).tcp(1, 80, "S", payload(1492)),
        "redirect fullnat",
        toServer(S, L, S).tcp(5000, 80, "S", { ...payload(1492), options: toa(1, [10, 1, 0, 3]) }),
      ),
      client(
        fromClient(C, VIP).tcp(1, 80, "S", payload(1493)),
        "redirect fullnat",
        toServer(S, L, S).tcp(5000, 80, "S", payload(1493)),
      ),
      client(
        fromClient(C, VIP).tcp(1, 80, "S", { options: new Uint8Array(36).fill(1) }),
        "redirect fullnat",
        toServer(S, L, S).tcp(5000, 80, "S", { options: new Uint8Array(36).fill(1) }),
      ),
      client(
        fromClient(C, VIP).tcp(1, 80, "S", { options: new Uint8Array(32).fill(1) }),
        "redirect fullnat",
        toServer(S, L, S).tcp(5000, 80, "S", { options: [...toa(1, [10, 1, 0, 3]), ...new Uint8Array(32).fill(1)] }),
      ),
      client(
        fromClient(C, VIP, { options: [1, 1, 1, 1] }).tcp(1, 80, "S"),
        "redirect fullnat",
        toServer(S, L, S, { options: [1, 1, 1, 1] }).tcp(5000, 80, "S"),
      ),
      client(
        fromClient(C, VIP).tcp(1, 80, "RA", { ack: 1 }),
        "redirect fullnat",
        toServer(S, L, S).tcp(5000, 80, "RA", { ack: 1 }),
      ),
    ],
  },
  {
    name: "UDP through FullNAT, without TOA",
    setup: `
      -A -u 10.1.0.100:53 -s rr
      -P -u 10.1.0.100:53 -z 10.2.0.100
      -a -u 10.1.0.100:53 -r 10.2.0.11:53 --fullnat --toa
    `,
    steps: [
      client(fromClient(C, VIP).udp(9, 53, hello), "redirect fullnat", toServer(S, L, S).udp(5000, 53, hello)),
      server(fromServer(S, L).udp(53, 5000, hello), "redirect fullnat-reply", toClient(C, VIP).udp(53, 9, hello)),
    ],
  },
  {
    name: "a port is free again for the same dest once its conn is gone",
    setup: full,
    steps: [
      client(fromClient(C, VIP).tcp(1004, 80, "S"), "redirect fullnat"),
      wait(60.2),
      size(0),
      server(fromServer(S, L).tcp(8080, 5000, "SA"), "pass no-service", "same"),
      client(fromClient(C, VIP).tcp(1004, 80, "S"), "redirect fullnat", toServer(S, L, S).tcp(5001, 8080, "S")),
    ],
  },
];

export const localCases: readonly PacketCase[] = [
  ...(["-g", "-i", "--fullnat"] as const).map(
    (method): PacketCase => ({
      name: `a dest that is the director itself gets the packet as it is (${method})`,
      setup: `-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.1:80 ${method}`,
      steps: [
        client(fromClient(C, VIP, { ttl: 1 }).tcp(1004, 80, "S"), "pass local", "same"),
        client(fromClient(C, VIP).tcp(1004, 80, "A"), "pass local", "same"),
        client(fromClient(C, VIP).tcp(1004, 80, "FA"), "pass local", "same"),
        conns("tcp 10.1.0.3:1004 10.1.0.100:80 10.2.0.1:80 local FIN_WAIT inactive 120 s"),
      ],
    }),
  ),
  {
    name: "one service, four methods",
    setup: `
      -A -t 10.1.0.100:80 -s rr
      -P -t 10.1.0.100:80 -z 10.2.0.100
      -a -t 10.1.0.100:80 -r 10.2.0.11:80 -m
      -a -t 10.1.0.100:80 -r 10.2.0.12:80 -g
      -a -t 10.1.0.100:80 -r 10.2.0.13:80 -i
      -a -t 10.1.0.100:80 -r 10.2.0.14:80 --fullnat
      -a -t 10.1.0.100:80 -r 10.2.0.1:80 -g
    `,
    steps: [
      client(fromClient(C, VIP).tcp(1, 80, "S"), "pass local", "same"),
      client(fromClient(C, VIP).tcp(2, 80, "S"), "redirect fullnat", toServer("10.2.0.14", L, "10.2.0.14").tcp(5000, 80, "S")),
      client(
        fromClient(C, VIP).tcp(3, 80, "S"),
        "redirect tunnel",
        outer("10.2.0.13", {}).ipv4(C, VIP, { ttl: 63 }).tcp(3, 80, "S"),
      ),
      client(fromClient(C, VIP).tcp(4, 80, "S"), "redirect route", toServer("10.2.0.12", C, VIP).tcp(4, 80, "S")),
      client(fromClient(C, VIP).tcp(5, 80, "S"), "redirect nat", toServer(S, C, S).tcp(5, 80, "S")),
      size(5),
    ],
  },
  {
    name: "a dest whose MAC is not known: dropped, the conn is there",
    setup: "-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.30:80 -m",
    steps: [client(fromClient(C, VIP).tcp(1, 80, "S"), "drop hop-unresolved"), size(1)],
  },
  {
    name: "a frame for somebody else's MAC, or for many, is left alone",
    setup: "-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.11:80 -m",
    steps: [
      client(eth("02:01:00:00:00:03", "02:01:00:00:00:99").ipv4(C, VIP).tcp(1, 80, "S"), "pass not-host", "same"),
      client(eth("02:01:00:00:00:03", "ff:ff:ff:ff:ff:ff").ipv4(C, VIP).tcp(1, 80, "S"), "pass not-host", "same"),
      client(eth("02:01:00:00:00:03", "01:00:5e:00:00:12").ipv4(C, VIP).tcp(1, 80, "S"), "pass not-host", "same"),
      client(eth("02:01:00:00:00:03", ownMac("server")).ipv4(C, VIP).tcp(1, 80, "S"), "pass not-host", "same"),
      size(0),
    ],
  },
];
