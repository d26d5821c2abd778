import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import type { Files } from "./lines.ts";
import { parseConfig } from "./parse.ts";
import { Rereader } from "./reread.ts";

const block = (n: number, weight: number | string, more = ""): string => `virtual_server 192.0.2.${n} 80 {
  protocol TCP
  lb_algo wrr
  lb_kind NAT
${more}  real_server 10.0.0.${n} 80 {
    weight ${weight}
    TCP_CHECK {
      connect_timeout 3
    }
  }
}
`;
const GLOBALS = "global_defs {\n  router_id a\n}\n";
const files = (texts: Readonly<Record<string, string>>): Files => ({
  read: (path) => texts[path],
  glob: (pattern) => (pattern in texts ? [pattern] : []),
});
const only = (text: string): Files => files({ "/k.conf": text });

/** Without places: those of a value that stays are those of its first reading. */
const plain = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) =>
      key === "origin" ? [] : [[key, key === "origins" ? Object.keys(inner as object).sort() : plain(inner)]],
    ),
  );
};
const outcome = ({ config, problems, verdict }: ReturnType<typeof parseConfig>) => ({ config: plain(config), problems, verdict });
const parsed = (text: string) => outcome(parseConfig("/k.conf", only(text), {}));

test("a virtual server whose text is the same stays the same value, wherever it stands", () => {
  const rereader = new Rereader();
  const read = (text: string) => rereader.parse("/k.conf", only(text), {}).config.virtualServer;
  const [a, b, c] = read(GLOBALS + block(1, 1) + block(2, 1) + block(3, 1));
  const [d, e, f] = read(GLOBALS + block(1, 1) + block(2, "1\n    inhibit_on_failure") + block(3, 1));
  expect([a === d, b === e, c === f]).toEqual([true, false, true]);
  expect(e).toMatchObject({ realServer: [{ inhibitOnFailure: true }] });
  const [g, h, i] = read(GLOBALS + block(3, 1) + block(4, 1) + block(1, 1));
  expect([g === c, h!.header, i === a]).toEqual([true, { by: "address", ip: "192.0.2.4", port: 80 }, true]);
});

test("only what has changed is looked at", () => {
  const rereader = new Rereader();
  const text = Array.from({ length: 50 }, (_, n) => block(n, 1)).join("");
  expect(rereader.parse("/k.conf", only(text), {}).lines.length).toBeGreaterThan(500);
  const { lines, problems } = rereader.parse("/k.conf", only(text.replace("weight 1\n", "weight 2\n")), {});
  expect([lines.length, problems]).toEqual([parseConfig("/k.conf", only(block(0, 2))).lines.length, []]);
});

const changes: [what: string, before: string, after: string][] = [
  ["another setting for all", GLOBALS, "global_defs {\n  router_id b\n}\n"],
  ["a variable that it uses", "$W=1\n", "$W=2\n"],
];
for (const [what, before, after] of changes)
  test(`${what} has all read again`, () => {
    const rereader = new Rereader();
    const rest = block(1, what.includes("variable") ? "$W" : 1) + block(2, 1);
    rereader.parse("/k.conf", only(before + rest), {});
    expect(outcome(rereader.parse("/k.conf", only(after + rest), {}))).toEqual(parsed(after + rest));
  });

test("what is said about a virtual server is said each time", () => {
  const rereader = new Rereader();
  const text = (weight: number): string => block(1, weight) + block(2, 1, "  ha_suspendd\n") + block(3, 1, "  alpha\n");
  for (const weight of [1, 2, 3]) {
    const { problems } = rereader.parse("/k.conf", only(text(weight)), {});
    expect(problems.map(({ origin }) => origin.line)).toEqual([16]);
  }
  const isQuiet = vi.fn((lines: readonly { words: readonly { text: string }[] }[]) =>
    lines.every(({ words }) => words[0]?.text !== "alpha"),
  );
  const told = new Rereader(isQuiet);
  const last = [1, 2, 3].map((weight) => told.parse("/k.conf", only(block(1, weight) + block(3, 1, "  alpha\n")), {}).lines);
  expect(last.map((lines) => lines.filter(({ words }) => words[0]?.text === "alpha").length)).toEqual([1, 1, 1]);
});

test("which of two is the first stays the same, whatever file they are in", () => {
  const texts = { "/k.conf": `include /a\n${block(1, 1)}include /b\n${block(1, 4)}`, "/a": block(1, 2), "/b": block(1, 3) };
  const rereader = new Rereader();
  const weights = () =>
    rereader.parse("/k.conf", files(texts), {}).config.virtualServer.map(({ realServer }) => realServer[0]!.weight);
  expect([weights(), weights()]).toEqual([
    [2, 1, 3, 4],
    [2, 1, 3, 4],
  ]);
});

test("a block whose first line belongs to a definition is none, though it was known", () => {
  const rereader = new Rereader();
  const text = (head: string) => `${head}\n${block(1, 1)}${block(1, 1)}${block(2, 1)}`;
  for (const head of ["$X=\\", "$X=\\", "$X=a \\ # more", "$X=a \\ # more"])
    expect(outcome(rereader.parse("/k.conf", only(text(head)), {})), head).toEqual(parsed(text(head)));
  expect(parsed(text("$X=\\")).verdict).toBe("refuse");
});

test("a block within another is none, though it is known from elsewhere", () => {
  const texts = { "/k.conf": `include /a\n${block(1, 1)}`, "/a": block(2, 1).replace("\n", `\n${block(1, 1)}`) };
  const rereader = new Rereader();
  const verdicts = [1, 2].map(() => rereader.parse("/k.conf", files(texts), {}).verdict);
  expect(verdicts).toEqual(["refuse", "refuse"]);
});

test("files that are included are read as quickly, and come in the order of reading", () => {
  const rereader = new Rereader();
  const read = (weight: number) =>
    rereader.parse(
      "/k.conf",
      files({ "/k.conf": `include /a\ninclude /b\n${block(3, 1)}`, "/a": block(1, weight), "/b": block(2, 1) }),
      {},
    );
  const [a] = [read(1), read(2)];
  const again = read(3);
  expect(again.config.virtualServer.map(({ realServer }) => realServer[0]!.weight)).toEqual([3, 1, 1]);
  expect(again.lines.length).toBeLessThan(a!.lines.length / 2);
});

const LATER = (text: string): string => `$L=\\\n${text.trimEnd().split("\n").join(" \\\n")}\n`;

/** Lines that may come in anywhere, many of which break something. */
const LINES = [
  "}",
  "{",
  "  weight 7",
  "nonsense",
  "virtual_server 192.0.2.9 80 {",
  "$W=3",
  "# }",
  "! {",
  "@other alpha",
  '  "',
  "  alpha",
  "$X=\\",
  "  beta \\ ",
  "$X",
  "include /c",
  "",
];
const edits = fc.array(
  fc.record({ at: fc.nat(60), what: fc.constantFrom("insert", "delete", "swap", "block"), line: fc.constantFrom(...LINES) }),
  { maxLength: 3 },
);
type Edit = { at: number; what: string; line: string };
function edited(text: string, list: readonly Edit[]): string {
  const lines = text.split("\n");
  for (const { at, what, line } of list) {
    if (what === "insert") lines.splice(at, 0, line);
    else if (what === "delete") lines.splice(at, 1);
    else if (what === "block") lines.splice(at, 0, ...block((at % 3) + 1, at).split("\n"));
    else lines.splice(at, 2, ...lines.slice(at, at + 2).reverse());
  }
  return lines.join("\n");
}

/** Duplicates in files that are included from between blocks, and lines that go on. */
const BASES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "one file": {
    "/k.conf": `${GLOBALS}${block(1, 1)}\n# between\n${block(2, "$W")}${block(3, 1)}virtual_server_group G {\n  10.1.1.1 80\n}\n`,
  },
  "files in files": {
    "/k.conf": `include /a\n${GLOBALS}${block(1, 1)}${block(2, 1)}include /b\n${block(3, 1)}`,
    "/a": block(1, 2),
    "/b": `${block(2, 2)}include /c\n${block(3, 2)}`,
    "/c": "",
  },
  "lines that go on": {
    "/k.conf": `${block(1, 1)}${LATER(block(1, 2))}\n${block(2, 1)}$S=\\\n  alpha\n${block(1, 3)}$L\n${block(2, 2)}`,
  },
};
for (const [what, base] of Object.entries(BASES))
  test(`whatever is changed, what is read is what parseConfig reads: ${what}`, () => {
    const step = fc.record({ path: fc.constantFrom(...Object.keys(base)), list: edits });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 4 }), (steps) => {
        const rereader = new Rereader();
        let texts = base;
        for (const { path, list } of [{ path: "/k.conf", list: [] }, ...steps]) {
          texts = { ...texts, [path]: edited(texts[path]!, list) };
          const [got, wanted] = [
            outcome(rereader.parse("/k.conf", files(texts), {})),
            outcome(parseConfig("/k.conf", files(texts), {})),
          ];
          if (!isDeepStrictEqual(got, wanted)) expect(got).toEqual(wanted); // which says how they differ, but takes its time
        }
      }),
      { numRuns: 120 },
    );
  });
