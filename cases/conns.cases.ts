import { type CaseStep, client, conns, counts, holds, type PacketCase, run, server, serviceCounts, size, wait } from "./case.ts";
import { fromClient, fromServer, VIP } from "./network.ts";
import type { Plane } from "./plane.ts";

/** Life and death of conns: states, timeouts, dests and services that go, a full table (spec 2.5, 4.4 to 4.8, 5.3). */

const C = "10.1.0.3";
const S = "10.2.0.11";
const nat = "-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.11:80 -m";
const dr = "-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.11:80 -g";

/** "i SA SYN_RECV 1/0 60": client (i) or dest (o) sends flags; then the conn's state, the dest's active/inactive, seconds left. */
function trace(...lines: string[]): CaseStep[] {
  return lines.flatMap((line): CaseStep[] => {
    const [who, flags = "", state, held = "", seconds] = line.split(" ");
    const sent: CaseStep = {
      ...{ do: "see", what: `${line}: sent`, is: "forwarded" },
      of: (plane) => {
        const frame =
          who === "i"
            ? fromClient(C, VIP).tcp(1, 80, flags.replace("-", ""))
            : fromServer(S, C).tcp(80, 1, flags.replace("-", ""));
        const seen = plane.send(frame.bytes(), who === "i" ? "client" : "server");
        return ["nat", "nat-reply", "route", "tunnel"].includes(seen.reason) ? "forwarded" : seen.reason;
      },
    };
    const state_: CaseStep = {
      ...{ do: "see", what: line, is: `${state}${seconds === undefined ? "" : ` ${seconds}`}` },
      of: (plane) => {
        const [conn] = plane.conns();
        return `${conn?.state}${seconds === undefined ? "" : ` ${conn?.expiresIn}`}`;
      },
    };
    return [sent, state_, holds("10.2.0.11:80", held)];
  });
}

const traces: readonly (readonly [name: string, setup: string, lines: readonly string[]])[] = [
  [
    "NAT, the client closes first",
    nat,
    [
      ...[
        "i S SYN_RECV 1/0 60",
        "o SA SYN_RECV 1/0 60",
        "i A ESTABLISHED 1/0 900",
        "i FA CLOSE_WAIT 0/1 60",
        "o A CLOSE_WAIT 0/1 60",
      ],
      ...["o FA TIME_WAIT 0/1 120", "i A TIME_WAIT 0/1 120"],
    ],
  ],
  [
    "NAT, the server closes first",
    nat,
    [
      ...["i S SYN_RECV 1/0", "o SA SYN_RECV 1/0", "i A ESTABLISHED 1/0", "o FA FIN_WAIT 0/1 120", "i A FIN_WAIT 0/1"],
      ...["i FA TIME_WAIT 0/1 120", "o A TIME_WAIT 0/1"],
    ],
  ],
  ["NAT, reset when established", nat, ["i S SYN_RECV 1/0", "o SA SYN_RECV 1/0", "i A ESTABLISHED 1/0", "i R CLOSE 0/1 10"]],
  ["NAT, the client resets before it is established", nat, ["i S SYN_RECV 1/0", "i R SYN_RECV 1/0 60"]],
  ["NAT, refused by the server", nat, ["i S SYN_RECV 1/0", "o RA CLOSE 0/1 10"]],
  [
    "DR",
    dr,
    [...["i S SYN_RECV 1/0 60", "i A ESTABLISHED 1/0 900", "i FA FIN_WAIT 0/1 120", "i A FIN_WAIT 0/1", "i S SYN_RECV 1/0 60"]],
  ],
  ["DR, reset", dr, ["i S SYN_RECV 1/0", "i A ESTABLISHED 1/0", "i R CLOSE 0/1 10"]],
  [
    "NAT, secure_tcp",
    `secure_tcp=3 \n ${nat}`,
    ["i S SYN_RECV 1/0", "o SA SYNACK 1/0 120", "i A SYNACK 1/0", "o A ESTABLISHED 1/0 900"],
  ],
  ["DR, secure_tcp", `secure_tcp=3 \n ${dr}`, ["i S SYNACK 1/0 120", "i A ESTABLISHED 1/0 900"]],
  ["sloppy_tcp: an ACK may open a conn", `sloppy_tcp=1 \n ${nat}`, ["i A ESTABLISHED 1/0 900"]],
  ["a segment with only PSH closes", nat, ["i S SYN_RECV 1/0", "i A ESTABLISHED 1/0", "i P CLOSE 0/1 10"]],
  ["a segment without flags closes", nat, ["i S SYN_RECV 1/0", "i - CLOSE 0/1 10"]],
  ["SYN+ACK counts as SYN and opens", nat, ["i SA SYN_RECV 1/0 60"]],
  [
    "--set: timeouts of established and closing conns",
    `--set 7 5 0 \n ${nat}`,
    ["i S SYN_RECV 1/0 60", "i A ESTABLISHED 1/0 7", "o FA FIN_WAIT 0/1 5"],
  ],
];

const expiry: readonly (readonly [state: string, flags: readonly string[], seconds: number])[] = [
  ["SYN_RECV", ["i S"], 60],
  ["ESTABLISHED", ["i S", "i A"], 900],
  ["CLOSE", ["i S", "i A", "i R"], 10],
  ["CLOSE_WAIT", ["i S", "i A", "i F"], 60],
  ["FIN_WAIT", ["i S", "i A", "o F"], 120],
  ["TIME_WAIT", ["i S", "i A", "o F", "i F"], 120],
];

/** Connections from ports first to first + count - 1. */
const opened = (count: number, first = 1000): CaseStep => ({
  ...{ do: "see", what: `${count} connections`, is: "nat" },
  of: (plane: Plane) =>
    [
      ...new Set(
        Array.from(
          { length: count },
          (_, i) =>
            plane.send(
              fromClient(C, VIP)
                .tcp(first + i, 80, "S")
                .bytes(),
              "client",
            ).reason,
        ),
      ),
    ].join(),
});

export const connCases: readonly PacketCase[] = [
  ...traces.map(
    ([name, setup, lines]): PacketCase => ({ name: `${name}: ${lines.length} steps`, setup, steps: trace(...lines) }),
  ),
  ...expiry.map(([state, flags, seconds]): PacketCase => {
    const sent = flags.map((each) => {
      const [who, letters = ""] = each.split(" ");
      return who === "i"
        ? client(fromClient(C, VIP).tcp(1, 80, letters), "redirect nat")
        : server(fromServer(S, C).tcp(80, 1, letters), "redirect nat-reply");
    });
    return {
      name: `a conn in ${state} lives ${seconds} seconds, and not one more`,
      setup: nat,
      steps: [...sent, wait(seconds - 0.2), size(1), wait(0.4), size(0), holds("10.2.0.11:80", "0/0")],
    };
  }),
  {
    name: "only a SYN opens a conn: the rest goes to the stack as it is",
    setup: nat,
    steps: [
      ...["A", "PA", "FA", "F", "R", "RA", "", "P", "U"].map((flags) =>
        client(fromClient(C, VIP).tcp(1, 80, flags), "pass not-scheduled", "same"),
      ),
      client(fromClient(C, VIP).tcp(1, 80, "SR"), "pass not-scheduled", "same"),
      client(fromClient(C, VIP).tcp(20, 80, "S"), "pass not-scheduled", "same"),
      size(0),
      serviceCounts(0, 0, 0, 0, 0),
      ...["S", "SA", "SF", "SPU"].map((flags, i) => client(fromClient(C, VIP).tcp(1 + i, 80, flags), "redirect nat")),
      size(4),
    ],
  },
  {
    name: "no service: neither another port, protocol, address, nor another's FTP",
    setup: `${nat} \n -A -t 10.1.0.101:21 -s rr \n -a -t 10.1.0.101:21 -r 10.2.0.11:21 -m`,
    steps: [
      client(fromClient(C, VIP).tcp(1, 81, "S"), "pass no-service", "same"),
      client(fromClient(C, VIP).udp(1, 80), "pass no-service", "same"),
      client(fromClient(C, "10.1.0.102").tcp(1, 80, "S"), "pass no-service", "same"),
      client(fromClient(C, VIP).tcp(1, 5000, "S"), "pass no-service", "same"),
      size(0),
    ],
  },
  {
    name: "an FTP service that is not persistent has its own port only: others go to the stack (spec 5.3, 5.6)",
    setup: "-A -t 10.1.0.100:21 -s rr \n -a -t 10.1.0.100:21 -r 10.2.0.11:21 -m",
    steps: [
      client(fromClient(C, VIP).tcp(1, 5000, "S"), "pass not-scheduled", "same"),
      client(fromClient(C, VIP).tcp(1, 20, "S"), "pass not-scheduled", "same"),
      client(fromClient(C, VIP).tcp(1, 22, "S"), "pass no-service", "same"),
      client(fromClient(C, VIP).tcp(1, 21, "S"), "redirect nat"),
      size(1),
    ],
  },
  {
    name: "a deleted dest's conns are dropped without an answer, and live again when it is back in time",
    setup: nat,
    steps: [
      client(fromClient(C, VIP).tcp(1, 80, "S"), "redirect nat"),
      server(fromServer(S, C).tcp(80, 1, "SA"), "redirect nat-reply"),
      client(fromClient(C, VIP).tcp(1, 80, "A"), "redirect nat"),
      run("-d -t 10.1.0.100:80 -r 10.2.0.11:80"),
      client(fromClient(C, VIP).tcp(1, 80, "A"), "drop dest-gone"),
      client(fromClient(C, VIP).tcp(1, 80, "S"), "drop dest-gone"),
      client(fromClient(C, VIP).tcp(2, 80, "S"), "tx no-dest"),
      wait(100),
      run("-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m -w 3"),
      holds("10.2.0.11:80", "1/0"),
      counts("10.2.0.11:80", 1, 2, 1, 80, 40),
      conns("tcp 10.1.0.3:1 10.1.0.100:80 10.2.0.11:80 nat ESTABLISHED active 800 s"),
      client(fromClient(C, VIP).tcp(1, 80, "A"), "redirect nat"),
    ],
  },
  {
    name: "a dest that held nobody is forgotten after three minutes in the trash: its counters begin anew",
    setup: nat,
    steps: [
      client(fromClient(C, VIP).tcp(1, 80, "S"), "redirect nat"),
      wait(61),
      run("-d -t 10.1.0.100:80 -r 10.2.0.11:80"),
      wait(100),
      run("-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m"),
      counts("10.2.0.11:80", 1, 1, 0, 40, 0),
      run("-d -t 10.1.0.100:80 -r 10.2.0.11:80"),
      wait(200),
      run("-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m"),
      counts("10.2.0.11:80", 0, 0, 0, 0, 0),
      serviceCounts(1, 1, 0, 40, 0),
    ],
  },
  {
    name: "a deleted service: its conns are dropped, other packets are not ours; back in time they live again",
    setup: nat,
    steps: [
      client(fromClient(C, VIP).tcp(1, 80, "S"), "redirect nat"),
      run("-D -t 10.1.0.100:80"),
      client(fromClient(C, VIP).tcp(1, 80, "A"), "drop dest-gone"),
      client(fromClient(C, VIP).tcp(2, 80, "S"), "pass no-service", "same"),
      run("-A -t 10.1.0.100:80 -s rr"),
      run("-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m"),
      client(fromClient(C, VIP).tcp(1, 80, "A"), "redirect nat"),
      counts("10.2.0.11:80", 0, 1, 0, 40, 0),
    ],
  },
  {
    name: "a full table refuses new conns, leaves the others alone, and has room again when some expire",
    setup: nat,
    steps: [
      opened(64),
      client(fromClient(C, VIP).tcp(9, 80, "S"), "drop table-full"),
      size(64),
      holds("10.2.0.11:80", "64/0"),
      client(fromClient(C, VIP).tcp(1063, 80, "A"), "redirect nat"),
      server(fromServer(S, C).tcp(80, 1000, "SA"), "redirect nat-reply"),
      client(fromClient(C, VIP).tcp(1000, 80, "R"), "redirect nat"),
      client(fromClient(C, VIP).tcp(9, 80, "S"), "drop table-full"),
      counts("10.2.0.11:80", 64, 66, 1, 66 * 40, 40),
      wait(60.2),
      size(1),
      opened(63, 2000),
      client(fromClient(C, VIP).tcp(9, 80, "S"), "drop table-full"),
    ],
  },
  {
    name: "counters are zeroed, and count on",
    setup: nat,
    steps: [
      client(fromClient(C, VIP).tcp(1, 80, "S"), "redirect nat"),
      run("-Z -t 10.1.0.100:80"),
      counts("10.2.0.11:80", 0, 0, 0, 0, 0),
      serviceCounts(0, 0, 0, 0, 0),
      holds("10.2.0.11:80", "1/0"),
      client(fromClient(C, VIP).tcp(1, 80, "A"), "redirect nat"),
      counts("10.2.0.11:80", 0, 1, 0, 40, 0),
      serviceCounts(0, 1, 0, 40, 0),
    ],
  },
  {
    name: "a closed conn's flow may be opened again after its time: another dest's turn",
    setup: `${nat} \n -a -t 10.1.0.100:80 -r 10.2.0.12:80 -m`,
    steps: [
      client(fromClient(C, VIP).tcp(1, 80, "S"), "redirect nat"),
      client(fromClient(C, VIP).tcp(1, 80, "A"), "redirect nat"),
      client(fromClient(C, VIP).tcp(1, 80, "R"), "redirect nat"),
      conns("tcp 10.1.0.3:1 10.1.0.100:80 10.2.0.12:80 nat CLOSE inactive 10 s"),
      wait(10.2),
      client(fromClient(C, VIP).tcp(1, 80, "S"), "redirect nat"),
      conns("tcp 10.1.0.3:1 10.1.0.100:80 10.2.0.11:80 nat SYN_RECV active 60 s"),
    ],
  },
  {
    name: "a SYN on a closed conn is scheduled anew (conn_reuse_mode, spec 5.2)",
    setup: `${nat} \n -a -t 10.1.0.100:80 -r 10.2.0.12:80 -m`,
    steps: [
      client(fromClient(C, VIP).tcp(1, 80, "S"), "redirect nat"),
      client(fromClient(C, VIP).tcp(1, 80, "A"), "redirect nat"),
      client(fromClient(C, VIP).tcp(1, 80, "R"), "redirect nat"),
      client(fromClient(C, VIP).tcp(1, 80, "S"), "redirect nat"),
      conns("tcp 10.1.0.3:1 10.1.0.100:80 10.2.0.11:80 nat SYN_RECV active 60 s"),
    ],
  },
  {
    name: "a SYN on a closed conn is scheduled anew also when its dest is gone",
    setup: `${nat} \n -a -t 10.1.0.100:80 -r 10.2.0.12:80 -m`,
    steps: [
      client(fromClient(C, VIP).tcp(1, 80, "S"), "redirect nat"),
      client(fromClient(C, VIP).tcp(1, 80, "A"), "redirect nat"),
      client(fromClient(C, VIP).tcp(1, 80, "R"), "redirect nat"),
      run("-d -t 10.1.0.100:80 -r 10.2.0.12:80"),
      client(fromClient(C, VIP).tcp(1, 80, "A"), "drop dest-gone"),
      client(fromClient(C, VIP).tcp(1, 80, "S"), "redirect nat"),
      conns("tcp 10.1.0.3:1 10.1.0.100:80 10.2.0.11:80 nat SYN_RECV active 60 s"),
    ],
  },
  {
    name: "two conns of one client port to two services with one real server: its answers are the newer one's",
    setup: `${nat} \n -A -t 10.1.0.101:80 -s rr \n -a -t 10.1.0.101:80 -r 10.2.0.11:80 -m`,
    steps: [
      client(fromClient(C, VIP).tcp(1, 80, "S"), "redirect nat"),
      client(fromClient(C, VIP).tcp(1, 80, "R"), "redirect nat"),
      client(fromClient(C, "10.1.0.101").tcp(1, 80, "S"), "redirect nat"),
      server(fromServer(S, C).tcp(80, 1, "SA"), "redirect nat-reply"),
      conns(
        "tcp 10.1.0.3:1 10.1.0.100:80 10.2.0.11:80 nat SYN_RECV active 60 s",
        "tcp 10.1.0.3:1 10.1.0.101:80 10.2.0.11:80 nat SYN_RECV active 60 s",
      ),
    ],
  },
];
