import { expect, test } from "vitest";
import { ip } from "../net/ip.ts";
import { leftovers, ownedBy } from "./owned.ts";
import { dest, server, service, sorry, spec } from "./testing.ts";

const web = ownedBy(service({ sorry }));
const addrs = (list: readonly { readonly addr: string }[]) => list.map(({ addr }) => addr);

test("a service owns its servers and its sorry server, by the ports that they have in the table", () => {
  expect(web.map(({ key }) => key)).toEqual([spec.key]);
  expect(addrs(web[0]!.dests)).toEqual(["10.0.0.11", "10.0.0.12", "10.0.0.13", "10.0.0.99"]);
  const routed = server(11, { dest: { ...dest("10.0.0.11", 1, 8080), method: "route" } });
  expect(ownedBy(service({ servers: [routed] }))[0]!.dests).toEqual([{ addr: "10.0.0.11", port: 80 }]);
});

test("an address of a pool that is named no more is left over too", () => {
  const pool = (...last: number[]) => ownedBy(service({ localAddresses: last.map((n) => ip(`10.2.0.${n}`)) }));
  expect(leftovers(pool(51, 52), pool(52, 53))).toEqual([{ op: "delete-laddr", key: spec.key, addr: "10.2.0.51" }]);
});

test("what is left over are services that are named no more, and servers that have gone from one that is", () => {
  expect(leftovers(web, web)).toEqual([]);
  expect(leftovers(web, [])).toEqual([{ op: "delete-service", key: spec.key }]);
  const fewer = ownedBy(service({ servers: [server(11), server(12)] }));
  expect(leftovers(web, fewer)).toEqual([
    { op: "delete-dest", key: spec.key, dest: { addr: "10.0.0.13", port: 80 } },
    { op: "delete-dest", key: spec.key, dest: { addr: "10.0.0.99", port: 80 } },
  ]);
});
