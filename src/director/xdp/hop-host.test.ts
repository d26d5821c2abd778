import { expect, it } from "vitest";
import { ip } from "../../net/ip.ts";
import { isHost } from "./hop-host.ts";
import type { Hop } from "./hops.ts";

const nowhere: Hop = { state: "unreachable", reason: "no-route" };
const broadcast: Hop = { state: "unreachable", reason: "broadcast" };

it.each([
  ["a host nobody knows the way to yet", "10.2.0.11", nowhere, true],
  ["no broadcast address of a network of ours", "10.2.0.255", broadcast, false],
  ["the same address where the network is wider", "10.2.0.255", nowhere, true],
  ["no multicast group", "224.0.0.5", nowhere, false],
  ["no link-local IPv6 address", "fe80::1", nowhere, false],
  ["the director's own link-local address", "fe80::1", { state: "local" }, true],
] satisfies [string, string, Hop, boolean][])("a dest may be %s", (_, address, hop, may) => {
  expect(isHost(ip(address), hop)).toBe(may);
});
