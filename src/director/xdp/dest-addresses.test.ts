import { expect, test } from "vitest";
import { type Ip, ip } from "../../net/ip.ts";
import type { DestSpec, Method } from "../director.ts";
import type { Change } from "../records.ts";
import { Table } from "../table.ts";
import { DestAddresses } from "./dest-addresses.ts";

const KEY = { protocol: "tcp", addr: ip("10.0.0.1"), port: 80 } as const;
const spec = (addr: string, port: number, method: Method): DestSpec => ({
  ...{ addr: ip(addr), port, method, weight: 1, upper: 0, lower: 0, toa: false },
  tunnel: { type: "ipip", port: 0, checksum: "none" },
});

test("an address is one of dests from its first dest to its last, and of NAT dests likewise", () => {
  const table = new Table({ maxServices: 4, maxDests: 16 });
  const service = { key: KEY, scheduler: "rr", schedFlags: [], persistSeconds: 0, netmask: 0xffffffff, onePacket: false, pe: "" };
  table.apply([{ op: "add-service", service }]);
  const addresses = new DestAddresses();
  const seen = (changes: readonly Change[]): [boolean, Ip[], Ip[]] => {
    const { isNew } = addresses.follow(changes);
    return [isNew, [...addresses.all()], [...addresses.nat()]];
  };
  const a = ip("10.0.0.11");
  const b = ip("10.0.0.12");
  const run = (op: "add-dest" | "edit-dest" | "delete-dest", dest: DestSpec) => table.apply([{ op, key: KEY, dest }]).changes;

  expect(seen(run("add-dest", spec(a, 80, "nat")))).toEqual([true, [a], [a]]);
  expect(seen(run("add-dest", spec(a, 81, "nat")))).toEqual([false, [a], [a]]);
  expect(seen(run("add-dest", spec(b, 80, "route")))).toEqual([true, [a, b], [a]]);
  expect(seen(run("edit-dest", spec(a, 80, "route")))).toEqual([false, [a, b], [a]]);
  expect(seen(run("delete-dest", spec(a, 81, "nat")))).toEqual([false, [a, b], []]);
  expect(seen(run("delete-dest", spec(a, 80, "route")))).toEqual([true, [b], []]);
});
