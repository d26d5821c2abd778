import type { Dialect } from "./side.ts";
import { expandStep } from "./steps.ts";

/** A case file, read: what it is about and its steps. See README.md for the language. */
export interface Case {
  /** "5-packets/nat-request", from the file's place. */
  readonly name: string;
  /** The chapter of the spec it belongs to, as its folder says: 5. */
  readonly chapter: number;
  /** Its first comment. */
  readonly about: string;
  readonly steps: readonly Step[];
  /** Milliseconds it waits in all: what makes a case slow. */
  readonly waits: number;
  /** UDP ports that carry GUE, found in its --tun-port options. */
  readonly guePorts: ReadonlySet<number>;
}

/** What a step said, as the agent noted it. */
export interface Answers {
  readonly frames: readonly { readonly side: "c" | "r"; readonly bytes: Uint8Array }[];
  readonly picks: readonly string[];
  /** Of each command of the step, and of all. */
  readonly outputs: readonly string[];
  readonly output: string;
  readonly code: number | undefined;
  readonly problems: readonly string[];
  /** Milliseconds that the case was behind its plan when the step ended. */
  readonly late: number;
}

/** What is remembered between the steps of a run. */
export interface Memory {
  readonly ids: Set<number>;
  readonly guePorts: ReadonlySet<number>;
  lastCode: number | undefined;
  lastLines: readonly string[];
}

export interface Step {
  /** As in the file: what heads its result in the transcript. */
  readonly text: string;
  plan(dialect: Dialect, seen: Set<string>): readonly string[];
  read(answers: Answers, memory: Memory): string[];
}

export function parseCase(name: string, text: string): Case {
  const lines = text.split("\n").map((raw) => raw.trimEnd());
  const about =
    lines
      .find((l) => l.startsWith("#"))
      ?.slice(1)
      .trim() ?? "";
  const steps: Step[] = [];
  let waits = 0;
  for (let i = 0; i < lines.length; i++) {
    const text = lines[i]!.trim();
    if (text === "" || text.startsWith("#")) continue;
    const input: string[] = [];
    while (lines[i + 1]?.startsWith("|")) input.push(lines[++i]!.slice(1).replace(/^ /, ""));
    try {
      const made = expandStep(text, input.length > 0 ? `${input.join("\n")}\n` : undefined);
      steps.push(...made.steps);
      waits += made.waits;
    } catch (error) {
      throw new Error(`${name}.case:${i + 1}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const guePorts = new Set([...text.matchAll(/--tun-port[ =](\d+)/g)].map((m) => Number(m[1])));
  return { name, chapter: Number.parseInt(name, 10), about, steps, waits, guePorts };
}
