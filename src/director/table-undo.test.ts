import fc from "fast-check";
import { expect, test } from "vitest";
import { ip } from "../net/ip.ts";
import type { DestSpec, Operation, ServiceKey } from "./director.ts";
import type { Change } from "./records.ts";
import { Table } from "./table.ts";

const keys: ServiceKey[] = [80, 81, 82].map((port) => ({ protocol: "tcp", addr: ip("10.0.0.100"), port }));
keys.push({ fwmark: 1, family: "ipv4" });
const key = fc.constantFrom(...keys);
const address = fc.integer({ min: 1, max: 4 }).map((n) => ip(`10.0.1.${n}`));
const scheduler = fc.constantFrom("rr", "wlc", "mh", "unknown");
const weight = fc.integer({ min: -1, max: 5 });

const serviceOf = (key: ServiceKey, scheduler: string) => {
  return { key, scheduler, schedFlags: [], persistSeconds: 0, netmask: 0xffffffff, onePacket: false, pe: "" };
};
const destOf = (addr: DestSpec["addr"], weight: number): DestSpec => {
  const tunnel = { type: "ipip", port: 0, checksum: "none" } as const;
  return { addr, port: 80, method: "nat", weight, upper: 0, lower: 0, tunnel, toa: false };
};

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc
    .tuple(fc.constantFrom("add-service" as const, "edit-service" as const), key, scheduler)
    .map(([op, key, name]) => ({ op, service: serviceOf(key, name) })),
  fc
    .tuple(fc.constantFrom("add-dest" as const, "edit-dest" as const), key, address, weight)
    .map(([op, key, addr, weight]) => ({ op, key, dest: destOf(addr, weight) })),
  fc.tuple(key, address).map(([key, addr]): Operation => ({ op: "delete-dest", key, dest: { addr, port: 80 } })),
  fc
    .tuple(fc.constantFrom("add-laddr" as const, "delete-laddr" as const), key, address)
    .map(([op, key, addr]) => ({ op, key, addr })),
  key.map((key): Operation => ({ op: "delete-service", key })),
  fc.constantFrom<Operation>(
    { op: "flush" },
    { op: "set-timeouts", timeouts: { udp: 7 } },
    { op: "set-setting", name: "drop_entry", value: "2" },
    { op: "start-daemon", daemon: { state: "master", interface: "eth0", syncId: 1 } },
    { op: "stop-daemon", state: "master" },
  ),
);

/** All that can be seen of a table, ids and the order of services included. */
const seen = (table: Table) => ({ ...table.snapshot(), order: [...table.services()].map((service) => service.id) });
const oneByOne = (table: Table, operations: readonly Operation[]) =>
  operations.flatMap((each) => table.apply([each]).refusals.map(({ code }) => code));

test("a list that is refused leaves no trace, one that is not does what its operations do one by one", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 30 }), fc.array(operation, { minLength: 1, maxLength: 10 }), (history, list) => {
      const [whole, single] = [history, history].map((operations) => {
        const table = new Table({ maxServices: 3, maxDests: 8 });
        oneByOne(table, operations);
        return table;
      }) as [Table, Table];
      const before = seen(whole);
      const { refusals } = whole.apply(list);
      if (refusals.length > 0) expect(seen(whole)).toEqual(before);
      const codes = oneByOne(single, list);
      if (codes.length === 0) expect([refusals, seen(whole)]).toEqual([[], seen(single)]);
      else expect(refusals[0]?.code).toBe(codes[0]);
    }),
    { numRuns: 500 },
  );
});

test("a reader that replays the changes over lists of its own sees what the table holds", () => {
  fc.assert(
    fc.property(fc.array(fc.array(operation, { maxLength: 6 }), { maxLength: 20 }), (lists) => {
      const table = new Table({ maxServices: 3, maxDests: 8 });
      const mirror = new Map<object, { spec: unknown; dests: { id: number; weight: number }[] }>();
      for (const list of lists) for (const change of table.apply(list).changes) replay(mirror, change);
      const held = [...table.services()].map(({ spec, dests }) => ({
        spec,
        dests: dests.map((dest) => ({ id: dest.id, weight: dest.spec.weight })),
      }));
      expect(new Set([...mirror.values()].map((each) => JSON.stringify(each)))).toEqual(
        new Set(held.map((each) => JSON.stringify(each))),
      );
    }),
    { numRuns: 300 },
  );
});

function replay(mirror: Map<object, { spec: unknown; dests: { id: number; weight: number }[] }>, change: Change): void {
  if (!("service" in change) || change.service === undefined) return;
  const service = mirror.get(change.service);
  switch (change.kind) {
    case "service-added":
      mirror.set(change.service, { spec: change.spec, dests: [] });
      break;
    case "service-edited":
      Object.assign(service ?? {}, { spec: change.after });
      break;
    case "service-deleted":
      mirror.delete(change.service);
      break;
    case "dest-added":
      service?.dests.unshift({ id: change.dest.id, weight: change.spec.weight });
      break;
    case "dest-edited":
      for (const dest of service?.dests ?? []) if (dest.id === change.dest.id) dest.weight = change.after.weight;
      break;
    case "dest-deleted":
      Object.assign(service ?? {}, { dests: service?.dests.filter((dest) => dest.id !== change.dest.id) });
      break;
  }
}
