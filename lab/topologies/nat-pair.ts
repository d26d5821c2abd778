import { type HostSpec, topology } from "../topology.ts";

/** What clients ask, and what real servers have as their default route; both are with the same director. */
export const VIP = "10.1.0.100";
export const GATEWAY = "10.2.0.254";

const server: HostSpec = { routes: [`default via ${GATEWAY}`] };
const director: HostSpec = { forward: true, director: true };

/** Two directors by NAT, which have to change their addresses on both sides at once. */
export const natPair = topology({
  picture: `
                                 ┌── 10.1.0.1 d1 10.2.0.1 ──┐           ┌── rs1 10.2.0.11
  client 10.1.0.9 ───outside─────┤                          ├──inside───┼── rs2 10.2.0.12
                 VIP 10.1.0.100  └── 10.1.0.2 d2 10.2.0.2 ──┘           └── rs3 10.2.0.13
                                             gateway 10.2.0.254
`,
  hosts: { client: {}, d1: director, d2: director, rs1: server, rs2: server, rs3: server },
  segments: {
    outside: { subnet: "10.1.0.0/24", hosts: { client: 9, d1: 1, d2: 2 } },
    inside: { subnet: "10.2.0.0/24", hosts: { d1: 1, d2: 2, rs1: 11, rs2: 12, rs3: 13 } },
  },
});
