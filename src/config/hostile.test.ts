import { describe, expect, test } from "vitest";
import { LIMITS } from "./budget.ts";
import { formatConfig } from "./format.ts";
import { type Files, readLines } from "./lines.ts";
import { parseConfig, parseText } from "./parse.ts";
import { expandBraces, MOST_PATTERNS } from "./paths.ts";
import { explainProblem, describe as line } from "./source.ts";

/** Files that ask for more than there is: they end with a problem, in time and within the memory. */

/** A hundredth of what is allowed, which takes seconds; LVSD_FULL=1 goes all the way. */
const share = process.env.LVSD_FULL === "1" ? 1 : 100;
const limits = Object.fromEntries(Object.entries(LIMITS).map(([what, most]) => [what, most / share])) as typeof LIMITS;
const LONG = 300_000; // ms, for a machine that is shared

const said = (text: string): string[] => parseText(text, { configId: "me", limits }).problems.map(line);
const tooLarge = (text: string): string[] => said(text).filter((problem) => problem.includes("too large"));

describe("a hostile file", () => {
  test(
    "of generators in generators ends at the greatest number of lines",
    () => {
      const text = "~SEQ(A,1,90000) ~SEQ(B,1,90000) ~SEQ(C,1,90000) x\n";
      const { lines, problems } = readLines("f", { read: () => text, glob: () => [] }, { limits });
      expect(lines.length).toBe(limits.lines);
      expect(problems.map(({ message }) => message)).toEqual([
        `the configuration is too large: more than ${limits.lines} lines, the rest is not read`,
      ]);
    },
    LONG,
  );

  test(
    "of generators that make nothing at all ends too",
    () => {
      expect(tooLarge("~SEQ(A,1,90000) ~SEQ(B,1,90000) @nobody x\n")).toHaveLength(1);
      expect(tooLarge("~SEQ(A,1,90000) ~SEQ(B,1,90000) $X=1\n")).toHaveLength(1);
    },
    LONG,
  );

  test(
    "of definitions that double themselves ends",
    () => {
      const doubling = Array.from({ length: 40 }, (_, n) => `$D${n}= \\\n $D${n + 1} \\\n $D${n + 1}\n`).join("");
      expect(tooLarge(`${doubling}$D40= \\\n x\n$D0\n`)).toHaveLength(1);
    },
    LONG,
  );

  test(
    "of a definition that fills every line ends at the greatest number of characters",
    () => {
      const wide = `$W=${"w".repeat(900)}\n$V=\${W}\${W}\${W}\${W}\${W}\${W}\${W}\${W}\${W}\${W}\n`;
      expect(tooLarge(`${wide}~SEQ(A,1,99999) x \${V}\n`)).toHaveLength(1);
    },
    LONG,
  );

  test("of sequences without an end, or of numbers that are none, says so", () => {
    const nines = "9".repeat(400);
    for (const numbers of ["1,0,9", `${nines},${nines}`, "1,99999999", `1,1e9`, "-9007199254740993,1,9007199254740993"])
      expect(said(`~SEQ(A,${numbers}) x\n`)[0]).toMatch(/~SEQ/);
  });

  test(
    "that is one line of ten megabytes is told in a short text",
    () => {
      const text = `global_defs {\n router_id ${"x".repeat(10 << 20)}\n}\n`;
      const { problems } = parseText(text);
      expect(problems.map(({ message }) => message)).toContain("line too long, the limit is 1022 bytes");
      expect(problems.map(explainProblem).join("\n").length).toBeLessThan(2000);
    },
    LONG,
  );

  test.each([
    ["NUL bytes", "a\0b\n\0\0\0\n"],
    ["many opening braces", "{".repeat(60_000).concat("\n").repeat(3)],
    ["blocks in blocks", "vrrp_instance V {\n".repeat(20_000)],
    ["blocks in blocks on one line", "vrrp_instance V { ".repeat(3_000)],
    ["a thousand conditions", `${"@me ".repeat(10_000)}x\n`],
    ["braces and conditions", `${"{@me ".repeat(10_000)}\n`],
    ["generators on one line", `${"~LST(A,1) ".repeat(5_000)}x\n`],
    ["quotes", '"'.repeat(60_000)],
    ["dollars", `$A=\${A}\n${"$".repeat(60_000)}\n${"${A".repeat(10_000)}\n`],
    ["unknown words", "vrrp_instancee_x y\n".repeat(50_000)],
    ["one name twice a thousand times", "vrrp_script s {\n}\n".repeat(1000)],
    ["half a surrogate", "\ud800\udc00\ud800 {\n\udfff\n"],
    ["carriage returns", "\r\r\r{\r}\r\n".repeat(1000)],
  ])(
    "of %s is read without a crash",
    (_, text) => {
      expect(parseText(text, { configId: "me", limits }).verdict).toBe("refuse");
      expect(typeof formatConfig(text)).toBe("string");
    },
    LONG,
  );

  test(
    "that includes itself in all its forms ends at the greatest number of files",
    () => {
      let reads = 0;
      const files: Files = {
        read() {
          reads++;
          return "include a\ninclude b\n";
        },
        glob: (pattern) => [`${pattern}/x`],
      };
      const { problems, files: read } = parseConfig("main", files, { limits });
      expect(read.length).toBe(limits.files);
      expect(reads).toBeLessThan(limits.files + 100);
      expect(problems.filter(({ message }) => message.includes("too large"))).toHaveLength(1);
    },
    LONG,
  );

  test("with a pattern of many braces becomes no more than a thousand patterns", () => {
    expect(expandBraces("{a,b}".repeat(60)).length).toBeLessThanOrEqual(MOST_PATTERNS);
    expect(expandBraces("{a,b/{c,d}}e")).toEqual(["ae", "b/ce", "b/de"]);
    expect(expandBraces("{".repeat(60_000))).toHaveLength(1);
  });
});
