import { ipv4 } from "../src/wire/build.ts";
import { type CaseStep, client, counts, type PacketCase, run, server, size, wait } from "./case.ts";
import { fromClient, fromServer, toClient, toServer, VIP } from "./network.ts";

/** ICMP: errors of the director's own, and errors about conns in both directions (spec 5.5 to 5.7, A.5). */

const C = "10.1.0.3";
const S = "10.2.0.11";
const nat = "-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m";
const empty = "-A -t 10.1.0.100:80 -s rr \n -A -u 10.1.0.100:53 -s rr";

/** The director's error about a packet: source is the address the packet was for. */
const complaint = (type: number, code: number, about: Uint8Array, rest = 0, tos = 0) =>
  toClient(C, VIP, { ttl: 64, tos: 0xc0 | tos }).icmp(type, code, { rest, payload: about.subarray(14, 14 + 548) });

const syn = fromClient(C, VIP).tcp(1004, 80, "S").bytes();
const query = (length: number) =>
  fromClient(C, VIP)
    .udp(9, 53, { payload: new Uint8Array(length).fill(7) })
    .bytes();

/** How many errors are sent before the limit holds: a few more than allowed at once when the machine is slow. */
const errorsInARow: CaseStep = {
  ...{ do: "see", what: "errors in a row", is: "50 to 90" },
  of(plane) {
    let sent = 0;
    while (sent < 1000 && plane.send(syn, "client").reason === "no-dest") sent++;
    return sent >= 50 && sent <= 90 ? "50 to 90" : `${sent}`;
  },
};

export const icmpCases: readonly PacketCase[] = [
  {
    name: "no dest: port unreachable from the VIP, quoting the packet with its TTL as it came",
    setup: empty,
    steps: [client(syn, "tx no-dest", complaint(3, 3, syn)), client(query(5), "tx no-dest", complaint(3, 3, query(5))), size(0)],
  },
  {
    name: "a long packet is quoted up to 576 bytes in all, whatever its length is by four",
    setup: empty,
    steps: [519, 520, 521, 522, 1000].map((length) => client(query(length), "tx no-dest", complaint(3, 3, query(length)))),
  },
  {
    name: "short quotes of every length by four have right checksums",
    setup: empty,
    steps: [0, 1, 2, 3, 4, 5, 6, 7].map((length) => client(query(length), "tx no-dest", complaint(3, 3, query(length)))),
  },
  {
    name: "only weight 0, or only overloaded dests: no dest",
    setup: `
      -A -t 10.1.0.100:80 -s rr
      -a -t 10.1.0.100:80 -r 10.2.0.11:80 -m -w 0
      -a -t 10.1.0.100:80 -r 10.2.0.12:80 -m -x 1
    `,
    steps: [client(fromClient(C, VIP).tcp(1, 80, "S"), "redirect nat"), client(syn, "tx no-dest", complaint(3, 3, syn))],
  },
  {
    name: "the TOS of the error is internet control with the packet's own class",
    setup: empty,
    steps: [
      client(
        fromClient(C, VIP, { tos: 0x10 }).tcp(1004, 80, "S"),
        "tx no-dest",
        (() => {
          const about = fromClient(C, VIP, { tos: 0x10 }).tcp(1004, 80, "S").bytes();
          return complaint(3, 3, about, 0, 0x10);
        })(),
      ),
    ],
  },
  {
    name: "50 errors at once, then no more until time has passed: 1000 a second",
    setup: empty,
    steps: [errorsInARow, wait(1), errorsInARow],
  },
  {
    name: "TTL 1: time exceeded, and the conn is there all the same (spec A.5)",
    setup: nat,
    steps: [
      client(
        fromClient(C, VIP, { ttl: 1 }).tcp(1004, 80, "S"),
        "tx ttl",
        complaint(11, 0, fromClient(C, VIP, { ttl: 1 }).tcp(1004, 80, "S").bytes()),
      ),
      size(1),
      counts("10.2.0.11:8080", 1, 1, 0, 40, 0),
    ],
  },
  ...(["-m", "-g", "-i"] as const).map(
    (method): PacketCase => ({
      name: `TTL 0 and 1 are refused whatever the method (${method})`,
      setup: `-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.11:80 ${method}`,
      steps: [0, 1].map((ttl) => client(fromClient(C, VIP, { ttl }).tcp(1004, 80, "S"), "tx ttl")),
    }),
  ),
  {
    name: "no way to the dest: host unreachable",
    setup: "-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.31:80 -m",
    steps: [client(syn, "tx unreachable", complaint(3, 1, syn)), size(1)],
  },
  {
    name: "too large for a NAT dest: its MTU, and nothing translated in the quote",
    setup: "-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.20:8080 -m",
    steps: [
      client(
        fromClient(C, VIP, { df: true }).tcp(1, 80, "S", { payload: new Uint8Array(1200) }),
        "tx too-big",
        complaint(
          3,
          4,
          fromClient(C, VIP, { df: true, ttl: 63 })
            .tcp(1, 80, "S", { payload: new Uint8Array(1200) })
            .bytes(),
          1000,
        ),
      ),
    ],
  },
  {
    name: "an error from a real server about a request goes to the client, from the VIP, about what the client sent",
    setup: nat,
    steps: [
      client(fromClient(C, VIP).tcp(1004, 80, "S", { seq: 1 }), "redirect nat"),
      ...[3, 11, 4].map((type) =>
        server(
          fromServer(S, C).icmp(type, 1, { rest: 9, payload: ipv4(C, S, { ttl: 63 }).tcp(1004, 8080, "S", { seq: 1 }).bytes() }),
          "redirect icmp-related",
          // The quoted TCP checksum is the one that the dest saw, as the kernel leaves it.
          toClient(C, VIP).icmp(type, 1, {
            rest: 9,
            payload: ipv4(C, VIP, { ttl: 63 })
              .tcp(1004, 80, "S", { seq: 1, checksum: checksumAt(8080) })
              .bytes(),
          }),
        ),
      ),
      counts("10.2.0.11:8080", 1, 1, 3, 40, 3 * 68),
    ],
  },
  {
    name: "an error from a router behind the director, with eight bytes of the segment",
    setup: nat,
    steps: [
      client(fromClient(C, VIP).tcp(1004, 80, "S"), "redirect nat"),
      server(
        fromServer("10.2.0.19", C).icmp(3, 4, {
          rest: 1400,
          payload: ipv4(C, S, { ttl: 60 }).tcp(1004, 8080, "S").bytes().subarray(0, 28),
        }),
        "redirect icmp-related",
        toClient(C, VIP).icmp(3, 4, {
          rest: 1400,
          payload: ipv4(C, VIP, { ttl: 60 }).tcp(1004, 80, "S").bytes().subarray(0, 28),
        }),
      ),
    ],
  },
  {
    name: "an error from the client's side about an answer goes to the dest, about what the dest sent",
    setup: nat,
    steps: [
      client(fromClient(C, VIP).tcp(1004, 80, "S"), "redirect nat"),
      client(
        fromClient("10.1.0.9", VIP).icmp(3, 1, {
          payload: ipv4(VIP, C, { ttl: 60 }).tcp(80, 1004, "SA").bytes().subarray(0, 28),
        }),
        "redirect icmp-related",
        toServer(S, "10.1.0.9", S).icmp(3, 1, { payload: ipv4(S, C, { ttl: 60 }).tcp(8080, 1004, "SA").bytes().subarray(0, 28) }),
      ),
      counts("10.2.0.11:8080", 1, 2, 0, 40 + 56, 0),
    ],
  },
  {
    name: "an error about a DR conn goes to its dest as it is, about a TUN conn in the tunnel",
    setup: `
      -A -t 10.1.0.100:80 -s rr
      -a -t 10.1.0.100:80 -r 10.2.0.12:80 -g
      -a -t 10.1.0.100:80 -r 10.2.0.13:80 -i
    `,
    steps: [
      client(fromClient(C, VIP).tcp(1, 80, "S"), "redirect tunnel"),
      client(fromClient(C, VIP).tcp(2, 80, "S"), "redirect route"),
      client(
        fromClient(C, VIP).icmp(3, 4, { rest: 1400, payload: ipv4(VIP, C).tcp(80, 2, "A").bytes() }),
        "redirect icmp-related",
        toServer("10.2.0.12", C, VIP).icmp(3, 4, { rest: 1400, payload: ipv4(VIP, C).tcp(80, 2, "A").bytes() }),
      ),
      client(
        fromClient(C, VIP).icmp(3, 4, { rest: 1400, payload: ipv4(VIP, C).tcp(80, 1, "A").bytes() }),
        "redirect icmp-related",
        toServer("10.2.0.13", "10.2.0.1", "10.2.0.13")
          .ipv4(C, VIP, { ttl: 63 })
          .icmp(3, 4, { rest: 1400, payload: ipv4(VIP, C).tcp(80, 1, "A").bytes() }),
      ),
    ],
  },
  {
    name: "FullNAT: an error of the dest's side goes to the client, one of the client's side to the dest",
    setup: `
      -A -t 10.1.0.100:80 -s rr
      -P -t 10.1.0.100:80 -z 10.2.0.100
      -a -t 10.1.0.100:80 -r 10.2.0.11:8080 --fullnat
    `,
    steps: [
      client(fromClient(C, VIP).tcp(1004, 80, "S"), "redirect fullnat"),
      server(
        fromServer(S, "10.2.0.100").icmp(3, 3, { payload: ipv4("10.2.0.100", S).tcp(5000, 8080, "S").bytes().subarray(0, 28) }),
        "redirect icmp-related",
        toClient(C, VIP).icmp(3, 3, { payload: ipv4(C, VIP).tcp(1004, 80, "S").bytes().subarray(0, 28) }),
      ),
      client(
        fromClient(C, VIP).icmp(3, 3, { payload: ipv4(VIP, C).tcp(80, 1004, "SA").bytes().subarray(0, 28) }),
        "redirect icmp-related",
        toServer(S, C, S).icmp(3, 3, { payload: ipv4(S, "10.2.0.100").tcp(8080, 5000, "SA").bytes().subarray(0, 28) }),
      ),
    ],
  },
  {
    name: "errors do not keep a conn alive",
    setup: nat,
    steps: [
      client(fromClient(C, VIP).tcp(1004, 80, "S"), "redirect nat"),
      wait(59),
      server(fromServer(S, C).icmp(3, 1, { payload: ipv4(C, S).tcp(1004, 8080, "S").bytes() }), "redirect icmp-related"),
      wait(1.2),
      size(0),
    ],
  },
  {
    name: "ICMP that is about no conn goes to the stack: echo, redirects, parameter problems, strangers, cut quotes",
    setup: nat,
    steps: [
      client(fromClient(C, VIP).tcp(1004, 80, "S"), "redirect nat"),
      ...[0, 5, 8, 12, 13].map((type) =>
        server(fromServer(S, C).icmp(type, 0, { payload: ipv4(C, S).tcp(1004, 8080, "S").bytes() }), "pass icmp", "same"),
      ),
      server(fromServer(S, C).icmp(3, 1, { payload: ipv4(C, S).tcp(1005, 8080, "S").bytes() }), "pass icmp", "same"),
      server(fromServer(S, C).icmp(3, 1, { payload: ipv4(C, S).icmp(8, 0).bytes() }), "pass icmp", "same"),
      server(
        fromServer(S, C).icmp(3, 1, { payload: ipv4(C, S, { fragmentOffset: 8 }).tcp(1004, 8080, "S").bytes() }),
        "pass icmp",
        "same",
      ),
      ...[0, 1, 19, 20, 23, 27].map((length) =>
        server(
          fromServer(S, C).icmp(3, 1, { payload: ipv4(C, S).tcp(1004, 8080, "S").bytes().subarray(0, length) }),
          "pass icmp",
          "same",
        ),
      ),
      counts("10.2.0.11:8080", 1, 1, 0, 40, 0),
    ],
  },
  {
    name: "a dest in the trash does not count what errors say about it",
    setup: nat,
    steps: [
      client(fromClient(C, VIP).tcp(1004, 80, "S"), "redirect nat"),
      run("-d -t 10.1.0.100:80 -r 10.2.0.11:8080"),
      server(fromServer(S, C).icmp(3, 1, { payload: ipv4(C, S).tcp(1004, 8080, "S").bytes() }), "redirect icmp-related"),
      run("-a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m"),
      counts("10.2.0.11:8080", 1, 1, 0, 40, 0),
    ],
  },
];

/** The checksum of the SYN as it went to the dest's port. */
function checksumAt(port: number): number {
  const segment = toServer(S, C, S).tcp(1004, port, "S", { seq: 1 }).bytes();
  return segment[50]! * 256 + segment[51]!;
}
