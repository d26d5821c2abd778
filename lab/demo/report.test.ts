import pc from "picocolors";
import { expect, test } from "vitest";
import { demo } from "../topologies/demo.ts";
import { pair, VIPS } from "../topologies/pair.ts";
import type { Findings, MethodFinding } from "./findings.ts";
import { report } from "./report.ts";

const method: MethodFinding = {
  name: "DR",
  scheduler: "wrr 3:1",
  servers: ["near1", "near2"],
  answers: ["near1", "near1", "near1", "near2"],
  load: { requestsPerSecond: 41_480.4, requests: 124_441, errors: 0, latency: "561.99us" },
  wayBack: { client: 50_100_000, director: 41_000, replies: 0 },
  source: "10.1.0.2",
  captured: [],
};
const rewritten: MethodFinding = { ...method, name: "NAT", wayBack: { client: 5e7, director: 5.1e7, replies: undefined } };
const tunnelled: MethodFinding = {
  ...method,
  name: "TUN",
  captured: [
    "12:00:00.123456 IP (tos 0x0, ttl 61, id 0, offset 0, flags [DF], proto IPIP (4), length 80)",
    "10.2.0.2 > 10.3.0.31: IP (tos 0x0, ttl 62, id 7, offset 0, flags [DF], proto TCP (6), length 60)",
    "10.1.0.2.4000 > 10.2.0.103.80: Flags [S], cksum 0x16a1 (incorrect -> 0xc3d4), seq 1, win 64240, options [mss 1460], length 0",
  ],
};
const seen = (tries: number, broken: number, gap: number) => ({ tries, broken, gap });
const findings: Findings = {
  picture: demo.picture ?? "",
  hook: "tc",
  methods: [rewritten, method, tunnelled],
  listing: "IP Virtual Server version 1.2.1 (size=1048576)\n",
  statistics: "",
  survival: {
    method: "NAT",
    bytes: 600_000_000,
    sha256: "5".repeat(64),
    killed: { at: 1.2, pid: 4_194_303, received: 98_000_000 },
    back: { at: 5.1, pid: 4_194_304, received: 410_000_000 },
    end: 7.4,
    adopted: ["front", "inside"],
  },
  pair: {
    picture: pair.picture ?? "",
    vips: VIPS,
    moments: [
      { what: "a VIP each", holders: ["d1", "d2"], seen: [seen(100, 0, 21), seen(100, 0, 19)] },
      { what: "d1 dies", holders: ["d2", "d2"], seen: [seen(1230, 1056, 561.4), seen(230, 0, 24)] },
      { what: "d1 is back", holders: ["d1", "d2"], seen: [seen(430, 0, 31), seen(431, 0, 30)] },
    ],
    patience: 721.875,
    advert: 200,
    wrk: { requests: 5321, errors: 8 },
  },
  bench: [
    { name: "tcp route", hook: "xdp", flows: 1, ns: 39.5 },
    { name: "tcp route", hook: "tc", flows: 1, ns: 999 },
  ],
  seconds: 46,
};
const text = report(findings, pc.createColors(false));

test("a report fits in 80 columns and has no colour where there is no terminal", () => {
  for (const line of text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  expect(text).not.toContain("\x1b");
});

test("a report says what was measured", () => {
  expect(text).toMatch(/DR +wrr 3:1 +near1 +█{17}░{5} +3 {2}near1 near1 near1 near2 …/);
  expect(text).toContain("DR         41,480 requests/s, 0.56 ms on average, 0 errors");
  expect(text).toMatch(/NAT +50 MB +51 MB +all pass it/);
  expect(text).toMatch(/DR +50 MB +41 kB +0/);
  expect(text).toMatch(/of a known flow +- +40 +- +-/);
  expect(text).toContain("pid 4194304 has adopted front and inside, with the same table;\n         312 MB arrived meanwhile");
});

test("a report says who had which VIP, and for how long nobody", () => {
  expect(text).toMatch(/a VIP each +d1 +0\/100 +21 ms +d2 +0\/100 +19 ms/);
  expect(text).toMatch(/d1 dies +d2 +1056\/1230 +561 ms +d2 +0\/230 +24 ms/);
  expect(text).toContain("d2 answered for d1 after 561 ms. VRRP, with 200 ms between adverts, waits\n  for 722 ms of silence.");
  expect(text).toContain("wrk had 5,321 answers, and 8 errors on its 8 keep-alive connections.");
});

test("a report leaves out of a captured packet what says little", () => {
  expect(text).toContain(`
  IP (ttl 61, flags [DF], proto IPIP (4), length 80)
    10.2.0.2 > 10.3.0.31: IP (ttl 62, flags [DF], proto TCP (6), length 60)
      10.1.0.2.4000 > 10.2.0.103.80: Flags [S], win 64240, length 0
`);
});
