import { type HostSpec, topology } from "../topology.ts";

/** The directors' addresses; nobody has them until VRRP gives them to one. */
export const VIPS = ["10.2.0.100", "10.2.0.101"] as const;

export const VIP6 = "fd00:2::100";

const server: HostSpec = { vips: [...VIPS, VIP6], routes: ["default via 10.2.0.1", "default via fd00:2::1"] };
const director: HostSpec = { forward: true, director: true, routes: ["default via 10.2.0.1", "default via fd00:2::1"] };

/** Two directors for the same services by DR: one of them has the VIP, and the other waits. */
export const pair = topology({
  picture: `
  client 10.1.0.2                   ┌─── d1 10.2.0.2 ┐ VRRP: VIPs 10.2.0.100,
     │ outside                      ├─── d2 10.2.0.3 ┘ 10.2.0.101, fd00:2::100
  10.1.0.1 router 10.2.0.1 ──front──┼─── rs1 10.2.0.11 ┐
                                    ├─── rs2 10.2.0.12 │ DR: VIPs on lo,
                                    ├─── rs3 10.2.0.13 │ silent
                                    └─── sorry 10.2.0.20 ┘
`,
  hosts: {
    client: { routes: ["default via 10.1.0.1", "default via fd00:1::1"] },
    router: { forward: true },
    d1: director,
    d2: director,
    rs1: server,
    rs2: server,
    rs3: server,
    sorry: server,
  },
  segments: {
    outside: { subnet: "10.1.0.0/24", subnet6: "fd00:1::/64", hosts: { client: 2, router: 1 } },
    front: {
      subnet: "10.2.0.0/24",
      subnet6: "fd00:2::/64",
      hosts: { router: 1, d1: 2, d2: 3, rs1: 11, rs2: 12, rs3: 13, sorry: 20 },
    },
  },
});
