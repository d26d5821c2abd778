import { expect, test } from "vitest";
import { ip } from "../net/ip.ts";
import type { DestSpec, Operation, ServiceKey, ServiceSpec } from "./director.ts";
import { type Change, Table } from "./table.ts";

const web: ServiceKey = { protocol: "tcp", addr: ip("10.0.0.100"), port: 80 };
const web6: ServiceKey = { protocol: "tcp", addr: ip("2001:db8::100"), port: 80 };
const mark: ServiceKey = { fwmark: 5, family: "ipv4" };

const spec = (key: ServiceKey = web, more: Partial<ServiceSpec> = {}): ServiceSpec => {
  const netmask = key === web6 ? 128 : 0xffffffff;
  return { key, scheduler: "rr", schedFlags: [], persistSeconds: 0, netmask, onePacket: false, pe: "", ...more };
};
const dest = (addr: string, more: Partial<DestSpec> = {}): DestSpec => ({
  ...{ addr: ip(addr), port: 80, method: "nat", weight: 1, upper: 0, lower: 0, toa: false },
  ...{ tunnel: { type: "ipip", port: 0, checksum: "none" } },
  ...more,
});
const addService = (key: ServiceKey = web, more: Partial<ServiceSpec> = {}): Operation => ({
  op: "add-service",
  service: spec(key, more),
});
const addDest = (addr: string, more: Partial<DestSpec> = {}, key: ServiceKey = web): Operation => ({
  op: "add-dest",
  key,
  dest: dest(addr, more),
});
const editDest = (addr: string, more: Partial<DestSpec> = {}, key: ServiceKey = web): Operation => ({
  op: "edit-dest",
  key,
  dest: dest(addr, more),
});
const deleteDest = (addr: string, key: ServiceKey = web): Operation => ({ op: "delete-dest", key, dest: dest(addr) });

function tableWith(...operations: Operation[]): Table {
  const table = new Table({ maxServices: 10, maxDests: 10 });
  expect(table.apply(operations).refusals).toEqual([]);
  return table;
}
const codes = (table: Table, ...operations: Operation[]): string[] =>
  table.apply(operations).refusals.map((refusal) => refusal.code);
const kinds = (changes: readonly Change[]): string[] => changes.map((change) => change.kind);
const addresses = (table: Table, key: ServiceKey = web): string[] =>
  (table.service(key)?.dests ?? []).map((each) => each.spec.addr);
const tunnel = { method: "tunnel" } as const;
const syncDaemon: Operation = { op: "start-daemon", daemon: { state: "master", interface: "eth0", syncId: 1 } };

const refusals: [name: string, before: Operation[], operation: Operation, code: string][] = [
  ["adding a service twice", [addService()], addService(), "EEXIST"],
  ["adding a service twice, even with a scheduler nobody knows", [addService()], addService(web, { scheduler: "x" }), "EEXIST"],
  ["a scheduler nobody knows", [], addService(web, { scheduler: "x" }), "ENOENT"],
  ["a persistence engine nobody knows", [], addService(web, { pe: "x" }), "ENOENT"],
  ["an IPv6 netmask of 0", [], addService(web6, { netmask: 0 }), "EINVAL"],
  ["an IPv6 netmask of 129", [], addService(web6, { netmask: 129 }), "EINVAL"],
  ["a mark of 0", [], addService({ fwmark: 0, family: "ipv4" }), "EINVAL"],
  ["editing a service that is not there", [], { op: "edit-service", service: spec() }, "ESRCH"],
  ["deleting a service that is not there", [], { op: "delete-service", key: web }, "ESRCH"],
  ["zeroing a service that is not there", [], { op: "zero", key: web }, "ESRCH"],
  ["a dest for a service that is not there", [], addDest("10.0.1.1"), "ESRCH"],
  ["adding a dest twice", [addService(), addDest("10.0.1.1")], addDest("10.0.1.1"), "EEXIST"],
  ["editing a dest that is not there", [addService()], editDest("10.0.1.1"), "ENOENT"],
  ["deleting a dest that is not there", [addService()], deleteDest("10.0.1.1"), "ENOENT"],
  ["a negative weight", [addService()], addDest("10.0.1.1", { weight: -1 }), "ERANGE"],
  ["a negative weight in an edit", [addService(), addDest("10.0.1.1")], editDest("10.0.1.1", { weight: -1 }), "ERANGE"],
  ["a lower threshold above the upper one", [addService()], addDest("10.0.1.1", { upper: 1, lower: 2 }), "ERANGE"],
  ["an upper threshold beyond INT_MAX", [addService()], addDest("10.0.1.1", { upper: 2 ** 31 }), "EINVAL"],
  [
    "GUE without a port",
    [addService()],
    addDest("10.0.1.1", { ...tunnel, tunnel: { type: "gue", port: 0, checksum: "none" } }),
    "EINVAL",
  ],
  ["a multicast dest", [addService()], addDest("224.0.0.1"), "EINVAL"],
  ["a broadcast dest", [addService()], addDest("255.255.255.255"), "EINVAL"],
  ["an unspecified dest", [addService()], addDest("0.0.0.0"), "EINVAL"],
  ["a link-local IPv6 dest", [addService(web6)], addDest("fe80::1", {}, web6), "EINVAL"],
  ["a multicast IPv6 dest", [addService(web6)], addDest("ff02::1", {}, web6), "EINVAL"],
  ["a dest of the other family without a tunnel", [addService()], addDest("2001:db8::1"), "EINVAL"],
  ["a dest of the other family while a sync daemon runs", [addService(), syncDaemon], addDest("2001:db8::1", tunnel), "EINVAL"],
  ["a sync daemon with a dest of the other family", [addService(), addDest("2001:db8::1", tunnel)], syncDaemon, "EINVAL"],
  ["a second master daemon", [syncDaemon], syncDaemon, "EEXIST"],
  ["stopping a daemon that does not run", [syncDaemon], { op: "stop-daemon", state: "backup" }, "ESRCH"],
  [
    "a local address twice",
    [addService(), { op: "add-laddr", key: web, addr: ip("10.0.2.1") }],
    { op: "add-laddr", key: web, addr: ip("10.0.2.1") },
    "EEXIST",
  ],
  ["a local address of the other family", [addService()], { op: "add-laddr", key: web, addr: ip("2001:db8::1") }, "EINVAL"],
  [
    "deleting a local address that is not there",
    [addService()],
    { op: "delete-laddr", key: web, addr: ip("10.0.2.1") },
    "ENOENT",
  ],
  ["a timeout beyond what the kernel can count", [], { op: "set-timeouts", timeouts: { tcp: 2 ** 31 } }, "EINVAL"],
  ["a setting nobody knows", [], { op: "set-setting", name: "toString", value: "1" }, "ENOENT"],
  ["a setting out of range", [], { op: "set-setting", name: "drop_entry", value: "4" }, "EINVAL"],
];

for (const [name, before, operation, code] of refusals) {
  test(`refused with ${code}: ${name}`, () => {
    expect(codes(tableWith(...before), operation)).toEqual([code]);
  });
}

const settings: [name: string, value: string, readsBack: string | undefined][] = [
  ["sync_threshold", "7 10", "7 10"],
  ["sync_threshold", "7", "7 50"],
  ["sync_threshold", "50 50", undefined],
  ["sync_threshold", "60 0", "60 0"],
  ["sync_ports", "3", undefined],
  ["sync_ports", "8", "8"],
  ["amemthresh", "-5", "-5"],
  ["conntrack", "5", "5"],
  ["secure_tcp", " 3 \n", "3"],
  ["secure_tcp", "on", undefined],
  ["est_cpulist", "0-3,8", "0-3,8"],
  ["est_cpulist", "", ""],
  ["est_nice", "-21", undefined],
];

for (const [name, value, readsBack] of settings) {
  test(`${name} = ${JSON.stringify(value)} ${readsBack === undefined ? "is refused" : `reads back as "${readsBack}"`}`, () => {
    const table = tableWith();
    expect(codes(table, { op: "set-setting", name, value })).toEqual(readsBack === undefined ? ["EINVAL"] : []);
    if (readsBack !== undefined) expect(table.setting(name)).toBe(readsBack);
  });
}

test("the newest dest comes first and keeps its place when it is edited", () => {
  const table = tableWith(addService(), addDest("10.0.1.1"), addDest("10.0.1.2"), addDest("10.0.1.3"));
  table.apply([editDest("10.0.1.2", { weight: 7 })]);
  expect(addresses(table)).toEqual(["10.0.1.3", "10.0.1.2", "10.0.1.1"]);
});

test("last weight follows the weight except to 0", () => {
  const table = tableWith(
    addService(),
    addDest("10.0.1.1", { weight: 3 }),
    editDest("10.0.1.1", { weight: 5 }),
    editDest("10.0.1.1", { weight: 0 }),
  );
  expect(table.service(web)?.dests[0]).toMatchObject({ lastWeight: 5, spec: { weight: 0 } });
});

test("a dest that is added again comes back from the trash with its id", () => {
  const table = tableWith(addService(), addDest("10.0.1.1"), addDest("10.0.1.2"));
  const id = table.service(web)?.dests[1]?.id;
  table.apply([deleteDest("10.0.1.1"), { op: "edit-service", service: spec(web, { scheduler: "wlc" }) }]);
  expect(table.dest(id ?? 0)?.available).toBe(false);
  const { changes } = table.apply([addDest("10.0.1.1", { weight: 9 })]);
  expect(changes).toMatchObject([{ kind: "dest-added", resurrected: true, statsReset: false, dest: { id, available: true } }]);
  expect(addresses(table)).toEqual(["10.0.1.1", "10.0.1.2"]);
  expect(table.dest(id ?? 0)?.spec.weight).toBe(9);
});

test("a dest that comes back into a new service of the same key starts its statistics anew", () => {
  const table = tableWith(addService(), addDest("10.0.1.1"));
  table.apply([{ op: "delete-service", key: web }, addService()]);
  expect(table.apply([addDest("10.0.1.1")]).changes).toMatchObject([{ resurrected: true, statsReset: true }]);
});

test("a dest of another service is not resurrected", () => {
  const other: ServiceKey = { ...web, port: 81 };
  const table = tableWith(addService(), addService(other), addDest("10.0.1.1"), deleteDest("10.0.1.1"));
  expect(table.apply([addDest("10.0.1.1", {}, other)]).changes).toMatchObject([{ resurrected: false, dest: { id: 2 } }]);
});

test("an unreferenced dest leaves the trash on the first 60 s run at which it has been idle for 120 s", () => {
  const table = tableWith(addService(), addDest("10.0.1.1"));
  expect(table.expireTrash(500, () => false)).toEqual([]);
  table.apply([deleteDest("10.0.1.1")]);
  const freedAt: number[] = [];
  for (let now = 1000; now <= 300_000; now += 1000) if (table.expireTrash(now, () => false).length > 0) freedAt.push(now);
  expect(freedAt).toEqual([181_000]);
  expect(table.dest(1)).toBeUndefined();
  expect(table.apply([addDest("10.0.1.1")]).changes).toMatchObject([{ resurrected: false, dest: { id: 1 } }]);
});

test("a dest in the trash stays for as long as something refers to it", () => {
  const table = tableWith(addService(), addDest("10.0.1.1"), deleteDest("10.0.1.1"));
  for (let now = 0; now <= 600_000; now += 1000) expect(table.expireTrash(now, () => true)).toEqual([]);
  for (let now = 601_000; now <= 700_000; now += 1000) expect(table.expireTrash(now, () => false)).toEqual([]);
  const freed: Change[] = [];
  for (let now = 701_000; now <= 800_000; now += 1000) freed.push(...table.expireTrash(now, () => false));
  expect(kinds(freed)).toEqual(["dest-freed"]);
});

test("deleting a service tells of its dests first", () => {
  const table = tableWith(addService(), addDest("10.0.1.1"), addDest("10.0.1.2"));
  expect(kinds(table.apply([{ op: "delete-service", key: web }]).changes)).toEqual([
    "dest-deleted",
    "dest-deleted",
    "service-deleted",
  ]);
});

test("a flush deletes every service and the id of a service is used again", () => {
  const table = tableWith(addService(), addService(web6), addService(mark), { op: "flush" }, addService(mark));
  expect([...table.services()].map(({ id }) => id)).toHaveLength(1);
  expect(table.service(mark)?.id).toBeLessThanOrEqual(3);
});

test("address services come before fwmark services, each in the order of addition", () => {
  const table = tableWith(addService(mark), addService(web6), addService());
  expect([...table.services()].map((service) => service.spec.key)).toEqual([web6, web, mark]);
});

test("one refusal undoes the whole list", () => {
  const table = tableWith(
    ...[
      addService(),
      addDest("10.0.1.1", { weight: 3 }),
      addDest("10.0.1.2"),
      addDest("10.0.1.3"),
      addDest("10.0.1.4"),
      deleteDest("10.0.1.4"),
    ],
    ...[addService(web6), addService(mark), syncDaemon],
  );
  const before = table.snapshot();
  const { refusals, changes } = table.apply([
    ...[editDest("10.0.1.1", { weight: 0 }), deleteDest("10.0.1.2"), addDest("10.0.1.4"), addDest("10.0.1.5")],
    ...[{ op: "edit-service", service: spec(web, { scheduler: "mh" }) } as const, { op: "delete-service", key: web6 } as const],
    ...[{ op: "add-laddr", key: web, addr: ip("10.0.2.1") } as const, { op: "set-timeouts", timeouts: { udp: 5 } } as const],
    ...[{ op: "set-setting", name: "drop_entry", value: "1" } as const, { op: "stop-daemon", state: "master" } as const],
    ...[{ op: "flush" } as const, addService(), addDest("10.0.1.2"), deleteDest("10.9.9.9")],
  ]);
  expect(refusals).toMatchObject([{ index: 13, code: "ENOENT" }]);
  expect(changes).toEqual([]);
  expect(table.snapshot()).toEqual(before);
  expect(table.apply([addDest("10.0.1.6")]).changes).toMatchObject([{ dest: { id: 5 } }]);
});

test("what only follows from a service that was refused is not reported", () => {
  const table = tableWith();
  const operations = [
    addService(web, { scheduler: "x" }),
    addDest("10.0.1.1"),
    addDest("10.0.1.2"),
    addDest("10.0.1.3", {}, web6),
  ];
  expect(table.apply(operations).refusals.map(({ index, code }) => [index, code])).toEqual([
    [0, "ENOENT"],
    [3, "ESRCH"],
  ]);
});

test("a change shows the specs of its own moment", () => {
  const table = tableWith(addService());
  const { changes } = table.apply([
    addDest("10.0.1.1", { weight: 1 }),
    editDest("10.0.1.1", { weight: 2 }),
    editDest("10.0.1.1", { weight: 3 }),
  ]);
  const weights = changes.map((change) => ("spec" in change ? change.spec : "after" in change ? change.after : {}));
  expect(weights).toMatchObject([{ weight: 1 }, { weight: 2 }, { weight: 3 }]);
});

test("timeouts of 0 stay as they were", () => {
  const table = tableWith({ op: "set-timeouts", timeouts: { tcp: 100, tcpFin: 0 } });
  expect(table.timeouts()).toEqual({ tcp: 100, tcpFin: 120, udp: 300 });
});

test("a data path may refuse what the table would accept", () => {
  const refuse = (operation: Operation) => (operation.op === "add-laddr" ? { code: "EOPNOTSUPP", message: "no" } : undefined);
  const table = new Table({ maxServices: 1, maxDests: 1, refuse });
  expect(codes(table, addService(), { op: "add-laddr", key: web, addr: ip("10.0.2.1") })).toEqual(["EOPNOTSUPP"]);
  expect(codes(table, addService(), addService(web6))).toEqual(["ENOMEM"]);
  expect(codes(table, addService(), addDest("10.0.1.1"), addDest("10.0.1.2"))).toEqual(["ENOMEM"]);
});

test("a restored table is the former one and goes on numbering where it left", () => {
  const former = tableWith(
    ...[addService(), addDest("10.0.1.1", { weight: 3 }), addDest("10.0.1.2"), addDest("10.0.1.3"), deleteDest("10.0.1.2")],
    ...[addService(mark), { op: "set-setting", name: "secure_tcp", value: "3" } as const],
  );
  const table = new Table({ maxServices: 10, maxDests: 10 });
  table.restore(former.snapshot());
  expect(table.snapshot()).toEqual(former.snapshot());
  expect(table.apply([addDest("10.0.1.2"), addDest("10.0.1.9")]).changes).toMatchObject([
    { resurrected: true, statsReset: false, dest: { id: 2 } },
    { resurrected: false, dest: { id: 4 } },
  ]);
});

test("an operation costs the same in a table of 10 000 services as in one of 10", () => {
  const keyOf = (n: number): ServiceKey => ({ protocol: "tcp", addr: ip(`10.1.${n >> 8}.${n & 255}`), port: 80 });
  const tableOf = (services: number): Table => {
    const table = new Table({ maxServices: services, maxDests: 10 * services });
    const keys = Array.from({ length: services }, (_, n) => keyOf(n));
    const operations = keys.flatMap((key) => [
      addService(key),
      ...Array.from({ length: 10 }, (_, d) => addDest(`10.2.0.${d + 1}`, {}, key)),
    ]);
    expect(table.apply(operations).refusals).toEqual([]);
    return table;
  };
  const timeOf = (table: Table): number => {
    const start = performance.now();
    for (let i = 0; i < 1000; i++) table.apply([editDest("10.2.0.5", { weight: i }, keyOf(i % 10))]);
    return performance.now() - start;
  };
  const [small, large] = [tableOf(10), tableOf(10_000)];
  const rounds = Array.from({ length: 7 }, () => [timeOf(small), timeOf(large)] as const);
  const best = (of: 0 | 1): number => Math.min(...rounds.map((round) => round[of]));
  expect(best(1) / best(0)).toBeLessThan(5);
}, 60_000);
