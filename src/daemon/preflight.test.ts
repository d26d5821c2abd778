import { expect, test } from "vitest";
import { Fault } from "../fault.ts";
import { failureOf } from "./failure.ts";
import { editDistance, type Machine, preflight } from "./preflight.ts";

const netDev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  eth0: 1234567       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
enp1s0f0:12345       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`;
const able: Machine = { release: "6.1.0-18-amd64", status: "CapInh:\t0\nCapEff:\t000001ffffffffff\n", netDev };

/** Why lvsd would not start, and its exit code. */
function refusal(machine: Partial<Machine>, ...interfaces: string[]): { line: string; exit: number } | undefined {
  try {
    preflight({ ...able, ...machine }, { engine: "xdp", interfaces });
    return undefined;
  } catch (error) {
    return failureOf(error);
  }
}

test("a machine with all it takes is accepted", () => {
  expect(refusal({}, "lo", "eth0")).toBeUndefined();
  expect(refusal({ release: "5.15.0" })).toBeUndefined();
});

const cap = (...bits: bigint[]) => ({
  status: `CapEff:\t${bits
    .reduce((set, bit) => set | (1n << bit), 0n)
    .toString(16)
    .padStart(16, "0")}\n`,
});

test("CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON", () => {
  expect(refusal(cap(12n, 21n))).toBeUndefined();
  expect(refusal(cap(12n, 38n, 39n))).toBeUndefined();
});

test("the kernel's IPVS takes CAP_NET_ADMIN, on a kernel of any age", () => {
  const kernel = { engine: "kernel", interfaces: [] } as const;
  expect(() => preflight({ ...able, ...cap(12n), release: "4.19.0" }, kernel)).not.toThrow();
  expect(() => preflight({ ...able, ...cap() }, kernel)).toThrow("no CAP_NET_ADMIN)");
});

const advice = "run it as root, or with CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON";
const refused: [why: string, machine: Partial<Machine>, interfaces: string[], line: string, exit: number][] = [
  ["no rights", cap(), [], `start: not permitted (no CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON); ${advice}`, 77],
  ["no CAP_BPF", cap(12n, 38n), [], `start: not permitted (no CAP_BPF); ${advice}`, 77],
  [
    "an old kernel",
    { release: "5.10.0-28-amd64" },
    [],
    "start: kernel 5.10.0-28-amd64 is too old, 5.15 is the first that will do",
    69,
  ],
  ["a very old kernel", { release: "4.19.0" }, [], "start: kernel 4.19.0 is too old, 5.15 is the first that will do", 69],
  ["a mistyped interface", {}, ["eth00"], "start: no interface eth00; did you mean eth0?", 1],
  ["a name with no number", {}, ["enp1s0"], "start: no interface enp1s0; did you mean enp1s0f0?", 1],
  ["an interface like no other", {}, ["wlan7"], "start: no interface wlan7; there are lo, eth0, enp1s0f0", 1],
];

for (const [why, machine, interfaces, line, exit] of refused) {
  test(`${why} is explained`, () => {
    expect(refusal(machine, ...interfaces)).toEqual({ line, exit });
  });
}

test("the distance of two words is the number of letters to change", () => {
  expect(editDistance("eth0", "eth0")).toBe(0);
  expect(editDistance("eht0", "eth0")).toBe(2);
  expect(editDistance("", "eth0")).toBe(4);
  expect(editDistance("ens3", "eth0")).toBe(3);
});

test("a Fault inside a Fault decides the exit code", () => {
  const inner = new Fault("bpf(PROG_LOAD)", "EPERM", "not permitted");
  expect(failureOf(new Fault("load data path", "EIO", "lvs", inner))).toEqual({
    line: `load data path: lvs: bpf(PROG_LOAD): not permitted; ${advice}`,
    exit: 77,
  });
  expect(failureOf(new Fault("adopt", "ELAYOUT", "made by\n another lvsd"))?.exit).toBe(78);
});

test("what is not a Fault is a defect, not a failure", () => {
  expect(failureOf(new TypeError("undefined is not a function"))).toBeUndefined();
});
