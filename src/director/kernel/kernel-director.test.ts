import { beforeEach, describe, expect, test } from "vitest";
import { Fault } from "../../fault.ts";
import { ip } from "../../net/ip.ts";
import { findFamily } from "../../wire/genl.ts";
import { ipvsCommand as command, parseService } from "../../wire/ipvs-netlink.ts";
import { NetlinkClient } from "../../wire/netlink-client.ts";
import { type DestSpec, type Operation, type ServiceKey, type ServiceSpec, serviceId } from "../director.ts";
import { KernelDirector } from "./kernel-director.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

let kernel: FakeKernel;
let director: KernelDirector;
let settings: Record<string, string>;
let connList: string[];
let errors: string[];

beforeEach(() => {
  kernel = new FakeKernel();
  settings = { drop_entry: "0", sync_threshold: "3 50", conn_lfactor: "-4" };
  connList = [];
  errors = [];
  const client = new NetlinkClient(kernel);
  director = new KernelDirector({
    family: () => findFamily(client, "IPVS", 1),
    sysctls: {
      all: () => ({ ...settings }),
      set(name, value) {
        if (name === "conn_lfactor" && value === "99") throw new Fault("set", "EINVAL", "out of range");
        settings[name] = value;
      },
    },
    connList: () => connList,
    log: { debug() {}, info() {}, warn() {}, error: (word) => errors.push(word) },
    close() {},
  });
});

const key: ServiceKey = { protocol: "tcp", addr: ip("10.0.0.1"), port: 80 };
const key6: ServiceKey = { fwmark: 7, family: "ipv6" };
const service = (of: ServiceKey, some: Partial<ServiceSpec> = {}): ServiceSpec => ({
  ...{ key: of, scheduler: "rr", schedFlags: [], persistSeconds: 0, onePacket: false, pe: "" },
  netmask: of === key6 ? 128 : 0xffff_ffff,
  ...some,
});
const dest = (address: string, some: Partial<DestSpec> = {}): DestSpec => ({
  ...{ addr: ip(address), port: 8080, method: "nat", weight: 1, upper: 0, lower: 0, toa: false },
  tunnel: { type: "ipip", port: 0, checksum: "none" },
  ...some,
});

const full: Operation[] = [
  {
    op: "add-service",
    service: service(key, { scheduler: "mh", schedFlags: [1, 2], persistSeconds: 60, netmask: 0xffffff00, pe: "sip" }),
  },
  { op: "add-dest", key, dest: dest("10.0.0.11") },
  { op: "add-dest", key, dest: dest("fd00::12", { method: "tunnel", tunnel: { type: "gue", port: 6080, checksum: "remcsum" } }) },
  { op: "add-service", service: service(key6, { onePacket: true }) },
  { op: "add-dest", key: key6, dest: dest("fd00::11", { method: "route", weight: 2 ** 31 - 1, upper: 9, lower: 3 }) },
];

describe("a table", () => {
  test("is read back as it was written", () => {
    expect(director.apply(full)).toEqual([]);
    const [first, second] = director.services();
    expect(first).toMatchObject((full[0] as { service: object }).service);
    expect(first?.dests).toMatchObject([(full[2] as { dest: object }).dest, (full[1] as { dest: object }).dest]);
    expect(second).toMatchObject({ key: key6, onePacket: true, persistSeconds: 0, dests: [(full[4] as { dest: object }).dest] });
    expect(director.service(key6)).toEqual(second);
    expect(director.service({ ...key, port: 81 })).toBeUndefined();
    expect(director.tableUse()).toEqual({ conns: 0, capacity: 0, services: 2, dests: 3 });
    expect(director.info()).toEqual({ version: 0x10201, connTableSize: 4096 });
  });

  test("one operation goes straight to the kernel, whose errno is the refusal's", () => {
    director.apply(full.slice(0, 1));
    kernel.asked.length = 0;
    expect(director.apply(full.slice(0, 1))).toMatchObject([{ index: 0, code: "EEXIST" }]);
    expect(kernel.asked).toEqual([command.newService]);
  });

  test("a list that cannot be right is refused before anything is done", () => {
    const refusals = director.apply([
      ...full,
      { op: "add-service", service: service(key) },
      { op: "delete-dest", key, dest: dest("10.9.9.9") },
      { op: "set-setting", name: "nosuch", value: "1" },
      { op: "set-setting", name: "lblc_expiration", value: "1" },
    ]);
    expect(refusals.map(({ index, code }) => [index, code])).toEqual([
      [5, "EEXIST"],
      [6, "ENOENT"],
      [7, "ENOENT"],
      [8, "ENOENT"],
    ]);
    expect(kernel.services.size).toBe(0);
  });
});

/** Whatever can be done, each followed by something that the kernel refuses. */
const daemon = {
  state: "master",
  interface: "eth0",
  syncId: 3,
  port: 9000,
  group: ip("224.0.0.9"),
  ttl: 2,
  maxLen: 1400,
} as const;
const undone: Operation[] = [
  { op: "add-service", service: service({ ...key, port: 81 }) },
  { op: "edit-service", service: service(key, { scheduler: "wlc" }) },
  { op: "add-dest", key, dest: dest("10.0.0.13") },
  { op: "edit-dest", key, dest: dest("10.0.0.11", { weight: 7, method: "route" }) },
  { op: "delete-dest", key, dest: dest("fd00::12") },
  { op: "delete-service", key },
  { op: "flush" },
  { op: "set-timeouts", timeouts: { tcp: 5, udp: 6 } },
  { op: "set-setting", name: "drop_entry", value: "3" },
  { op: "set-setting", name: "conn_lfactor", value: "2" },
];
const poison: Operation = { op: "add-service", service: service({ ...key, port: 666 }) };

describe("a list that the kernel refuses in the middle", () => {
  /** The kernel's order of services is that of a hash table. */
  const state = () =>
    structuredClone({
      services: director.services().toSorted((a, b) => (serviceId(a.key) < serviceId(b.key) ? -1 : 1)),
      ...{ timeouts: kernel.timeouts, settings, daemons: kernel.daemons },
    });

  beforeEach(() => {
    director.apply(full);
    kernel.refuse = (number, { attributes }) => {
      const of = parseService(attributes)?.key;
      return number === command.newService && of?.fwmark === undefined && of?.port === 666 ? 2 : 0;
    };
  });

  for (const operation of undone) {
    test(`leaves no trace of ${operation.op}${"name" in operation ? ` ${operation.name}` : ""}`, () => {
      const before = state();
      expect(director.apply([operation, poison])).toMatchObject([{ index: 1, code: "ENOENT" }]);
      expect(state()).toEqual(before);
      expect(errors).toEqual([]);
      expect(director.apply([operation])).toEqual([]);
      expect(state()).not.toEqual(before);
    });
  }

  test("leaves no trace of a daemon that was started, or stopped", () => {
    director.apply([{ op: "delete-dest", key, dest: dest("fd00::12") }]);
    expect(director.apply([{ op: "start-daemon", daemon }, poison])).toMatchObject([{ index: 1 }]);
    expect(director.syncDaemons()).toEqual([]);
    expect(director.apply([{ op: "start-daemon", daemon }])).toEqual([]);
    expect(director.apply([{ op: "stop-daemon", state: "master" }, poison])).toMatchObject([{ index: 1 }]);
    expect(director.syncDaemons()).toEqual([daemon]);
  });

  test("leaves no trace of all of them together, in an order that matters", () => {
    const before = state();
    const renewed: Operation[] = [{ op: "flush" }, ...full, ...undone.slice(0, 4), ...undone.slice(7), poison];
    expect(director.apply(renewed)).toMatchObject([{ index: renewed.length - 1, code: "ENOENT" }]);
    expect(state()).toEqual(before);
  });

  test("is undone as far as it goes, and what is left is told", () => {
    const isRefused = kernel.refuse;
    kernel.refuse = (number, message) => (number === command.delDest ? 12 : isRefused(number, message));
    const [first, second] = [dest("10.0.0.13"), dest("10.0.0.11", { weight: 7 })];
    director.apply([{ op: "edit-dest", key, dest: second }, { op: "add-dest", key, dest: first }, poison]);
    expect(errors).toEqual(["not undone"]);
    expect(director.service(key)?.dests.map(({ addr, weight }) => [addr, weight])).toEqual([
      ["10.0.0.13", 1],
      ["fd00::12", 1],
      ["10.0.0.11", 1],
    ]);
  });

  test("may be one for a setting that the kernel alone knows", () => {
    const refusals = director.apply([undone[2]!, { op: "set-setting", name: "conn_lfactor", value: "99" }]);
    expect(refusals).toMatchObject([{ index: 1, code: "EINVAL" }]);
    expect(director.service(key)?.dests.length).toBe(2);
  });
});

const impossible: [operation: Operation, words: string][] = [
  [
    { op: "add-dest", key, dest: dest("10.0.0.11", { method: "fullnat" }) },
    "the kernel's IPVS has no FullNAT: lvsd --engine xdp has",
  ],
  [{ op: "edit-dest", key, dest: dest("10.0.0.11", { toa: true }) }, "the kernel's IPVS has no TOA: lvsd --engine xdp has"],
  [{ op: "add-laddr", key, addr: ip("10.0.0.9") }, "no FullNAT and no local addresses"],
];

for (const [operation, words] of impossible) {
  test(`${operation.op} of what the kernel has not is refused in words, alone and in a list`, () => {
    const missing = { code: "EOPNOTSUPP", message: expect.stringContaining(words) };
    expect(director.apply([operation])).toMatchObject([{ index: 0, ...missing }]);
    director.apply([
      { op: "add-service", service: service(key) },
      { op: "add-dest", key, dest: dest("10.0.0.11") },
    ]);
    const again: Operation[] = [{ op: "zero" }, { ...operation, ...(operation.op === "add-dest" && { dest: dest("10.0.0.12", { method: "fullnat" }) }) } as Operation]; // biome-ignore format: a pair
    expect(director.apply(again)).toMatchObject([{ index: 1, ...missing }]);
  });
}

test("a mark of 0 is no service", () => {
  expect(director.apply([{ op: "delete-service", key: { fwmark: 0, family: "ipv4" } }])).toMatchObject([{ code: "EINVAL" }]);
});

test("marks are the firewall's to set", () => {
  expect(director.setMarks([])).toEqual([]);
  expect(director.setMarks([{ mark: 1, family: "ipv4" }])).toMatchObject([{ index: 0, code: "EOPNOTSUPP" }]);
});

test("conns are lines, wherever the pieces break", () => {
  director.apply(full);
  const text = [
    "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData",
    "TCP 0A010003 07D9 0A000001 0050 0A00000B 1F90 ESTABLISHED     898",
    "UDP 0A010003 0000 0A010064 13C4 0A020012 13C4 NONE             59 sip bbb@x y",
    "IP  0A010003 0000 00000007 0000 0A020011 0000 ASSURED          58",
    "IP  fd01:0000:0000:0000:0000:0000:0000:0002 0000 8000:0007:0000:0000:0000:0000:0000:0000 0000 fd00:0000:0000:0000:0000:0000:0000:0011 1F90 NONE             58",
    "TCP 0A010003 0000 0A000001 0014 0A020011 0014 LISTEN          119",
    "AH_51 is no protocol of this kind",
    "ICMP 0A010003 0000 0A010064 0050 fd00:0000:0000:0000:0000:0000:0000:0012 1F90 NONE              1",
    "",
  ].join("\n");
  connList = [text];
  const whole = [...director.conns()];
  for (let size = 1; size < 90; size += 7) {
    connList = text.match(new RegExp(`[\\s\\S]{1,${size}}`, "g")) ?? [];
    expect([...director.conns()]).toEqual(whole);
  }
  expect(whole).toMatchObject([
    {
      ...{ protocol: "tcp", client: { addr: "10.1.0.3", port: 2009 }, virtual: { addr: "10.0.0.1", port: 80 } },
      ...{ dest: { addr: "10.0.0.11", port: 8080 }, method: "nat", state: "ESTABLISHED", expiresIn: 898, active: true },
      ...{ template: false, fwmark: 0 },
    },
    { protocol: "udp", state: "NONE", template: true, active: false, method: "route", pe: { name: "sip", data: "bbb@x y" } },
    { protocol: "ip", template: true, fwmark: 7, state: "ASSURED", virtual: { addr: "0.0.0.7", port: 0 } },
    { protocol: "ip", template: true, fwmark: 0x80000007, method: "route", dest: { addr: "fd00::11", port: 8080 } },
    { protocol: "tcp", client: { port: 0 }, template: false, state: "LISTEN", active: false },
    { protocol: "ip", dest: { addr: "fd00::12" }, method: "tunnel" },
  ]);
});

test("explain tells of the conn, or of the service that would schedule, or of neither", () => {
  director.apply([...full, { op: "add-service", service: service({ ...key, port: 0 }, { persistSeconds: 9 }) }]);
  const client = { addr: ip("10.1.0.3"), port: 2009 };
  const virtual = { addr: ip("10.0.0.1"), port: 80 };
  expect(director.explain({ protocol: "tcp", client, virtual })).toMatchObject({ service: key });
  connList = ["TCP 0A010003 07D9 0A000001 0050 0A00000B 1F90 ESTABLISHED     898\n"];
  expect(director.explain({ protocol: "tcp", client, virtual })).toMatchObject({ dest: { addr: "10.0.0.11", port: 8080 } });
  const other = director.explain({ protocol: "tcp", client, virtual: { ...virtual, port: 99 } });
  expect(other).toMatchObject({ service: { ...key, port: 0 }, verdict: "no-dest" });
  expect(director.explain({ protocol: "udp", client, virtual }).service).toBeUndefined();
});
