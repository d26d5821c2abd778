import fc from "fast-check";
import { expect, test } from "vitest";
import { indexOptions, Popt } from "./popt.ts";

const options = [
  { long: "list", short: "L", arity: "none" },
  { long: "numeric", short: "n", arity: "none" },
  { long: "tcp-service", short: "t", arity: "required" },
  { long: "persistent", short: "p", arity: "optional" },
  { long: "pe", arity: "required" },
] as const;
const index = indexOptions(options);

/** "L n t=10.0.0.1:80 | rest", or popt's complaint behind a "!". */
function read(...args: string[]): string {
  const popt = new Popt(args, index);
  const told: string[] = [];
  for (let met = popt.next(); met !== undefined; met = popt.next()) {
    if ("problem" in met) return [...told, `!${met.problem}`].join(" ");
    told.push(met.value === undefined ? met.option.long : `${met.option.long}=${met.value}`);
  }
  return [...told, "|", ...popt.rest].join(" ");
}

const cases: [args: string, told: string][] = [
  ["-Ln", "list numeric |"],
  ["-Lnt 1.1.1.1:80", "list numeric tcp-service=1.1.1.1:80 |"],
  ["-t1.1.1.1:80", "tcp-service=1.1.1.1:80 |"],
  ["-t=x", "tcp-service=x |"],
  ["--tcp-service=x=y", "tcp-service=x=y |"],
  ["-t --", "tcp-service=-- |"],
  ["-p -n", "persistent numeric |"],
  ["-p 30 -n", "persistent=30 numeric |"],
  ["-pn", "persistent=n |"],
  ["a -n b", "numeric | a b"],
  ["-- -n", "| -n"],
  ["- -n", "numeric | -"],
  ["-Lnx", "list numeric !-Lnx: unknown option"],
  ["-Lnt", "list numeric !-Lnt: missing argument"],
  ["--pe", "!--pe: missing argument"],
  ["--num", "!--num: unknown option"],
  ["--list=1", "!--list=1: option does not take an argument"],
];

for (const [args, told] of cases) {
  test(`${args} is read as ${told}`, () => {
    expect(read(...args.split(" "))).toBe(told);
  });
}

test("any arguments are read to their end or to a complaint about one of them", () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[-=Lntp0a]{0,6}$/)), (args) => {
      const told = read(...args);
      const complaint = /!(.*?): (unknown option|missing argument|option does not take an argument)$/.exec(told);
      expect(complaint === null ? told.includes("|") : args.includes(complaint[1]!)).toBe(true);
    }),
  );
});
