import { topology } from "../topology.ts";

export const VIP = "10.1.0.100";
export const VIP6 = "fd00:1::100";

/** Replies find their way back because the director is the real servers' default route. */
export const nat = topology({
  picture: `
  client 10.1.0.2 ───outside─── 10.1.0.1 director 10.2.0.1 ───inside───┬─── rs1 10.2.0.11
                            VIP 10.1.0.100                             ├─── rs2 10.2.0.12
                                                                       └─── rs3 10.2.0.13
`,
  hosts: {
    client: {},
    director: { forward: true, director: true },
    rs1: { routes: ["default via 10.2.0.1", "default via fd00:2::1"] },
    rs2: { routes: ["default via 10.2.0.1", "default via fd00:2::1"] },
    rs3: { routes: ["default via 10.2.0.1", "default via fd00:2::1"] },
  },
  segments: {
    outside: { subnet: "10.1.0.0/24", subnet6: "fd00:1::/64", hosts: { client: 2, director: [1, 100] } },
    inside: { subnet: "10.2.0.0/24", subnet6: "fd00:2::/64", hosts: { director: 1, rs1: 11, rs2: 12, rs3: 13 } },
  },
});
