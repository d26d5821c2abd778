import { type HostSpec, topology } from "../topology.ts";

/** One VIP per method, all on the director. */
export const VIPS = { nat: "10.2.0.101", route: "10.2.0.102", tunnel: "10.2.0.103", fullnat: "10.2.0.104" } as const;
/** The source address real servers see under FullNAT. */
export const LOCAL_ADDRESS = "10.2.0.50";

const near: HostSpec = { vips: [VIPS.route], routes: ["default via 10.2.0.1"] };
const inside: HostSpec = { routes: ["default via 10.4.0.1"] };
const far: HostSpec = { routes: ["default via 10.3.0.1"] };

/** All four methods at once: real servers behind the director, beside it, and far away. */
export const demo = topology({
  picture: `
                  client 10.1.0.2
                     │ outside
                  10.1.0.1
                  router 10.3.0.1 ───remote───┬─── far1 10.3.0.31 ┐ TUN: VIP on lo
        10.2.0.1 ────┘                        └─── far2 10.3.0.32 ┘ FullNAT: unchanged
           │ front
           ├─── near1 10.2.0.21 ┐ DR: VIP on lo, silent
           ├─── near2 10.2.0.22 ┘
           │
        10.2.0.2  VIPs 10.2.0.101 … 10.2.0.104
        director 10.4.0.1 ───inside───┬─── nat1 10.4.0.41 ┐ NAT: default route
                                      └─── nat2 10.4.0.42 ┘ is the director
`,
  hosts: {
    client: { routes: ["default via 10.1.0.1"] },
    router: { forward: true },
    director: { forward: true, director: true, routes: ["default via 10.2.0.1"] },
    near1: near,
    near2: near,
    far1: far,
    far2: far,
    nat1: inside,
    nat2: inside,
  },
  segments: {
    outside: { subnet: "10.1.0.0/24", hosts: { client: 2, router: 1 } },
    front: { subnet: "10.2.0.0/24", hosts: { router: 1, director: [2, 101, 102, 103, 104, 50], near1: 21, near2: 22 } },
    remote: { subnet: "10.3.0.0/24", hosts: { router: 1, far1: 31, far2: 32 } },
    inside: { subnet: "10.4.0.0/24", hosts: { director: 1, nat1: 41, nat2: 42 } },
  },
});
