import type { Side } from "./network.ts";

/** Scripts that the fuzzer found, as it printed them: the planes agree on every step. */

export type FoundStep =
  | { readonly do: "run"; readonly line: string }
  | { readonly do: "wait"; readonly seconds: number }
  | { readonly do: "frame"; readonly by: Side; readonly hex: string };

const run = (line: string): FoundStep => ({ do: "run", line });
const wait = (seconds: number): FoundStep => ({ do: "wait", seconds });
const frame = (by: Side, hex: string): FoundStep => ({ do: "frame", by, hex });

export interface Found {
  readonly name: string;
  readonly script: readonly FoundStep[];
}

export const found: readonly Found[] = [
  {
    name: "another port than its own at an FTP service",
    script: [
      run("-A -t 10.1.0.101:21 -s ovf"),
      frame("client", "0201000000010201000000fe08004536003200f060004006d332cb0071070a01006503e81388000003e80000000250022000c4a7000015151515151515151515"), // biome-ignore format: as printed
    ],
  },
  {
    name: "a new service does not take over the turn of a former one's local addresses",
    script: [
      run("-A -t 10.1.0.101:80 -s wlc"),
      run("-P -t 10.1.0.101:80 -z 10.2.0.1"),
      run("-P -t 10.1.0.101:80 -z 10.2.0.101"),
      run("-a -t 10.1.0.101:80 -r 10.2.0.13:80 --fullnat -w 1"),
      frame("client", "0201000000010201000000fe080045000035010e400040067c36ac1007090a01006503ea005000000001000003e960022000a8b0000052dd41734c4c4c4c4c4c4c4c4c"), // biome-ignore format: as printed
      run("-D -t 10.1.0.101:80"),
      run("-A -t 10.1.0.100:80 -s wlc"),
      run("-P -t 10.1.0.100:80 -z 10.2.0.1"),
      run("-P -t 10.1.0.100:80 -z 10.2.0.101"),
      run("-a -t 10.1.0.100:80 -r 10.2.0.13:80 --fullnat -w 1"),
      frame("client", "0201000000010201000000fe080045000035010e400040067c37ac1007090a01006403ea005000000001000003e960022000a8b1000052dd41734c4c4c4c4c4c4c4c4c"), // biome-ignore format: as printed
    ],
  },
  {
    name: "a FullNAT dest that is the director itself: its answers are never seen",
    script: [
      run("-A -t 10.1.0.101:21 -s wrr"),
      run("-a -t 10.1.0.101:21 -r 10.2.0.100:21 --fullnat --toa -w 1"),
      frame("client", "020100000001020100000003080045000031003c4000ff0667210a0100030a01006503eb0015ffffffffffffffff50032000cdb20000eeeeeeeeeeeeeeeeee"), // biome-ignore format: as printed
      frame("client", "020100000001020100000003080045000039003e4000400626180a0100030a01006503eb001500000001000003e9501020004fa500005959595959595959595959595959595959"), // biome-ignore format: as printed
      frame("client", "02010000000102010000000308004500003a00454000ff06670f0a0100030a01006503eb0015000000000000000250012000d1c00000a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0"), // biome-ignore format: as printed
    ],
  },
  {
    name: "an error about a conn whose dest is in the trash is not counted",
    script: [
      run("-A -u 10.1.0.101:80 -s rr"),
      run("-a -u 10.1.0.101:80 -r 10.2.0.31:8080 -m -w 100"),
      frame("client", "020100000001020100000003080045000025001300004011664c0a0100030a01006503eb005000116a5cb2b2b2b2b2b2b2b2b2"), // biome-ignore format: as printed
      run("-d -u 10.1.0.101:80 -r 10.2.0.31:8080"),
      frame("server", "02020000000102020000001f08004500004100304000400126680a02001f0a0100030b0009470000000045000025002f4000401126750a0100030a02001f03eb1f900011a0a5a1a1a1a1a1a1a1a1a1"), // biome-ignore format: as printed
      run("-a -u 10.1.0.101:80 -r 10.2.0.31:8080 -m -w 100"),
    ],
  },
  {
    name: "a service is zeroed while one of its dests is in the trash, which then comes back",
    script: [
      run("-A -t 10.1.0.101:80 -s mh"),
      run("-a -t 10.1.0.101:80 -r 10.1.0.21:80 -i -w 1"),
      frame("client", "020100000001020100000003080045000028000e4000400626590a0100030a01006503e80050000000010000000150022000773f0000"), // biome-ignore format: as printed
      run("-d -t 10.1.0.101:80 -r 10.1.0.21:80"),
      run("-Z -t 10.1.0.101:80"),
      run("-a -t 10.1.0.101:80 -r 10.1.0.21:80 -i -w 2"),
      wait(1),
    ],
  },
  {
    name: "a dest back from the trash between its thresholds is as overloaded as it went",
    script: [
      run("-A -u 10.1.0.100:80 -s wrr"),
      run("-a -u 10.1.0.100:80 -r 10.2.0.30:8080 -m -w 3 -x 1"),
      frame("client", "0201000000010201000000fe08004500002e01544000401182f5ac1000010a01006403fb0050001a994dbdbdbdbdbdbdbdbdbdbdbdbdbdbdbdbdbdbd"), // biome-ignore format: as printed
      run("-D -u 10.1.0.100:80"),
      run("-A -u 10.1.0.100:80 -s sed"),
      run("-a -u 10.1.0.100:80 -r 10.2.0.30:8080 -m -w 4 -x 5 -y 1"),
      frame("client", "0201000000010201000000fe08004500002e01544000401182f5ac1000010a01006403fc0050001a994cbdbdbdbdbdbdbdbdbdbdbdbdbdbdbdbdbdbd"), // biome-ignore format: as printed
    ],
  },
  {
    name: "a byte behind the packet that would be an SCTP chunk is none",
    script: [
      run("-A -f 5 -6 -s nq"),
      run("-a -f 5 -6 -r [2001:db8:2::12]:8080 -m -w 1"),
      frame("client", "02010000000102010000001e86dd600000000020844020010db800010000000000000000003020010db800010000000000000000020103b8005000000001b58b9e4901000013a615b688951ccbf11ce786b271422f00"), // biome-ignore format: as printed
      frame("client", "02010000000102010000001e86dd657000000014840120010db800010000000000000000003020010db800010000000000000000020103b8005000000001e159c40c0a000006cc2b000006232d7e9aa9aaac3507cb1464b73dcf971fba12e6485d38f9"), // biome-ignore format: as printed
    ],
  },
  {
    name: "an SCTP packet without a chunk is cut short, whether it has a service or not",
    script: [
      frame("server", "02020000000102010000006486dd60000000000d84ff20010db800010000000000000000010020010db800010000005f000000000003005003f900000001828da6700100000bf8b36551ee381800"), // biome-ignore format: as printed
    ],
  },
];
