import { hexOf } from "./bytes.ts";
import type { Answers, Memory, Step } from "./case.ts";
import { craft, DEFAULT_ID, parsePacket } from "./craft.ts";
import { decode } from "./decode.ts";
import { fuzzSteps } from "./fuzz.ts";
import { pickStep } from "./picks.ts";
import { COMMAND_TIME, type Dialect, line } from "./side.ts";
import { frameToDirector, receiver, type SideLetter } from "./topology.ts";
import { sortConns } from "./transcript.ts";

export interface Made {
  readonly steps: readonly Step[];
  readonly waits: number;
}

type Maker = (words: string[], text: string, input: string | undefined) => Made;

const one = (step: Step): Made => ({ steps: [step], waits: 0 });

/** The words a step can begin with. */
const MAKERS: Record<string, Maker> = {
  ipvsadm: (words, text, input) => one(ipvsadmStep(words.slice(1), text, input)),
  conns: (_, text) => one(connsStep(text)),
  "expect-exit": (words, text) => one(expectExit(Number(words[1]), text)),
  expect: (_, text) => one(expectText(text.slice("expect".length).trim(), text)),
  send: (words, text) => one(sendStep(words.slice(1), text)),
  capture: (_, text) => one(waitStep(0, text)),
  wait: (words, text) => waitMaker(words, text),
  sysctl: (words, text) => one(sysctlStep(words.slice(1).join(" "), text)),
  director: (words, text) => one(directorStep(words.slice(1), text)),
  mark: (words, text) => one(markStep(words, text)),
  picks: (words, text) => one(pickStep(words.slice(1), text)),
  fuzz: (words) => ({ steps: fuzzSteps(words.slice(1)).flatMap((s) => expandStep(s.text, s.input).steps), waits: 0 }),
};

/** A line of a case becomes its steps; `input` is what stood below it after `|`. */
export function expandStep(text: string, input?: string): Made {
  const words = text.split(/\s+/);
  const maker = MAKERS[words[0]!];
  if (maker === undefined) throw new Error(`unknown step "${words[0]}"`);
  return maker(words, input === undefined ? text : `${text} < ${input.trim().replaceAll("\n", " ; ")}`, input);
}

const readProblems = (a: Answers): string[] => a.problems.map((p) => `! ${p}`);

function remember(memory: Memory, lines: string[], code?: number): string[] {
  memory.lastLines = lines;
  memory.lastCode = code;
  return lines;
}

const outputLines = (output: string): string[] =>
  output
    .replace(/\n$/, "")
    .split("\n")
    .filter((l, i, all) => l !== "" || i < all.length - 1);

function commandPlan(program: string, words: readonly string[], input: string | undefined): string[] {
  const stdin = input === undefined ? [] : [line("I", Buffer.from(input).toString("hex"))];
  return [...stdin, line("X", COMMAND_TIME, program, ...words)];
}

/** Our own program's path must not make a message differ from the kernel side's. */
const nameless = (l: string): string => l.replace(/^\S*\/ipvsadm: /, "ipvsadm: ").replace(/^\S*\/bin\/ipvsadm\b/, "ipvsadm");

function ipvsadmStep(words: readonly string[], text: string, input: string | undefined): Step {
  const listsConns = words.some((w) => w === "-c" || w === "--connection" || /^-[Lnl]*c[Lnlc]*$/.test(w));
  return {
    text,
    plan(dialect) {
      const once = commandPlan(dialect.ipvsadm, words, input);
      return listsConns ? Array.from({ length: dialect.connListings ?? 1 }, () => once).flat() : once;
    },
    read(a, memory) {
      const lines = outputLines(listsConns ? mostAgreed(a.outputs) : a.output).map(nameless);
      const sorted = listsConns ? [...lines.slice(0, 2), ...sortConns(lines.slice(2))] : lines;
      return remember(memory, [...readProblems(a), ...sorted, `exit ${a.code}`], a.code);
    },
  };
}

/** The listing that most others are like, order and expiry apart. */
function mostAgreed(outputs: readonly string[]): string {
  const keys = outputs.map((o) => sortConns(o.replace(/ \d+:\d\d /g, " ").split("\n")).join("\n"));
  const votes = keys.map((key) => keys.filter((other) => other === key).length);
  return outputs[votes.indexOf(Math.max(...votes))] ?? "";
}

function connsStep(text: string): Step {
  return {
    text,
    plan: (dialect) =>
      Array.from({ length: dialect.connListings ?? 1 }, () => commandPlan(dialect.ipvsadm, ["-Lnc"], undefined)).flat(),
    read(a, memory) {
      const lines = sortConns(outputLines(mostAgreed(a.outputs)).slice(2));
      return remember(memory, [...readProblems(a), ...(lines.length > 0 ? lines : ["none"])]);
    },
  };
}

function expectExit(code: number, text: string): Step {
  return { text, plan: () => [], read: (_, memory) => [memory.lastCode === code ? "yes" : `NO: ${memory.lastCode}`] };
}

/** The text must stand somewhere in the result of the step before, line breaks and masks aside. */
function expectText(wanted: string, text: string): Step {
  return {
    text,
    plan: () => [],
    read: (_, memory) => {
      const flat = memory.lastLines.join(" ").replace(/\s+/g, " ");
      return [flat.includes(wanted.replace(/\s+/g, " ")) ? "yes" : "NO"];
    },
  };
}

const sideOf = (word: string | undefined): SideLetter => {
  if (word !== "client" && word !== "rs") throw new Error(`expected client or rs, got "${word}"`);
  return word === "rs" ? "r" : "c";
};

function sendStep(words: string[], text: string): Step {
  const side = sideOf(words[0]);
  const spec = parsePacket(words.slice(1));
  const packets = craft(spec);
  return {
    text,
    plan: () => [line("S", side, ...packets.map((ip) => hexOf(frameToDirector(side, ip))))],
    read(a, memory) {
      memory.ids.add(Number(spec.options.get("id") ?? DEFAULT_ID));
      return remember(memory, [...readProblems(a), ...frameLines(a, memory)]);
    },
  };
}

function frameLines(a: Answers, memory: Memory): string[] {
  if (a.frames.length === 0) return ["nothing"];
  return a.frames.flatMap(({ side, bytes }) => {
    const { text, hex } = decode(bytes.subarray(14), memory);
    return [`${receiver(side, bytes.subarray(0, 6))} ${text}`, `  ${hex}`];
  });
}

function waitStep(ms: number, text: string): Step {
  return {
    text,
    plan: () => [line("M", ms)],
    read: (a, memory) => remember(memory, [...readProblems(a), ...(a.frames.length > 0 ? frameLines(a, memory) : [])]),
  };
}

function waitMaker(words: string[], text: string): Made {
  const m = /^([\d.]+)(ms|s)$/.exec(words[1] ?? "");
  if (m === null) throw new Error(`expected "wait 2.5s" or "wait 200ms"`);
  const ms = Math.round(Number(m[1]) * (m[2] === "s" ? 1000 : 1));
  return { steps: [waitStep(ms, text)], waits: ms };
}

function sysctlStep(assignment: string, text: string): Step {
  const at = assignment.indexOf("=");
  const name = at < 0 ? assignment : assignment.slice(0, at);
  return {
    text,
    plan: (dialect) => [at < 0 ? dialect.readSetting(name) : dialect.writeSetting(name, assignment.slice(at + 1))],
    read(a, memory) {
      const value = at < 0 && a.code === 0 ? [settingIn(a.output, name)] : [];
      return remember(memory, [...readProblems(a), ...value, ...refusalOf(a)], a.code);
    },
  };
}

/** A file of one setting, or a JSON object of all. */
function settingIn(output: string, name: string): string {
  const text = output.startsWith("{") ? String((JSON.parse(output) as Record<string, unknown>)[name]) : output;
  return text.trim().replace(/\s+/g, " ");
}

/** The agent's errno of a write, or a command that failed and said why. */
function refusalOf(a: Answers): string[] {
  if (a.code === 0) return [];
  return [
    a.code === 22 || /EINVAL|the value is out of range/.test(a.output)
      ? "refused EINVAL"
      : `refused ${a.code} ${a.output.trim()}`.trim(),
  ];
}

/** Any command in the director's namespace, to change its routes and links. */
function directorStep(words: readonly string[], text: string): Step {
  return {
    text,
    plan: () => [line("X", COMMAND_TIME, ...words)],
    read: (a, memory) =>
      remember(memory, [...readProblems(a), ...outputLines(a.output), ...(a.code === 0 ? [] : [`exit ${a.code}`])], a.code),
  };
}

/** `mark 5 port 7000` */
function markStep(words: readonly string[], text: string): Step {
  const mark = Number(words[1]);
  const port = Number(words[3]);
  if (words[2] !== "port" || !(mark > 0) || !(port > 0)) throw new Error(`expected "mark 5 port 7000"`);
  return {
    text,
    plan(dialect: Dialect, seen) {
      const first = !seen.has("mark");
      seen.add("mark");
      return dialect.mark(mark, port, first);
    },
    read: (a) => [
      ...readProblems(a),
      ...(a.code === 0 || a.code === undefined ? [] : [...outputLines(a.output), `exit ${a.code}`]),
    ],
  };
}
