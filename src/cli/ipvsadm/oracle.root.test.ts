import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { matrix } from "./matrix.ts";
import { askOracle, missingOracle } from "./oracle.ts";
import {
  aloneRules,
  type Entry,
  formatTranscript,
  isAlone,
  readTranscript,
  transcriptNames,
  transcriptPath,
} from "./transcript.ts";

/** The committed transcripts against the program they were recorded from. LVSD_RECORD=1 writes them anew. */

const record = process.env.LVSD_RECORD === "1";
const missing = missingOracle();
if (process.env.CI === "true" && missing !== undefined) throw new Error(`the original cannot be asked: ${missing}`);

if (record) writeFileSync(transcriptPath("matrix.txt"), formatTranscript(matrix()));
const names = transcriptNames().filter((name) => !name.startsWith("lvsd-"));
const overlays = { "/etc/hosts": transcriptPath("hosts"), "/etc/services": transcriptPath("services") };

test.skipIf(missing !== undefined)(
  `the original prints what the transcripts say${missing === undefined ? "" : ` (${missing})`}`,
  { timeout: 300_000 },
  async () => {
    const transcripts = names.map(readTranscript);
    const answers = await askOracle(
      transcripts.map((entries) => ({
        steps: entries.map(({ step }) => step),
        alone: isAlone(entries),
        rules: isAlone(entries) ? aloneRules : "",
      })),
      overlays,
    );
    const told = transcripts.map((entries, t) => entries.map((entry, i): Entry => ({ ...entry, outcome: answers[t]![i]! })));
    for (const [t, name] of names.entries()) {
      if (record) writeFileSync(transcriptPath(name), formatTranscript(told[t]!));
      else expect(formatTranscript(told[t]!), name).toBe(formatTranscript(transcripts[t]!));
    }
  },
);
