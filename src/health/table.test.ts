import { expect, test } from "vitest";
import { ip } from "../net/ip.ts";
import { poolChanges } from "./table.ts";
import { spec } from "./testing.ts";

const addresses = (...list: string[]) => list.map(ip);
const six = { ...spec, key: { protocol: "tcp", addr: ip("2001:db8::1"), port: 80 } } as const;

test("a pool gets what is new before it loses what is gone, in every service of its family", () => {
  const changes = poolChanges([spec, six], addresses("10.0.0.1", "10.0.0.2"), addresses("10.0.0.2", "10.0.0.3", "2001:db8::2"));
  expect(changes).toEqual([
    { op: "add-laddr", key: spec.key, addr: "10.0.0.3" },
    { op: "delete-laddr", key: spec.key, addr: "10.0.0.1" },
    { op: "add-laddr", key: six.key, addr: "2001:db8::2" },
  ]);
  expect(poolChanges([spec])).toEqual([]);
});
