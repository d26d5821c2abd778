import { ip } from "../src/net/ip.ts";
import { eth, type Frame, type Ipv6Options, ipv6 } from "../src/wire/build.ts";
import { client, conns, counts, type PacketCase, server, size } from "./case.ts";
import { FAR_MTU, fromClient, ownMac, toServer, VIP, VIP6, wireMac } from "./network.ts";

/** IPv6, and tunnels that change the family (spec 5.5, 5.9). */

const C = "2001:db8:1::3";
const S = "2001:db8:2::11";
const FAR = "2001:db8:1::9";
const hello = { payload: "hello, world!" };

const fromClient6 = (to: string, options?: Ipv6Options): Frame => eth(wireMac(ip(C)), ownMac("client")).ipv6(C, to, options);
const fromServer6 = (from: string, to: string, options?: Ipv6Options): Frame =>
  eth(wireMac(ip(from)), ownMac("server")).ipv6(from, to, options);
const toServer6 = (server: string, from: string, to: string, options?: Ipv6Options): Frame =>
  eth(ownMac("server"), wireMac(ip(server))).ipv6(from, to, { hopLimit: 63, ...options });
const toClient6 = (from: string, options?: Ipv6Options): Frame =>
  eth(ownMac("client"), wireMac(ip(C))).ipv6(from, C, { hopLimit: 63, ...options });

const key = `-t [${VIP6}]:80`;
const nat = `-A ${key} -s rr \n -a ${key} -r [${S}]:8080 -m`;
const mapped = `-A ${key} -s rr \n -P ${key} -z 2001:db8:2::100 \n -a ${key} -r [${S}]:8080 --fullnat`;

export const ipv6Cases: readonly PacketCase[] = [
  {
    name: "NAT maps address and port, and back; traffic class and flow label stay",
    setup: nat,
    steps: [
      client(
        fromClient6(VIP6, { trafficClass: 0x28, flowLabel: 0x12345 }).tcp(1004, 80, "S"),
        "redirect nat",
        toServer6(S, C, S, { trafficClass: 0x28, flowLabel: 0x12345 }).tcp(1004, 8080, "S"),
      ),
      server(fromServer6(S, C).tcp(8080, 1004, "SA"), "redirect nat-reply", toClient6(VIP6).tcp(80, 1004, "SA")),
      client(fromClient6(VIP6).tcp(1004, 80, "PA", hello), "redirect nat", toServer6(S, C, S).tcp(1004, 8080, "PA", hello)),
      conns(`tcp [${C}]:1004 [${VIP6}]:80 [${S}]:8080 nat ESTABLISHED active 900 s`),
      counts(`[${S}]:8080`, 1, 2, 1, 60 + 73, 60),
    ],
  },
  {
    name: "FullNAT speaks from its own address",
    setup: mapped,
    steps: [
      client(fromClient6(VIP6).tcp(1004, 80, "S"), "redirect fullnat", toServer6(S, "2001:db8:2::100", S).tcp(5000, 8080, "S")),
      server(
        fromServer6(S, "2001:db8:2::100").tcp(8080, 5000, "SA"),
        "redirect fullnat-reply",
        toClient6(VIP6).tcp(80, 1004, "SA"),
      ),
    ],
  },
  {
    name: "DR: hop limit and MAC addresses only",
    setup: `-A ${key} -s rr \n -a ${key} -r [${S}]:80 -g`,
    steps: [client(fromClient6(VIP6).tcp(1, 80, "S"), "redirect route", toServer6(S, C, VIP6).tcp(1, 80, "S"))],
  },
  {
    name: "IPv6 in IPv6",
    setup: `-A ${key} -s rr \n -a ${key} -r [${S}]:80 -i`,
    steps: [
      client(
        fromClient6(VIP6, { hopLimit: 33, trafficClass: 0x2b }).tcp(1, 80, "S"),
        "redirect tunnel",
        toServer6(S, "2001:db8:2::1", S, { hopLimit: 32, trafficClass: 0x2a })
          .ipv6(C, VIP6, { hopLimit: 32, trafficClass: 0x2b })
          .tcp(1, 80, "S"),
      ),
    ],
  },
  {
    name: "6in4: no DF outside (spec A.5)",
    setup: `-A ${key} -s rr \n -a ${key} -r 10.2.0.13:80 -i`,
    steps: [
      client(
        fromClient6(VIP6).tcp(1, 80, "S"),
        "redirect tunnel",
        toServer("10.2.0.13", "10.2.0.1", "10.2.0.13").ipv6(C, VIP6, { hopLimit: 63 }).tcp(1, 80, "S"),
      ),
    ],
  },
  {
    name: "4in6: hop limit of the inner TTL, flow label 0 (spec A.5)",
    setup: `-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r [${S}]:80 -i`,
    steps: [
      client(
        fromClient("10.1.0.3", VIP, { df: true, tos: 8 }).tcp(1, 80, "S"),
        "redirect tunnel",
        toServer6(S, "2001:db8:2::1", S, { trafficClass: 8 })
          .ipv4("10.1.0.3", VIP, { df: true, tos: 8, ttl: 63 })
          .tcp(1, 80, "S"),
      ),
    ],
  },
  {
    name: "GRE, with and without checksum",
    setup: `
      -A -t 10.1.0.100:80 -s rr
      -a -t 10.1.0.100:80 -r 10.2.0.12:80 -i --tun-type gre
      -a -t 10.1.0.100:80 -r 10.2.0.13:80 -i --tun-type gre --tun-csum
    `,
    steps: [
      client(
        fromClient("10.1.0.3", VIP).tcp(1, 80, "S"),
        "redirect tunnel",
        toServer("10.2.0.13", "10.2.0.1", "10.2.0.13").gre({ checksum: true }).ipv4("10.1.0.3", VIP, { ttl: 63 }).tcp(1, 80, "S"),
      ),
      client(
        fromClient("10.1.0.3", VIP).tcp(2, 80, "S"),
        "redirect tunnel",
        toServer("10.2.0.12", "10.2.0.1", "10.2.0.12").gre().ipv4("10.1.0.3", VIP, { ttl: 63 }).tcp(2, 80, "S"),
      ),
    ],
  },
  {
    name: "GUE: all but the source port, which tells flows apart",
    setup: "-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.12:80 -i --tun-type gue --tun-port 6080",
    steps: [
      client(
        fromClient("10.1.0.3", VIP).tcp(1, 80, "S"),
        "redirect tunnel",
        toServer("10.2.0.12", "10.2.0.1", "10.2.0.12")
          .udp(0, 6080, { checksum: 0 })
          .gue()
          .ipv4("10.1.0.3", VIP, { ttl: 63 })
          .tcp(1, 80, "S"),
      ),
    ],
  },
  {
    name: "no dest: ICMPv6 port unreachable from the VIP, quoting the packet",
    setup: `-A ${key} -s rr`,
    steps: [
      client(
        fromClient6(VIP6).tcp(1, 80, "S"),
        "tx no-dest",
        toClient6(VIP6, { hopLimit: 64 }).icmpv6(1, 4, { payload: ipv6(C, VIP6).tcp(1, 80, "S").bytes() }),
      ),
      size(0),
    ],
  },
  {
    name: "hop limit 1: ICMPv6 time exceeded",
    setup: nat,
    steps: [
      client(
        fromClient6(VIP6, { hopLimit: 1 }).tcp(1, 80, "S"),
        "tx ttl",
        toClient6(VIP6, { hopLimit: 64 }).icmpv6(3, 0, { payload: ipv6(C, VIP6, { hopLimit: 1 }).tcp(1, 80, "S").bytes() }),
      ),
      size(1),
    ],
  },
  {
    name: "too big: ICMPv6 with the path's MTU, at most 1280 bytes in all",
    setup: `-A ${key} -s rr \n -a ${key} -r [2001:db8:2::13]:80 -i`,
    steps: [
      client(fromClient6(VIP6).tcp(1, 80, "S", { payload: new Uint8Array(1460 - 60) }), "redirect tunnel"),
      client(
        fromClient6(VIP6).tcp(1, 80, "A", { payload: new Uint8Array(1461 - 60) }),
        "tx too-big",
        toClient6(VIP6, { hopLimit: 64 }).icmpv6(2, 0, {
          rest: 1460,
          payload: ipv6(C, VIP6, { hopLimit: 63 })
            .tcp(1, 80, "A", { payload: new Uint8Array(1461 - 60) })
            .bytes()
            .subarray(0, 1280 - 48),
        }),
      ),
    ],
  },
  {
    name: "an answer too long for the way to the client: the dest is told that way's MTU",
    setup: `-A ${key} -s rr \n -a ${key} -r [${S}]:80 -m`,
    steps: [
      client(
        eth(wireMac(ip(FAR)), ownMac("client"))
          .ipv6(FAR, VIP6)
          .tcp(1, 80, "S"),
        "redirect nat",
      ),
      server(
        fromServer6(S, FAR).tcp(80, 1, "SA", { payload: new Uint8Array(1301 - 60) }),
        "tx too-big",
        toServer6(S, "2001:db8:2::1", S, { hopLimit: 64 }).icmpv6(2, 0, {
          rest: FAR_MTU,
          payload: ipv6(S, FAR)
            .tcp(80, 1, "SA", { payload: new Uint8Array(1301 - 60) })
            .bytes()
            .subarray(0, 1280 - 48),
        }),
      ),
    ],
  },
  {
    name: "an ICMPv6 error from the dest's side goes to the client, one from the client's side to the dest",
    setup: nat,
    steps: [
      client(fromClient6(VIP6).tcp(1004, 80, "S"), "redirect nat"),
      server(
        fromServer6(S, C).icmpv6(1, 4, { payload: ipv6(C, S).tcp(1004, 8080, "S").bytes().subarray(0, 48) }),
        "redirect icmp-related",
        toClient6(VIP6).icmpv6(1, 4, { payload: ipv6(C, VIP6).tcp(1004, 80, "S").bytes().subarray(0, 48) }),
      ),
      client(
        fromClient6(VIP6).icmpv6(2, 0, { rest: 1400, payload: ipv6(VIP6, C).tcp(80, 1004, "SA").bytes().subarray(0, 48) }),
        "redirect icmp-related",
        toServer6(S, C, S).icmpv6(2, 0, { rest: 1400, payload: ipv6(S, C).tcp(8080, 1004, "SA").bytes().subarray(0, 48) }),
      ),
    ],
  },
  {
    name: "extension headers are stepped over",
    setup: nat,
    steps: [
      client(
        fromClient6(VIP6, {
          extensions: [
            { type: 0, body: [1, 4, 0, 0, 0, 0] },
            { type: 60, body: new Uint8Array(14) },
          ],
        }).tcp(1004, 80, "S"),
        "redirect nat",
        toServer6(S, C, S, {
          extensions: [
            { type: 0, body: [1, 4, 0, 0, 0, 0] },
            { type: 60, body: new Uint8Array(14) },
          ],
        }).tcp(1004, 8080, "S"),
      ),
    ],
  },
  {
    name: "neighbour discovery and echoes go to the stack",
    setup: nat,
    steps: [128, 129, 133, 134, 135, 136].map((type) => client(fromClient6(VIP6).icmpv6(type, 0), "pass icmp", "same")),
  },
];
