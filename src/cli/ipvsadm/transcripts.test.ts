import { writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { matrix } from "./matrix.ts";
import { clientWith, fileNames, runStep } from "./running.ts";
import {
  aloneRules,
  type Entry,
  formatTranscript,
  isAlone,
  readTranscript,
  transcriptNames,
  transcriptPath,
} from "./transcript.ts";

const names = fileNames();
const record = process.env.LVSD_RECORD === "1";

describe("ipvsadm prints what the transcripts say", () => {
  for (const name of transcriptNames()) {
    test(name, async () => {
      const expected = readTranscript(name);
      const alone = isAlone(expected);
      const shared = await clientWith("", names);
      const told: Entry[] = [];
      for (const entry of expected) {
        const client = alone ? await clientWith(aloneRules, names) : shared;
        told.push({ ...entry, outcome: await runStep(entry.step, client, names) });
      }
      // The original cannot tell lvsd's own: LVSD_RECORD=1 writes what we print, and the diff is read.
      if (record && name.startsWith("lvsd-")) writeFileSync(transcriptPath(name), formatTranscript(told));
      else expect(formatTranscript(told)).toBe(formatTranscript(expected));
    });
  }
});

test("the transcript of the matrix has every command with every option", () => {
  const commands = (entries: readonly Entry[]) => entries.map(({ step }) => step.words.join(" "));
  expect(commands(readTranscript("matrix.txt"))).toEqual(commands(matrix()));
});
