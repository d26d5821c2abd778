import { expect, test } from "vitest";
import { z } from "zod";
import { check, problemsText } from "./check.ts";
import { operation, operations, serviceKey } from "./schema.ts";

const problemsOf = (schema: z.ZodType, input: unknown): string => {
  const result = check(schema, input);
  return "value" in result ? "none" : problemsText(result.problems, result.untold);
};

const key = { protocol: "tcp", addr: "10.0.0.1", port: 80 };

test("of two kinds of key, the one that was meant is explained", () => {
  expect(problemsOf(serviceKey, { ...key, addr: "10.0.0" })).toBe("addr: not an IP address");
  expect(problemsOf(serviceKey, { fwmark: -1, family: "ipv4" })).toBe("fwmark: Too small: expected number to be >=0");
});

test("a value that is wrong as a whole has no path", () => {
  expect(problemsOf(z.strictObject({ a: z.string() }), 5)).toBe("Invalid input: expected object, received number");
});

test("more than a hundred problems are counted", () => {
  const text = problemsOf(operations, { operations: new Array(150).fill({ op: "flush", now: true }) });
  expect(text).toContain('operations[99]: Unrecognized key: "now"');
  expect(text).not.toContain("operations[100]");
  expect(text).toMatch(/; and 50 more$/);
});

test("the netmask that is not given is that of single hosts", () => {
  const netmask = (k: unknown) => {
    const result = check(operation, { op: "add-service", service: { key: k, scheduler: "rr" } });
    return "value" in result && result.value.op === "add-service" ? result.value.service.netmask : undefined;
  };
  expect(netmask(key)).toBe(0xffffffff);
  expect(netmask({ ...key, addr: "::1" })).toBe(128);
  expect(netmask({ fwmark: 1, family: "ipv6" })).toBe(128);
});

const admitted: [what: string, input: unknown][] = [
  ["a negative weight", { op: "add-dest", key, dest: { addr: "10.0.0.2", port: 80, method: "nat", weight: -1 } }],
  ["an unknown scheduler", { op: "add-service", service: { key, scheduler: "best" } }],
  [
    "an upper threshold of 2^32 - 1",
    { op: "add-dest", key, dest: { addr: "10.0.0.2", port: 80, method: "nat", upper: 0xffffffff } },
  ],
];

for (const [what, input] of admitted) {
  test(`${what} is the director's to refuse, with the kernel's code`, () => {
    expect(problemsOf(operation, input)).toBe("none");
  });
}

const refused: [what: string, input: unknown, path: string][] = [
  ["a port of 65536", { op: "delete-service", key: { ...key, port: 65536 } }, "key.port"],
  ["half a port", { op: "delete-service", key: { ...key, port: 0.5 } }, "key.port"],
  ["an address with a zone", { op: "delete-service", key: { ...key, addr: "fe80::1%eth0" } }, "key.addr"],
  ["a scheduler of 16 letters", { op: "add-service", service: { key, scheduler: "x".repeat(16) } }, "service.scheduler"],
  ["an unknown field", { op: "zero", keys: [key] }, ""],
  ["an absent key spelled null", { op: "zero", key: null }, "key"],
];

for (const [what, input, path] of refused) {
  test(`${what} is refused`, () => {
    const result = check(operation, input);
    expect("problems" in result && result.problems.map((problem) => problem.path)).toContain(path);
  });
}
