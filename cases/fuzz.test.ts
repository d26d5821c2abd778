import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataPathPlane } from "./data-path-plane.ts";
import { type FoundStep, found } from "./found.cases.ts";
import { fuzz, shrunk } from "./fuzzing.ts";
import { operationOf } from "./lines.ts";
import { ModelPlane } from "./model-plane.ts";
import { printScript } from "./print.ts";
import { follow, Pair, type Step } from "./script.ts";
import { shrink } from "./shrink.ts";

/** The model and the compiled data path agree: in what was found before, and in ten seconds of what chance brings. */

let plane: DataPathPlane;
beforeAll(() => {
  plane = new DataPathPlane(64, "xdp");
});
afterAll(() => plane.close());

async function stepOf(step: FoundStep): Promise<Step> {
  switch (step.do) {
    case "run":
      return { do: "apply", operation: await operationOf(step.line) };
    case "wait":
      return { do: "wait", ms: step.seconds * 1000 };
    case "frame":
      return { do: "send", by: step.by, frame: Uint8Array.from(Buffer.from(step.hex, "hex")) };
  }
}

describe.each(["xdp", "tc"] as const)("%s", (hook) => {
  test.each(found)("found before: $name", async ({ script }) => {
    const pair = new Pair(new ModelPlane(64), plane.through(hook));
    expect(follow(pair, await Promise.all(script.map(stepOf)))).toBeUndefined();
  });
});

test("random scripts: verdicts, reasons, bytes, conns and counters are the same (make fuzz for more)", () => {
  const seed = Number(process.env.LVSD_SEED ?? Date.now() % 1_000_000_000);
  const { packets, failure } = fuzz(plane, ["xdp", "tc"], seed, { ms: 10_000, packets: 1_000_000 });
  if (failure !== undefined) {
    const { script, disagreement } = shrunk(plane, failure);
    expect.fail(`seed ${seed}, ${failure.hook}:\n${printScript(script, disagreement, failure.seed)}`);
  }
  expect(packets).toBeGreaterThan(1000);
});

test("a script is shrunk to the steps that it takes to fail", () => {
  const script: Step[] = Array.from({ length: 50 }, (_, ms) => ({ do: "wait", ms }));
  const needed = new Set([3, 17, 44]);
  const fails = (steps: readonly Step[]) => steps.filter((step) => step.do === "wait" && needed.has(step.ms)).length === 3;
  expect(shrink(script, fails).map((step) => step.do === "wait" && step.ms)).toEqual([3, 17, 44]);
});
