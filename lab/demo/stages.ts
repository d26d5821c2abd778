import { LOCAL_ADDRESS, VIPS } from "../topologies/demo.ts";

/** One method's turn. */
export interface Stage {
  readonly name: string;
  readonly vip: string;
  readonly scheduler: "rr" | "wrr";
  readonly flag: string;
  readonly port: number;
  readonly dests: readonly { readonly host: "near1" | "near2" | "far1" | "far2" | "nat1" | "nat2"; readonly weight: number }[];
  /** Source addresses of the director, for FullNAT. */
  readonly pool: readonly string[];
  /** Replies pass the director on their way to the client. */
  readonly returns: boolean;
  /** The client's address as servers have to see it. */
  readonly source: string;
}

const CLIENT = "10.1.0.2";

export const stages: readonly Stage[] = [
  {
    name: "NAT",
    ...{ vip: VIPS.nat, scheduler: "rr", flag: "-m", port: 8080, pool: [], returns: true, source: CLIENT },
    dests: [
      { host: "nat1", weight: 1 },
      { host: "nat2", weight: 1 },
    ],
  },
  {
    name: "DR",
    ...{ vip: VIPS.route, scheduler: "wrr", flag: "-g", port: 80, pool: [], returns: false, source: CLIENT },
    dests: [
      { host: "near1", weight: 3 },
      { host: "near2", weight: 1 },
    ],
  },
  {
    name: "TUN",
    ...{ vip: VIPS.tunnel, scheduler: "rr", flag: "-i", port: 80, pool: [], returns: false, source: CLIENT },
    dests: [
      { host: "far1", weight: 1 },
      { host: "far2", weight: 1 },
    ],
  },
  {
    name: "FullNAT",
    ...{ vip: VIPS.fullnat, scheduler: "wrr", flag: "--fullnat", port: 8080, pool: [LOCAL_ADDRESS], returns: true },
    source: LOCAL_ADDRESS,
    dests: [
      { host: "far1", weight: 2 },
      { host: "far2", weight: 1 },
    ],
  },
];

/** The lines a person types on the director. */
export function commandsOf(stage: Stage, addressOf: (host: string) => string): readonly string[] {
  const service = `-t ${stage.vip}:80`;
  const weight = (n: number) => (stage.scheduler === "wrr" ? ` -w ${n}` : "");
  return [
    `ipvsadm -A ${service} -s ${stage.scheduler}`,
    ...stage.pool.map((address) => `ipvsadm -P ${service} -z ${address}`),
    ...stage.dests.map(
      (dest) => `ipvsadm -a ${service} -r ${addressOf(dest.host)}:${stage.port} ${stage.flag}${weight(dest.weight)}`,
    ),
  ];
}

/** "rr", "wrr 3:1" */
export const schedulerOf = (stage: Stage): string =>
  stage.scheduler === "rr" ? "rr" : `wrr ${stage.dests.map((dest) => dest.weight).join(":")}`;
