import { expect, test } from "vitest";
import { fakeClient } from "../testing.ts";
import { askOracle, missingOracle } from "./oracle.ts";
import { oddStep, seeded, usualStep } from "./random.ts";
import { clientWith, fileNames, runStep } from "./running.ts";
import { aloneRules, transcriptPath } from "./transcript.ts";

/** Ours against the original on command lines by chance. LVSD_SEED=n tries others, LVSD_CASES=n how many. */

const missing = missingOracle();
if (process.env.CI === "true" && missing !== undefined) throw new Error(`the original cannot be asked: ${missing}`);

const random = seeded(Number(process.env.LVSD_SEED ?? 1));
const cases = Number(process.env.LVSD_CASES ?? 250);
const overlays = { "/etc/hosts": transcriptPath("hosts"), "/etc/services": transcriptPath("services") };
const title = "odd and usual command lines end as with the original";

test.skipIf(missing !== undefined)(missing === undefined ? title : `${title} (${missing})`, { timeout: 400_000 }, async () => {
  const odd = Array.from({ length: cases }, () => oddStep(random));
  const usual = Array.from({ length: cases }, () => usualStep(random));
  const answers = await askOracle(
    [
      { steps: odd, rules: aloneRules, alone: true },
      { steps: usual, rules: "", alone: false },
    ],
    overlays,
  );
  const names = fileNames();
  for (const [i, step] of odd.entries()) {
    expect({ step, ...(await runStep(step, await clientWith(aloneRules, names), names)) }).toEqual({ step, ...answers[0]![i] });
  }
  const client = fakeClient();
  for (const [i, step] of usual.entries()) {
    expect({ i, step, ...(await runStep(step, client, names)) }).toEqual({ i, step, ...answers[1]![i] });
  }
});
