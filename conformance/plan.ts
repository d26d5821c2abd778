import { bytesOf, hexOf } from "./bytes.ts";
import type { Answers, Case, Memory } from "./case.ts";
import { craft, parsePacket } from "./craft.ts";
import type { Outcome } from "./side.ts";
import { COMMAND_TIME, type Dialect, line } from "./side.ts";
import { frameToDirector, SETTINGS } from "./topology.ts";

const MARKER = hexOf(frameToDirector("c", craft(parsePacket("udp 10.1.0.2:9 > 10.2.0.36:9 payload=the-marker".split(" ")))[0]!));

/** The agent's plan for a case. `batchFile` holds topology.ts's ipBatch. */
export function planOf(c: Case, dialect: Dialect, batchFile: string): string {
  const seen = new Set<string>();
  return [
    line("=", "prologue"),
    line("N"),
    line("X", COMMAND_TIME, "ip", "-batch", batchFile),
    ...SETTINGS.map(([path, value]) => line("W", `/proc/sys/${path}`, value)),
    line("O", "c", "c0", ...dialect.links),
    line("O", "r", "r0", ...dialect.links),
    line("K", "dc", "dr"),
    line("Q", dialect.quiet, dialect.patience ?? 0, MARKER),
    ...dialect.ready,
    ...c.steps.flatMap((step, i) => [line("=", i), ...step.plan(dialect, seen)]),
    "",
  ].join("\n");
}

interface Block {
  readonly heading: string;
  readonly lines: string[];
}

function blocksOf(result: string): Block[] {
  const blocks: Block[] = [];
  for (const text of result.split("\n")) {
    if (text.startsWith("= ")) blocks.push({ heading: text.slice(2), lines: [] });
    else if (text !== "") blocks.at(-1)?.lines.push(text);
  }
  return blocks;
}

function answersOf(block: Block): Answers {
  const frames: { side: "c" | "r"; bytes: Uint8Array }[] = [];
  const picks: string[] = [];
  const problems: string[] = [];
  const outputs: string[] = [];
  let code: number | undefined;
  let late = 0;
  for (const text of block.lines) {
    const rest = text.slice(2);
    if (text.startsWith("f ")) frames.push({ side: rest[0] === "r" ? "r" : "c", bytes: bytesOf(rest.slice(2)) });
    else if (text.startsWith("p")) picks.push(rest);
    else if (text.startsWith("o")) outputs.push(Buffer.from(rest, "hex").toString("utf8"));
    else if (text.startsWith("x ")) code = code === undefined || code === 0 ? Number(rest) : code;
    else if (text.startsWith("l ")) late = Number(rest);
    else if (text.startsWith("! ")) problems.push(rest);
  }
  return { frames, picks, outputs, output: outputs.join(""), code, problems, late };
}

/** The agent's answers become the case's outcome. */
export function outcomeOf(c: Case, result: string | undefined): Outcome {
  if (result === undefined) return { name: c.name, failure: "no answer" };
  const blocks = blocksOf(result);
  const prologue = blocks.shift();
  if (prologue === undefined) return { name: c.name, failure: "no answer" };
  const setUp = answersOf(prologue);
  if (setUp.problems.length > 0 || (setUp.code ?? 0) !== 0) {
    return { name: c.name, failure: `set-up failed: ${setUp.problems.join("; ")} ${setUp.output.trim()} (${setUp.code})` };
  }
  if (!result.trimEnd().endsWith("\nend")) {
    const where = blocks.length === 0 ? "the set-up" : `step ${blocks.length}: ${c.steps[blocks.length - 1]?.text}`;
    return { name: c.name, failure: `stopped in ${where}` };
  }
  const memory: Memory = { ids: new Set([0x1234]), guePorts: c.guePorts, lastCode: undefined, lastLines: [] };
  const steps = c.steps.map((step, i) => {
    const answers = answersOf(blocks[i]!);
    return { step: step.text, lines: step.read(answers, memory), late: answers.late / 1000 };
  });
  return { name: c.name, transcript: { name: c.name, steps } };
}
