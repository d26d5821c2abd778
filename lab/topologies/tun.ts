import { topology } from "../topology.ts";

export const VIP = "10.2.0.100";
export const VIP6 = "fd00:2::100";

const routes = ["default via 10.3.0.1", "default via fd00:3::1"];

/**
 * Real servers on another subnet take packets out of a tunnel and answer clients through the router. They become real
 * servers (VIP on lo, decapsulation) by `lvsctl realserver start --vip VIP --method tunnel`.
 */
export const tun = topology({
  picture: `
  client 10.1.0.2 ───outside─── 10.1.0.1 router 10.2.0.1 ───front─── director 10.2.0.2, VIP 10.2.0.100
                                         10.3.0.1
                                            └──────remote──┬─── rs1 10.3.0.11 ┐
                                                           ├─── rs2 10.3.0.12 ├ VIP on lo, silent
                                                           └─── rs3 10.3.0.13 ┘
`,
  hosts: {
    client: { routes: ["default via 10.1.0.1", "default via fd00:1::1"] },
    router: { forward: true },
    director: { forward: true, director: true, routes: ["default via 10.2.0.1", "default via fd00:2::1"] },
    rs1: { routes },
    rs2: { routes },
    rs3: { routes },
  },
  segments: {
    outside: { subnet: "10.1.0.0/24", subnet6: "fd00:1::/64", hosts: { client: 2, router: 1 } },
    front: { subnet: "10.2.0.0/24", subnet6: "fd00:2::/64", hosts: { router: 1, director: [2, 100] } },
    remote: { subnet: "10.3.0.0/24", subnet6: "fd00:3::/64", hosts: { router: 1, rs1: 11, rs2: 12, rs3: 13 } },
  },
});
