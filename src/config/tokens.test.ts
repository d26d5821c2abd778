import { describe, expect, test } from "vitest";
import { type Files, readLines } from "./lines.ts";
import { commentStart, splitPiece, splitScript } from "./tokens.ts";

/** The lines of one text, as words; braces stand alone. */
function read(
  text: string,
  options: Parameters<typeof readLines>[2] = {},
  more: Readonly<Record<string, string>> = {},
): string[] {
  const all: Readonly<Record<string, string>> = { "main.conf": text, ...more };
  const files: Files = {
    read: (path) => all[path],
    glob: (pattern) =>
      Object.keys(all).filter((path) => new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", "[^/]*")}$`).test(path)),
    env: (name) => (name === "HOME" ? "/root" : undefined),
  };
  const result = readLines("main.conf", files, { configId: "left", ...options });
  const lines = result.lines.map((l) =>
    l.kind === "words" ? l.words.map((w) => w.text).join(" ") : l.kind === "open" ? "{" : "}",
  );
  return [...lines, ...result.problems.map((p) => `${p.severity}: ${p.message}`)];
}

describe("a line of words", () => {
  test("keeps the column of each word and joins what is quoted", () => {
    expect(splitPiece('a "b c"d', 0, 8).words).toEqual([
      { text: "a", column: 1, quoted: false },
      { text: "b c", column: 3, quoted: true },
      { text: "d", column: 8, quoted: false },
    ]);
  });

  test("ends at a comment sign outside quotes", () => {
    expect(commentStart('a "#!" # b')).toBe(7);
    expect(read("router_id a\\#b ! rest")).toEqual(["router_id a#b"]);
  });

  test("is cut at braces wherever they stand", () => {
    expect(read("a{b}c { d }")).toEqual(["a", "{", "b", "}", "c", "{", "d", "}"]);
  });

  test("without its closing quote is a problem", () => {
    expect(read('a "b')).toEqual(["a", "error: quote without an end"]);
  });

  const scripts: [text: string, words: string[]][] = [
    ["/bin/a b  c", ["/bin/a", "b", "c"]],
    [`/bin/a 'b c' "d e"f`, ["/bin/a", "b c", "d ef"]],
    ["a\\ b \\x41\\101\\n\\cC", ["a b", "AA\n\x03"]],
    ["''", [""]],
  ];
  test.each(scripts)("of a script %j is split into %j", (text, words) => {
    expect(splitScript(text)).toEqual(words);
  });
});

describe("reading a file", () => {
  test("a condition keeps the rest of its line for the right configuration id only", () => {
    expect(read("@left a\n@right b\n@^left c\n@^right d\n@ e")).toEqual(["a", "d"]);
  });

  test("a condition also works after a brace", () => {
    expect(read("x { @left a\n}\ny { @right b\n}")).toEqual(["x", "{", "a", "}", "y", "{", "}"]);
  });

  test("a definition is put in where it is used, at the time it is used", () => {
    expect(read("$A=1${B}\n$B=2\na $A ${A}x $Ay $C\n$B=3\nb $A")).toEqual([
      "a 12 12x $Ay $C",
      "b 13",
      "warning: '$Ay' is not defined before this line",
      "warning: '$C' is not defined before this line",
    ]);
  });

  test("a name in braces that nothing defines is a problem: keepalived takes the braces for a block's", () => {
    expect(read('$ADDRESS=1\na ${ADRESS} "${B}"')).toEqual([
      "a ${ADRESS} ${B}",
      "error: '$ADRESS' is not defined before this line",
    ]);
  });

  test("a definition that contains itself ends in a problem, not in a hang", () => {
    expect(read("$A=$B\n$B=$A\nx $A")).toEqual(["error: a definition is used inside its own value"]);
    expect(read("$M= \\\n a \\\n $M\n$M").at(-1)).toBe("error: a definition is used inside its own value");
  });

  test("a definition of several lines becomes those lines, with its own substitutions", () => {
    expect(read("$V= \\\n  x { \\\n    y ${N} \\\n  }\n$N=1\n$V\n$N=2\n$V")).toEqual([
      "x",
      "{",
      "y 1",
      "}",
      "x",
      "{",
      "y 2",
      "}",
    ]);
  });

  test("predefined names give the folder, the id, signs, the environment and chance", () => {
    expect(read("a ${_PWD} ${_INSTANCE} ${_HASH}x ${_BANG} ${_ENV HOME} ${_RANDOM 5 9}", { random: (_, max) => max })).toEqual([
      "a . left #x ! /root 9",
    ]);
  });

  const generators: [line: string, result: string[]][] = [
    ["~SEQ(I,3) a $I", ["a 1", "a 2", "a 3"]],
    ["~SEQ(I,2,1) a $I", ["a 2", "a 1"]],
    ["~SEQ(I,0,5,10) a $I", ["a 0", "a 5", "a 10"]],
    ["~SEQ(I,-2) a $I", ["a -1", "a -2"]],
    ["~SEQx(I,0x0e,0x10) a $I", ["a e", "a f", "a 10"]],
    ["~SEQ(I,1,2) ~SEQ(J,3,4) a $I $J", ["a 1 3", "a 1 4", "a 2 3", "a 2 4"]],
    ["~LST(I,x,y) a $I", ["a x", "a y"]],
    ["~LST({I,J},{1,2},{3,4}) a ${I}.${J}", ["a 1.2", "a 3.4"]],
    ["~SEQ(I,1,0,3) a", ["error: ~SEQ would never reach its end"]],
    ["~LST(I) a", ["error: ~LST takes a variable and its values: ~LST(var, a, b, …) or ~LST({v, w}, {a, b}, {c, d}, …)"]],
  ];
  test.each(generators)("%s makes its lines", (line, result) => {
    expect(read(line)).toEqual(result);
  });

  test("includes are relative to their file, nest, and take wildcards", () => {
    const more = { "d/a.conf": "a\ninclude e/*.conf", "d/e/b.conf": "b", "d/e/c.conf": "c" };
    expect(read("include d/a.conf\nz", {}, more)).toEqual(["a", "b", "c", "z"]);
  });

  test("a file that includes itself is read once", () => {
    expect(read("a\ninclude main.conf")).toEqual(["a", "warning: 'main.conf' includes itself, skipped"]);
  });

  const missing: [line: string, severity: string][] = [
    ["include none", "warning"],
    ["includer none", "warning"],
    ["includem none", "error"],
    ["includea none", "error"],
    ["includem none*", "warning"],
    ["includew none*", "error"],
  ];
  test.each(missing)("%s without a file is a(n) %s", (line, severity) => {
    expect(read(line)[0]).toMatch(new RegExp(`^${severity}: no file matches`));
  });

  test("a line of more than 1022 bytes is a problem", () => {
    expect(read(`# ${"x".repeat(1100)}`)).toEqual(["error: line too long, the limit is 1022 bytes"]);
  });

  test("an origin names the file, the line and the column a word was read from", () => {
    const result = readLines("m", { read: (p) => (p === "m" ? "\n  a { b 1 }\n" : undefined), glob: () => [] });
    expect(result.lines.map((l) => [l.line, l.column])).toEqual([
      [2, 3],
      [2, 5],
      [2, 7],
      [2, 11],
    ]);
  });
});
