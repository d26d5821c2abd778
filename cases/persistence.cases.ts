import { fragments } from "../src/wire/build.ts";
import { client, conns, holds, type PacketCase, run, server, size, wait } from "./case.ts";
import { fromClient, fromServer, toClient, toServer, VIP } from "./network.ts";

/** Persistence, one-packet scheduling, drained and deleted dests with their settings, fragments (spec 2.5, 4.9, 4.10, 5.8). */

const C = "10.1.0.3";
const two = (options: string): string => `
  -A -t 10.1.0.100:80 -s rr ${options}
  -a -t 10.1.0.100:80 -r 10.2.0.11:80 -m
  -a -t 10.1.0.100:80 -r 10.2.0.12:80 -m
`;
const syn = (from: string, port: number) => fromClient(from, VIP).tcp(port, 80, "S");
const to = (dest: string, from: string, port: number) => toServer(dest, from, dest).tcp(port, 80, "S");

export const persistenceCases: readonly PacketCase[] = [
  {
    name: "a client keeps its dest, others take their turn",
    setup: two("-p 300"),
    steps: [
      client(syn(C, 1), "redirect nat", to("10.2.0.12", C, 1)),
      client(syn(C, 2), "redirect nat", to("10.2.0.12", C, 2)),
      client(syn("10.1.0.4", 1), "redirect nat", to("10.2.0.11", "10.1.0.4", 1)),
      client(syn(C, 3), "redirect nat", to("10.2.0.12", C, 3)),
      conns(
        "tcp 10.1.0.3:0 10.1.0.100:80 10.2.0.12:80 template NONE inactive 300 s",
        "tcp 10.1.0.3:1 10.1.0.100:80 10.2.0.12:80 nat SYN_RECV active 60 s",
        "tcp 10.1.0.3:2 10.1.0.100:80 10.2.0.12:80 nat SYN_RECV active 60 s",
        "tcp 10.1.0.3:3 10.1.0.100:80 10.2.0.12:80 nat SYN_RECV active 60 s",
        "tcp 10.1.0.4:0 10.1.0.100:80 10.2.0.11:80 template NONE inactive 300 s",
        "tcp 10.1.0.4:1 10.1.0.100:80 10.2.0.11:80 nat SYN_RECV active 60 s",
      ),
      holds("10.2.0.12:80", "3/0"),
      wait(300.2),
      size(0),
    ],
  },
  {
    name: "a netmask makes one client of many",
    setup: two("-p 300 -M 255.255.255.0"),
    steps: [
      client(syn("172.16.0.1", 1), "redirect nat", to("10.2.0.12", "172.16.0.1", 1)),
      client(syn("172.16.0.200", 1), "redirect nat", to("10.2.0.12", "172.16.0.200", 1)),
      client(syn("172.16.1.1", 1), "redirect nat", to("10.2.0.11", "172.16.1.1", 1)),
    ],
  },
  {
    name: "a template whose time is over while it has children lives on by the minute, and so from then on (spec 4.8)",
    setup: two("-p 7"),
    steps: [
      client(syn(C, 1), "redirect nat"),
      client(fromClient(C, VIP).tcp(1, 80, "A"), "redirect nat"),
      wait(7.2),
      conns(
        "tcp 10.1.0.3:0 10.1.0.100:80 10.2.0.12:80 template ASSURED inactive 59 s",
        "tcp 10.1.0.3:1 10.1.0.100:80 10.2.0.12:80 nat ESTABLISHED active 892 s",
      ),
      wait(880),
      size(2),
      client(fromClient(C, VIP).tcp(1, 80, "R"), "redirect nat"),
      wait(130),
      size(0),
    ],
  },
  {
    name: "a drained dest keeps its clients, unless expire_quiescent_template is set",
    setup: two("-p 300"),
    steps: [
      client(syn(C, 1), "redirect nat", to("10.2.0.12", C, 1)),
      run("-e -t 10.1.0.100:80 -r 10.2.0.12:80 -m -w 0"),
      client(syn(C, 2), "redirect nat", to("10.2.0.12", C, 2)),
      run("expire_quiescent_template=1"),
      client(syn(C, 3), "redirect nat", to("10.2.0.11", C, 3)),
    ],
  },
  {
    name: "a deleted dest's clients are given another, and its template makes room",
    setup: two("-p 300"),
    steps: [
      client(syn(C, 1), "redirect nat", to("10.2.0.12", C, 1)),
      run("-d -t 10.1.0.100:80 -r 10.2.0.12:80"),
      client(syn(C, 2), "redirect nat", to("10.2.0.11", C, 2)),
      client(fromClient(C, VIP).tcp(1, 80, "A"), "drop dest-gone"),
      conns(
        "tcp 10.1.0.3:0 10.1.0.100:65535 10.2.0.12:65535 template NONE inactive 300 s",
        "tcp 10.1.0.3:0 10.1.0.100:80 10.2.0.11:80 template NONE inactive 300 s",
        "tcp 10.1.0.3:1 10.1.0.100:80 10.2.0.12:80 nat SYN_RECV active 60 s",
        "tcp 10.1.0.3:2 10.1.0.100:80 10.2.0.11:80 nat SYN_RECV active 60 s",
      ),
      wait(300.2),
      size(0),
    ],
  },
  {
    name: "expire_nodest_conn: a deleted dest's conns go with it; what comes next is a new one's, or nobody's",
    setup: `expire_nodest_conn=1 \n ${two("")}`,
    steps: [
      client(syn(C, 1), "redirect nat", to("10.2.0.12", C, 1)),
      client(syn(C, 2), "redirect nat", to("10.2.0.11", C, 2)),
      run("-d -t 10.1.0.100:80 -r 10.2.0.12:80"),
      client(fromClient(C, VIP).tcp(1, 80, "A"), "pass not-scheduled", "same"),
      client(syn(C, 1), "redirect nat", to("10.2.0.11", C, 1)),
      size(2),
    ],
  },
  {
    name: "one-packet scheduling: every datagram has its turn, nothing is left, answers are nobody's",
    setup: `
      -A -u 10.1.0.100:53 -s rr -o
      -a -u 10.1.0.100:53 -r 10.2.0.11:53 -m
      -a -u 10.1.0.100:53 -r 10.2.0.12:53 -m
    `,
    steps: [
      ...["10.2.0.12", "10.2.0.11", "10.2.0.12", "10.2.0.11"].map((dest) =>
        client(fromClient(C, VIP).udp(9, 53), "redirect nat", toServer(dest, C, dest).udp(9, 53)),
      ),
      size(0),
      holds("10.2.0.11:53", "0/0"),
      server(fromServer("10.2.0.11", C).udp(53, 9), "pass no-service", "same"),
    ],
  },
  {
    name: "a persistent one-packet service leaves its template only, and that not for ever",
    setup: `
      -A -u 10.1.0.100:53 -s rr -o -p 7
      -a -u 10.1.0.100:53 -r 10.2.0.11:53 -m
      -a -u 10.1.0.100:53 -r 10.2.0.12:53 -m
    `,
    steps: [
      ...[1, 2, 3].map((port) =>
        client(fromClient(C, VIP).udp(port, 53), "redirect nat", toServer("10.2.0.12", C, "10.2.0.12").udp(port, 53)),
      ),
      conns("udp 10.1.0.3:0 10.1.0.100:53 10.2.0.12:53 template NONE inactive 7 s"),
      wait(7.2),
      size(0),
    ],
  },
  {
    name: "fragments go the way of the first; one that overtakes it is unknown",
    setup: "-A -u 10.1.0.100:53 -s rr \n -a -u 10.1.0.100:53 -r 10.2.0.11:53 -m",
    steps: (() => {
      const whole = fromClient(C, VIP, { id: 77 })
        .udp(9, 53, { payload: new Uint8Array(64).fill(7) })
        .bytes();
      const [first, second, third] = fragments(whole, 24);
      const [, outSecond, outThird] = fragments(
        toServer("10.2.0.11", C, "10.2.0.11", { id: 77 })
          .udp(9, 53, { payload: new Uint8Array(64).fill(7) })
          .bytes(),
        24,
      );
      return [
        client(second!, "pass fragment-unknown", "same"),
        client(first!, "redirect nat"),
        client(second!, "redirect nat", outSecond!),
        client(third!, "redirect nat", outThird!),
        size(1),
        wait(31),
        client(third!, "pass fragment-unknown", "same"),
      ];
    })(),
  },
  {
    name: "a fragmented answer, too",
    setup: "-A -u 10.1.0.100:53 -s rr \n -a -u 10.1.0.100:53 -r 10.2.0.11:53 -m",
    steps: (() => {
      const answer = (frame: Uint8Array) => fragments(frame, 24);
      const came = answer(
        fromServer("10.2.0.11", C, { id: 5 })
          .udp(53, 9, { payload: new Uint8Array(40).fill(7) })
          .bytes(),
      );
      const left = answer(
        toClient(C, VIP, { id: 5 })
          .udp(53, 9, { payload: new Uint8Array(40).fill(7) })
          .bytes(),
      );
      return [
        client(fromClient(C, VIP).udp(9, 53), "redirect nat"),
        server(came[0]!, "redirect nat-reply", left[0]!),
        server(came[1]!, "redirect nat-reply", left[1]!),
      ];
    })(),
  },
];
