import fc from "fast-check";
import { expect, test } from "vitest";
import { labelsOf, parseStrictly, plain } from "./testing/strict.ts";
import { exposition, labelText, type Sample } from "./text.ts";

const text = (samples: readonly Sample[], help = "Help."): string =>
  [...exposition([{ name: "a_total", help, type: "counter", samples }])].join("");

test("a family has its help and its type once, and then its samples", () => {
  const samples: Sample[] = [
    [labelText({ x: "1", y: 2 }), 3],
    [labelText({ x: "2", y: 2 }), 0.5],
  ];
  expect(text(samples)).toBe('# HELP a_total Help.\n# TYPE a_total counter\na_total{x="1",y="2"} 3\na_total{x="2",y="2"} 0.5\n');
});

test("a family without samples is left out", () => expect(text([])).toBe(""));

test("numbers that are none, and large ones, are written as Prometheus reads them", () => {
  const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 53, 1e21, 1e-7, -1];
  const words = text(values.map((value, i): Sample => [labelText({ i }), value]))
    .split("\n")
    .slice(2, -1)
    .map((line) => line.split(" ")[1]);
  expect(words).toEqual(["NaN", "+Inf", "-Inf", "9007199254740992", "1e+21", "1e-7", "-1"]);
});

test("a help of two lines stays one", () => {
  expect(text([["", 1]], "one\ntwo \\").split("\n")[0]).toBe("# HELP a_total one\\ntwo \\\\");
});

test("whatever a label says, it is read back as it was", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-z_][a-z0-9_]*$/), fc.string()), (labels) => {
      const line = labelText(labels);
      const [family] = parseStrictly(text([[line, 1]])).values();
      expect(family!.samples.size).toBe(1);
      const read = labelsOf(line.slice(1, -1)).map(([name, value]) => [name, plain(value)]);
      expect(read).toEqual(Object.entries(labels));
    }),
  );
});

const wrong: readonly (readonly [text: string, why: string])[] = [
  ["a 1", "does not end"],
  ["a 1\n", "outside of its family"],
  ["# HELP a A\n# TYPE b gauge\n", "TYPE without"],
  ["# HELP a A\n# TYPE a counter\na 1\n", "ends in _total"],
  ["# HELP a A\n# TYPE a gauge\na 1\na 2\n", "twice"],
  ['# HELP a A\n# TYPE a gauge\na{x="1",y="2"} 1\na{y="2",x="1"} 2\n', "twice"],
  ['# HELP a A\n# TYPE a gauge\na{x="1"y="2"} 1\n', "not labels"],
  ['# HELP a A\n# TYPE a gauge\na{x="\\t"} 1\n', "not labels"],
  ["# HELP a A\n# TYPE a gauge\na one\n", "not a number"],
  ["# HELP a A\n# TYPE a gauge\na 1\n# HELP b B\n# TYPE b gauge\na 1\n", "outside of its family"],
  ["# HELP a A\n# TYPE a gauge\n", "no samples"],
];
for (const [line, why] of wrong)
  test(`the checker of these tests refuses ${JSON.stringify(line)}`, () => expect(() => parseStrictly(line)).toThrow(why));
