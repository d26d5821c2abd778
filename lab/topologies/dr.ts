import { type HostSpec, topology } from "../topology.ts";

export const VIP = "10.2.0.100";
export const VIP6 = "fd00:2::100";

/** Every real server has the VIP on lo and keeps quiet about it; it answers clients through the router. */
const server: HostSpec = { vips: [VIP, VIP6], routes: ["default via 10.2.0.1", "default via fd00:2::1"] };

/** Requests pass the director; replies go straight from the real servers to the router. */
export const dr = topology({
  picture: `
  client 10.1.0.2 ───outside─── 10.1.0.1 router 10.2.0.1 ───front───┬─── director 10.2.0.2, VIP 10.2.0.100
                                                                    ├─── rs1 10.2.0.11 ┐
                                                                    ├─── rs2 10.2.0.12 ├ VIP on lo, silent
                                                                    └─── rs3 10.2.0.13 ┘
`,
  hosts: {
    client: { routes: ["default via 10.1.0.1", "default via fd00:1::1"] },
    router: { forward: true },
    director: { forward: true, director: true, routes: ["default via 10.2.0.1", "default via fd00:2::1"] },
    rs1: server,
    rs2: server,
    rs3: server,
  },
  segments: {
    outside: { subnet: "10.1.0.0/24", subnet6: "fd00:1::/64", hosts: { client: 2, router: 1 } },
    front: {
      subnet: "10.2.0.0/24",
      subnet6: "fd00:2::/64",
      hosts: { router: 1, director: [2, 100], rs1: 11, rs2: 12, rs3: 13 },
    },
  },
});
