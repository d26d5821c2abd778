import { ip } from "../src/net/ip.ts";
import { type CaseStep, client, type PacketCase, run, wait } from "./case.ts";
import { fromClient, VIP } from "./network.ts";
import type { Plane } from "./plane.ts";

/** Which dest the next connection gets (spec chapter 3, A.1 to A.4). Dests A, B, C… are 10.2.0.11 and up. */

type Protocol = "tcp" | "udp";

let clientPort = 0;

/** Opens a connection and tells by a letter who got it; "-": nobody. */
function open(plane: Plane, protocol: Protocol, from: string, port: number, vip: string = VIP): string {
  const packet = fromClient(from, vip);
  plane.send((protocol === "tcp" ? packet.tcp(port, 80, "S") : packet.udp(port, 80)).bytes(), "client");
  const conn = plane.conns().find(({ client, virtual }) => client.addr === from && client.port === port && virtual.addr === vip);
  return conn === undefined ? "-" : String.fromCharCode(65 + Number(conn.dest.addr.slice(7)) - 11);
}

/** The next connections go to these dests, one after the other. */
function picks(protocol: Protocol, wanted: string): CaseStep {
  return {
    ...{ do: "see", what: "picks", is: wanted },
    of: (plane) =>
      wanted
        .split(" ")
        .map(() => open(plane, protocol, "10.1.0.3", 1024 + (clientPort++ % 60_000)))
        .join(" "),
  };
}

/** "A3 B2 C1": dests with weights, in the order in which they are added. */
function pool(scheduler: string, dests: string, protocol: Protocol = "tcp"): string {
  const key = `${protocol === "tcp" ? "-t" : "-u"} ${VIP}:80`;
  const adds = dests.split(" ").map((dest) => `-a ${key} -r 10.2.0.${dest.charCodeAt(0) - 54}:80 -m -w ${dest.slice(1)}`);
  return [`-A ${key} -s ${scheduler}`, ...adds].join("\n");
}

const sequences: readonly (readonly [scheduler: string, dests: string, protocol: Protocol, wanted: string])[] = [
  ["rr", "A3 B2 C1", "tcp", "C B A C B A C B A"],
  ["rr", "A3 B2 C1", "udp", "C B A C B A C B A"],
  ["rr", "A3 B0 C1", "tcp", "C A C A"],
  ["wrr", "A3 B2 C1", "tcp", "C B A A B A C B A A B A C B"],
  ["wrr", "A4 B2 C6", "tcp", "C B A C C A C B A C C A C B"],
  ["wrr", "A5 B1 C1", "tcp", "C B A A A A A C B A A A A A"],
  ["wrr", "A1 B1 C0", "udp", "B A B A"],
  ["lc", "A3 B2 C1", "tcp", "C B A C B A"],
  ["wlc", "A3 B2 C1", "tcp", "C B A A B A C B A A B A C B"],
  ["wlc", "A3 B2 C1", "udp", "C B A A B A C B A A B A C B"],
  ["wlc", "A3 B0 C1", "tcp", "C A A A C A A A"],
  ["sed", "A3 B2 C1", "tcp", "A B A C B A A B A C B A A B"],
  ["sed", "A3 B2 C1", "udp", "A A A A"],
  ["nq", "A3 B2 C1", "tcp", "C B A A B A A B A C B A A B"],
  ["nq", "A3 B2 C1", "udp", "C C C C"],
  ["fo", "A3 B2 C1", "tcp", "A A A A"],
  ["fo", "A1 B1 C1", "tcp", "C C C C"],
  ["ovf", "A3 B2 C1", "tcp", "A A A A B B B C C - -"],
  ["ovf", "A3 B2 C1", "udp", "A A A A A A"],
];

/** Client s(i) of spec A.2. */
const source = (i: number): string => `172.16.${Math.floor(i / 7)}.${((i * 37) % 250) + 1}`;

/** Connections of clients s(0) to s(39), from port 5000 + i. */
function sources(wanted: string): CaseStep {
  return {
    ...{ do: "see", what: "picks of 40 clients", is: wanted },
    of: (plane) => Array.from({ length: 40 }, (_, i) => open(plane, "tcp", source(i), 5000 + i)).join(" "),
  };
}

const hashed: readonly (readonly [name: string, setup: string, wanted: string])[] = [
  ["sh", pool("sh", "A3 B2 C1"), "B C A B B C A A B C C A B C B B A A B A A A A B A A B A B C A B C C B A A B A A"],
  [
    "sh-port",
    pool("sh -b sh-port", "A3 B2 C1"),
    "C C B B A A A A A A A C C B C C B B A A A B A A A C C B A C C B B A A B A A A A",
  ],
  [
    "sh, B edited to weight 0",
    `${pool("sh", "A3 B2 C1")}\n-e -t ${VIP}:80 -r 10.2.0.12:80 -m -w 0`,
    "A - C A A - C A A - A A A - C A A - C A A C A A A - C A A - C A A - C A A A - A",
  ],
  [
    "sh-fallback, B edited to weight 0",
    `${pool("sh -b sh-fallback", "A3 B2 C1")}\n-e -t ${VIP}:80 -r 10.2.0.12:80 -m -w 0`,
    "A A C A A A C A A A A A A A C A A A C A A C A A A A C A A A C A A A C A A A A A",
  ],
  ["mh", pool("mh", "A3 B2 C1"), "A B B C A A B B B B C A C C B A B A A C C A C B B A B B C A A B A A B B C B A A"],
  [
    "mh-port",
    pool("mh -b mh-port", "A3 B2 C1"),
    "B B B C B B C B A C B A A A B B A B B C A A B C B A A A A B B C A A C A B A C B",
  ],
  [
    "mh-fallback, B edited to weight 0",
    `${pool("mh -b mh-fallback", "A3 B2 C1")}\n-e -t ${VIP}:80 -r 10.2.0.12:80 -m -w 0`,
    "A C C C A A A A A A C A C C A A A A A C C A C A A A A C C A A A A A C A C A A A",
  ],
];

const dhVips = [100, 101, 102, 103, 104, 105, 106, 107, 108].map((n) => ip(`10.1.0.${n}`));
const dhSetup = dhVips.map((vip) => pool("dh", "A3 B2 C1").replaceAll(VIP, vip)).join("\n");

export const schedulerCases: readonly PacketCase[] = [
  ...sequences.map(([scheduler, dests, protocol, wanted]): PacketCase => {
    return {
      name: `${scheduler} ${dests} ${protocol}: ${wanted}`,
      setup: pool(scheduler, dests, protocol),
      steps: [picks(protocol, wanted)],
    };
  }),
  ...hashed.map(
    ([name, setup, wanted]): PacketCase => ({ name: `${name}: the picks of spec A`, setup, steps: [sources(wanted)] }),
  ),
  {
    name: "dh: by the address the packet is for (spec 3.9)",
    setup: dhSetup,
    steps: [
      {
        ...{ do: "see", what: "picks by VIP", is: "C A C B A B C B A" },
        of: (plane) => dhVips.map((vip) => open(plane, "tcp", "10.1.0.3", 3000, vip)).join(" "),
      },
    ],
  },
  {
    name: "wrr bound to a service that has its dests already begins at the greatest weight (spec 3.2)",
    setup: pool("rr", "A3 B2 C1"),
    steps: [run(`-E -t ${VIP}:80 -s wrr`), picks("tcp", "A B A C B A A B A C B A A B")],
  },
  {
    name: "rr steps back when the dest it stands at is deleted; a dest added at the head waits its turn",
    setup: pool("rr", "A1 B1 C1"),
    steps: [
      picks("tcp", "C B"),
      run(`-d -t ${VIP}:80 -r 10.2.0.12:80`),
      picks("tcp", "A C"),
      run(`-a -t ${VIP}:80 -r 10.2.0.14:80 -m`),
      picks("tcp", "A D C"),
    ],
  },
  {
    name: "an upper threshold: rr skips a dest that holds so many (spec 2.4)",
    setup: `${pool("rr", "A1 B1 C1")}\n-e -t ${VIP}:80 -r 10.2.0.11:80 -m -x 2`,
    steps: [picks("tcp", "C B A C B A C B C B")],
  },
  {
    name: "fo goes to the next weight when the best is full",
    setup: `${pool("fo", "A10 B5 C1")}\n-e -t ${VIP}:80 -r 10.2.0.11:80 -m -w 10 -x 3`,
    steps: [picks("tcp", "A A A B B B")],
  },
  {
    name: "thresholds have a memory: full at 4, usable again below three quarters of it (spec 2.4)",
    setup: `${pool("rr", "A1", "udp")}\n-e -u ${VIP}:80 -r 10.2.0.11:80 -m -x 4`,
    steps: [
      picks("udp", "A"),
      wait(100.2),
      picks("udp", "A"),
      wait(100.2),
      picks("udp", "A A - -"),
      wait(100),
      picks("udp", "-"),
      wait(100),
      picks("udp", "A"),
    ],
  },
  {
    name: "overloaded everywhere: none, until one is below its lower threshold",
    setup: `${pool("rr", "A1", "udp")}\n-e -u ${VIP}:80 -r 10.2.0.11:80 -m -x 2 -y 1`,
    steps: [picks("udp", "A"), wait(200.2), picks("udp", "A -"), wait(100), picks("udp", "-"), wait(200.4), picks("udp", "A")],
  },
  {
    name: "weight 0 drains: its conns go on, new ones go elsewhere",
    setup: pool("rr", "A1 B1"),
    steps: [
      client(fromClient("10.1.0.4", VIP).tcp(1, 80, "S"), "redirect nat"),
      run(`-e -t ${VIP}:80 -r 10.2.0.12:80 -m -w 0`),
      picks("tcp", "A A A"),
      client(fromClient("10.1.0.4", VIP).tcp(1, 80, "A"), "redirect nat"),
      run(`-e -t ${VIP}:80 -r 10.2.0.12:80 -m -w 1`),
      picks("tcp", "B A"),
    ],
  },
];
