import { describe, expect, it } from "vitest";
import { type Case, parseCase } from "./case.ts";
import { type Difference, wanted } from "./differences.ts";
import { fuzzSteps } from "./fuzz.ts";
import { outcomeOf, planOf } from "./plan.ts";
import { printResults, resultOf, unmetExpectations, unneeded } from "./report.ts";
import type { Outcome } from "./side.ts";
import { compare, formatTranscript, isSameLine, parseTranscript, sortConns } from "./transcript.ts";
import { kernelDialect } from "./uml.ts";

const transcript = (lines: string[]): Outcome => ({
  name: "9-x/y",
  transcript: { name: "9-x/y", steps: [{ step: "ipvsadm -Ln", lines }] },
});
const anyCase = (text: string): Case => parseCase("9-x/y", text);

describe("a case file", () => {
  it("becomes steps, its chapter, its first comment and the time it waits", () => {
    const c = anyCase("# what it shows\nipvsadm -C\nwait 1.5s\nwait 250ms\n");
    expect(c).toMatchObject({ chapter: 9, about: "what it shows", waits: 1750 });
    expect(c.steps.map((s) => s.text)).toEqual(["ipvsadm -C", "wait 1.5s", "wait 250ms"]);
  });

  it("names the file and line of a mistake", () => {
    expect(() => anyCase("ipvsadm -C\n\nsned client")).toThrow('9-x/y.case:3: unknown step "sned"');
  });

  it("gives a command the lines below it as its standard input", () => {
    const plan = planOf(anyCase("ipvsadm -R\n| -A -t 10.1.0.100:80\n| -C\n"), kernelDialect, "b");
    expect(plan).toContain(`I\t${Buffer.from("-A -t 10.1.0.100:80\n-C\n").toString("hex")}\nX\t10000\tipvsadm\t-R`);
  });

  it("gets the same random services and picks from the same seed, and others from another", () => {
    const text = (seed: number): string =>
      fuzzSteps(["wlc", `seed=${seed}`, "rounds=3"])
        .map((s) => s.text + s.input)
        .join("\n");
    expect(text(1)).toBe(text(1));
    expect(text(1)).not.toBe(text(2));
  });
});

describe("an answer", () => {
  const c = anyCase("picks 4 tcp 10.1.0.100:80\nexpect A C - .\nexpect B\nipvsadm -d\nexpect-exit 2\n");
  const answer = "= prologue\nx 0\n= 0\np r0b,\np r0d,\np c03,\np \n= 1\n= 2\n= 3\no 6f6f7073\nx 2\n= 4\nend\n";

  it("becomes a transcript: picks as letters, output and exit code, expectations met or not", () => {
    const outcome = outcomeOf(c, answer);
    expect("transcript" in outcome && outcome.transcript.steps.map((s) => s.lines)).toEqual([
      ["AC-."],
      ["yes"],
      ["NO"],
      ["oops", "exit 2"],
      ["yes"],
    ]);
    expect(unmetExpectations([outcome])).toHaveLength(1);
  });

  it("that breaks off names the step it broke off in", () => {
    expect(outcomeOf(c, answer.replace("\n= 4\nend\n", "\n"))).toMatchObject({ failure: "stopped in step 4: ipvsadm -d" });
  });

  it("whose set-up failed says what failed", () => {
    expect(outcomeOf(c, "= prologue\no 6f6f7073\nx 1\nend\n")).toMatchObject({ failure: "set-up failed:  oops (1)" });
  });

  it("is the same after it was stored", () => {
    const outcome = outcomeOf(c, answer);
    if (!("transcript" in outcome)) throw new Error("no transcript");
    const { name, steps } = outcome.transcript;
    const stored = parseTranscript(name, formatTranscript(outcome.transcript));
    expect(stored).toEqual({ name, steps: steps.map(({ step, lines }) => ({ step, lines })) });
  });
});

describe("two transcripts", () => {
  it("agree although a conn expires some seconds earlier, and only then", () => {
    const conn = (time: string): string => `TCP ${time}  SYN_RECV    10.1.0.3:1      10.1.0.100:80      10.2.0.11:80`;
    expect(isSameLine(conn("01:00"), conn("00:58"))).toBe(true);
    expect(isSameLine(conn("01:00"), conn("00:50"))).toBe(false);
    expect(isSameLine(conn("01:00"), conn("00:50"), 7)).toBe(true); // the run was 7 s late
    expect(isSameLine(conn("00:50"), conn("01:00"), 7)).toBe(false);
    expect(isSameLine(conn("01:00"), conn("01:00").replace("SYN_RECV   ", "ESTABLISHED"))).toBe(false);
  });

  it("list conns in one order whatever the table's", () => {
    expect(sortConns(["UDP 00:10 b", "TCP 09:00 a", "TCP 01:00 b"])).toEqual(["TCP 09:00 a", "TCP 01:00 b", "UDP 00:10 b"]);
  });

  it("differ by a line that only one of them has", () => {
    const [a, b] = [transcript(["x", "y"]), transcript(["x"])];
    if (!("transcript" in a) || !("transcript" in b)) throw new Error("no transcript");
    expect(compare(a.transcript, b.transcript)).toEqual([{ step: "ipvsadm -Ln", kernel: "y", ours: undefined }]);
  });
});

describe("two steps of unlike length", () => {
  const mismatches = (kernel: string[], ours: string[]): (string | undefined)[][] => {
    const [k, o] = [transcript(kernel), transcript(ours)];
    if (!("transcript" in k && "transcript" in o)) throw new Error("no transcript");
    return compare(k.transcript, o.transcript).map((m) => [m.kernel, m.ours]);
  };
  it("differ only by the line in the middle that one of them lacks", () => {
    expect(mismatches(["a", "b", "c", "d"], ["a", "c", "d"])).toEqual([["b", undefined]]);
    expect(mismatches(["a", "d"], ["a", "b", "c", "d"])).toEqual([
      [undefined, "b"],
      [undefined, "c"],
    ]);
  });
  it("show a changed line beside the one it stands for", () => {
    expect(mismatches(["a", "b", "c", "d"], ["a", "x", "d"])).toHaveLength(2);
    expect(mismatches(["size=4096", "x", "y"], ["size=1", "y"])).toContainEqual(["size=4096", "size=1"]);
  });
});

describe("the list of wanted differences", () => {
  const list: Difference[] = [{ cases: "9-x/*", kernel: /^size=4096$/, ours: /^size=\d+$/, reason: "another table" }];
  const c = anyCase("ipvsadm -Ln\n");

  it("covers a mismatch of its cases whose both lines it describes", () => {
    const result = resultOf(c, transcript(["size=4096"]), transcript(["size=65536"]), list);
    expect(result).toMatchObject({ mismatches: [], wanted: [{ reason: "another table" }] });
  });

  it("covers nothing else", () => {
    expect(resultOf(c, transcript(["size=4096"]), transcript(["size=none"]), list).mismatches).toHaveLength(1);
    expect(wanted(list, "8-x/y", { step: "", kernel: "size=4096", ours: "size=1" })).toBeUndefined();
  });

  it("tells of entries that nothing needs any more", () => {
    expect(unneeded(list, [resultOf(c, transcript(["size=4096"]), transcript(["size=1"]), list)])).toEqual([]);
    expect(unneeded(list, [resultOf(c, transcript(["size=4096"]), transcript(["size=4096"]), list)])).toEqual(list);
  });

  it("makes the table say agreed, while an uncovered mismatch makes the run fail and shows both sides", () => {
    const said: string[] = [];
    const print = (text: string): void => void said.push(text);
    expect(printResults([resultOf(c, transcript(["size=4096"]), transcript(["size=1"]), list)], print)).toBe(true);
    expect(printResults([resultOf(c, transcript(["a"]), transcript(["b"]), list)], print)).toBe(false);
    expect(said.join("\n")).toContain("    kernel: a\n    ours:   b");
  });
});
