import { describe, expect, test } from "vitest";
import { plan, portsOf, type Topology, topology } from "./topology.ts";

const cable = topology({
  hosts: { client: { routes: ["default via 10.1.0.1"] }, director: { forward: true, director: true } },
  segments: { outside: { subnet: "10.1.0.0/24", subnet6: "fd00:1::/64", mtu: 9000, hosts: { client: 2, director: [1, 100] } } },
});
const star = topology({
  hosts: { director: { director: true }, rs1: { vips: ["10.2.0.100"] }, rs2: {} },
  segments: { inside: { subnet: "10.2.0.0/24", neighbours: "static", hosts: { director: 1, rs1: 11, rs2: 12 } } },
});
const script = (described: Topology, name: string): string => plan(described, "p").scripts.get(`p-${name}`)?.join("\n") ?? "";

describe("a plan", () => {
  test("joins two hosts by one cable with the segment's MTU", () => {
    const { namespaces, links } = plan(cable, "p");
    expect(namespaces).toEqual(["p-client", "p-director"]);
    expect(links).toEqual([
      "link add name outside netns p-client address 02:00:00:01:00:02 mtu 9000 type veth " +
        "peer name outside netns p-director address 02:00:00:01:00:01 mtu 9000",
    ]);
  });

  test("joins three hosts by a switch in a namespace of its own", () => {
    const { namespaces, links } = plan(star, "p");
    expect(namespaces).toEqual(["p-director", "p-rs1", "p-rs2", "p-switch-inside"]);
    expect(links).toHaveLength(3);
    expect(script(star, "switch-inside")).toContain("ip link set dev rs2 master br0 up");
  });

  test("numbers both families alike, and gives further numbers whole-address prefixes", () => {
    expect(portsOf(cable)[1]?.addresses).toEqual(["10.1.0.1/24", "10.1.0.100/32", "fd00:1::1/64", "fd00:1::100/128"]);
  });

  test("sends a director nothing but plain packets, and lets its peers take frames from XDP once all is up", () => {
    expect(script(cable, "client")).toContain("ethtool -K outside tx off tso off gso off");
    expect(script(star, "switch-inside")).toContain("ethtool -K director tx off tso off gso off");
    expect(script(star, "switch-inside")).not.toContain("ethtool -K rs1");
    const settle = (described: Topology, name: string) =>
      plan(described, "p")
        .settle.get(`p-${name}`)
        ?.filter((line) => line.includes("gro on"));
    expect(settle(cable, "client")).toEqual(["ethtool -K outside gro on"]);
    expect(settle(cable, "director")).toEqual([]);
    expect(settle(star, "switch-inside")).toEqual(["ethtool -K director gro on"]);
    expect(settle(star, "rs1")).toEqual([]);
  });

  test("leaves offloads alone on a segment that wants them", () => {
    const fast: Topology = { ...cable, segments: { outside: { ...cable.segments.outside!, offload: true } } };
    expect(script(fast, "client")).not.toContain("ethtool");
    expect(plan(fast, "p").settle.get("p-client")).toEqual(["ethtool outside > /dev/null"]);
  });

  test("keeps a DR real server quiet about its VIP", () => {
    expect(script(star, "rs1")).toContain("ip address add 10.2.0.100/32 dev lo");
    expect(script(star, "rs1")).toContain("echo 1 > $i/arp_ignore");
    expect(script(star, "rs1")).toContain("echo 2 > $i/arp_announce");
    expect(script(star, "rs2")).not.toContain("arp_ignore");
  });

  test("tells everyone of everyone where neighbours are static", () => {
    expect(script(star, "rs1")).toContain("ip neigh replace 10.2.0.12 lladdr 02:00:00:01:00:0c dev inside nud permanent");
  });

  test("refuses a segment with one host", () => {
    const lonely: Topology = { hosts: { a: {} }, segments: { s: { subnet: "10.0.0.0/24", hosts: { a: 1 } } } };
    expect(() => plan(lonely, "p")).toThrow("segment s has 1 hosts");
  });
});
