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

const groups = [names.filter((name) => name === "matrix.txt"), names.filter((name) => name !== "matrix.txt")];

for (const group of groups) {
  const title = `the original prints what is told in ${group.length === 1 ? group[0] : `the other ${group.length} transcripts`}`;
  test.skipIf(missing !== undefined)(missing === undefined ? title : `${title} (${missing})`, { timeout: 400_000 }, async () => {
    const transcripts = group.map(readTranscript);
    const told = await asked(transcripts);
    for (const [t, name] of group.entries()) {
      if (record) writeFileSync(transcriptPath(name), formatTranscript(told[t]!));
      else expect(formatTranscript(told[t]!), name).toBe(formatTranscript(transcripts[t]!));
    }
  });
}

/** The same commands with what the original prints. */
async function asked(transcripts: readonly (readonly Entry[])[]): Promise<Entry[][]> {
  const sessions = transcripts.map((entries) => ({
    steps: entries.map(({ step }) => step),
    alone: isAlone(entries),
    rules: isAlone(entries) ? aloneRules : "",
  }));
  const answers = await askOracle(sessions, overlays);
  return transcripts.map((entries, t) => entries.map((entry, i) => ({ ...entry, outcome: answers[t]![i]! })));
}
