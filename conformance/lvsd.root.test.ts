import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { HERE } from "./agent.ts";
import { parseCase } from "./case.ts";
import { DIFFERENCES } from "./differences.ts";
import { type Hook, LvsdSide } from "./lvsd.ts";
import { resultOf } from "./report.ts";
import { parseTranscript } from "./transcript.ts";

/** A sample of `make conformance`, small enough for every day: cases that take little time and touch much. */
const SAMPLE: Readonly<Record<Hook, readonly string[]>> = {
  tc: [
    "1-services/lookup-order",
    "3-schedulers/wrr-edit-mid-sequence",
    "4-conns/tcp-nat-close",
    "5-packets/nat-udp",
    "9-ipvsadm/restore-good",
  ],
  xdp: [
    "2-dests/refusals",
    "4-conns/persistent-fwmark",
    "5-packets/tunnel-gue",
    "5-packets/icmp-from-real-server-nat",
    "5-packets/nat-ipv6",
  ],
};

const read = (file: string): string => readFileSync(join(HERE, "cases", file), "utf8");

describe.each(["tc", "xdp"] as const)("lvsd on %s", (hook) => {
  test("answers a sample of the cases as the kernel did", async () => {
    const cases = SAMPLE[hook].map((name) => parseCase(name, read(`${name}.case`)));
    const side = new LvsdSide(hook);
    try {
      await side.start();
      const outcomes = await side.run(cases);
      const results = cases.map((c, i) => {
        const kernel = { name: c.name, transcript: parseTranscript(c.name, read(`${c.name}.kernel.txt`)) };
        const { name, failure, mismatches } = resultOf(c, kernel, outcomes[i]!, DIFFERENCES);
        return { name, failure, mismatches };
      });
      expect(results).toEqual(SAMPLE[hook].map((name) => ({ name, failure: undefined, mismatches: [] })));
    } finally {
      await side.stop();
    }
  }, 300_000);
});
