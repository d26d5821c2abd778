import { topology } from "../topology.ts";

export const VIPS = { own: "10.2.0.100", farther: "10.2.0.101" } as const;
export const VIPS6 = { own: "fd00:2::100", farther: "fd00:2::101" } as const;
/** Bytes that pass behind the director. */
export const MTU = 1400;

/** Links to the real servers are shorter than the client's, the director's own and one behind a router. */
export const narrow = topology({
  picture: `
  client 10.1.0.2 ───outside─── 10.1.0.1 router 10.2.0.1 ───front─── 10.2.0.2 director 10.3.0.1
                                  10.4.0.1    10.5.0.1     VIPs 10.2.0.100, 101     │
                                     │ back      │ remote: MTU 1400                │ narrow: MTU 1400
                                     │           └─── rs2 10.5.0.12                │
                                     └─────── 10.4.0.11 rs1 10.3.0.11 ─────────────┘
`,
  hosts: {
    client: { routes: ["default via 10.1.0.1", "default via fd00:1::1"] },
    router: { forward: true },
    director: { forward: true, director: true, routes: ["default via 10.2.0.1", "default via fd00:2::1"] },
    rs1: { routes: ["default via 10.4.0.1", "default via fd00:4::1"] },
    rs2: { routes: ["default via 10.5.0.1", "default via fd00:5::1"] },
  },
  segments: {
    outside: { subnet: "10.1.0.0/24", subnet6: "fd00:1::/64", hosts: { client: 2, router: 1 } },
    front: { subnet: "10.2.0.0/24", subnet6: "fd00:2::/64", hosts: { router: 1, director: [2, 100, 101] } },
    narrow: { subnet: "10.3.0.0/24", subnet6: "fd00:3::/64", mtu: MTU, hosts: { director: 1, rs1: 11 } },
    back: { subnet: "10.4.0.0/24", subnet6: "fd00:4::/64", hosts: { router: 1, rs1: 11 } },
    remote: { subnet: "10.5.0.0/24", subnet6: "fd00:5::/64", mtu: MTU, hosts: { router: 1, rs2: 12 } },
  },
});
